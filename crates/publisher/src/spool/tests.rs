use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use proptest::prelude::*;
use tempfile::TempDir;
use tocsin_ledger::Position;
use tocsin_protocol::{PublisherId, SigningKey};

use super::*;
use crate::prepare_bytes;

struct Desk {
    dir: TempDir,
    spool: Spool,
    key: SigningKey,
}

impl Desk {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let spool = Spool::open(&dir.path().join("spool")).unwrap();
        Self { dir, spool, key: SigningKey::generate() }
    }

    fn event(&self, incident: &str, event: u32, headline: &str) -> Prepared {
        let kind = if event == 1 { "initial" } else { "update" };
        let body = format!(
            r#"{{"incident":"{incident}","sequence":{event},"kind":"{kind}","status":"test","publisher":"bt","category":"outage","services":["999-voice"],"headline":{headline},"areas":["uk"]}}"#,
            headline = serde_json::Value::from(headline),
        );
        prepare_bytes(body.as_bytes(), &self.key, &PublisherId::new("bt").unwrap()).unwrap()
    }

    fn put(&self, incident: &str, event: u32, second: i64) -> Spooled {
        self.spool.put(&self.event(incident, event, "x"), at(second)).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.spool.dir().join(name)
    }

    fn waiting(&self) -> Vec<String> {
        let pending = self.spool.pending().unwrap();
        pending.events.iter().map(|spooled| format!("{}.{}", spooled.incident, spooled.event)).collect()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_687_670_640 + second).unwrap()
}

fn stored(sequence: u64) -> Said {
    Said::Stored(Position { sequence, time: at(100) })
}

#[test]
fn what_was_spooled_is_there_after_a_restart() {
    let desk = Desk::new();
    let spooled = desk.put("x", 1, 0);
    let again = Spool::open(desk.spool.dir()).unwrap();
    assert_eq!(again.pending().unwrap().events, [spooled]);
}

#[test]
fn events_are_sent_in_the_order_of_spooling_and_within_an_incident_by_number() {
    let desk = Desk::new();
    desk.put("b", 1, 10);
    desk.put("a", 1, 20);
    // The clock was set back.
    desk.put("b", 2, 5);
    desk.put("c", 1, 15);
    desk.put("a", 2, 21);
    desk.put("b", 10, 30);
    desk.put("b", 9, 31);
    assert_eq!(desk.waiting(), ["b.1", "b.2", "c.1", "a.1", "a.2", "b.9", "b.10"]);
}

#[test]
fn the_same_event_spooled_twice_waits_once_and_other_words_are_refused() {
    let desk = Desk::new();
    let first = desk.put("x", 1, 0);
    assert_eq!(desk.put("x", 1, 5), first);
    let other = desk.spool.put(&desk.event("x", 1, "other words"), at(6));
    assert!(matches!(other, Err(Error::AlreadySpooled { .. })), "{other:?}");
    assert_eq!(desk.waiting(), ["x.1"]);
}

#[test]
fn a_crash_before_the_rename_leaves_a_file_that_is_set_aside_and_told() {
    let desk = Desk::new();
    desk.put("x", 1, 0);
    let name = format!("{}99-0", disk::TEMPORARY);
    fs::write(desk.file(&name), "tocsin-spool 1\nspooled-at: 2023").unwrap();
    let pending = desk.spool.pending().unwrap();
    assert_eq!(pending.events.len(), 1);
    assert_eq!(pending.set_aside.len(), 1);
    assert_eq!(pending.set_aside[0].path, desk.file(&format!("{name}.damaged")));
    let later = desk.spool.pending().unwrap();
    assert_eq!(later.set_aside, []);
    assert_eq!(
        later.set_aside_before,
        [desk.file(&format!("{name}.damaged"))],
        "kept, for a person to look at"
    );
}

#[test]
fn a_crash_between_sent_and_removed_ends_the_same_when_done_again() {
    let desk = Desk::new();
    let spooled = desk.put("x", 1, 0);
    let bytes = fs::read(desk.file(spooled.name())).unwrap();
    desk.spool.mark_sent(&spooled, &stored(7)).unwrap();
    fs::write(desk.file(spooled.name()), bytes).unwrap();
    assert_eq!(desk.waiting(), ["x.1"]);
    let already = Said::Already(stored(7).position());
    desk.spool.mark_sent(&spooled, &already).unwrap();
    assert_eq!(desk.waiting(), [""; 0]);
    let sent = desk.spool.sent(spooled.subject()).unwrap().unwrap();
    assert_eq!(sent, Sent { spooled, said: already });
}

#[test]
fn damaged_and_foreign_files_are_set_aside_and_block_nobody() {
    let desk = Desk::new();
    desk.put("good", 1, 0);
    let whole = fs::read(desk.file(desk.put("x", 1, 1).name())).unwrap();
    let mut cases = 0;
    let mut write = |name: &str, bytes: &[u8]| {
        fs::write(desk.file(name), bytes).unwrap();
        cases += 1;
    };
    write("20230625T052400.000000000Z-half-0000000001.event", &whole[..whole.len() - 1]);
    write("head.event", &whole[..40]);
    write("empty.event", b"");
    write("nul.event", &[0; 4096]);
    let text = String::from_utf8(whole.clone()).unwrap();
    write("altered.event", text.replace("999-voice", "112-voice").as_bytes());
    write("version.event", text.replace("tocsin-spool 1", "tocsin-spool 2").as_bytes());
    write("more.event", text.replace("\n\n", "\nextra: 1\n\n").as_bytes());
    write("renamed.event", &whole);
    write("notes.txt", b"call the duty manager");
    write("huge.event", &vec![b'x'; usize::try_from(file::FILE_MAX).unwrap() + 1]);
    symlink("/dev/zero", desk.file("link.event")).unwrap();
    fs::create_dir(desk.file("folder.event")).unwrap();
    let pending = desk.spool.pending().unwrap();
    let good: Vec<_> = pending.events.iter().map(|spooled| spooled.incident().as_str()).collect();
    assert_eq!(good, ["good", "x"]);
    assert_eq!(pending.set_aside.len(), cases + 2);
    assert!(pending.set_aside.iter().all(|aside| aside.path.extension().is_some_and(|e| e == "damaged")));
    assert_eq!(desk.waiting(), ["good.1", "x.1"]);
    let mut why: Vec<_> = pending
        .set_aside
        .iter()
        .map(|aside| aside.to_string().replace(&desk.spool.dir().display().to_string(), ""))
        .collect();
    why.sort();
    let why = why.join("\n").replace(&desk.key.public(), "KEY");
    insta::assert_snapshot!(why);
}

#[test]
fn a_second_file_of_a_damaged_name_does_not_overwrite_the_first() {
    let desk = Desk::new();
    for _ in 0..3 {
        fs::write(desk.file("notes.txt"), "x").unwrap();
        assert_eq!(desk.spool.pending().unwrap().set_aside.len(), 1);
    }
    assert_eq!(desk.spool.pending().unwrap().set_aside_before.len(), 3);
}

#[test]
fn only_the_owner_may_look_into_the_spool() {
    let desk = Desk::new();
    let spooled = desk.put("x", 1, 0);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(desk.spool.dir().to_owned()), 0o700);
    assert_eq!(mode(desk.file(spooled.name())), 0o600);
    desk.spool.mark_sent(&spooled, &stored(1)).unwrap();
    assert_eq!(mode(desk.file(SENT)), 0o700);
    assert_eq!(mode(desk.file(SENT).join(spooled.name())), 0o600);
}

#[test]
fn a_withdrawn_event_is_not_sent_and_not_lost() {
    let desk = Desk::new();
    let spooled = desk.put("x", 1, 0);
    let path = desk.spool.withdraw(spooled.subject()).unwrap();
    assert_eq!(desk.waiting(), [""; 0]);
    let kept = file::decode(&fs::read(path).unwrap().into()).unwrap();
    assert_eq!(kept, spooled);
    let again = desk.spool.withdraw(spooled.subject());
    assert!(matches!(again, Err(Error::NotSpooled { .. })), "{again:?}");
}

#[test]
fn the_events_of_an_incident_are_known_without_the_bus() {
    let desk = Desk::new();
    let known = || {
        let (sent, waiting) = desk.spool.of_incident(&IncidentId::new("x").unwrap()).unwrap();
        [sent, waiting].map(|events| events.iter().map(|event| event.sequence.get()).collect::<Vec<_>>())
    };
    assert_eq!(known(), [Vec::<u32>::new(), Vec::new()]);
    let first = desk.put("x", 1, 0);
    desk.spool.mark_sent(&first, &stored(1)).unwrap();
    desk.put("xy", 3, 1);
    desk.put("x", 2, 2);
    assert_eq!(known(), [vec![1], vec![2]]);
}

#[tokio::test]
async fn only_one_process_sends_at_a_time() {
    let desk = Desk::new();
    let lock = desk.spool.lock_sending(Duration::ZERO).await.unwrap();
    let second = desk.spool.lock_sending(Duration::from_millis(60)).await;
    assert!(matches!(second, Err(Error::Busy { .. })), "{second:?}");
    drop(lock);
    desk.spool.lock_sending(Duration::ZERO).await.unwrap();
}

#[test]
fn a_spool_that_cannot_be_made_says_where() {
    let desk = Desk::new();
    let file = desk.dir.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Spool::open(&file.join("spool")).unwrap_err().to_string();
    assert!(refused.contains(&file.display().to_string()), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_exact_bytes_come_back(headline in "\\PC{1,80}", pad in "[ \t\r\n]{0,8}") {
        let desk = Desk::new();
        let body = format!(
            "{{{pad}\"incident\":\"x\",\"sequence\":1,\"kind\":\"initial\",\"status\":\"test\",\"publisher\":\"bt\",{pad}\"category\":\"outage\",\"services\":[\"999-voice\"],\"areas\":[\"uk\"],\"headline\":{}{pad}}}",
            serde_json::Value::from(format!("a{headline}")),
        );
        let Ok(prepared) = prepare_bytes(body.as_bytes(), &desk.key, &PublisherId::new("bt").unwrap()) else {
            return Ok(());
        };
        let spooled = desk.spool.put(&prepared, at(0)).unwrap();
        let read = desk.spool.pending().unwrap().events.pop().unwrap();
        prop_assert_eq!(&read, &spooled);
        prop_assert_eq!(read.body(), body.as_bytes());
        desk.spool.mark_sent(&read, &stored(1)).unwrap();
        let sent = desk.spool.sent(prepared.subject()).unwrap().unwrap();
        prop_assert_eq!(sent.spooled.body(), body.as_bytes());
    }

    #[test]
    fn no_bytes_in_a_file_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut framed = b"tocsin-spool 1\nspooled-at: 2023-06-25T05:24:00Z\nsubject: ".to_vec();
        framed.extend(&bytes);
        let _ = file::decode(&bytes.into());
        let _ = file::decode_sent(&framed.into());
    }
}
