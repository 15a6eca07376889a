//! One line of the sink: RFC 5321 as far as a sender of mail needs it.

#[cfg(test)]
mod fuzz;

use std::{io, mem, time::SystemTime};

use bytes::Bytes;
use data_encoding::BASE64;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    Caught, Secure, Shared,
    script::{Behaviour, Point},
};

/// The longest command line taken, in bytes: RFC 5321's 512 with room for the extensions' parameters.
const COMMAND_MAX: usize = 4096;
/// The most receivers of one mail (RFC 5321 asks for a hundred at least).
const RECIPIENTS_MAX: usize = 1000;

/// The state of a line.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    line: u64,
    behaviour: Behaviour,
    secured: bool,
    greeted: bool,
    login: Option<String>,
    envelope: Option<Envelope>,
    out: Vec<u8>,
}

#[derive(Default)]
struct Envelope {
    from: String,
    to: Vec<String>,
    behaviour: Option<Behaviour>,
}

/// What the line does after a command.
enum Then {
    Read,
    Data,
    Login { name: Option<String> },
    Upgrade,
    Hang,
    HalfClose,
    Close,
}

impl<'a> Session<'a> {
    pub(super) fn new(shared: &'a Shared, line: u64, behaviour: Behaviour) -> Self {
        Self {
            shared,
            line,
            behaviour,
            secured: false,
            greeted: false,
            login: None,
            envelope: None,
            out: Vec::new(),
        }
    }

    pub(super) fn secured(mut self) -> Self {
        self.secured = true;
        self
    }

    /// Serves the line to its end, or to the point where it is to be secured.
    pub(super) async fn run<S>(mut self, mut stream: S) -> io::Result<Option<(Self, S)>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut then = Then::Read;
        if !self.greeted {
            self.greeted = true;
            then = self.act(self.behaviour, Point::Greeting, |s| s.say(220, "sink.example ESMTP"));
        }
        let mut input = Input::default();
        loop {
            then = match then {
                Then::Read | Then::Login { .. } => {
                    // Answers are sent when nothing more can be answered without reading: so are many commands that
                    // come at once (pipelining) answered at once.
                    while !input.has_line() {
                        self.flush(&mut stream).await?;
                        if input.len() > COMMAND_MAX {
                            self.say(500, "5.5.2 line too long");
                            return self.flush(&mut stream).await.map(|()| None);
                        }
                        if !input.fill(&mut stream).await? {
                            return Ok(None);
                        }
                    }
                    let line = input.line();
                    match then {
                        Then::Login { name } => self.log_in(name, &line),
                        _ => self.command(&line),
                    }
                }
                Then::Data => {
                    self.flush(&mut stream).await?;
                    let Some(content) = input.content(&mut stream, self.shared.options.mail_max).await?
                    else {
                        return Ok(None);
                    };
                    self.content(content).await?
                }
                Then::Upgrade => {
                    self.flush(&mut stream).await?;
                    return Ok(Some((self, stream)));
                }
                Then::Hang => {
                    self.flush(&mut stream).await?;
                    return hang(&mut stream).await;
                }
                Then::HalfClose => {
                    self.flush(&mut stream).await?;
                    stream.shutdown().await?;
                    return hang(&mut stream).await;
                }
                Then::Close => return self.flush(&mut stream).await.map(|()| None),
            };
        }
    }

    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if !self.out.is_empty() {
            stream.write_all(&self.out).await?;
            stream.flush().await?;
            self.out.clear();
        }
        Ok(())
    }

    fn say(&mut self, code: u16, text: &str) -> Then {
        if code >= 400 {
            self.shared.count(|counts| counts.refusals += 1);
        }
        self.out.extend_from_slice(format!("{code} {text}\r\n").as_bytes());
        if code == 421 { Then::Close } else { Then::Read }
    }

    /// Does what it was told for this point, or what a willing relay does.
    fn act(&mut self, behaviour: Behaviour, point: Point, willing: impl FnOnce(&mut Self) -> Then) -> Then {
        match behaviour.at(point) {
            Some(Behaviour::Reply(_, code, text)) => match (point, self.say(code, text)) {
                (Point::Greeting, _) => Then::Close,
                (_, then) => then,
            },
            Some(Behaviour::Hang(_)) => Then::Hang,
            Some(Behaviour::HalfClose(_)) => Then::HalfClose,
            Some(Behaviour::Garbage(_)) => {
                self.out.extend_from_slice(b"\xff\xfe\0 no reply at all\r\n");
                Then::Hang
            }
            Some(Behaviour::Cut(_)) => Then::Close,
            _ => willing(self),
        }
    }

    fn command(&mut self, line: &str) -> Then {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let own = self.behaviour;
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.act(own, Point::Hello, Self::hello),
            "HELO" => self.act(own, Point::Hello, |s| s.say(250, "sink.example")),
            "STARTTLS" if self.offers_starttls() => {
                self.say(220, "2.0.0 go ahead");
                Then::Upgrade
            }
            "AUTH" => self.act(own, Point::Login, |s| s.auth(rest)),
            "MAIL" => self.act(own, Point::Sender, |s| s.mail(rest)),
            "RCPT" => self.rcpt(rest),
            "DATA" => match &self.envelope {
                Some(envelope) if !envelope.to.is_empty() => {
                    let behaviour = envelope.behaviour.unwrap_or(Behaviour::Accept);
                    self.act(behaviour, Point::Data, |s| {
                        s.say(354, "end with a dot");
                        Then::Data
                    })
                }
                _ => self.say(503, "5.5.1 no recipient"),
            },
            "RSET" => {
                self.envelope = None;
                self.say(250, "2.0.0 forgotten")
            }
            "NOOP" => self.say(250, "2.0.0 nothing done"),
            "QUIT" => {
                self.say(221, "2.0.0 bye");
                Then::Close
            }
            "VRFY" => self.say(252, "2.1.5 try and see"),
            _ => self.say(502, "5.5.1 no such command here"),
        }
    }

    fn offers_starttls(&self) -> bool {
        matches!(self.shared.options.secure, Secure::Starttls(_)) && !self.secured
    }

    fn hello(&mut self) -> Then {
        self.envelope = None;
        let mut offers = vec!["sink.example", "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"];
        if self.offers_starttls() {
            offers.push("STARTTLS");
        }
        if self.shared.options.login.is_some() {
            offers.push("AUTH PLAIN LOGIN");
        }
        for offer in offers {
            self.out.extend_from_slice(format!("250-{offer}\r\n").as_bytes());
        }
        self.out.extend_from_slice(format!("250 SIZE {}\r\n", self.shared.options.mail_max).as_bytes());
        Then::Read
    }

    fn auth(&mut self, rest: &str) -> Then {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        match (mechanism.to_ascii_uppercase().as_str(), initial) {
            ("PLAIN", "") => {
                self.say(334, "");
                // An empty name marks the one answer that PLAIN takes.
                Then::Login { name: Some(String::new()) }
            }
            ("PLAIN", initial) => self.log_in(Some(String::new()), initial),
            ("LOGIN", "") => {
                self.say(334, "VXNlcm5hbWU6");
                Then::Login { name: None }
            }
            _ => self.say(504, "5.5.4 no such mechanism here"),
        }
    }

    fn log_in(&mut self, name: Option<String>, answer: &str) -> Then {
        let answer = BASE64.decode(answer.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(answer) = answer else { return self.say(501, "5.5.2 not base64") };
        let (name, password) = match name {
            None => {
                self.say(334, "UGFzc3dvcmQ6");
                return Then::Login { name: Some(answer) };
            }
            Some(name) if name.is_empty() => {
                let mut parts = answer.split('\0').skip(1);
                (parts.next().unwrap_or_default().to_owned(), parts.next().unwrap_or_default().to_owned())
            }
            Some(name) => (name, answer),
        };
        if self.shared.options.login.as_ref().is_some_and(|(n, p)| *n == name && *p == password) {
            self.login = Some(name);
            self.say(235, "2.7.0 welcome")
        } else {
            self.shared.count(|counts| counts.logins_refused += 1);
            self.say(535, "5.7.8 name or password is wrong")
        }
    }

    fn mail(&mut self, rest: &str) -> Then {
        if self.shared.options.login.is_some() && self.login.is_none() {
            return self.say(530, "5.7.0 log in first");
        }
        if self.envelope.is_some() {
            return self.say(503, "5.5.1 an envelope is open");
        }
        let Some(from) = address(rest, "FROM:") else { return self.say(501, "5.5.4 MAIL FROM:<address>") };
        self.shared.count(|counts| counts.envelopes += 1);
        self.envelope = Some(Envelope { from: from.to_owned(), ..Envelope::default() });
        self.say(250, "2.1.0 ok")
    }

    fn rcpt(&mut self, rest: &str) -> Then {
        let Some(to) = address(rest, "TO:").filter(|to| !to.is_empty()) else {
            return self.say(501, "5.5.4 RCPT TO:<address>");
        };
        let Some(envelope) = &self.envelope else { return self.say(503, "5.5.1 MAIL first") };
        if envelope.to.len() >= RECIPIENTS_MAX {
            return self.say(452, "4.5.3 too many recipients");
        }
        let behaviour = self.shared.scripts().next_mail(to);
        self.shared.count(|counts| counts.recipients += 1);
        self.act(behaviour, Point::Recipient, |s| {
            if let Some(envelope) = &mut s.envelope {
                envelope.to.push(to.to_owned());
                envelope.behaviour.get_or_insert(behaviour);
            }
            s.say(250, "2.1.5 ok")
        })
    }

    async fn content(&mut self, content: Content) -> io::Result<Then> {
        let Envelope { from, to, behaviour } = mem::take(&mut self.envelope).unwrap_or_default();
        let behaviour = behaviour.unwrap_or(Behaviour::Accept);
        let bytes = match content {
            Content::Whole(bytes) => bytes,
            Content::TooLarge => return Ok(self.say(552, "5.3.4 the mail is too large")),
        };
        if behaviour.at(Point::Content).is_some() {
            return Ok(self.act(behaviour, Point::Content, |_| Then::Read));
        }
        let (line, login, secured) = (self.line, self.login.clone(), self.secured);
        let mail = Caught { number: 0, from, to, bytes, line, login, secured, at: SystemTime::now() };
        self.shared.keep(mail).await?;
        if let Behaviour::Delay(time) = behaviour {
            tokio::time::sleep(time).await;
        }
        Ok(self.act(behaviour, Point::Taken, |s| s.say(250, &format!("2.0.0 queued as sink{line}"))))
    }
}

/// Waits until the far end gives up.
async fn hang<S: AsyncRead + Unpin, T>(stream: &mut S) -> io::Result<Option<T>> {
    let mut nothing = [0; 1024];
    while stream.read(&mut nothing).await? > 0 {}
    Ok(None)
}

/// The address in `FROM:<a@b> SIZE=1`.
fn address<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    let head = rest.get(..word.len())?;
    if !head.eq_ignore_ascii_case(word) {
        return None;
    }
    let (address, _) = rest[word.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address)
}

enum Content {
    Whole(Bytes),
    TooLarge,
}

/// What has been read and not yet been used.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    start: usize,
}

impl Input {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    async fn fill<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<bool> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.reserve(16 * 1024);
        Ok(stream.read_buf(&mut self.bytes).await? > 0)
    }

    fn line_end(&self) -> Option<usize> {
        self.bytes[self.start..].iter().position(|b| *b == b'\n').map(|at| self.start + at)
    }

    fn has_line(&self) -> bool {
        self.line_end().is_some()
    }

    /// The next line, without its end.
    fn line(&mut self) -> String {
        let end = self.line_end().unwrap_or(self.bytes.len());
        let line = String::from_utf8_lossy(&self.bytes[self.start..end]).trim_end_matches('\r').to_owned();
        self.start = (end + 1).min(self.bytes.len());
        line
    }

    /// The mail up to the final dot, without dot-stuffing; nothing when the line ends before.
    async fn content<S>(&mut self, stream: &mut S, most: usize) -> io::Result<Option<Content>>
    where
        S: AsyncRead + Unpin,
    {
        let mut mail = Vec::with_capacity(8 * 1024);
        let mut too_large = false;
        loop {
            while let Some(end) = self.line_end() {
                let line = &self.bytes[self.start..=end];
                let last = line == b".\r\n" || line == b".\n";
                if !last && !too_large {
                    mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                    too_large = mail.len() > most;
                }
                self.start = end + 1;
                if last {
                    return Ok(Some(if too_large { Content::TooLarge } else { Content::Whole(mail.into()) }));
                }
            }
            // A line without an end is not kept beyond what a mail may hold.
            if self.len() > most {
                too_large = true;
                self.start = self.bytes.len();
            }
            if !self.fill(stream).await? {
                return Ok(None);
            }
        }
    }
}
