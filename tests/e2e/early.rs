//! Services that start before what they stand on.

use std::time::Duration;

use tocsin_ledger::{Ledger, WorkOptions};
use tocsin_notifier::{
    Notifier,
    sink::{Sink, SinkOptions},
};
use tocsin_provision::Service;
use tocsin_tests::{Cast, seconds, until};

use crate::attacks::{fort::Fort, say};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_that_may_make_no_durable_waits_for_the_first_router_and_then_does_its_work() {
    let relay = Sink::start(SinkOptions::default()).await.unwrap();
    let mut fort = Fort::without_router(Cast::new(&[seconds(0.3)]).required(&["silent"])).await;
    let config = format!(
        "from = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\n\
         relays = [{{ name = 'relay', host = '127.0.0.1', port = {}, tls = 'none' }}]\n",
        relay.address().port()
    );
    let connection = fort.service(Service::Notifier);
    let ledger = Ledger::connect(&connection).await.unwrap();
    // What it will ask for it may not make, and it is not there.
    let asked = ledger.work(&WorkOptions::default()).await;
    assert!(matches!(asked, Err(tocsin_ledger::Error::NoConsumer { .. })), "{asked:?}");
    let notifier = Notifier::new(ledger, &toml::from_str(&config).unwrap()).unwrap();
    let mut working = tokio::spawn(notifier.run(std::future::pending()));
    let ended = tokio::time::timeout(Duration::from_secs(2), &mut working).await;
    assert!(ended.is_err(), "it does not wait: {ended:?}");
    fort.route().await;
    let operator = Ledger::connect(&fort.connection("operator")).await.unwrap();
    say(&operator, &fort, "operator", "x", 1).await;
    until("the silent one is written to", async || {
        if relay.mails().is_empty() { Err(format!("{working:?}")) } else { Ok(()) }
    })
    .await;
    working.abort();
    fort.router.abort();
}
