//! Up and across: an agency reports, monitoring reports, two operators publish, and a person links.

use serde_json::json;
use tocsin_protocol::{
    AreaScope, Event, EventKind, LinkAnswer, Linking, Person, Proposal, Report, Status, Stream, Subject,
    Trail, to_body,
};
use tocsin_tests::{Cast, PUBLISHER, World, checker::Standing, event, seconds, until};

fn report(body: &str, name: &str, source: &str) -> Report {
    serde_json::from_value(json!({
        "report": name, "body": body, "status": "actual", "says": "failing", "observed_at": "2023-06-25T05:31:00Z",
        "services": ["999-voice"], "areas": ["north"], "headline": "No 999 call reaches us", "source": source,
        "by": {"name": "A. Example", "role": "supervisor"},
    }))
    .unwrap()
}

/// Says a report or a link with the key of whose it is.
async fn said(world: &World, author: &str, subject: &Subject, body: bytes::Bytes) -> u64 {
    world.say_as(author, subject, body.to_vec()).await.sequence
}

async fn told(world: &World, report: &Report) -> u64 {
    let body = to_body("report", report).unwrap();
    said(world, report.body.as_str(), &report.subject(), body).await
}

async fn proposal(world: &World, publisher: &str, said: u64) -> Proposal {
    world.fact(&format!("tocsin.proposal.{publisher}.{said}")).await
}

async fn said_event(world: &World, event: &Event) -> u64 {
    let body = to_body("event", event).unwrap();
    said(world, event.publisher.as_str(), &event.subject(), body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agencys_report_and_another_operators_incident_are_proposed_linked_by_a_person_and_both_trails_kept()
 {
    let cast =
        Cast::new(&[seconds(3.0), seconds(4.0)]).required(&["a"]).publisher("elsewhere", AreaScope::All);
    let world = World::start(cast).await;
    let router = world.router_here().await;
    // An agency sees it first, and nobody is written to because of it.
    let first = told(&world, &report("a", "calls-stopped", "agency")).await;
    let alone = proposal(&world, PUBLISHER, first).await;
    assert!(alone.candidates.is_empty(), "{alone:?}");
    // The operator publishes, and another does.
    let ours = said_event(&world, &event("x", 1, EventKind::Initial)).await;
    let with_report = proposal(&world, PUBLISHER, ours).await;
    let a = Trail::report("a".parse().unwrap(), "calls-stopped".parse().unwrap());
    assert_eq!(with_report.candidates.iter().map(|one| &one.seen.trail).collect::<Vec<_>>(), [&a]);
    let mut other = event("theirs", 1, EventKind::Initial);
    other.publisher = "elsewhere".parse().unwrap();
    let theirs = said_event(&world, &other).await;
    let x = Trail::incident(PUBLISHER.parse().unwrap(), "x".parse().unwrap());
    for publisher in [PUBLISHER, "elsewhere"] {
        let across = proposal(&world, publisher, theirs).await;
        assert!(across.candidates.iter().any(|one| one.seen.trail == x), "{across:?}");
    }
    // A person says which are one, and one who may not is refused.
    let link = |publisher: &str, name: &str, incident: &str, with: &Trail, answer| Linking {
        link: name.parse().unwrap(),
        publisher: publisher.parse().unwrap(),
        incident: incident.parse().unwrap(),
        with: with.clone(),
        answer,
        at: "2023-06-25T05:44:00Z".parse().unwrap(),
        by: Person { name: "B. Example".to_owned(), role: "duty manager".to_owned() },
        note: Some("told by telephone".to_owned()),
    };
    let say = async |linking: &Linking| {
        let body = to_body("link", linking).unwrap();
        said(&world, linking.publisher.as_str(), &linking.subject(), body).await
    };
    say(&link(PUBLISHER, "one", "x", &a, LinkAnswer::Same)).await;
    let of_theirs = Trail::incident("elsewhere".parse().unwrap(), "theirs".parse().unwrap());
    say(&link(PUBLISHER, "two", "x", &of_theirs, LinkAnswer::NotTheSame)).await;
    let stolen = say(&link("elsewhere", "three", "x", &a, LinkAnswer::Same)).await;
    let refused: tocsin_protocol::Refusal = world.fact(&format!("tocsin.refusal.elsewhere.{stolen}")).await;
    assert_eq!(refused.code.as_str(), "anothers-incident");
    // It is of an exercise, and is proposed with nothing that is real.
    let mut drill = report("a", "drill", "agency");
    drill.status = Status::Exercise;
    let drill = told(&world, &drill).await;
    assert!(proposal(&world, PUBLISHER, drill).await.candidates.is_empty());

    let report = tocsin_audit::read(&world.ledger, None)
        .await
        .unwrap()
        .report(&"x".parse().unwrap(), tocsin_audit::Request::default())
        .unwrap();
    let linked: Vec<_> = report.linked.iter().map(|row| (row.trail.clone(), row.answer)).collect();
    assert_eq!(linked, [(a, LinkAnswer::Same), (of_theirs, LinkAnswer::NotTheSame)]);
    assert!(report.linked[0].before_seconds > 0.0 && report.linked[1].before_seconds < 0.0);
    assert_eq!(report.linked[0].reported_by.as_ref().unwrap().name, "A. Example");
    let page = tocsin_audit::render::html(&report, &tocsin_audit::render::View::default()).unwrap();
    assert!(page.contains("Other trails of it") && page.contains("NOT THE SAME"));
    let table = tocsin_audit::render::table(&report, &tocsin_audit::render::View::default());
    assert!(
        table.contains("report calls-stopped of a") && table.lines().all(|line| line.chars().count() <= 100)
    );

    world.acknowledge("a", "x", 1).await;
    world.acknowledge("a", "theirs", 1).await;
    let end = world.finish([router.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.count("tocsin.refusal."), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_that_dies_between_report_and_proposal_leaves_nothing_unproposed() {
    let world = World::start(Cast::new(&[seconds(3.0), seconds(4.0)]).required(&["a"])).await;
    // Nobody is there to propose: the next router does, and one after it writes nothing more.
    let first = told(&world, &report("a", "while-away", "agency")).await;
    let ours = said_event(&world, &event("x", 1, EventKind::Initial)).await;
    let router = world.router_here().await;
    proposal(&world, PUBLISHER, first).await;
    assert_eq!(proposal(&world, PUBLISHER, ours).await.candidates.len(), 1);
    let second = world.router_here().await;
    world.acknowledge("a", "x", 1).await;
    until("both routers are done", async || {
        let proposals = world.ledger.entries(Stream::Log, &["tocsin.proposal.>".to_owned()]).await.unwrap();
        if proposals.len() >= 2 { Ok(()) } else { Err(format!("{} proposals", proposals.len())) }
    })
    .await;
    let end = world.finish([router.into(), second.into()]).await;
    assert_eq!(end.count("tocsin.proposal."), 3, "one for each publisher of the area, and that of the event");
}
