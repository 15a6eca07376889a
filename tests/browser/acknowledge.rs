//! Saying "we have got this": on an agency's own page, and by the link in an escalation mail.

use tocsin_protocol::{EventKind, Receipt, ReceiptMethod};
use tocsin_tests::{Browser, Cast, Mail, Manner, browser::Key, checker::Standing, event, seconds};

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_acknowledges_with_the_keyboard_alone() {
    let cast = Cast::new(&[seconds(600.0)]).required(&["north", "south"]).console(&[]);
    let scene = Scene::start(cast, &["south"]).await;
    let _desk = scene.world.desk("south", Manner::Silent).await;
    let first = event("x", 1, EventKind::Initial);
    scene.world.publish(&first).await;
    let (agency, regulator) = (Browser::open().await, Browser::open().await);
    regulator.sign_in(&scene.url, "regulator").await;
    regulator.go(&scene.at("/incidents/x")).await;
    regulator.reads("#r-south", |text| text.contains("Delivered, to acknowledge by")).await;

    agency.sign_in(&scene.url, "south").await;
    agency.reads("#board", |text| text.contains(&first.headline)).await;
    agency.go(&scene.at("/incidents/x")).await;
    agency.sees("#own a.button").await;
    agency.tab_to("#own a.button").await;
    agency.press(Key::Enter).await;
    agency.reads("h1", |text| text.contains("Acknowledge for")).await;
    let mut barriers = agency.barriers("acknowledge").await;
    agency.shoot("acknowledge").await;
    agency.tab_to("#name").await;
    agency.keys("A. Example").await;
    agency.tab_to("#role").await;
    agency.keys("Control room supervisor").await;
    agency.tab_to("main button[type=submit]").await;
    agency.press(Key::Enter).await;
    agency.reads("main", |text| text.contains("A. Example, Control room supervisor")).await;
    barriers.extend(agency.barriers("acknowledged").await);
    agency.shoot("acknowledged").await;
    assert!(barriers.is_empty(), "{}", barriers.join("\n"));

    regulator.reads("#r-south", |text| text.contains("Acknowledged") && text.contains("A. Example")).await;
    let receipt: Receipt = scene.world.fact("tocsin.receipt.south.x.1.acknowledged").await;
    assert_eq!(receipt.method, Some(ReceiptMethod::Page), "the record says by which door");
    assert!(!scene.world.stands("tocsin.receipt.north.x.1.acknowledged").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_mail_acknowledges_by_its_link_without_account_or_script() {
    let cast = Cast::new(&[seconds(1.0), seconds(25.0)]).required(&["north"]).console(&[]);
    let scene = Scene::start(cast, &[]).await;
    scene.world.publish(&event("x", 1, EventKind::Initial)).await;
    scene.world.mails(|seen| seen.mails.len() == 1).await;
    let mail = Mail::read(&scene.world.relays[0].mails()[0]);
    let link = mail.text.split_whitespace().find(|word| word.starts_with(&scene.url)).unwrap().to_owned();
    assert!(mail.html.contains(&link), "both parts of the mail have it");

    let browser = Browser::without_script().await;
    browser.go(&link).await;
    browser.reads("h1", |text| text.contains("Acknowledge for")).await;
    browser.shoot("link").await;
    browser.go(&link).await;
    assert!(
        !scene.world.stands("tocsin.receipt.north.x.1.acknowledged").await,
        "whoever opens it, a mail scanner perhaps, says nothing"
    );
    browser.fill("#name", "B. Example").await;
    browser.fill("#role", "Duty officer").await;
    browser.click("main button[type=submit]").await;
    browser.reads("main", |text| text.contains("B. Example, Duty officer")).await;
    browser.shoot("link-used").await;
    let receipt: Receipt = scene.world.fact("tocsin.receipt.north.x.1.acknowledged").await;
    assert_eq!(receipt.method, Some(ReceiptMethod::Link));
    browser.go(&link).await;
    browser.reads("main", |text| text.contains("B. Example")).await;
    assert!(!browser.seen("main form").await, "it is of no more use");
    browser.go(&format!("{link}x")).await;
    browser.reads("main", |text| text.contains("Nothing is acknowledged by it")).await;

    let regulator = Browser::without_script().await;
    regulator.sign_in(&scene.url, "regulator").await;
    regulator.go(&scene.at("/audit")).await;
    regulator.click("a[href='/audit/x']").await;
    regulator.reads("main", |text| text.contains("B. Example")).await;
    regulator.shoot("audit-report").await;
    let end = scene.finish().await;
    assert_eq!(end.stood("x", 1, "north"), (Standing::Late, vec![1]), "nobody was written to again");
}
