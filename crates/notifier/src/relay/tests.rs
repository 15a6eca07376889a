//! A relay against the scripted sink: each fault at each stage, and what is made of it.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::{path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tocsin_protocol::Outcome;

use super::*;
use crate::{
    config::{Account, Tls},
    sink::{Behaviour, Point, Secure, Sink, SinkOptions},
};

const SOON: Duration = Duration::from_secs(10);
const TO: &str = "duty@pol.example";

fn mail_to(to: &str) -> Mail {
    Mail {
        from: "tocsin@operator.example".parse().unwrap(),
        to: to.parse().unwrap(),
        message_id: "<x@operator.example>".to_owned(),
        subject: "x".to_owned(),
        bytes: b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n".to_vec(),
    }
}

fn settings(port: u16) -> RelaySettings {
    RelaySettings {
        name: "first".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::None,
        account: None,
        roots: Vec::new(),
        timeout: Duration::from_millis(300),
        connections: 2,
        mails_a_minute: None,
    }
}

impl Relay {
    /// All of a try in one.
    async fn send(&self, mail: &Mail) -> AttemptEnded {
        let Some(pass) = self.admit() else { return self.not_tried("it is left alone") };
        match pass.line().await {
            Ok(turn) => turn.send(mail).await,
            Err(ended) => ended,
        }
    }
}

async fn sink() -> (Sink, Relay) {
    let sink = Sink::start(SinkOptions::default()).await.unwrap();
    let relay = Relay::new(settings(sink.address().port())).unwrap();
    (sink, relay)
}

#[tokio::test]
async fn a_mail_that_is_taken_arrives_as_it_was_with_the_relays_own_words() {
    let (sink, relay) = sink().await;
    let ended = relay.send(&mail_to(TO)).await;
    assert_eq!((ended.outcome, ended.code, ended.relay.as_str()), (Outcome::Accepted, Some(250), "first"));
    assert!(ended.reply.contains("queued as"), "{}", ended.reply);
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        ("tocsin@operator.example", &[TO.to_owned()][..])
    );
    assert!(mails[0].bytes.starts_with(b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n"), "{:?}", mails[0].bytes);
}

#[tokio::test]
async fn every_fault_at_every_stage_has_its_outcome() {
    use {Behaviour::*, Outcome::*, Point::*};
    for (behaviour, outcome, code) in [
        (Reply(Recipient, 451, "4.7.1 greylisted"), Temporary, Some(451)),
        (Reply(Recipient, 421, "4.3.2 closing"), Temporary, Some(421)),
        (Reply(Recipient, 550, "5.1.1 no such user"), Permanent, Some(550)),
        (Reply(Recipient, 554, "5.7.1 Relay access denied"), RelayFault, Some(554)),
        (Reply(Recipient, 530, "5.7.0 log in first"), RelayFault, Some(530)),
        (Reply(Data, 451, "4.3.0 later"), Temporary, Some(451)),
        (Reply(Data, 554, "5.6.0 no"), Permanent, Some(554)),
        (Reply(Data, 250, "out of step"), Temporary, Some(250)),
        (Reply(Content, 451, "4.3.0 later"), Temporary, Some(451)),
        (Reply(Content, 552, "5.2.2 mailbox full"), Permanent, Some(552)),
        (Reply(Taken, 354, "out of step"), Unknown, Some(354)),
        (Hang(Recipient), Temporary, None),
        (Hang(Data), Temporary, None),
        (Hang(Content), Unknown, None),
        (Hang(Taken), Unknown, None),
        (Cut(Recipient), Temporary, None),
        (Cut(Data), Temporary, None),
        (Cut(Content), Unknown, None),
        (Cut(Taken), Unknown, None),
        (Delay(Duration::from_millis(50)), Accepted, Some(250)),
        (Delay(Duration::from_mins(1)), Unknown, None),
    ] {
        let (sink, relay) = sink().await;
        sink.script(TO, [behaviour]);
        let ended = tokio::time::timeout(SOON, relay.send(&mail_to(TO))).await.unwrap();
        assert_eq!((ended.outcome, ended.code), (outcome, code), "{behaviour:?}: {}", ended.reply);
        // Whatever became of that mail, the next one is answered for itself.
        let next = tokio::time::timeout(SOON, relay.send(&mail_to("other@pol.example"))).await.unwrap();
        assert_eq!(next.outcome, Accepted, "{behaviour:?}: {}", next.reply);
    }
}

#[tokio::test]
async fn every_fault_of_a_line_is_the_relays_and_never_the_recipients() {
    use {Behaviour::*, Outcome::*, Point::*};
    for (behaviour, outcome) in [
        (Reply(Greeting, 421, "4.3.2 busy"), Temporary),
        (Reply(Greeting, 554, "5.3.2 no service"), RelayFault),
        (Reply(Hello, 550, "5.7.1 who are you"), RelayFault),
        (Reply(Sender, 550, "5.1.8 your address is unknown"), RelayFault),
        (Reply(Sender, 451, "4.3.0 later"), Temporary),
        (Hang(Greeting), Temporary),
        (Hang(Hello), Temporary),
        (Hang(Sender), Temporary),
        (Cut(Greeting), Temporary),
        (Cut(Hello), Temporary),
        (Cut(Sender), Temporary),
    ] {
        let (sink, relay) = sink().await;
        sink.script_lines([behaviour]);
        let ended = tokio::time::timeout(SOON, relay.send(&mail_to(TO))).await.unwrap();
        assert_eq!(ended.outcome, outcome, "{behaviour:?}: {}", ended.reply);
        assert_eq!(sink.counts().mails, 0);
    }
}

#[tokio::test]
async fn a_relay_that_refuses_connections_is_left_alone_for_a_moment() {
    let port = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().port()
    };
    let relay = Relay::new(settings(port)).unwrap();
    let ended = relay.send(&mail_to(TO)).await;
    assert_eq!((ended.outcome, ended.code), (Outcome::Temporary, None));
    assert!(ended.reply.contains("at connecting"), "{}", ended.reply);
    assert!(relay.down_until().is_some());
    assert!(relay.admit().is_none());
}

#[tokio::test]
async fn mails_that_wait_for_a_line_do_not_each_wait_out_a_relay_that_is_gone() {
    let (sink, relay) = sink().await;
    sink.script_lines([Behaviour::Hang(Point::Greeting)]);
    let sends: Vec<_> = (0..20).map(|_| relay.admit().unwrap()).collect();
    let ends = sends.into_iter().map(|pass| async {
        match pass.line().await {
            Ok(turn) => turn.send(&mail_to(TO)).await,
            Err(ended) => ended,
        }
    });
    let ends = futures_util::future::join_all(ends).await;
    assert!(ends.iter().all(|ended| ended.outcome == Outcome::Temporary), "{ends:?}");
    let tried = ends.iter().filter(|ended| !ended.reply.starts_with("not tried")).count();
    assert!(tried <= 2, "one for each line: {ends:?}");
}

#[tokio::test]
async fn lines_are_used_again_and_never_more_than_allowed() {
    let (sink, relay) = sink().await;
    let relay = Arc::new(relay);
    let sends = (0..50).map(|_| {
        let relay = Arc::clone(&relay);
        tokio::spawn(async move { relay.send(&mail_to(TO)).await.outcome })
    });
    for sent in futures_util::future::join_all(sends).await {
        assert_eq!(sent.unwrap(), Outcome::Accepted);
    }
    assert_eq!(sink.counts().mails, 50);
    assert!(sink.counts().lines <= 2, "{:?}", sink.counts());
    relay.close().await;
}

#[tokio::test]
async fn a_line_that_the_relay_closed_while_idle_costs_no_attempt() {
    let (sink, relay) = sink().await;
    // It says 421 to the first MAIL after its greeting was long ago: here, to the second one on the first line.
    sink.script(TO, [Behaviour::Cut(Point::Recipient), Behaviour::Accept]);
    assert_eq!(relay.send(&mail_to("other@pol.example")).await.outcome, Outcome::Accepted);
    assert_eq!(
        relay.send(&mail_to(TO)).await.outcome,
        Outcome::Temporary,
        "cut after MAIL: recorded as it was"
    );
    drop(sink);

    let sink = Sink::start(SinkOptions::default()).await.unwrap();
    let relay = Relay::new(settings(sink.address().port())).unwrap();
    assert_eq!(relay.send(&mail_to(TO)).await.outcome, Outcome::Accepted);
    let port = sink.address().port();
    drop(sink);
    let again = loop {
        // The port is free once the old lines are gone.
        match Sink::start(SinkOptions { port, ..SinkOptions::default() }).await {
            Ok(sink) => break sink,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(relay.send(&mail_to(TO)).await.outcome, Outcome::Accepted);
    assert_eq!(again.counts().mails, 1);
}

#[tokio::test]
async fn a_send_that_is_given_up_leaves_no_line_behind() {
    let (sink, relay) = sink().await;
    let late = Duration::from_millis(100);
    sink.script(TO, [Behaviour::Delay(late), Behaviour::Reply(Point::Recipient, 550, "5.1.1 no such user")]);
    let given_up = tokio::time::timeout(late / 2, relay.send(&mail_to(TO))).await;
    assert!(given_up.is_err());
    sink.wait_until(SOON, |seen| seen.counts.mails == 1).await.unwrap();
    // Its late "250 queued" must not be taken for the answer to this one.
    assert_eq!(relay.send(&mail_to(TO)).await.outcome, Outcome::Permanent);
    assert_eq!(sink.counts().lines, 2);
}

#[tokio::test]
async fn an_address_beyond_ascii_goes_by_smtputf8() {
    let (sink, relay) = sink().await;
    assert_eq!(relay.send(&mail_to("żółw@pol.example")).await.outcome, Outcome::Accepted);
    assert_eq!(sink.mails()[0].to, ["żółw@pol.example"]);
}

#[tokio::test]
async fn a_password_that_is_mended_is_used_without_a_restart() {
    let login = Some(("tocsin".to_owned(), "right".to_owned()));
    let sink = Sink::start(SinkOptions { login, ..SinkOptions::default() }).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "wrong\n").unwrap();
    let account = Account { username: "tocsin".to_owned(), password_file: file.path().to_owned() };
    let relay =
        Relay::new(RelaySettings { account: Some(account), ..settings(sink.address().port()) }).unwrap();
    let refused = relay.send(&mail_to(TO)).await;
    assert_eq!((refused.outcome, refused.code), (Outcome::RelayFault, Some(535)));
    assert!(!refused.reply.contains("wrong\n"));

    std::fs::write(file.path(), "right\n").unwrap();
    relay.health().answered();
    assert_eq!(relay.send(&mail_to(TO)).await.outcome, Outcome::Accepted);
    assert_eq!(sink.mails()[0].login.as_deref(), Some("tocsin"));

    let relay = Relay::new(settings(sink.address().port())).unwrap();
    assert_eq!(relay.send(&mail_to(TO)).await.code, Some(530));
}

/// An authority's certificate in PEM, and a server's configuration with a certificate for 127.0.0.1 from it.
fn certificates() -> (Vec<u8>, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority.pem().into_bytes(), Arc::new(config))
}

#[tokio::test]
async fn a_line_is_secured_by_starttls_or_from_the_first_byte() {
    let (root, config) = certificates();
    for (tls, secure) in [(Tls::Starttls, Secure::Starttls(config.clone())), (Tls::Tls, Secure::Tls(config))]
    {
        let sink = Sink::start(SinkOptions { secure, ..SinkOptions::default() }).await.unwrap();
        let port = sink.address().port();
        let timeout = Duration::from_secs(5);
        let trusting = RelaySettings { tls, roots: root.clone(), timeout, ..settings(port) };
        let ended = Relay::new(trusting).unwrap().send(&mail_to(TO)).await;
        assert_eq!(ended.outcome, Outcome::Accepted, "{tls:?}: {}", ended.reply);
        assert!(sink.mails()[0].secured);

        let doubting = RelaySettings { tls, timeout, ..settings(port) };
        let ended = Relay::new(doubting).unwrap().send(&mail_to(TO)).await;
        assert_eq!(ended.outcome, Outcome::RelayFault, "{tls:?}: {}", ended.reply);
        assert!(ended.reply.contains("certificate"), "{}", ended.reply);

        let named = RelaySettings {
            tls,
            roots: root.clone(),
            host: "localhost".to_owned(),
            timeout,
            ..settings(port)
        };
        let ended = Relay::new(named).unwrap().send(&mail_to(TO)).await;
        assert_eq!(ended.outcome, Outcome::RelayFault, "{tls:?}: not its name: {}", ended.reply);
    }
}

#[tokio::test]
async fn a_relay_without_starttls_is_not_used_in_plain_text() {
    let sink = Sink::start(SinkOptions::default()).await.unwrap();
    let secure = RelaySettings { tls: Tls::Starttls, ..settings(sink.address().port()) };
    let ended = Relay::new(secure).unwrap().send(&mail_to(TO)).await;
    assert_eq!(ended.outcome, Outcome::RelayFault, "{}", ended.reply);
    assert!(ended.reply.contains("STARTTLS"), "{}", ended.reply);
    assert_eq!(sink.counts().envelopes, 0);
}

#[tokio::test]
async fn no_log_line_shows_a_password() {
    use std::io::Write;
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let writer = {
        let kept = kept.clone();
        move || kept.clone()
    };
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(writer).finish();
    // For all threads: with one for this thread alone, what another test's thread comes to first is logged nowhere.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let login = Some(("tocsin".to_owned(), "correct horse".to_owned()));
    let sink = Sink::start(SinkOptions { login, ..SinkOptions::default() }).await.unwrap();
    let path: PathBuf = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
    std::fs::write(&path, "correct horse").unwrap();
    let account = Account { username: "tocsin".to_owned(), password_file: path.clone() };
    let relay =
        Relay::new(RelaySettings { account: Some(account), ..settings(sink.address().port()) }).unwrap();
    assert_eq!(relay.send(&mail_to(TO)).await.outcome, Outcome::Accepted);
    std::fs::remove_file(path).unwrap();

    tracing::info!("the log is heard");
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the log is heard"), "{log}");
    let encoded = data_encoding::BASE64.encode(b"\0tocsin\0correct horse");
    assert!(!log.contains("horse") && !log.contains(&encoded), "{log}");
}
