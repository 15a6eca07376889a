//! The duty manager publishes from the page.

use tocsin_protocol::{EventKind, Status};
use tocsin_tests::{Browser, Cast, Manner, PUBLISHER, seconds};

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_published_updated_and_resolved_from_the_page_with_and_without_a_script() {
    for script in [true, false] {
        let cast = Cast::new(&[seconds(20.0)]).required(&["north"]);
        let scene = Scene::start(cast, &[]).await;
        let _desk = scene.world.desk("north", Manner::Acknowledges).await;
        let browser = if script { Browser::open().await } else { Browser::without_script().await };
        browser.sign_in(&scene.url, PUBLISHER).await;
        browser.click("nav a[href='/publish']").await;
        browser.sees("form[action='/publish/preview']").await;
        if script {
            assert_eq!(browser.barriers("publish").await, Vec::<String>::new());
            browser.shoot("publish").await;
        }
        browser.click("form[action='/publish/preview'] button[type=submit]").await;
        browser.sees(".error-summary").await;
        if script {
            assert_eq!(browser.barriers("publish-wrong").await, Vec::<String>::new());
            browser.shoot("publish-wrong").await;
        }
        browser.click("input[name=status][value=exercise]").await;
        browser.click("input[name=category][value=outage]").await;
        browser.click("input[name=services][value='999-voice']").await;
        browser.click("input[name=areas][value=uk]").await;
        browser.fill("#headline", "999 calls are failing, says the page").await;
        browser.click("form[action='/publish/preview'] button[type=submit]").await;
        let preview = browser.reads("main", |text| text.contains("Who will be told")).await;
        assert!(preview.contains("Acknowledge by"), "{preview}");
        assert!(
            scene.world.entries(tocsin_protocol::Stream::Said).await.is_empty(),
            "sent before it was confirmed"
        );
        if script {
            assert_eq!(browser.barriers("publish-preview").await, Vec::<String>::new());
            browser.shoot("publish-preview").await;
            browser.narrow(320, 700).await;
            assert_eq!(browser.overhang().await, Vec::<String>::new());
            browser.narrow(1280, 1000).await;
        }
        browser.click("form.confirm button[type=submit]").await;
        browser.reads("h1", |text| text == "999 calls are failing, says the page").await;
        browser.shoot(if script { "published" } else { "published-without-script" }).await;
        let said = scene.world.entries(tocsin_protocol::Stream::Said).await;
        let event: tocsin_protocol::Event = tocsin_protocol::from_body("event", &said[0].body).unwrap();
        assert_eq!((event.kind, event.status), (EventKind::Initial, Status::Exercise));
        browser.click("a[href$='says=resolved']").await;
        browser.fill("#headline", "999 is back").await;
        browser.click("form[action='/publish/preview'] button[type=submit]").await;
        browser.click("form.confirm button[type=submit]").await;
        browser.reads("h1", |text| text == "999 is back").await;
        browser.reads("#title", |text| text.contains("Resolved")).await;
        scene.finish().await;
    }
}
