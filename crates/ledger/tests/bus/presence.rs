use tocsin_ledger::{Connection, Ledger, Wait};
use tocsin_protocol::{RecipientId, SigningKey};

use crate::support::{Bus, connect, notice, within};

fn id(text: &str) -> RecipientId {
    RecipientId::new(text).unwrap()
}

#[tokio::test]
async fn a_desk_at_work_is_heard_and_what_is_no_beat_is_passed_over() {
    let bus = Bus::start().await;
    bus.ledger.ensure_desks(&[id("a")]).await.unwrap();
    let mut presence = bus.ledger.presence().await.unwrap();
    let client = async_nats::connect(bus.server.url()).await.unwrap();
    client.publish("tocsin.present.NOBODY", "junk".into()).await.unwrap();
    client.flush().await.unwrap();
    let desk = connect(&bus.server).await;
    let _notices = desk.notices(&id("a")).await.unwrap();
    assert_eq!(within("the desk's beat", presence.next()).await, Some(id("a")));
    // Nothing of it is a fact.
    for stream in [tocsin_protocol::Stream::Said, tocsin_protocol::Stream::Log] {
        assert!(bus.ledger.newest(stream, "tocsin.>").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_desk_is_heard_again_once_the_broker_is_back() {
    let mut bus = Bus::start().await;
    bus.ledger.ensure_desks(&[id("a")]).await.unwrap();
    let desk = connect(&bus.server).await;
    let _notices = desk.notices(&id("a")).await.unwrap();
    let mut presence = bus.ledger.presence().await.unwrap();
    bus.server.restart().await.unwrap();
    assert_eq!(within("the desk's beat", presence.next()).await, Some(id("a")));
}

#[tokio::test]
async fn a_desk_that_may_not_tell_of_itself_takes_its_notices_all_the_same() {
    let store = tempfile::tempdir().unwrap();
    let (services, agency) = (SigningKey::generate(), SigningKey::generate());
    let config = format!(
        r#"authorization {{ users: [ {{ nkey: {} }}
          {{ nkey: {}, permissions: {{ publish: {{ deny: "tocsin.present.>" }}, subscribe: ">" }} }} ] }}"#,
        services.public(),
        agency.public()
    );
    let options = tocsin_ledger::server::ServerOptions {
        binary: tocsin_ledger::server::find().unwrap(),
        store_dir: store.path().to_owned(),
        config: Some(config),
        port: None,
    };
    let server = tocsin_ledger::server::Server::start(&options).await.unwrap();
    let connect = async |key: &SigningKey| {
        let nkey_seed = Some(key.seed().unwrap().into());
        let connection =
            Connection { wait: Wait::UntilConnected, nkey_seed, ..Connection::to(&server.url()) };
        Ledger::connect(&connection).await.unwrap()
    };
    let bus = connect(&services).await;
    bus.set_up(&tocsin_ledger::Shape::default()).await.unwrap();
    bus.ensure_desks(&[id("a")]).await.unwrap();
    let mut notices = connect(&agency).await.notices(&id("a")).await.unwrap();
    for event in 1..=2 {
        bus.append(&notice("a", event), None).await.unwrap();
        within("a notice", notices.next()).await.unwrap().settle().await.unwrap();
    }
}
