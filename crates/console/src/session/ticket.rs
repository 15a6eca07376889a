//! What a signed cookie holds.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::accounts::AccountName;

/// Apart from anything else that is ever signed with the same key.
const SESSION: &str = "session-1";
const BROWSER: &str = "browser-1";

/// A session: whose, since when, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) account: AccountName,
    /// When they signed in, in seconds since 1970.
    pub(super) issued: i64,
    /// Random, in hexadecimal.
    pub(super) id: String,
    /// Of the account's hash when they signed in.
    pub(super) fingerprint: String,
}

impl Ticket {
    pub(super) fn new(account: AccountName, fingerprint: String, now: i64) -> Self {
        Self { account, issued: now, id: HEXLOWER.encode(&rand::random::<[u8; 16]>()), fingerprint }
    }

    pub(super) fn write(&self) -> String {
        let Self { account, issued, id, fingerprint } = self;
        format!("{SESSION}|{account}|{issued}|{id}|{fingerprint}")
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        if parts.next() != Some(SESSION) {
            return None;
        }
        let account = parts.next()?.parse().ok()?;
        let issued = parts.next()?.parse().ok()?;
        let (id, fingerprint) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        parts.next().is_none().then_some(Self { account, issued, id, fingerprint })
    }

    /// What tells this session from others, in receipts and in the log. It cannot be had back from this.
    pub(super) fn mark(&self) -> String {
        mark("tocsin session", &self.id)
    }

    /// What a form of this session must bring along. The identifier is in no page, and cannot be had back from this.
    pub(super) fn csrf(&self) -> String {
        mark("tocsin form", &self.id)
    }
}

/// What tells one secret from another and gives neither away.
pub(super) fn mark(of: &str, secret: &str) -> String {
    let digest = Sha256::digest([of, secret].join("\n"));
    HEXLOWER.encode(digest.get(..16).unwrap_or_default())
}

/// A browser in which somebody has signed in to this account before. Guesses made elsewhere do not lock it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Browser {
    pub(super) account: AccountName,
    pub(super) id: String,
    /// As a [`Ticket`]'s.
    pub(super) fingerprint: String,
}

impl Browser {
    pub(super) fn new(account: AccountName, fingerprint: String) -> Self {
        Self { account, id: HEXLOWER.encode(&rand::random::<[u8; 16]>()), fingerprint }
    }

    pub(super) fn write(&self) -> String {
        let Self { account, id, fingerprint } = self;
        format!("{BROWSER}|{account}|{id}|{fingerprint}")
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (account, rest) = text.strip_prefix(BROWSER)?.strip_prefix('|')?.split_once('|')?;
        let (id, fingerprint) = rest.split_once('|')?;
        Some(Self { account: account.parse().ok()?, id: id.to_owned(), fingerprint: fingerprint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_back_as_it_was_written_and_nothing_else_is_one() {
        let ticket = Ticket::new("pol-kent.control".parse().unwrap(), "f".to_owned(), 1_700_000_000);
        assert_eq!(Ticket::read(&ticket.write()), Some(ticket.clone()));
        assert!(!ticket.csrf().contains(&ticket.id) && !ticket.mark().contains(&ticket.id));
        assert_ne!(ticket.csrf(), ticket.mark(), "what the log has opens no form");
        let browser = Browser::new("pol-kent.control".parse().unwrap(), "f".to_owned());
        assert_eq!(Browser::read(&browser.write()), Some(browser.clone()));
        for bad in
            ["", "session-1", "session-1|a|x|b|c", "session-1|a|1|b", "session-1|a|1|b|c|d", &browser.write()]
        {
            assert_eq!(Ticket::read(bad), None, "{bad}");
        }
        assert_eq!(Browser::read(&ticket.write()), None);
    }
}
