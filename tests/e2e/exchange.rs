//! What goes out in others' forms and comes in from them, by the program itself.

use tocsin_protocol::{Event, EventKind};
use tocsin_tests::{Cast, Manner, World, event, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_goes_out_as_cap_and_comes_back_as_a_draft_that_nobody_published() {
    let cast = Cast::new(&[seconds(600.0)]).required(&["alpha"]).informed(&["bravo"]);
    let world = World::start(cast).await;
    let router = world.router_here().await;
    let desk = world.desk("alpha", Manner::Acknowledges).await;
    let first = event("x", 1, EventKind::Initial);
    let second =
        Event { description: Some("a < b & \"c\"\nd".to_owned()), ..event("x", 2, EventKind::Update) };
    world.publish(&first).await;
    world.entry("tocsin.receipt.alpha.x.1.acknowledged").await;
    world.publish(&second).await;
    world.entry("tocsin.dispatch.operator.x.2").await;
    let file = |name: &str| world.home().join(name).to_str().unwrap().to_owned();
    let run = async |arguments: &[&str]| {
        let (code, printed) = world.command(&[&["cap"], arguments].concat()).await;
        assert_eq!(code, Some(0), "{arguments:?}: {printed}");
        printed
    };

    let (xml, draft) = (file("x.xml"), file("x.json"));
    run(&["export", "x", &xml, "--domain", "operator.example"]).await;
    let message = std::fs::read_to_string(&xml).unwrap();
    assert!(message.contains("<addresses>alpha bravo</addresses>"), "{message}");
    assert!(
        message.contains("<references>operator@operator.example,tocsin.incident.operator.x.1,"),
        "{message}"
    );
    run(&["import", &xml, "--out", &draft]).await;
    let read: Event = serde_json::from_str(&std::fs::read_to_string(&draft).unwrap()).unwrap();
    assert_eq!(read, second);
    assert!(!world.stands("tocsin.incident.operator.x.3").await, "an import publishes nothing");

    run(&["export", "x/1", &xml, "--edxl"]).await;
    let message = std::fs::read_to_string(&xml).unwrap();
    assert!(message.contains("<distributionID>tocsin.incident.operator.x.1</distributionID>"), "{message}");
    run(&["export", "x/1", &xml, "--acknowledged-by", "alpha"]).await;
    let message = std::fs::read_to_string(&xml).unwrap();
    assert!(message.contains("<msgType>Ack</msgType>"), "{message}");
    for (arguments, code, words) in [
        (&["cap", "export", "x/9"][..], 1, "no such event has been dispatched"),
        (&["cap", "export", "y"], 1, "no such event has been dispatched"),
        (&["cap", "export", "x/1", "--acknowledged-by", "bravo"], 1, "has not acknowledged"),
        (&["cap", "import", &xml], 2, "acknowledges another message"),
    ] {
        let (ended, printed) = world.command(arguments).await;
        assert_eq!(ended, Some(code), "{arguments:?}: {printed}");
        assert!(printed.contains(words), "{arguments:?}: {printed}");
    }
    drop((router, desk));
}
