//! A relay that may answer anything.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tocsin_fuzz::{Choices, check, text};
use tocsin_protocol::Outcome;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

/// A far end whose words are all there from the beginning, given out in pieces, and which takes whatever it is told.
#[derive(Debug)]
struct Relay {
    words: Vec<u8>,
    given: usize,
    piece: usize,
}

impl AsyncTokioStream for Relay {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, 25).into())
    }
}

impl AsyncRead for Relay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let end = (self.given + self.piece.min(buffer.remaining())).min(self.words.len());
        buffer.put_slice(&self.words[self.given..end]);
        self.given = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Relay {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What is recorded of an answer is one line of bounded length.
fn recorded(words: &str) {
    assert!(words.chars().count() < REPLY + 200 && !words.chars().any(char::is_control), "{words:?}");
}

#[test]
fn whatever_a_relay_answers_is_judged() {
    let seeds = [
        "\x0f220 relay ESMTP\r\n250-relay\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 2.0.0 queued as 1\r\n",
        "\x0f220 relay ESMTP\r\n250 relay\r\n250 ok\r\n550 5.1.1 no such user\r\n250 reset\r\n",
        "\x01220-a\r\n220 b\r\n250 relay\r\n451 4.7.1 later\r\n",
        "\x0f220 relay\r\n250 relay\r\n250 ok\r\n250 ok\r\n354 go on\r\n421 4.3.2 closing\r\n",
        "\x0f554 5.7.1 not you\r\n",
        "\x0f220 relay\r\n250-relay\r\n250-  \r\n250 ok\r\n",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let runtime = AssertUnwindSafe(runtime);
    check("relay", seeds.map(|seed| seed.as_bytes().to_vec()).to_vec(), |bytes| {
        let mut choices = Choices::new(bytes);
        let piece = choices.below(64) + 1;
        let to = ["duty@pol.example", "д@pol.example"][choices.clone().below(8) / 7];
        let mail = Mail {
            from: "tocsin@operator.example".parse().unwrap(),
            to: to.parse().unwrap(),
            message_id: "<x@operator.example>".to_owned(),
            subject: "x".to_owned(),
            bytes: b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n".to_vec(),
        };
        let relay = Relay { words: choices.rest().to_vec(), given: 0, piece };
        let talk = async {
            let hello = ClientId::Domain("here.example".to_owned());
            let limit = Limit {
                stage: Stage::Greet,
                deadline: tokio::time::Instant::now() + Duration::from_mins(1),
                whole: Duration::from_mins(1),
            };
            let connected = AsyncSmtpConnection::connect_with_transport(Box::new(relay), &hello);
            let connection = match limit.smtp(connected).await {
                Ok(connection) => connection,
                Err(failure) => return (Err(failure), None),
            };
            Line { connection, used: Instant::now() }.send(&mail, Duration::from_mins(1)).await
        };
        match runtime.block_on(talk) {
            (Ok(Taken { code, text }), line) => {
                assert!((200..300).contains(&code) && line.is_some());
                recorded(&text);
            }
            (Err(failure), line) => {
                recorded(&failure.to_string());
                let outcome = failure.outcome();
                assert!(!matches!(outcome, Outcome::Accepted | Outcome::StoodDown), "{failure:?}");
                let answered = matches!(failure.why, Why::Answered { .. } | Why::Unable(_));
                assert!(line.is_none() || answered, "a line is kept on which something may be under way");
            }
        }
    });
}

#[test]
fn every_reply_at_every_stage_means_something() {
    let stages = [
        Stage::Connect,
        Stage::Secure,
        Stage::Greet,
        Stage::Login,
        Stage::Sender,
        Stage::Recipient,
        Stage::Data,
        Stage::Content,
    ];
    let seeds =
        [&b"\x05\x26\x025.1.1 no such user"[..], b"\x05\x26\x02relaying denied", b"\x07\xc2\x014.7.1 later"];
    check("reply", seeds.map(<[u8]>::to_vec).to_vec(), |bytes| {
        let mut choices = Choices::new(bytes);
        let (stage, code) = (*choices.of(&stages), choices.number() % 1000);
        let why = match choices.clone().below(8) {
            5 => Why::Lost(text(choices.rest()).into_owned()),
            6 => Why::Insecure(text(choices.rest()).into_owned()),
            7 => Why::Unable(text(choices.rest()).into_owned()),
            _ => Why::Answered { code, text: text(choices.rest()).into_owned() },
        };
        let failure = Failure { stage, why };
        let outcome = failure.outcome();
        match failure.why {
            Why::Answered { code: 400..=499, .. } => assert_eq!(outcome, Outcome::Temporary),
            Why::Answered { code: 500..=599, .. } => {
                assert!(matches!(outcome, Outcome::Permanent | Outcome::RelayFault), "{failure:?}");
                assert!(outcome != Outcome::Permanent || stage >= Stage::Recipient, "{failure:?}");
            }
            _ => assert!(!matches!(outcome, Outcome::Accepted | Outcome::StoodDown), "{failure:?}"),
        }
        let _ = failure.to_string();
    });
}
