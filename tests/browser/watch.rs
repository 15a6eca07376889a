//! An open page is kept up to date by what happens on the bus.

use tocsin_protocol::{EventKind, Status};
use tocsin_tests::{Browser, Cast, Gate, Manner, event, seconds};

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_shows_a_failure_from_the_first_word_to_the_last() {
    let cast = Cast::new(&[seconds(8.0)]).required(&["north", "south"]).informed(&["water"]);
    let scene = Scene::start(cast, &[]).await;
    let gate = Gate::new();
    let _desks = (
        scene.world.desk("north", Manner::Acknowledges).await,
        scene.world.desk("south", Manner::AcknowledgesOnce(gate.clone())).await,
    );
    let (board, page) = (Browser::open().await, Browser::open().await);
    board.sign_in(&scene.url, "regulator").await;
    page.sign_in(&scene.url, "regulator").await;
    board.reads("main", |text| text.contains("No incident is open")).await;
    // What is typed into the page stays only as long as the page is never loaded anew.
    for browser in [&board, &page] {
        browser.run("window.stays = true", serde_json::json!([])).await;
    }

    let first = event("x", 1, EventKind::Initial);
    scene.world.publish(&first).await;
    board.reads("#board", |text| text.contains(&first.headline)).await;
    board.click("#board a[href='/incidents/x']").await;
    board.reads("h1", |text| text == first.headline).await;
    board.run("window.stays = true", serde_json::json!([])).await;

    board
        .reads("#r-north", |text| text.contains("Acknowledged") && text.contains("A Person, Supervisor"))
        .await;
    board.reads("#r-south", |text| text.contains("Delivered, to acknowledge by")).await;
    board.reads("#r-water", |text| text.contains("Notified, for information")).await;
    board.reads("#summary", |text| text.contains("1 of 2")).await;
    board.shoot("incident-window-open").await;

    board.reads("#r-south", |text| text.contains("Silent") && text.contains("mail accepted")).await;
    board.reads("#timeline", |text| text.contains("silent: Body south")).await;
    board.shoot("incident-silent").await;
    gate.open();
    board.reads("#r-south", |text| text.contains("Acknowledged late")).await;

    let last = event("x", 2, EventKind::Resolved);
    scene.world.publish(&last).await;
    board.reads("h1", |text| text == last.headline).await;
    board.reads("#title", |text| text.contains("Resolved")).await;
    page.reads("main", |text| text.contains(&last.headline) && text.contains("No incident is open")).await;
    for browser in [&board, &page] {
        assert_eq!(browser.run("return window.stays", serde_json::json!([])).await, true, "loaded anew");
        assert_eq!(browser.complaints().await, Vec::<String>::new());
    }
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_every_page_is_whole_and_loads_itself_anew() {
    let cast = Cast::new(&[seconds(600.0)]).required(&["north", "south"]);
    let scene = Scene::start(cast, &["south"]).await;
    let _desk = scene.world.desk("north", Manner::Acknowledges).await;
    let mut first = event("x", 1, EventKind::Initial);
    first.status = Status::Exercise;
    scene.world.publish(&first).await;
    scene.world.entry("tocsin.receipt.north.x.1.acknowledged").await;

    let browser = Browser::without_script().await;
    browser.sign_in(&scene.url, "regulator").await;
    browser.reads("#board", |text| text.contains(&first.headline)).await;
    assert!(browser.has("noscript").await || browser.has("meta[http-equiv=refresh]").await);
    browser.click("#board a[href='/incidents/x']").await;
    let wall = browser.reads("#r-north", |text| text.contains("Acknowledged")).await;
    assert!(wall.contains("A Person"), "{wall}");
    assert!(browser.has("meta[http-equiv=refresh]").await);
    assert!(browser.text(".drill").await.contains("EXERCISE"));
    browser.click("nav.filter a:last-child").await;
    browser.sees("#r-south").await;
    assert!(!browser.seen("#r-north").await, "only those who have not acknowledged are shown");
    browser.shoot("incident-without-script").await;
    browser.click("header .who button").await;
    browser.go(&scene.at("/incidents/x")).await;
    browser.sees("#password").await;
}
