//! A watcher in another place, as a process: it hears of each part that is killed, once, and that it is back.

use std::{fs, os::unix::fs::PermissionsExt};

use tocsin_notifier::sink::{Behaviour, Point};
use tocsin_protocol::EventKind;
use tocsin_tests::{Cast, Program, World, event, seconds, until};

/// Waits until the watcher has told this.
async fn tells(watch: &Program, what: &str) {
    until(what, async || {
        let told = watch.printed();
        if told.contains(what) { Ok(()) } else { Err(told) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_alarm_comes_and_goes_with_the_router_the_notifier_the_relays_and_the_bus() {
    let mut world = World::start(Cast::new(&[seconds(0.5), seconds(60.0)]).required(&["a"])).await;
    let program = world.directory().join("alarm.sh");
    let heard = world.directory().join("alarms.json");
    fs::write(&program, format!("#!/bin/sh\ncat >> '{}'\n", heard.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let watch = world.watch(&[
        "--bus-within=1s",
        "--router-within=300ms",
        "--notifier-within=300ms",
        "--taken-within=1s",
        "--alarm",
        program.to_str().unwrap(),
    ]);

    // No router is there.
    world.publish(&event("x", 1, EventKind::Initial)).await;
    tells(&watch, "ALARM router-behind").await;
    let router = world.router();
    tells(&watch, "OVER  router-behind").await;

    // Its window closes, and no notifier is there; then the relay refuses; then it takes.
    tells(&watch, "ALARM notifier-behind").await;
    world.relays[0]
        .script("duty@a.example", vec![Behaviour::Reply(Point::Recipient, 451, "4.3.0 try later"); 8]);
    let notifier = world.notifier();
    tells(&watch, "OVER  notifier-behind").await;
    tells(&watch, "ALARM mail-not-taken").await;
    tells(&watch, "ALARM relays-fail").await;
    tells(&watch, "OVER  relays-fail").await;
    tells(&watch, "OVER  mail-not-taken of x").await;
    let (code, told) = world.command(&["watch", "--once"]).await;
    assert_eq!((code, told.contains("OK: ")), (Some(0), true), "{told}");

    world.server.kill().await.unwrap();
    tells(&watch, "ALARM bus-unreachable").await;
    let (code, told) = world.command(&["watch", "--once", "--bus-within=1s"]).await;
    assert_eq!((code, told.contains("ALARM bus-unreachable")), (Some(1), true), "{told}");
    world.server.restart().await.unwrap();
    tells(&watch, "OVER  bus-unreachable").await;

    // It goes on where it was: what fails after the restart is heard of too.
    router.kill();
    world.publish(&event("x", 2, EventKind::Resolved)).await;
    until("the second alarm of the router", async || {
        let told = watch.printed();
        if told.matches("ALARM router-behind").count() == 2 { Ok(()) } else { Err(told) }
    })
    .await;
    let printed = watch.printed();
    for once in ["notifier-behind", "mail-not-taken", "relays-fail", "bus-unreachable"] {
        assert_eq!(printed.matches(&format!("ALARM {once}")).count(), 1, "{printed}");
    }
    // Whatever was told stands with the program once the watcher has ended.
    assert!(watch.stop().await.success());
    notifier.stop().await;
    let heard = fs::read_to_string(&heard).unwrap();
    let rung: Vec<serde_json::Value> =
        heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |code: &str, state: &str| {
        rung.iter().filter(|one| one["code"] == code && one["state"] == state).count()
    };
    assert_eq!((of("router-behind", "raised"), of("router-behind", "over")), (2, 1), "{heard}");
    assert_eq!((of("bus-unreachable", "raised"), of("bus-unreachable", "over")), (1, 1), "{heard}");
    assert_eq!(rung.iter().find(|one| one["code"] == "mail-not-taken").unwrap()["recipients"][0], "a");
}
