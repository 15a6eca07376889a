//! An SMTP server on loopback that keeps what it is given and answers as it is told to: for tests, the drill, and
//! the bench. It is a stand-in for a relay and its faults, not a mail server.

mod script;
mod session;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::{JoinHandle, JoinSet},
};

pub use self::script::{Behaviour, Point};
use self::{script::Scripts, session::Session};

/// The most lines at once; further ones wait.
const LINES: usize = 512;

/// How a sink is set up. The default takes every mail on a free port.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// The port on 127.0.0.1; 0 for a free one.
    pub port: u16,
    /// How lines are secured.
    pub secure: Secure,
    /// The account that must log in before a mail is taken.
    pub login: Option<(String, String)>,
    /// The largest mail taken, in bytes.
    pub mail_max: usize,
    /// The most mails kept; beyond it the oldest are let go, and still counted.
    pub keep: usize,
    /// A directory in which each mail is also written, as `.eml`.
    pub directory: Option<PathBuf>,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            port: 0,
            secure: Secure::Plain,
            login: None,
            mail_max: 1 << 20,
            keep: 100_000,
            directory: None,
        }
    }
}

/// How a sink's lines are secured.
#[derive(Debug, Clone, Default)]
pub enum Secure {
    /// Not at all, and STARTTLS is not offered.
    #[default]
    Plain,
    /// STARTTLS is offered.
    Starttls(Arc<ServerConfig>),
    /// TLS from the first byte.
    Tls(Arc<ServerConfig>),
}

/// A mail as the sink was given it.
#[derive(Debug, Clone)]
pub struct Caught {
    /// Its place among all mails taken, from 1.
    pub number: u64,
    /// The sender on the envelope.
    pub from: String,
    /// The receivers on the envelope.
    pub to: Vec<String>,
    /// The mail itself, without dot-stuffing.
    pub bytes: Bytes,
    /// The line that it came on, from 1.
    pub line: u64,
    /// Who had logged in.
    pub login: Option<String>,
    /// Whether the line was secured.
    pub secured: bool,
    /// When it was complete, by this machine's clock.
    pub at: SystemTime,
}

/// What a sink has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines opened.
    pub lines: u64,
    /// Envelopes opened by a `MAIL`.
    pub envelopes: u64,
    /// Recipients named, whatever was answered.
    pub recipients: u64,
    /// Mails taken, whether the sender was told or not.
    pub mails: u64,
    /// Replies of 4xx and 5xx.
    pub refusals: u64,
    /// Log-ins refused.
    pub logins_refused: u64,
}

/// What a sink has seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// The figures.
    pub counts: Counts,
    /// The mails, oldest first.
    pub mails: VecDeque<Arc<Caught>>,
}

impl Seen {
    /// The mails to one address, oldest first.
    pub fn to<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a Arc<Caught>> {
        self.mails.iter().filter(move |mail| mail.to.iter().any(|to| to == address))
    }
}

pub(crate) struct Shared {
    options: SinkOptions,
    scripts: Mutex<Scripts>,
    seen: Mutex<Seen>,
    changed: Notify,
}

impl Shared {
    fn scripts(&self) -> MutexGuard<'_, Scripts> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.seen().counts);
        self.changed.notify_waiters();
    }

    async fn keep(&self, mut mail: Caught) -> io::Result<()> {
        let mail = {
            let mut seen = self.seen();
            seen.counts.mails += 1;
            mail.number = seen.counts.mails;
            let mail = Arc::new(mail);
            seen.mails.push_back(Arc::clone(&mail));
            while seen.mails.len() > self.options.keep {
                seen.mails.pop_front();
            }
            mail
        };
        if let Some(directory) = &self.options.directory {
            let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' };
            let to: String =
                mail.to.first().map(|to| to.chars().map(plain).take(100).collect()).unwrap_or_default();
            tokio::fs::write(directory.join(format!("{:05}-{to}.eml", mail.number)), &mail.bytes).await?;
        }
        self.changed.notify_waiters();
        Ok(())
    }
}

/// A running sink. It ends, and its lines with it, when it is dropped.
pub struct Sink {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Sink {
    /// Starts a sink on 127.0.0.1.
    ///
    /// # Errors
    /// The port is taken, or the directory cannot be made.
    pub async fn start(options: SinkOptions) -> io::Result<Self> {
        if let Some(directory) = &options.directory {
            tokio::fs::create_dir_all(directory).await?;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            scripts: Mutex::default(),
            seen: Mutex::default(),
            changed: Notify::new(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does with the mails to an address: the first behaviour with the first, ..., the last with all that
    /// follow.
    pub fn script(&self, address: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.scripts().by_recipient.insert(address.to_owned(), behaviours.into_iter().collect());
    }

    /// What it does with the mails to every address that has no script of its own.
    pub fn script_all(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.scripts().every_recipient = behaviours.into_iter().collect();
    }

    /// What it does with new lines, before any recipient is named: the first behaviour with the first line, ..., the
    /// last with all that follow.
    pub fn script_lines(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.scripts().lines = behaviours.into_iter().collect();
    }

    /// The figures so far.
    pub fn counts(&self) -> Counts {
        self.shared.seen().counts
    }

    /// The mails so far, oldest first.
    pub fn mails(&self) -> Vec<Arc<Caught>> {
        self.shared.seen().mails.iter().cloned().collect()
    }

    /// Waits until what it has seen is as wanted.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] with the figures, when it is not so within that time.
    pub async fn wait_until(&self, within: Duration, wanted: impl Fn(&Seen) -> bool) -> io::Result<()> {
        let seen = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if wanted(&self.shared.seen()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, seen).await.map_err(|_| {
            let what =
                format!("the sink has not seen what was waited for within {within:?}: {:?}", self.counts());
            io::Error::new(io::ErrorKind::TimedOut, what)
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(LINES));
    let mut lines = JoinSet::new();
    let mut number = 0;
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        while lines.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        number += 1;
        let shared = Arc::clone(&shared);
        lines.spawn(async move {
            // A line that ends in an error is the far end's affair.
            let _ = serve(stream, &shared, number).await;
            drop(permit);
        });
    }
}

async fn serve(stream: TcpStream, shared: &Shared, number: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    shared.count(|counts| counts.lines += 1);
    let behaviour = shared.scripts().next_line();
    let session = Session::new(shared, number, behaviour);
    match &shared.options.secure {
        Secure::Plain => session.run(stream).await.map(drop),
        Secure::Tls(config) => {
            let stream = tokio_rustls::TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
            session.secured().run(stream).await.map(drop)
        }
        Secure::Starttls(config) => {
            let config = Arc::clone(config);
            let Some((session, stream)) = session.run(stream).await? else { return Ok(()) };
            let stream = tokio_rustls::TlsAcceptor::from(config).accept(stream).await?;
            session.secured().run(stream).await.map(drop)
        }
    }
}
