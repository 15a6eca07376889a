//! Which sessions there are, and how one begins and ends.

use std::{
    collections::HashMap,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE, SET_COOKIE},
};
use cookie::{Cookie, CookieJar, Key, SameSite};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::{
    Pass, Visitor,
    accounts::{Account, AccountName, Accounts, digest},
    file,
    keeper::Keeper,
    limit::Limit,
    place::Place,
    ticket::{Browser, Ticket},
};
use crate::{config::Config, error::Error};

/// The most entries of each table here.
const TABLE_MAX: usize = 10_000;
/// How many passwords are checked at once: each takes a processor and 19 MiB, and the board must go on.
const CHECKS: usize = 2;
/// How many more may wait for it.
const WAITING: usize = 64;
/// How long a browser is known in which somebody has signed in.
const BROWSER_KNOWN: cookie::time::Duration = cookie::time::Duration::days(90);

/// All that decides whether somebody is who they say.
pub(crate) struct Sessions {
    keeper: Keeper,
    key: Key,
    pub(super) place: Place,
    pub(super) proxies: Vec<IpAddr>,
    session_cookie: String,
    browser_cookie: String,
    max: Duration,
    idle: Duration,
    started: Timestamp,
    live: Mutex<HashMap<String, Live>>,
    pub(super) by_address: Limit<IpAddr>,
    pub(super) by_account: Limit<String>,
    pub(super) posts: Limit<String>,
    pub(super) checks: Semaphore,
    pub(super) waiting: Semaphore,
}

/// What is known of a session beside its cookie.
#[derive(Clone, Copy)]
struct Live {
    seen: Timestamp,
    /// Signed out: a copy of its cookie is worth nothing.
    ended: bool,
}

impl Sessions {
    pub(crate) fn open(config: &Config, address: std::net::SocketAddr) -> Result<Self, Error> {
        let place = Place::new(config, address)?;
        let length = |field: &str, length: jiff::SignedDuration| {
            Duration::try_from(length).ok().filter(|length| *length >= Duration::from_mins(1)).ok_or_else(
                || Error::Setting {
                    field: field.to_owned(),
                    value: format!("{length:#}"),
                    why: "write at least a minute, such as 12h".to_owned(),
                },
            )
        };
        // Cookies are the host's, whatever the port: two consoles on one machine must not take each other's.
        let (prefix, suffix) =
            if place.https { ("__Host-", String::new()) } else { ("", format!("-{}", address.port())) };
        Ok(Self {
            keeper: Keeper::open(config.accounts.clone())?,
            key: config.cookie_key.as_deref().map_or_else(|| Ok(Key::generate()), own_key)?,
            place,
            proxies: config.proxies.clone(),
            session_cookie: format!("{prefix}tocsin-session{suffix}"),
            browser_cookie: format!("{prefix}tocsin-browser{suffix}"),
            max: length("session_max", config.session_max)?,
            idle: length("session_idle", config.session_idle)?,
            started: Timestamp::now(),
            live: Mutex::default(),
            by_address: Limit::new(30, Duration::from_secs(10), TABLE_MAX),
            by_account: Limit::new(10, Duration::from_secs(30), TABLE_MAX),
            posts: Limit::new(30, Duration::from_secs(1), TABLE_MAX),
            checks: Semaphore::new(CHECKS),
            waiting: Semaphore::new(WAITING),
        })
    }

    pub(super) fn accounts(&self) -> Arc<Accounts> {
        self.keeper.accounts()
    }

    /// Who sends this request, by its session or, where `tokens` are taken, its API token.
    pub(super) fn visitor(&self, headers: &HeaderMap, tokens: bool) -> Option<Visitor> {
        let accounts = self.accounts();
        if let Some(token) = bearer(headers).filter(|_| tokens) {
            let hash = digest(token);
            let (name, account) = accounts.by_token(&hash)?;
            return Some(visitor(name, account, Pass::Token(hash)));
        }
        let ticket = Ticket::read(&self.opened(headers, &self.session_cookie)?)?;
        self.current(&ticket, &accounts)
    }

    /// Counts one post of a program with this account's API token.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub(crate) fn post_by_token(&self, account: &str) -> Result<(), std::time::Duration> {
        self.posts.take(&format!("token {account}"), std::time::Instant::now())
    }

    /// See [`Visitor::still`].
    pub(super) fn still(&self, visitor: &Visitor) -> bool {
        let accounts = self.accounts();
        match &visitor.pass {
            Pass::Session(ticket) => {
                self.current(ticket, &accounts).is_some_and(|now| now.sees == visitor.sees)
            }
            Pass::Token(hash) => accounts.by_token(hash).is_some_and(|(name, account)| {
                name.as_str() == visitor.account && account.sees == visitor.sees
            }),
        }
    }

    pub(super) fn current(&self, ticket: &Ticket, accounts: &Accounts) -> Option<Visitor> {
        let account = accounts.get(&ticket.account)?;
        let now = Timestamp::now();
        let issued = Timestamp::from_second(ticket.issued).ok()?;
        // Another console that shares the key may have a clock a little ahead.
        let ahead = issued > now + Duration::from_mins(1);
        if ticket.fingerprint != account.fingerprint() || ahead || passed(issued, now) >= self.max {
            return None;
        }
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        // One from before a restart counts as seen then.
        let known = live.get(&ticket.id).copied();
        let known = known.unwrap_or(Live { seen: issued.max(self.started), ended: false });
        if known.ended || passed(known.seen, now) >= self.idle {
            return None;
        }
        self.note(&mut live, &ticket.id, Live { seen: now, ended: false });
        drop(live);
        Some(visitor(&ticket.account, account, Pass::Session(ticket.clone())))
    }

    /// Begins a session: its mark, and the cookies to be set.
    pub(super) fn begin(
        &self,
        name: &AccountName,
        account: &Account,
        known: Option<Browser>,
    ) -> (String, [HeaderValue; 2]) {
        let ticket = Ticket::new(name.clone(), account.fingerprint(), Timestamp::now().as_second());
        let browser = known.unwrap_or_else(|| Browser::new(name.clone(), account.fingerprint()));
        let max = cookie::time::Duration::try_from(self.max).unwrap_or(cookie::time::Duration::DAY);
        let cookies = [
            self.sealed(&self.session_cookie, ticket.write(), max),
            self.sealed(&self.browser_cookie, browser.write(), BROWSER_KNOWN),
        ];
        (ticket.mark(), cookies)
    }

    /// Ends a session: no copy of its cookie is taken any more.
    pub(super) fn end(&self, visitor: &Visitor) -> HeaderValue {
        if let Pass::Session(ticket) = &visitor.pass {
            let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            self.note(&mut live, &ticket.id, Live { seen: Timestamp::now(), ended: true });
        }
        self.sealed(&self.session_cookie, String::new(), cookie::time::Duration::ZERO)
    }

    /// The browser that sends this, when somebody has signed in to this account in it before, with the password that it has
    /// now: who knew an older one could have kept any number of such cookies, each with tries of its own.
    pub(super) fn browser(
        &self,
        headers: &HeaderMap,
        name: &AccountName,
        account: &Account,
    ) -> Option<Browser> {
        let browser = Browser::read(&self.opened(headers, &self.browser_cookie)?)?;
        (browser.account == *name && browser.fingerprint == account.fingerprint()).then_some(browser)
    }

    fn note(&self, live: &mut HashMap<String, Live>, id: &str, now: Live) {
        if !live.contains_key(id) && live.len() >= TABLE_MAX {
            // One that has been idle for so long is over without being remembered: its cookie is as old at least.
            live.retain(|_, live| passed(live.seen, now.seen) < self.idle);
            if live.len() >= TABLE_MAX
                && let Some(oldest) = live.iter().min_by_key(|(_, live)| live.seen).map(|(id, _)| id.clone())
            {
                live.remove(&oldest);
            }
        }
        live.insert(id.to_owned(), now);
    }

    fn sealed(&self, name: &str, value: String, max_age: cookie::time::Duration) -> HeaderValue {
        let cookie = Cookie::build((name.to_owned(), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Strict)
            .secure(self.place.https)
            .max_age(max_age);
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.key).add(cookie);
        let text = jar.get(name).map(ToString::to_string).unwrap_or_default();
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    fn opened(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = cookies.flat_map(Cookie::split_parse).filter_map(Result::ok);
        let jar = CookieJar::new();
        let signed = jar.signed(&self.key);
        // Another site of the same domain may have set one of this name too: the one that is ours counts.
        let mut ours = cookies.filter(|cookie| cookie.name() == name);
        ours.find_map(|cookie| signed.verify(cookie.into_owned())).map(|cookie| cookie.value().to_owned())
    }
}

/// Sets both cookies.
pub(super) fn set(headers: &mut HeaderMap, cookies: impl IntoIterator<Item = HeaderValue>) {
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

fn visitor(name: &AccountName, account: &Account, pass: Pass) -> Visitor {
    Visitor { account: name.to_string(), sees: account.sees.clone(), person: account.person.clone(), pass }
}

/// The API token that comes with a request, right or wrong.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// The key in a file of our own, which is made where it is not there.
fn own_key(path: &Path) -> Result<Key, Error> {
    let fault = |why: String| Error::File { field: "cookie_key".to_owned(), path: path.to_owned(), why };
    if let Some(text) = file::read(path, 4096).map_err(fault)? {
        let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok().filter(|bytes| bytes.len() == 64);
        let bytes = bytes.ok_or_else(|| {
            fault("it holds no key of 64 bytes in hexadecimal: remove it, and one is made".to_owned())
        })?;
        return Ok(Key::from(&bytes));
    }
    let key = Key::generate();
    let text = format!("{}\n", HEXLOWER.encode(key.master()));
    file::write(path, &text).map_err(|source| Error::Write {
        field: "cookie_key".to_owned(),
        path: path.to_owned(),
        source,
    })?;
    Ok(key)
}
