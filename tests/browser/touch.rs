//! A page never looks calm because it is deaf.

use tocsin_protocol::EventKind;
use tocsin_tests::{Browser, Cast, event, seconds};

use crate::scene::Scene;

async fn lost(browser: &Browser, words: &str) {
    browser.sees("#touch").await;
    browser.reads("#touch", |text| text.contains(words) && text.contains("Use the telephone")).await;
}

/// Waits until the banner has gone.
async fn in_touch(browser: &Browser) {
    browser.sees("html:has(#touch[hidden]) h1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_stops_or_dies_under_an_open_page_is_told_and_what_was_missed_comes_afterwards() {
    let cast = Cast::new(&[seconds(600.0)]).required(&["north"]);
    let mut scene = Scene::start(cast, &[]).await;
    scene.world.publish(&event("x", 1, EventKind::Initial)).await;
    let (with, without) = (Browser::open().await, Browser::without_script().await);
    for browser in [&with, &without] {
        browser.sign_in(&scene.url, "regulator").await;
        browser.click("#board a[href='/incidents/x']").await;
        browser.sees("#r-north").await;
        assert!(!browser.seen("#touch").await);
    }

    scene.world.server.pause().unwrap();
    lost(&with, "lost touch with the bus").await;
    without.reload().await;
    lost(&without, "lost touch with the bus").await;
    with.shoot("banner-bus-stopped").await;
    scene.world.server.resume().unwrap();
    in_touch(&with).await;

    scene.world.server.kill().await.unwrap();
    lost(&with, "lost touch with the bus").await;
    assert_eq!(with.barriers("an incident's page that is deaf").await, Vec::<String>::new());
    scene.world.server.restart().await.unwrap();
    in_touch(&with).await;
    let update = event("x", 2, EventKind::Update);
    scene.world.publish(&update).await;
    with.reads("h1", |text| text == update.headline).await;
    without.reload().await;
    assert!(!without.seen("#touch").await);
    assert_eq!(without.text("h1").await, update.headline);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_dies_under_an_open_page_is_told_and_the_page_goes_on_where_it_was() {
    let cast = Cast::new(&[seconds(600.0)]).required(&["north"]);
    let mut scene = Scene::start(cast, &[]).await;
    scene.world.publish(&event("x", 1, EventKind::Initial)).await;
    let browser = Browser::open().await;
    browser.sign_in(&scene.url, "regulator").await;
    browser.click("#board a[href='/incidents/x']").await;
    browser.sees("#r-north").await;
    browser.run("window.stays = true", serde_json::json!([])).await;

    scene.kill_console();
    lost(&browser, "lost touch with the console").await;
    browser.shoot("banner-console-gone").await;
    let update = event("x", 2, EventKind::Update);
    scene.world.publish(&update).await;
    scene.world.entry("tocsin.dispatch.operator.x.2").await;
    scene.restart_console().await;
    browser.reads("h1", |text| text == update.headline).await;
    in_touch(&browser).await;
    assert_eq!(browser.run("return window.stays", serde_json::json!([])).await, true, "loaded anew");

    // A console that hangs ends no connection: nothing but the page's own watch tells.
    scene.console.as_ref().unwrap().stall();
    lost(&browser, "lost touch with the console").await;
    scene.console.as_ref().unwrap().wake();
    in_touch(&browser).await;
    scene.world.publish(&event("x", 3, EventKind::Update)).await;
    browser.reads("h1", |text| text.contains("event 3")).await;
}
