//! The sink by itself, spoken to byte by byte.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::time::Duration;

use tocsin_notifier::sink::{Behaviour, Point, Sink, SinkOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SOON: Duration = Duration::from_secs(10);

/// Says all of this at once, and gives what comes back until the sink closes the line.
async fn talk(sink: &Sink, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(sink.address()).await.unwrap();
    stream.write_all(said).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

fn codes(answer: &str) -> Vec<&str> {
    answer.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).map(|line| &line[..3]).collect()
}

#[tokio::test]
async fn commands_that_come_all_at_once_are_answered_in_their_order() {
    let sink = Sink::start(SinkOptions::default()).await.unwrap();
    let said = b"EHLO x\r\nMAIL FROM:<a@b.example> BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\n\
        DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nNOOP\r\nRSET\r\nVRFY x\r\nFLY\r\nQUIT\r\n";
    let answer = talk(&sink, said).await;
    assert_eq!(
        codes(&answer),
        ["220", "250", "250", "250", "250", "354", "250", "250", "250", "252", "502", "221"]
    );
    let mails = sink.mails();
    assert_eq!(mails[0].to, ["c@d.example", "e@f.example"]);
    assert_eq!(&mails[0].bytes[..], b"Subject: x\r\n\r\n.dot\r\n");
}

#[tokio::test]
async fn commands_out_of_turn_are_refused() {
    let sink = Sink::start(SinkOptions::default()).await.unwrap();
    let said = b"HELO x\r\nRCPT TO:<a@b.example>\r\nDATA\r\nMAIL FROM:a@b.example\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n\
        DATA\r\nRCPT TO:<>\r\nSTARTTLS\r\nQUIT\r\n";
    let answer = talk(&sink, said).await;
    assert_eq!(codes(&answer), ["220", "250", "503", "503", "501", "250", "503", "503", "501", "502", "221"]);
}

#[tokio::test]
async fn a_login_is_asked_for_and_checked() {
    let login = Some(("user".to_owned(), "pass".to_owned()));
    let sink = Sink::start(SinkOptions { login, ..SinkOptions::default() }).await.unwrap();
    // AUTH LOGIN with "user" and "pass", then AUTH PLAIN in two lines with a wrong password.
    let said = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nAUTH LOGIN\r\ndXNlcg==\r\ncGFzcw==\r\nAUTH PLAIN\r\n\
        AHVzZXIAbm8=\r\nAUTH PLAIN !\r\nAUTH FOO\r\nQUIT\r\n";
    let answer = talk(&sink, said).await;
    assert_eq!(codes(&answer), ["220", "250", "530", "334", "334", "235", "334", "535", "501", "504", "221"]);
    assert_eq!(sink.counts().logins_refused, 1);
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_not_kept() {
    let sink = Sink::start(SinkOptions { mail_max: 1000, ..SinkOptions::default() }).await.unwrap();
    let mut said = b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n".to_vec();
    said.extend_from_slice(&vec![b'x'; 100_000]);
    said.extend_from_slice(b"\r\n.\r\nQUIT\r\n");
    assert_eq!(codes(&talk(&sink, &said).await), ["220", "250", "250", "250", "354", "552", "221"]);
    assert_eq!(sink.counts().mails, 0);

    let answer = talk(&sink, &[b'x'; 5000]).await;
    assert_eq!(codes(&answer), ["220", "500"]);
}

#[tokio::test]
async fn only_the_newest_mails_are_kept_and_all_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        SinkOptions { keep: 2, directory: Some(directory.path().join("mails")), ..SinkOptions::default() };
    let sink = Sink::start(options).await.unwrap();
    for n in 0..3 {
        let said =
            format!("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<../r{n}@d.example>\r\nDATA\r\n{n}\r\n.\r\nQUIT\r\n");
        talk(&sink, said.as_bytes()).await;
    }
    assert_eq!((sink.counts().mails, sink.mails().len(), sink.mails()[0].number), (3, 2, 2));
    let mut files: Vec<_> = std::fs::read_dir(directory.path().join("mails"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files[0], "00001-.._r0_d.example.eml");
    assert_eq!(files.len(), 3);
}

#[tokio::test]
async fn a_wait_that_is_in_vain_says_what_was_seen() {
    let sink = Sink::start(SinkOptions::default()).await.unwrap();
    sink.script_lines([Behaviour::Reply(Point::Greeting, 421, "4.3.2 busy"), Behaviour::Accept]);
    assert_eq!(codes(&talk(&sink, b"").await), ["421"]);
    assert_eq!(codes(&talk(&sink, b"QUIT\r\n").await), ["220", "221"]);
    let vain = sink.wait_until(Duration::from_millis(10), |seen| seen.counts.mails > 0).await.unwrap_err();
    assert!(vain.to_string().contains("lines: 2"), "{vain}");
    sink.wait_until(Duration::from_millis(10), |seen| seen.counts.lines == 2).await.unwrap();
}
