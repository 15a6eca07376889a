//! What each key may say by its right, in whosever hands it is: tried, found on the record, and ended.

use async_nats::HeaderMap;
use tocsin_audit::RecipientReport;
use tocsin_ledger::Ledger;
use tocsin_protocol::{
    DirectoryDocument, Dispatch, EventKind, ReceiptMethod, ReceiptStage, Refusal, SignedIn, Signer,
    SigningKey, Subject, from_body, to_body,
};
use tocsin_provision::Service;
use tocsin_tests::{CONSOLE, LINKS, event, receipt, signed_headers, until};

use super::{
    SOON,
    console::{ACCOUNT, SESSION, acknowledged, link},
    fort::{Attacker, Fort, put_in_force},
    say, stored,
    table::{Right, Table},
};

/// Somebody with a key, and the way to the bus of whom it was stolen from.
struct Thief<'f> {
    fort: &'f Fort,
    way: Attacker,
}

impl Thief<'_> {
    /// Says something under a key, and gives the place.
    async fn say(&self, subject: &Subject, body: &[u8], key: &SigningKey) -> u64 {
        let signed = key.sign(&subject.to_string(), body).unwrap();
        self.shout(&subject.to_string(), Some(signed_headers(&signed)), body).await
    }

    async fn shout(&self, subject: &str, headers: Option<HeaderMap>, body: &[u8]) -> u64 {
        stored(self.way.ask(subject, headers, body).await)
    }

    /// Why a receipt under a key does not count, or that it does.
    async fn receipt(&self, said: &tocsin_protocol::Receipt, key: &SigningKey) -> Option<String> {
        let at = self.say(&said.subject(), &to_body("receipt", said).unwrap(), key).await;
        // What is refused is refused in order: once a later word is, an earlier one is known to be or not to be.
        let later = self.shout(&said.subject().to_string(), None, b"{}").await;
        self.fort.refusal(later).await;
        let refusal = Subject::refusal(&said.subject().to_string(), at);
        let entry = self.fort.ledger.last(&refusal).await.unwrap()?;
        Some(from_body::<Refusal>("refusal", &entry.body).unwrap().code.as_str().to_owned())
    }
}

/// Tries each key, writes down what was found, and has a directory without it end it.
pub(super) async fn rights(table: &mut Table, fort: &Fort) {
    let body = |id: &'static str| async move { Thief { fort, way: fort.attacker(id).await } };
    let service = |which| async move { Thief { fort, way: fort.service_attacker(which).await } };
    let (l, b, control_room) = (body("l").await, body("b").await, body("control-room").await);
    let console = service(Service::Console).await;
    let (own, page) = (ReceiptMethod::Desk, ReceiptMethod::Page);

    // What their keys let them say counts.
    assert_eq!(l.receipt(&acknowledged("l", 2, own, None), &fort.cast.key("l")).await, None);
    let publisher = fort.cast.key("control-room");
    let invented = |number: u32| {
        let kind = if number == 1 { EventKind::Initial } else { EventKind::Update };
        let mut event = event("invented", number, kind);
        event.publisher = "control-room".parse().unwrap();
        event.areas = vec!["north".parse().unwrap()];
        (event.subject(), to_body("event", &event).unwrap())
    };
    let (subject, said) = invented(1);
    control_room.say(&subject, &said, &publisher).await;
    until("the invented event's dispatch", async || {
        let dispatch = "tocsin.dispatch.control-room.invented.1".parse().unwrap();
        fort.ledger.last(&dispatch).await.unwrap().ok_or_else(String::new)
    })
    .await;
    // Who is second under a name is refused, were it the one whose it is.
    let otherwise = acknowledged("l", 2, ReceiptMethod::PhoneLogged, None);
    assert_eq!(l.receipt(&otherwise, &fort.cast.key("l")).await.as_deref(), Some("already-said"));
    let other = String::from_utf8(said.to_vec()).unwrap().replace("999 calls are failing", "all is well");
    let at = control_room.say(&subject, other.as_bytes(), &publisher).await;
    assert_eq!(fort.refusal(at).await, "already-said");
    let told = report(fort).await;
    let row = |event: usize, id: &str| told[event - 1].iter().find(|row| row.id.as_str() == id).unwrap();
    let by_itself = row(2, "l");
    assert_eq!(by_itself.acknowledged_key, Some(fort.cast.key("l").public()));
    let vouched = row(1, "a");
    assert_eq!(vouched.acknowledged_key, Some(fort.cast.key(CONSOLE).public()));
    let (account, session) = (&vouched.acknowledged_account, &vouched.acknowledged_session);
    assert_eq!((account.as_deref(), session.as_deref()), (Some(ACCOUNT), Some(SESSION)));
    let linked = row(1, "l");
    assert_eq!(linked.acknowledged_key, Some(fort.cast.key(CONSOLE).public()));
    assert!(linked.acknowledged_account.is_none() && linked.acknowledged_step.is_some());

    // A directory without a key ends it, and one with another's in its place begins that.
    let stranger = SigningKey::generate();
    let mut without = fort.cast.document.clone();
    without.link_key = None;
    put_in_force(&fort.ledger, 2, &without).await;
    let by_link =
        || acknowledged("l", 2, ReceiptMethod::Link, Some(link("l", 2, &fort.cast.key(LINKS), 3600)));
    let refused = |code: &str| Some(code.to_owned());
    assert_eq!(console.receipt(&by_link(), &fort.cast.key(CONSOLE)).await, refused("bad-link"));
    without.console_key = None;
    key_of(&mut without, "l", None);
    key_of(&mut without, "b", Some(&stranger));
    for publisher in without.publishers.iter_mut().filter(|known| known.id.as_str() == "control-room") {
        publisher.key = None;
    }
    put_in_force(&fort.ledger, 3, &without).await;
    let vouch = acknowledged("a", 2, page, None);
    assert_eq!(console.receipt(&vouch, &fort.cast.key(CONSOLE)).await, refused("bad-signature"));
    let delivered = receipt("l", "x", 2, ReceiptStage::Delivered);
    assert_eq!(l.receipt(&delivered, &fort.cast.key("l")).await, refused("no-key"));
    let (subject, said) = invented(2);
    let at = control_room.say(&subject, &said, &publisher).await;
    assert_eq!(fort.refusal(at).await, "no-key");
    assert_eq!(
        b.receipt(&acknowledged("b", 2, own, None), &stranger).await,
        None,
        "the administrator gave it"
    );

    // What a service writes is not signed: it is there.
    let router = service(Service::Router).await;
    router.shout("tocsin.finding.invented.9.1", None, br#"{"forged": true}"#).await;

    let signer = |row: &RecipientReport| row.acknowledged_signer.map_or("nobody", Signer::as_str);
    let method = |row: &RecipientReport| row.acknowledged_method.map_or("none", ReceiptMethod::as_str);
    assert_eq!((signer(by_itself), signer(vouched), signer(linked)), ("recipient", "console", "console"));
    rows(table, [signer(by_itself), method(vouched), method(linked)]);
    directories(table, fort).await;
}

/// Puts directories in force without the key that must sign them.
async fn directories(table: &mut Table, fort: &Fort) {
    let (key, thief) = (SigningKey::generate(), SigningKey::generate());
    let mut ours = fort.cast.document.clone();
    ours.directory_key = Some(key.public());
    tocsin_tests::put_in_force(&fort.ledger, 4, &ours, Some(&key)).await;
    let operator = Ledger::connect(&fort.connection("operator")).await.unwrap();
    let under = async |number: u32| {
        say(&operator, fort, "operator", "under-a-key", number).await;
        let subject = format!("tocsin.dispatch.operator.under-a-key.{number}").parse().unwrap();
        let entry =
            until("its dispatch", async || fort.ledger.last(&subject).await.unwrap().ok_or_else(String::new))
                .await;
        from_body::<Dispatch>("dispatch", &entry.body).unwrap().directory
    };
    assert_eq!(under(1).await, 4);
    let mut theirs = fort.cast.document.clone();
    theirs.recipients.clear();
    theirs.policies.clear();
    let body = to_body("directory", &theirs).unwrap();
    let administrator = fort.service_attacker(Service::Administrator).await;
    stored(administrator.ask("tocsin.directory.5", None, &body).await);
    theirs.directory_key = Some(thief.public());
    let body = to_body("directory", &theirs).unwrap();
    let signed = thief.sign("tocsin.directory.6", &body).unwrap();
    let router = fort.service_attacker(Service::Router).await;
    let own = "tocsin.finding.invented.9.2";
    stored(router.ask(own, Some(signed_headers(&signed)), &body).await);
    router.shout(&format!("$JS.API.DIRECT.GET.TOCSIN_LOG.{own}"), "tocsin.directory.6", None, b"").await;
    let there = fort.ledger.wait_for(&["tocsin.directory.6".parse().unwrap()], SOON).await.unwrap();
    let there = there.is_some();
    let dispatched = under(2).await;
    let stopped = |by: &str| {
        if dispatched == 4 { Ok(by.to_owned()) } else { Err(format!("version {dispatched} is in force")) }
    };
    table.add(
        "The administrator, with a key of its own",
        "put a directory in force without the `directory_key` that the one in force names: `tocsin.directory.5`",
        stopped("every reader: it is not signed, and the next event is dispatched under the one in force"),
    );
    table.add(
        "The router, with a key of its own",
        "the same by the detour below, signed with a key that it names itself: `tocsin.directory.6`",
        stopped(if there {
            "every reader: it is stored and not in force, as it is signed with another key"
        } else {
            "nats-server: it is not stored"
        }),
    );
    // The administrator goes on all the same.
    tocsin_tests::put_in_force(&fort.ledger, 7, &ours, Some(&key)).await;
    assert_eq!(under(3).await, 7);
}

fn key_of(document: &mut DirectoryDocument, id: &str, key: Option<&SigningKey>) {
    for known in document.recipients.iter_mut().filter(|known| known.id.as_str() == id) {
        known.key = key.map(SigningKey::public);
    }
}

/// What the auditor's report has of each recipient, event by event.
async fn report(fort: &Fort) -> Vec<Vec<RecipientReport>> {
    let incident = "x".parse().unwrap();
    let audit = tocsin_audit::read(&fort.ledger, Some(&incident)).await.unwrap();
    let report = audit.report(&incident, tocsin_audit::Request::default()).unwrap();
    report.events.into_iter().map(|event| event.recipients).collect()
}

/// The signed-in account of a page that nobody was at.
pub(super) fn nobody() -> SignedIn {
    SignedIn { account: ACCOUNT.to_owned(), session: SESSION.to_owned() }
}

fn right(key: &str, says: String, told: String, ends: &str) -> Right {
    Right { key: key.to_owned(), says, told, ends: ends.to_owned() }
}

fn none() -> String {
    "-".to_owned()
}

/// The lines, with what the report called it.
fn rows(table: &mut Table, [own, page, link]: [&str; 3]) {
    table.rights([
        right(
            "a recipient's",
            "that this body holds a notice, or that somebody whom the thief names there acknowledges it, by whatever method it names; reports in its name"
                .to_owned(),
            format!(
                "signed by the body's own key: its report has `acknowledged_signer: {own}`, and nothing on the record tells the \
                 thief from its desk. Where the desk says otherwise afterwards it is refused, `already-said`, which stands"
            ),
            "`tocsin keys rotate ID`, or `tocsin keys revoke ID`",
        ),
        right(
            "a publisher's",
            "events in its name of the areas that it may speak of, of which notices and mails follow; calls that it logged; \
             which trails are one; reports"
                .to_owned(),
            "each is signed by the publisher's key, and stands under its name. What it says itself under that number afterwards is refused, `already-said`"
                .to_owned(),
            "`tocsin keys rotate ID`, or `tocsin keys revoke ID`",
        ),
        right(
            "`console_key`, and the console's login: a body that has `console = true`",
            "that somebody whom the thief names acknowledges for it on the page or by a program; reports of its people"
                .to_owned(),
            format!(
                "signed by the console's key and not the body's: `acknowledged_signer: console`, `acknowledged_method: {page}`. \
                 It names an account and a session, if any, that the console's own log must have"
            ),
            "`tocsin keys rotate console_key` or `tocsin keys revoke console_key`, and `tocsin keys rotate console`",
        ),
        right(
            "the same: a body that has `console = \"links\"`",
            "by the token of a true link that the thief comes by, as when somebody opens it there: that somebody whom the thief names \
             acknowledges that event for that body. Nothing without one"
                .to_owned(),
            format!(
                "`acknowledged_signer: console`, `acknowledged_method: {link}`, and `acknowledged_step`: whose mail it was. The \
                 receipt has the token, signed by `link_key`"
            ),
            "the same",
        ),
        right("the same: a body that has `console = false`", "nothing".to_owned(), none(), "the same"),
        right(
            "`link_key`, and the notifier's login",
            "links for any body and event, which acknowledge when their button is pressed on the console's page, unless the body \
             has `console = false`; that a mail was begun or ended, which it was not"
                .to_owned(),
            format!(
                "`acknowledged_method: {link}`, with the step of which the link says that it is. That there was no such mail is \
                 told by the attempts on record, unless those were forged too, and by the mail relay"
            ),
            "`tocsin keys rotate link_key`, after which no link that was sent before counts, and `tocsin keys rotate notifier`",
        ),
    ]);
    logins(table);
}

/// The lines of those who have more than a key to sign with.
fn logins(table: &mut Table) {
    table.rights([
        right(
            "`checkpoint_key`, and the router's login",
            "what follows: dispatches, notices, windows, findings, escalations, refusals; and a checkpoint of a record that is none. No event and no receipt under another's key; and no directory where one names a `directory_key`"
                .to_owned(),
            "`tocsin audit verify` has what follows recomputed from what was said, and holds the checkpoints against those that \
             agencies' receipts repeat"
                .to_owned(),
            "`tocsin keys rotate checkpoint_key`, and `tocsin keys rotate router`",
        ),
        right(
            "the administrator's login, where the directory names a `directory_key`",
            "by the detour below what the router can, and no directory beside the one in force. It may change the streams, and so \
             erase the record and begin another with a first directory of its own, on which no service works that was told to \
             trust the `directory_key`"
                .to_owned(),
            "what it writes as a directory stands on the record and is not in force: routers, `tocsin watch`, `tocsin directory \
             show` and `tocsin audit verify` say so. That entries were erased, the checkpoints that agencies' receipts repeat say"
                .to_owned(),
            "`tocsin keys rotate administrator`",
        ),
        right(
            "`directory_key`, and the administrator's login; or that login, where the directory names no such key",
            "any directory, with keys of the thief's own in it, whose word counts from then on, and another `directory_key`. The key \
             without a login: nothing"
                .to_owned(),
            "each version stands on the record with the key that signed it and the broker's time, under the checkpoints, and the \
             versions before it beside it"
                .to_owned(),
            "`tocsin keys rotate administrator`, then, while it is the key still, `tocsin keys rotate directory_key` and `tocsin directory apply` of the right one",
        ),
        right(
            "the auditor's login",
            "nothing: it reads all that there is".to_owned(),
            none(),
            "`tocsin keys rotate auditor`",
        ),
        right(
            "the broker's machine",
            "no event and no receipt under another's key, and no directory where one names a `directory_key`. It has all that there is in clear, may withhold, erase or alter it (and so begin a record anew, \
             with a first directory of its own, on which no service works that was told to trust the `directory_key`), sets the clock by which all is judged, and closes windows"
                .to_owned(),
            "by `tocsin audit verify`, once an agency's receipt has repeated a checkpoint: altered, erased and inserted entries \
             before it are named. A clock that is wrong from the start is told by no signature, but by the times that senders \
             claim"
                .to_owned(),
            "no key: another machine, and `tocsin restore` of a back-up there",
        ),
    ]);
}
