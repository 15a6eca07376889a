//! Those who have the pages open: as many connections as there are pages, and nothing of a browser beyond that.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use crate::error::{Attempt, Error};

/// How long a server may take over one request.
const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody's way to a server: where it is, and what goes with each request.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) address: SocketAddr,
    pub(super) headers: String,
}

/// A page has shown something.
#[derive(Debug)]
pub(super) struct Shown {
    /// What followed the mark.
    pub(super) what: String,
    /// When.
    pub(super) at: Timestamp,
}

/// What the pages tell, or why one cannot.
pub(super) type Heard = mpsc::UnboundedSender<Result<Shown, Error>>;

impl Way {
    /// The way of somebody who has just signed in. Each comes from an address of its own, as a crowd does.
    pub(super) async fn signed_in(
        address: SocketAddr,
        number: usize,
        account: &str,
        password: &str,
    ) -> Result<Self, Error> {
        let from = format!(
            "X-Forwarded-For: 10.{}.{}.1\r\nOrigin: http://{address}\r\nSec-Fetch-Site: same-origin\r\n",
            number / 250,
            number % 250
        );
        let way = Self { address, headers: from };
        let form = format!("account={account}&password={password}");
        let answer = way
            .ask("POST /sign-in", "Content-Type: application/x-www-form-urlencoded\r\n", form.as_bytes())
            .await?;
        let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let cookies: Vec<&str> = head
            .lines()
            .filter_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or_default())
            })
            .collect();
        if cookies.is_empty() {
            return Err(Error::told(format!(
                "{account} cannot sign in: {}",
                head.lines().next().unwrap_or("")
            )));
        }
        Ok(Self { headers: format!("{}Cookie: {}\r\n", way.headers, cookies.join("; ")), ..way })
    }

    /// Asks, and gives the whole answer.
    pub(super) async fn ask(&self, what: &str, headers: &str, body: &[u8]) -> Result<String, Error> {
        let mut stream = self.begin(what, &format!("{headers}Connection: close\r\n"), body).await?;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        read.attempt(format!("be answered {what}"))?.attempt(format!("be answered {what}"))?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    async fn begin(&self, what: &str, headers: &str, body: &[u8]) -> Result<TcpStream, Error> {
        let doing = || format!("ask the bench's server {what}");
        let mut stream = TcpStream::connect(self.address).await.attempt(doing())?;
        stream.set_nodelay(true).attempt(doing())?;
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head =
            format!("{what} HTTP/1.1\r\nHost: {}\r\n{}{headers}{length}\r\n", self.address, self.headers);
        stream.write_all(head.as_bytes()).await.attempt(doing())?;
        stream.write_all(body).await.attempt(doing())?;
        Ok(stream)
    }

    /// Opens a stream of events and waits for the first of them. From then on it tells whatever follows `mark`, up to the
    /// next character that is no letter, digit or hyphen, each once; and counts what comes.
    pub(super) async fn open(
        &self,
        path: &str,
        mark: &'static str,
        tell: Heard,
        counted: Arc<AtomicU64>,
    ) -> Result<Page, Error> {
        const WHAT: &str = "hear a page's first word";
        let mut stream = self.begin(&format!("GET {path}"), "", b"").await?;
        let mut buffer = Vec::with_capacity(16 * 1024);
        let until = Instant::now() + PATIENCE;
        while find(&buffer, b"event: beat").is_none() {
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut buffer)).await;
            if read.attempt(WHAT)?.attempt(WHAT)? == 0 || Instant::now() > until {
                let told = String::from_utf8_lossy(&buffer).lines().next().unwrap_or_default().to_owned();
                return Err(Error::told(format!("a page cannot be opened: {told}")));
            }
        }
        Ok(Page { stream, buffer, mark, tell, counted })
    }
}

/// A page that is open.
pub(super) struct Page {
    stream: TcpStream,
    buffer: Vec<u8>,
    mark: &'static str,
    tell: Heard,
    counted: Arc<AtomicU64>,
}

impl Page {
    /// Reads it for ever.
    pub(super) async fn read(mut self) {
        let mut known = HashSet::new();
        loop {
            let at = Timestamp::now();
            let dealt = told(&self.buffer, self.mark.as_bytes(), |what| {
                if known.insert(what.clone()) {
                    // Nobody listens only when the bench has ended.
                    let _ = self.tell.send(Ok(Shown { what, at }));
                }
            });
            self.buffer.drain(..dealt);
            let ended = match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => Error::told("a page was closed"),
                Err(why) => Error::io("read a page", why),
                Ok(read) => {
                    self.counted.fetch_add(read as u64, Ordering::Relaxed);
                    continue;
                }
            };
            let _ = self.tell.send(Err(ended));
            return;
        }
    }
}

/// Tells whatever follows the mark, and gives how much of the buffer has been dealt with: a mark that is cut off, or whose
/// words are, waits for the rest.
fn told(buffer: &[u8], mark: &[u8], mut tell: impl FnMut(String)) -> usize {
    let mut from = 0;
    while let Some(at) = find(&buffer[from..], mark).map(|at| from + at) {
        let words = &buffer[at + mark.len()..];
        let Some(end) = words.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'-')) else {
            return at;
        };
        tell(String::from_utf8_lossy(&words[..end]).into_owned());
        from = at + mark.len() + end;
    }
    from.max(buffer.len().saturating_sub(mark.len() - 1))
}

/// Where a mark begins: its first byte is looked for, which is rare enough, and then the rest.
fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    let first = *mark.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|b| *b == first).map(|at| from + at) {
        if text[at..].starts_with(mark) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_mark_is_told_once_however_it_is_cut() {
        let text = b"data: <h1>ROUND 12 of</h1> ROUND 3-a<";
        for cut in 0..text.len() {
            let (mut all, mut buffer) = (Vec::new(), Vec::new());
            for part in [&text[..cut], &text[cut..]] {
                buffer.extend_from_slice(part);
                let dealt = told(&buffer, b"ROUND ", |what| all.push(what));
                buffer.drain(..dealt);
            }
            assert_eq!(all, ["12", "3-a"], "{cut}");
        }
    }
}
