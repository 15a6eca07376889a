//! What holds for every page: it can be used by everybody, on everything.

use tocsin_protocol::{
    EventContact, EventKind, Platform, Recontact, RecontactFigures, Severity, Status, Timestamp,
};
use tocsin_tests::{Browser, Cast, Manner, browser::Scheme, event, seconds};

use crate::scene::Scene;

/// The narrowest window, in CSS pixels: a page of 1280 at 400 % (WCAG 1.4.10).
const NARROW: (u32, u32) = (320, 700);
const WIDE: (u32, u32) = (1280, 1000);

/// What is wrong with the pages.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    /// Holds one page against all of it, and leaves pictures of it.
    async fn of(&mut self, browser: &Browser, page: &str) {
        self.0.extend(browser.barriers(page).await);
        browser.shoot(page).await;
        browser.narrow(NARROW.0, NARROW.1).await;
        let wide = browser.overhang().await;
        self.0.extend(wide.iter().map(|element| format!("{page} is wider than a telephone: {element}")));
        self.0.extend(browser.barriers(&format!("{page}, narrow")).await);
        browser.shoot(&format!("{page}-narrow")).await;
        browser.prefer(Scheme::Dark).await;
        browser.shoot(&format!("{page}-narrow-dark")).await;
        browser.prefer(Scheme::Light).await;
        browser.narrow(WIDE.0, WIDE.1).await;
        // A page that says "no" is answered with a status that says so too, of which the browser tells.
        let own = browser.url().await;
        let mut complaints = browser.complaints().await;
        complaints.retain(|told| !(told.starts_with(&own) && told.contains("responded with a status of 4")));
        self.0.extend(complaints.iter().map(|told| format!("{page}: {told}")));
    }
}

/// An incident with everything on its page: words of every kind, long names, and every state of a recipient.
async fn full(scene: &Scene) {
    let mut first = event("exercise-with-a-rather-long-name-2026-11", 1, EventKind::Initial);
    first.status = Status::Exercise;
    first.description = Some("Callers are cut off or wait.\nThe cause is not known.".to_owned());
    first.instruction = Some("Open every other way in: 101, front desks, patrols.".to_owned());
    first.public_advice = Some("If 999 does not answer, call 101 or go to a police station.".to_owned());
    first.severity = Some(Severity::Extreme);
    first.platform = Some(Platform::Backup);
    first.began_at = Some(Timestamp::now() - seconds(300.0));
    first.next_update_by = Some(Timestamp::now() + seconds(1800.0));
    first.recontact = Some(Recontact {
        total: RecontactFigures { reached: Some(3), outstanding: Some(2), ..RecontactFigures::default() },
        ..Recontact::default()
    });
    first.contact = Some(EventContact {
        role: "Duty manager".to_owned(),
        name: None,
        phone: Some("020 7946 0999".to_owned()),
        email: Some("duty.manager@a-rather-long-domain-name-for-a-narrow-window.operator.example".to_owned()),
        bridge: None,
    });
    scene.world.publish(&first).await;
    scene.world.publish(&event("actual", 1, EventKind::Initial)).await;
    scene.world.publish(&event("over", 1, EventKind::Initial)).await;
    scene.world.publish(&event("over", 2, EventKind::Resolved)).await;
    for mail in ["exercise-with-a-rather-long-name-2026-11", "actual"] {
        scene.world.entry(&format!("tocsin.attempt.south.{mail}.1.1.1.ended")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_in_light_and_dark_and_fits_a_telephone() {
    let many: Vec<String> = (1..=12).map(|n| format!("force-{n}")).collect();
    let cast = Cast::new(&[seconds(2.0), seconds(900.0)])
        .required(&["north", "south"])
        .required(&many)
        .informed(&["water"]);
    let scene = Scene::start(cast, &["north", "south"]).await;
    let (browser, mut faults) = (Browser::open().await, Faults::default());
    browser.go(&scene.at("/")).await;
    faults.of(&browser, "sign-in").await;
    browser.fill("#account", "regulator").await;
    browser.fill("#password", "not the password at all").await;
    browser.click("button[type=submit]").await;
    browser.sees(".error-summary").await;
    faults.of(&browser, "sign-in-wrong").await;
    browser.sign_in(&scene.url, "regulator").await;
    faults.of(&browser, "board-calm").await;

    let _desks = (
        scene.world.desk("north", Manner::Acknowledges).await,
        scene.world.desk("force-1", Manner::Acknowledges).await,
        scene.world.desk("south", Manner::Silent).await,
    );
    full(&scene).await;
    browser.reads("#board", |text| text.contains("exercise-with")).await;
    faults.of(&browser, "board").await;
    browser.go(&scene.at("/incidents/exercise-with-a-rather-long-name-2026-11")).await;
    browser.reads("#r-south", |text| text.contains("mail accepted")).await;
    faults.of(&browser, "incident").await;
    browser.go(&scene.at("/incidents/exercise-with-a-rather-long-name-2026-11?show=missing")).await;
    faults.of(&browser, "incident-missing").await;
    browser.go(&scene.at("/incidents/over")).await;
    faults.of(&browser, "incident-over").await;
    browser.go(&scene.at("/incidents/none")).await;
    faults.of(&browser, "absent").await;
    browser.go(&scene.at("/mails")).await;
    faults.of(&browser, "no-mails").await;
    let pages = [
        "audit",
        "audit/over",
        "audit/calls.html",
        "audit/actual/calls.html",
        "audit/verdict.html",
        "audit?from=2026-01-01&to=2026-12-31",
        "desks",
    ];
    for page in pages {
        browser.go(&scene.at(&format!("/{page}"))).await;
        browser.sees("main h1").await;
        faults.of(&browser, &page.replace(|c: char| !c.is_ascii_alphanumeric(), "-")).await;
    }

    for (agency, incident) in [("south", "actual"), ("north", "exercise-with-a-rather-long-name-2026-11")] {
        let browser = Browser::open().await;
        browser.sign_in(&scene.url, agency).await;
        faults.of(&browser, &format!("board-{agency}")).await;
        browser.go(&scene.at(&format!("/incidents/{incident}"))).await;
        faults.of(&browser, &format!("incident-{agency}")).await;
    }
    assert!(faults.0.is_empty(), "{}", faults.0.join("\n"));
}
