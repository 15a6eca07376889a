//! Everybody sees what they may, and no more.

use tocsin_protocol::{Area, EventKind, Impact};
use tocsin_tests::{Browser, Cast, Manner, event, seconds};

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn two_agencies_side_by_side_see_the_shared_incident_and_their_own_part_in_it() {
    let mut cast = Cast::new(&[seconds(600.0)]).required(&["north", "south", "west"]);
    let west = Area { id: "west".parse().unwrap(), ..cast.document.areas[1].clone() };
    cast.document.areas.push(west);
    for recipient in &mut cast.document.recipients {
        recipient.areas = vec![recipient.id.as_str().parse().unwrap()];
    }
    cast.document.policies[0].owed[0].place = tocsin_protocol::Where::Affected;
    let scene = Scene::start(cast, &["north", "south", "west"]).await;
    let _desks = (
        scene.world.desk("north", Manner::Acknowledges).await,
        scene.world.desk("south", Manner::Silent).await,
    );
    let mut first = event("x", 1, EventKind::Initial);
    first.areas = vec!["north".parse().unwrap(), "south".parse().unwrap()];
    let by_area = [("north".parse().unwrap(), 30), ("south".parse().unwrap(), 12)].into();
    first.impact =
        Some(Impact { calls_unsuccessful: Some(42), by_area, as_of: None, source: None, provisional: None });
    scene.world.publish(&first).await;
    scene.world.entry("tocsin.receipt.north.x.1.acknowledged").await;
    scene.world.entry("tocsin.receipt.south.x.1.delivered").await;

    let (north, south) = (Browser::open().await, Browser::open().await);
    for (browser, agency) in [(&north, "north"), (&south, "south")] {
        browser.sign_in(&scene.url, agency).await;
        browser.click("#board a[href='/incidents/x']").await;
        browser.reads("h1", |text| text == first.headline).await;
        assert!(!browser.has("#wall").await, "the wall is not an agency's");
    }
    north.reads("#own", |text| text.contains("Body north") && text.contains("Acknowledged")).await;
    south.reads("#own", |text| text.contains("Body south") && text.contains("to acknowledge by")).await;
    assert!(north.text("#situation").await.contains("30"));
    assert!(south.text("#situation").await.contains("12"));
    for (browser, other) in [(&north, "south"), (&south, "north")] {
        let page = browser.picture().await;
        let (_, main) = page.split_once("<main").unwrap();
        assert!(!main.contains(&format!("Body {other}")), "{main}");
    }
    south.shoot("incident-agency").await;

    let west = Browser::open().await;
    west.sign_in(&scene.url, "west").await;
    west.reads("main", |text| text.contains("No incident is open")).await;
    west.go(&scene.at("/incidents/x")).await;
    let absent = west.text("main").await;
    west.go(&scene.at("/incidents/there-is-none")).await;
    assert_eq!(west.text("main").await, absent, "who was not told cannot tell that there is one");
    assert!(!absent.contains(&first.headline));

    let operator = Browser::open().await;
    operator.sign_in(&scene.url, tocsin_tests::PUBLISHER).await;
    operator.click("#board a[href='/incidents/x']").await;
    operator.sees("#r-north").await;
    operator.sees("#r-south").await;
}
