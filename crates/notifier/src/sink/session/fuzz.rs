//! A sender that may say anything to the sink.

use std::{panic::AssertUnwindSafe, sync::Mutex};

use tocsin_fuzz::{Choices, check};
use tokio::{io::AsyncWriteExt as _, sync::Notify};

use super::*;
use crate::sink::{Seen, SinkOptions, script::Scripts};

const MAIL_MAX: usize = 2_000;

#[test]
fn whatever_a_sender_says_the_sink_answers_and_comes_to_an_end() {
    let seeds = [
        "\0EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
        "\x01EHLO a\r\nAUTH PLAIN AG5hbWUAd29yZA==\r\nMAIL FROM:<> SIZE=1\r\nRCPT TO:<c@d.example>\r\nRSET\r\nDATA\r\n",
        "\x01EHLO a\r\nAUTH LOGIN\r\nbmFtZQ==\r\nd29yZA==\r\nVRFY x\r\nNOOP\r\nHELO\r\n",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let runtime = AssertUnwindSafe(runtime);
    check("sink", seeds.map(|seed| seed.as_bytes().to_vec()).to_vec(), |bytes| {
        let mut choices = Choices::new(bytes);
        let login = (choices.byte() % 2 == 1).then(|| ("name".to_owned(), "word".to_owned()));
        let shared = Shared {
            options: SinkOptions { login, mail_max: MAIL_MAX, keep: 10, ..SinkOptions::default() },
            scripts: Mutex::<Scripts>::default(),
            seen: Mutex::<Seen>::default(),
            changed: Notify::new(),
        };
        let said = choices.rest();
        let talk = async {
            let (near, far) = tokio::io::duplex(256);
            let (mut answers, mut words) = tokio::io::split(near);
            // Its end of the line is dropped with it, as a socket's is.
            let served = async { Session::new(&shared, 1, Behaviour::Accept).run(far).await.is_ok() };
            let sender = async {
                // The sink may close first.
                let _ = words.write_all(said).await;
                let _ = words.shutdown().await;
            };
            let reader = async {
                let mut text = Vec::new();
                let _ = answers.read_to_end(&mut text).await;
                text
            };
            tokio::join!(served, sender, reader)
        };
        let (_, (), answers) = runtime.block_on(talk);
        for answer in String::from_utf8_lossy(&answers).lines() {
            assert!(answer.get(..3).is_some_and(|code| code.parse::<u16>().is_ok()), "{answer:?}");
        }
        let seen = shared.seen();
        // The line that goes beyond is the last that is kept.
        assert!(seen.mails.iter().all(|mail| mail.bytes.len() <= MAIL_MAX));
    });
}
