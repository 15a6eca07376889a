//! How many mails a second the notifier hands over, beside what lettre alone hands to the same sink over as many
//! connections: `cargo bench -p tocsin-notifier`.
//!
//! The mails are those of a fan-out: one event, a thousand silent recipients. The nats-server flushes every write to
//! disk. Against a relay that answers at once it is the machine's processors that limit both, and here the sink's and
//! the nats-server's share is in it too; against one that takes a millisecond or more over a mail, as any on a network
//! does, it is the connections. `TOCSIN_BENCH_MAILS` and `TOCSIN_BENCH_CONNECTIONS` set other sizes.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run has no answer")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    env,
    time::{Duration, Instant},
};

use lettre::{
    address::Envelope,
    transport::smtp::{client::AsyncSmtpConnection, extension::ClientId},
};
use support::{Bus, Running, SOON, config, escalation, event, recipients, sink};
use tocsin_notifier::{
    Config, Mail, Told,
    sink::{Behaviour, Sink},
};
use tocsin_protocol::{Stream, Timestamp};
use tokio::{net::TcpStream, task::JoinSet};

/// Rounds of each kind, in turn: the best of each is shown, as the machine has other work too.
const ROUNDS: usize = 5;

fn number(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let (mails, connections) = (number("TOCSIN_BENCH_MAILS", 1000), number("TOCSIN_BENCH_CONNECTIONS", 4));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for delay in [0, 1, 5].map(Duration::from_millis) {
        let (mut alone, mut handed, mut recorded) = (0_f64, 0_f64, 0_f64);
        for round in 1..=ROUNDS {
            let lettre = runtime.block_on(lettre_alone(mails, connections, delay));
            let (sent, written) = runtime.block_on(notifier(mails, connections, delay));
            println!(
                "{delay:?} round {round}: lettre alone {lettre:.0}/s, notifier {sent:.0}/s handed over, {written:.0}/s recorded"
            );
            (alone, handed, recorded) = (alone.max(lettre), handed.max(sent), recorded.max(written));
        }
        println!(
            "{mails} mails over {connections} connections to a relay that takes {delay:?} over each, best of {ROUNDS}: \
             lettre alone {alone:.0}/s; notifier {handed:.0}/s handed over ({:.2} of lettre), \
             {recorded:.0}/s handed over and recorded ({:.2})",
            handed / alone,
            recorded / alone
        );
    }
}

/// A sink that takes so long over each mail.
async fn relay(delay: Duration) -> Sink {
    let sink = sink().await;
    if !delay.is_zero() {
        sink.script_all([Behaviour::Delay(delay)]);
    }
    sink
}

fn per_second(mails: usize, within: Duration) -> f64 {
    f64::from(u32::try_from(mails).unwrap()) / within.as_secs_f64()
}

/// lettre's own connections, the mails rendered beforehand.
///
/// Not its pooled transport: that leaves Nagle's algorithm on and writes the end of a mail by itself, so that each mail
/// waits 40 ms for the far end's delayed ACK. To be quicker than that would prove nothing.
async fn lettre_alone(mails: usize, connections: usize, delay: Duration) -> f64 {
    let sink = relay(delay).await;
    let event = event();
    let letterhead = config(&[1]).letterhead().unwrap();
    let mut waiting: Vec<_> = recipients(mails)
        .iter()
        .map(|recipient| {
            let escalation = escalation(1, recipient);
            let at = Timestamp::UNIX_EPOCH;
            let told = Told {
                escalation: &escalation,
                escalated_at: at,
                event: Some(&event),
                published_at: Some(at),
                directory: None,
            };
            let mail = Mail::render(&told, &letterhead).unwrap();
            (Envelope::new(Some(mail.from), vec![mail.to]).unwrap(), mail.bytes)
        })
        .collect();
    let share = mails.div_ceil(connections);
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    while !waiting.is_empty() {
        let share = waiting.split_off(waiting.len().saturating_sub(share));
        let address = sink.address();
        tasks.spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let stream = Box::new(stream);
            let mut line =
                AsyncSmtpConnection::connect_with_transport(stream, &ClientId::default()).await.unwrap();
            for (envelope, bytes) in share {
                line.send(&envelope, &bytes).await.unwrap();
            }
            line.quit().await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let taken = start.elapsed();
    assert_eq!(sink.counts().mails, mails as u64);
    per_second(mails, taken)
}

/// The notifier, from the moment that the router has written the escalations.
async fn notifier(mails: usize, connections: usize, delay: Duration) -> (f64, f64) {
    let (bus, sink) = (Bus::start().await, relay(delay).await);
    let mut config: Config = config(&[sink.address().port()]);
    config.relays[0].connections = connections;
    let said = bus.say_event().await;
    let running = Running::start(&bus, &config).await;
    // One mail first, so that what is measured is work and not the start.
    bus.escalate(said, &["warm".to_owned()]).await;
    bus.ended("warm", 1).await;

    bus.escalate(said, &recipients(mails)).await;
    let start = Instant::now();
    sink.wait_until(SOON, |seen| seen.counts.mails == mails as u64 + 1).await.unwrap();
    let handed = start.elapsed();
    let last = async {
        while bus
            .ledger
            .entries(Stream::Log, &["tocsin.attempt.*.*.*.*.*.ended".to_owned()])
            .await
            .unwrap()
            .len()
            <= mails
        {}
    };
    tokio::time::timeout(SOON, last).await.unwrap();
    let recorded = start.elapsed();
    running.stop().await;
    (per_second(mails, handed), per_second(mails, recorded))
}
