use std::time::Duration;

use tempfile::TempDir;
use tocsin_protocol::{NewFact, SigningKey};

use super::*;
use crate::{
    Connection, Shape, Wait,
    pace::Times,
    server::{Server, ServerOptions, find},
};

const DEADLINE: Duration = Duration::from_mins(1);
const NEVER: Duration = Duration::from_hours(24);
/// Of a desk that does nothing of itself, on a machine that may be slow to answer.
const PATIENT: Times = Times { look: NEVER, settle: (NEVER, NEVER), glance: DEADLINE };

/// A bus with a durable of recipient `a`, and a desk's connection that hears no wake of the incident `unheard`.
struct Bus {
    router: Arc<Shared>,
    desk: Arc<Shared>,
    a: RecipientId,
    _server: Server,
    _store: TempDir,
}

impl Bus {
    async fn start() -> Self {
        let (all, some) = (SigningKey::generate(), SigningKey::generate());
        let config = format!(
            "accounts {{ BUS {{ jetstream: enabled, users: [{{ nkey: {} }}, {{ nkey: {}, permissions: {{ \
             publish: \">\", subscribe: {{ allow: \">\", deny: \"tocsin.wake.a.unheard.>\" }} }} }}] }} }}",
            all.public(),
            some.public()
        );
        let store = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            binary: find().unwrap(),
            store_dir: store.path().to_owned(),
            config: Some(config),
            port: None,
        };
        let server = Server::start(&options).await.unwrap();
        let connect = async |key: &SigningKey| {
            let mut connection = Connection::to(&server.url());
            connection.wait = Wait::UntilConnected;
            connection.nkey_seed = Some(key.seed().unwrap().into());
            Arc::new(Shared::connect(&connection).await.unwrap())
        };
        let (router, desk) = (connect(&all).await, connect(&some).await);
        router.set_up(&Shape::default()).await.unwrap();
        let a = RecipientId::new("a").unwrap();
        router.ensure_desks(std::slice::from_ref(&a)).await.unwrap();
        Self { router, desk, a, _server: server, _store: store }
    }

    async fn desk(&self, times: Times) -> Notices {
        Notices::at_pace(&self.desk, &self.a, times).await.unwrap()
    }

    async fn notice(&self, of: &str) -> String {
        let subject = format!("tocsin.notice.a.{of}");
        let fact = NewFact { subject: subject.parse().unwrap(), body: "{}".into(), schedule: None };
        self.router.append(&fact, None).await.unwrap();
        subject
    }

    /// A notice that came by its wake alone: the first may still be taken in by the look with which a desk begins.
    async fn woken(&self, notices: &mut Notices) -> Held {
        for event in 1.. {
            let subject = self.notice(&format!("heard.{event}")).await;
            let held = within(notices.next()).await.unwrap();
            assert_eq!(held.entry.subject, subject);
            held.settle().await.unwrap();
            if held.known.lock().by_wake() == 1 {
                return held;
            }
        }
        unreachable!("events have no end");
    }

    /// The last sequence that the durable has given out, and how many it has yet to give out or be told of.
    async fn durable(&self) -> (u64, u64) {
        let log =
            async_nats::jetstream::new(self.router.client.clone()).get_stream("TOCSIN_LOG").await.unwrap();
        let mut consumer: async_nats::jetstream::consumer::PullConsumer =
            log.get_consumer("desk_a").await.unwrap();
        let info = consumer.info().await.unwrap();
        let open = info.num_pending + u64::try_from(info.num_ack_pending).unwrap();
        (info.delivered.stream_sequence, open)
    }

    /// Waits until the durable has given out this sequence, and has been told of all but so many.
    async fn told_of_all_but(&self, open: u64, sequence: u64) {
        loop {
            let durable = self.durable().await;
            if durable.0 >= sequence && durable.1 == open {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("a minute is enough")
}

#[tokio::test]
async fn a_lost_wake_is_found_before_what_came_by_its_wake_is_settled() {
    let bus = Bus::start().await;
    let mut notices = bus.desk(Times { look: Duration::from_millis(200), ..PATIENT }).await;
    let heard = bus.woken(&mut notices).await;
    let (given_out, _) = bus.durable().await;
    assert!(given_out < heard.entry.sequence, "it did not come by its wake alone");
    let lost = bus.notice("unheard.1").await;
    let held = within(notices.next()).await.unwrap();
    assert_eq!(held.entry.subject, lost);
    let (given_out, _) = bus.durable().await;
    assert_eq!(given_out, held.entry.sequence, "it was woken after all, and nothing is proved");
}

#[tokio::test]
async fn a_notice_is_given_once_in_a_session_and_again_in_the_next_unless_settled() {
    let bus = Bus::start().await;
    let settle = (Duration::from_millis(300), Duration::from_millis(600));
    let mut notices = bus.desk(Times { look: Duration::from_millis(100), settle, ..PATIENT }).await;
    // They come by their wakes alone, and the durable is told of those that are settled in its time.
    bus.woken(&mut notices).await;
    let mut last = 0;
    for event in 1..=3 {
        let subject = bus.notice(&format!("x.{event}")).await;
        let held = within(notices.next()).await.unwrap();
        assert_eq!(held.entry.subject, subject);
        if event < 3 {
            held.settle().await.unwrap();
        }
        last = held.entry.sequence;
    }
    // It gives all of them out too, and none comes a second time.
    tokio::select! {
        again = notices.next() => panic!("given twice: {again:?}"),
        () = within(bus.told_of_all_but(1, last)) => {}
    }
    drop(notices);
    let mut notices = bus.desk(Times::USUAL).await;
    let next = bus.notice("y.1").await;
    let held = within(notices.next()).await.unwrap();
    assert_eq!(held.entry.subject, next, "what was settled is not given again");
}

#[tokio::test]
async fn a_request_that_stands_from_before_a_break_neither_turns_the_order_nor_makes_a_notice_late() {
    let bus = Bus::start().await;
    let one = crate::consumers::durable("desk_a", "tocsin.notice.a.>", DEADLINE, 1);
    bus.router.make_consumer(Stream::Log, "desk_a", &one).await.unwrap();
    let mut notices = bus.desk(PATIENT).await;
    let first = bus.notice("unheard.1").await;
    let connected = || bus.desk.signals.take("desk", &async_nats::Event::Connected);
    connected();
    let held = within(notices.next()).await.unwrap();
    assert_eq!(held.entry.subject, first);
    // While the durable waits for that one to be settled, a request stands there; and then, as after a break, another.
    let second = bus.notice("unheard.2").await;
    let statistics = bus.desk.client.statistics();
    let sent = || statistics.out_messages.load(Ordering::Relaxed);
    let come = || statistics.in_messages.load(Ordering::Relaxed);
    for answers in [0, 1] {
        let before = (sent(), come());
        connected();
        within(async {
            while sent() == before.0 || come() < before.1 + answers {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
    held.settle().await.unwrap();
    let third = bus.notice("heard.1").await;
    for wanted in [second, third] {
        let held = within(notices.next()).await.unwrap();
        assert_eq!(held.entry.subject, wanted);
        held.settle().await.unwrap();
    }
}

#[tokio::test]
async fn what_the_durable_gave_out_into_a_line_that_broke_is_read_once_the_line_is_mended() {
    let bus = Bus::start().await;
    let hour = crate::consumers::durable("desk_a", "tocsin.notice.a.>", Duration::from_hours(1), 10);
    bus.router.make_consumer(Stream::Log, "desk_a", &hour).await.unwrap();
    let mut notices = bus.desk(PATIENT).await;
    bus.woken(&mut notices).await;
    // As if the line had broken behind the broker's back: the durable gave it to somebody, and it did not come.
    let lost = bus.notice("unheard.1").await;
    let mut elsewhere = Pull::new(&bus.router, Stream::Log, "desk_a").await.unwrap();
    elsewhere.request_present(100).await.unwrap();
    while let Pulled::Message(..) = within(elsewhere.next()).await {}
    bus.desk.signals.take("desk", &async_nats::Event::Connected);
    let held = within(notices.next()).await.unwrap();
    assert_eq!(held.entry.subject, lost);
    held.settle().await.unwrap();
    // It stood there before the next session begins, and is the durable's to give out.
    drop(notices);
    let mut notices = bus.desk(Times::USUAL).await;
    let next = bus.notice("heard.99").await;
    assert_eq!(within(notices.next()).await.unwrap().entry.subject, next);
}
