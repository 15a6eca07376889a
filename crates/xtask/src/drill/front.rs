//! The console of a drill: where it is, who may sign in, and the mails that it shows.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use futures_util::{FutureExt, future::BoxFuture};
use mail_parser::{HeaderValue, MessageParser};
use tocsin_console::{Accounts, Config, Console, Hands, Mail, Mailbox, Sees, Told, generated_password};
use tocsin_ledger::Ledger;
use tocsin_notifier::sink::{Caught, Sink};
use tocsin_protocol::{PublisherId, RecipientId, Timestamp};

use super::reports::Auditor;
use crate::error::{Attempt, Error};

/// Where a console is by its own default; taken if nobody else has it.
const USUAL: u16 = 8911;
/// One who may sign in.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// The account's name.
    pub(crate) account: String,
    /// Its password, made for this drill.
    pub(crate) password: String,
    /// What they can do, for the screen.
    pub(crate) may: String,
}

/// A console, and all that a visitor must know.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Who may sign in.
    pub(crate) logins: Vec<Login>,
}

/// The console, and whoever may sign in to it.
///
/// # Errors
/// When the accounts cannot be written, or there is no port.
pub(crate) async fn open(
    ledger: Ledger,
    listen: SocketAddr,
    (accounts, key): (&Path, &Path),
    (publisher, agency): (&PublisherId, (RecipientId, String)),
    sink: &Arc<Sink>,
) -> Result<(Console, Front), Error> {
    let (agency, answers) = agency;
    let wanted = [
        ("regulator", Sees::Everything, "sees everything: every agency, every mail, the reports".to_owned()),
        (
            publisher.as_str(),
            Sees::Publisher(publisher.clone()),
            "the publisher: its incidents, and everyone's part".to_owned(),
        ),
        (agency.as_str(), Sees::Recipient(agency.clone()), answers),
    ];
    let logins = Accounts::change(accounts, |known| {
        let mut logins = Vec::new();
        for (account, sees, may) in wanted {
            let password = generated_password();
            known.add(&account.parse()?, sees, None, &password)?;
            logins.push(Login { account: account.to_owned(), password, may });
        }
        Ok(logins)
    })
    .attempt("make the accounts of the console")?;
    let config = Config { listen, key: Some(key.to_owned()), ..Config::of(accounts.to_owned()) };
    let reports = Some(Auditor::new(&ledger) as _);
    let hands = Hands { mailbox: Some(Arc::new(Taken(Arc::clone(sink)))), reports, ..Hands::default() };
    let console = Console::bind(ledger, config, hands).await.attempt("open the console")?;
    let front = Front { address: console.address(), logins };
    Ok((console, front))
}

impl Front {
    /// What a visitor must know.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("The console is at http://{}", self.address)];
        for Login { account, password, may } in &self.logins {
            lines.push(format!("  {account:<16} password {password}   {may}"));
        }
        lines
    }
}

/// Where the console is to be, which the mails must know before it is there: the usual port if it is free, else any.
///
/// # Errors
/// When there is no port at all.
pub(crate) fn place() -> Result<SocketAddr, Error> {
    // Somebody else may be quicker between this look and the console's own: that is told, and the next drill goes well.
    [USUAL, 0]
        .into_iter()
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?.local_addr().ok())
        .ok_or_else(|| Error::told("no port is free for the console"))
}

/// What the drill's SMTP server took.
struct Taken(Arc<Sink>);

impl Mailbox for Taken {
    fn mails(&self) -> BoxFuture<'_, Result<Vec<Mail>, Told>> {
        std::future::ready(Ok(self.0.mails().iter().map(|caught| read(caught)).collect())).boxed()
    }
}

/// A mail as its receiver reads it.
fn read(caught: &Caught) -> Mail {
    let message = MessageParser::default().parse(&caught.bytes[..]);
    let message = message.as_ref();
    let header = |name: &str| match message.and_then(|message| message.header(name)) {
        Some(HeaderValue::Text(text)) => Some(text.trim().to_owned()),
        _ => None,
    };
    Mail {
        number: caught.number,
        at: Timestamp::try_from(caught.at).unwrap_or_default(),
        recipient: header("X-Tocsin-Recipient").and_then(|id| id.parse().ok()),
        to: caught.to.clone(),
        subject: message.and_then(|message| message.subject()).unwrap_or_default().to_owned(),
        text: message.and_then(|message| message.body_text(0)).unwrap_or_default().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_read_as_its_receiver_reads_it() {
        let bytes = "From: a@b.example\r\nTo: duty@dsit.example\r\nSubject: EXERCISE: no\r\n =?utf-8?q?answer_=E2=80=93?=\r\n\
                     X-Tocsin-Recipient: dsit\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nPlease acknowledge.\r\n";
        let mail = read(&Caught {
            number: 7,
            from: "a@b.example".to_owned(),
            to: vec!["duty@dsit.example".to_owned()],
            bytes: bytes.into(),
            line: 1,
            login: None,
            secured: false,
            at: std::time::UNIX_EPOCH,
        });
        assert_eq!((mail.number, mail.recipient.unwrap().as_str()), (7, "dsit"));
        assert_eq!(mail.subject, "EXERCISE: no answer –");
        assert_eq!(mail.text.trim(), "Please acknowledge.");
    }
}
