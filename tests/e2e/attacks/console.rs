//! The console hears strangers, so it is the service most likely to be stolen.

use std::time::Duration;

use tocsin_ledger::Ledger;
use tocsin_protocol::{Link, Receipt, ReceiptMethod, ReceiptStage, SigningKey, Subject, Timestamp, to_body};
use tocsin_provision::Service;
use tocsin_tests::{CONSOLE, LINKS, receipt, signed_headers};

use super::{
    CONSOLE_STOLEN, at_the_door,
    fort::{Attacker, Fort, Seen},
    rights,
    table::Table,
};

/// Who was signed in, by what the thief says.
pub(super) const ACCOUNT: &str = "a.control";
pub(super) const SESSION: &str = "0123456789abcdef0123456789abcdef";

/// What it has no right to: what, the subject and the request.
const AT_THE_DOOR: &[(&str, &str, &str)] = &[
    ("say that a desk holds a notice", "tocsin.receipt.a.x.1.delivered", "{}"),
    ("say an event", "tocsin.incident.operator.x.9", "{}"),
    ("say a link", "tocsin.link.operator.l", "{}"),
    ("forge a proposal", "tocsin.proposal.operator.2", "{}"),
    ("put a directory in force", "tocsin.directory.2", "{}"),
    ("pre-empt a dispatch", "tocsin.dispatch.operator.y.1", "{}"),
    ("forge a notice", "tocsin.notice.a.y.1", "{}"),
    ("arm a window", "tocsin.window.x.1.9", "{}"),
    ("close a window early", "tocsin.due.x.1.1", "{}"),
    ("forge a finding", "tocsin.finding.x.1.1", "{}"),
    ("have a mail sent", "tocsin.escalation.a.x.1.1", "{}"),
    ("forge an attempt", "tocsin.attempt.a.x.1.1.1.ended", "{}"),
    ("forge a refusal", "tocsin.refusal.b.2", "{}"),
    ("forge a checkpoint", "tocsin.checkpoint.1", "{}"),
    ("forge a snapshot of the fold", "tocsin.fold.0.head", "{}"),
    ("read a snapshot of the fold", "BUS.API.DIRECT.GET.TOCSIN_FOLD.tocsin.fold.0.head", ""),
    ("wake a desk", "tocsin.wake.a.x.9", "{}"),
    ("answer in a service's place", "_INBOX_router.x", "{}"),
    ("make a consumer", "BUS.API.CONSUMER.CREATE.TOCSIN_LOG.n", "{}"),
    ("make a consumer by the true name", "$JS.API.CONSUMER.CREATE.TOCSIN_LOG.n", "{}"),
    ("pull a desk's notices", "BUS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.desk_a", r#"{"batch":1}"#),
    ("settle a mail that is owed", "$JS.ACK.TOCSIN_LOG.notifier.1.1.1.1.0", "+ACK"),
    ("purge", "BUS.API.STREAM.PURGE.TOCSIN_LOG", ""),
    ("delete a message", "BUS.API.STREAM.MSG.DELETE.TOCSIN_SAID", r#"{"seq":1}"#),
    ("change a stream", "BUS.API.STREAM.UPDATE.TOCSIN_SAID", "{}"),
    ("ask the system account", "$SYS.REQ.SERVER.PING", ""),
];

pub(super) async fn console(table: &mut Table, fort: &Fort) {
    let thief = fort.service_attacker(Service::Console).await;
    at_the_door(table, CONSOLE_STOLEN, &thief, AT_THE_DOOR).await;
    for subject in ["tocsin.>", "tocsin.wake.a.>", "_INBOX_router.>", "$JS.>"] {
        let outcome = match thief.listen(subject).await {
            None => Ok("nats-server: permissions of the user".to_owned()),
            Some(_) => Err("it was let".to_owned()),
        };
        table.add(CONSOLE_STOLEN, format!("listen: `{subject}`"), outcome);
    }
    replies(table, fort, &thief).await;
    said(table, fort, &thief).await;
}

/// Has the broker's answers go where it has no right to publish.
async fn replies(table: &mut Table, fort: &Fort, thief: &Attacker) {
    let own = "tocsin.receipt.a.flood.1.acknowledged";
    let before = fort.foreign(&["tocsin.receipt."]).await;
    for target in [
        "tocsin.directory.2",
        "tocsin.due.x.1.1",
        "tocsin.escalation.a.x.1.1",
        "tocsin.incident.operator.y.1",
    ] {
        for (request, body) in [(own, "{}"), ("BUS.API.STREAM.INFO.TOCSIN_LOG", "")] {
            thief.shout(request, target, None, body.as_bytes()).await;
        }
        thief.ask("BUS.API.STREAM.INFO.TOCSIN_LOG", None, b"").await;
        let outcome = if fort.foreign(&["tocsin.receipt."]).await == before {
            Ok("its own account: an answer stays where it was asked for".to_owned())
        } else {
            Err("the answer was stored there".to_owned())
        };
        table.add(CONSOLE_STOLEN, format!("have answers to its requests put there: `{target}`"), outcome);
    }
}

/// What it may say, and what becomes of it where it may not say so.
async fn said(table: &mut Table, fort: &Fort, thief: &Attacker) {
    let acknowledged = |recipient: &str, method, link| acknowledged(recipient, 1, method, link);
    let link = |recipient: &str, key: &SigningKey, seconds| Some(link(recipient, 1, key, seconds));
    let (page, program, by_link) = (ReceiptMethod::Page, ReceiptMethod::Program, ReceiptMethod::Link);
    let (hour, links, own) = (3600, &fort.cast.key(LINKS), &fort.cast.key(CONSOLE));
    for (attack, said) in [
        ("acknowledge on the page for who does not let it", acknowledged("b", page, None)),
        (
            "acknowledge by a mail's true link for who does not let it",
            acknowledged("b", by_link, link("b", links, hour)),
        ),
        ("acknowledge on the page for who lets it by links alone", acknowledged("l", page, None)),
        ("acknowledge as a program for who lets it by links alone", acknowledged("l", program, None)),
        (
            "acknowledge by a link of its own making for who lets it by links alone",
            acknowledged("l", by_link, link("l", own, hour)),
        ),
        (
            "acknowledge by another's true link for who lets it by links alone",
            acknowledged("l", by_link, link("a", links, hour)),
        ),
        ("pass for a desk", acknowledged("a", ReceiptMethod::Desk, None)),
        ("pass for a telephone", acknowledged("a", ReceiptMethod::PhoneLogged, None)),
        ("acknowledge by a link without its token", acknowledged("a", by_link, None)),
        ("acknowledge by a link that has expired", acknowledged("a", by_link, link("a", links, -1))),
        ("acknowledge by another's link", acknowledged("a", by_link, link("b", links, hour))),
        ("acknowledge by a link of its own making", acknowledged("a", by_link, link("a", own, hour))),
    ] {
        let sequence = say(fort, thief, &said).await;
        let code = fort.refusal(sequence).await;
        table.add(CONSOLE_STOLEN, attack, Ok(format!("the router: refused ({code}), and nothing follows")));
    }
    // This is what it is for, by its own way to the bus.
    let ledger =
        Ledger::connect(&fort.bus.service(Service::Console, &fort.server.url()).unwrap()).await.unwrap();
    let touch = ledger.touch(Duration::from_secs(5)).await.unwrap();
    let (mut follow, mut read) = (ledger.follow().await.unwrap(), 0);
    while read < touch.said_end + touch.log_end {
        read += follow.next().await.unwrap().entries.len() as u64;
    }
    let mut rights = Vec::new();
    let vouched = Receipt { signed_in: Some(rights::nobody()), ..acknowledged("a", page, None) };
    for right in [vouched, acknowledged("l", by_link, link("l", links, hour))] {
        let body = to_body("receipt", &right).unwrap();
        let signed = own.sign(&right.subject().to_string(), &body).unwrap();
        let sequence = ledger.say(&right.subject(), &signed, body).await.unwrap().position().sequence;
        rights.push(Subject::refusal(&right.subject().to_string(), sequence));
    }
    // What is refused is refused in order: once a later word is, these are known not to be.
    let after = say(fort, thief, &acknowledged("b", page, None)).await;
    fort.refusal(after).await;
    for refusal in rights {
        assert!(
            fort.ledger.last(&refusal).await.unwrap().is_none(),
            "{refusal}: that is what its key is for"
        );
    }
}

/// An acknowledgement of an event of `x`.
pub(super) fn acknowledged(
    recipient: &str,
    event: u32,
    method: ReceiptMethod,
    link: Option<String>,
) -> Receipt {
    let method = Some(method);
    Receipt { method, link, ..receipt(recipient, "x", event, ReceiptStage::Acknowledged) }
}

/// The token of a link for an event of `x`, signed with a key.
pub(super) fn link(recipient: &str, event: u32, key: &SigningKey, seconds: i64) -> String {
    let link = Link {
        recipient: recipient.parse().unwrap(),
        incident: "x".parse().unwrap(),
        event: event.to_string().parse().unwrap(),
        step: "1".parse().unwrap(),
        expires_at: Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap(),
    };
    link.token(key).unwrap()
}

/// Says a receipt, signed with the console's key, and gives its place.
async fn say(fort: &Fort, thief: &Attacker, said: &Receipt) -> u64 {
    let (subject, body) = (said.subject().to_string(), to_body("receipt", said).unwrap());
    let signed = fort.cast.key(CONSOLE).sign(&subject, &body).unwrap();
    match thief.ask(&subject, Some(signed_headers(&signed)), &body).await {
        Seen::Answer(body) => {
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()["seq"].as_u64().unwrap()
        }
        other => panic!("it is not stored: {other:?}"),
    }
}
