//! One SMTP connection to a relay. lettre speaks the protocol; here each stage has its own limit and leaves its name
//! on what goes wrong.
//!
//! lettre's own pooled transport is not used, for three reasons seen in its source (0.11.23): its errors do not tell
//! the stage; its timeout covers the connecting alone; and a send that is given up in the middle returns its
//! connection to the pool, where the late reply is then read as the answer to the next mail.

#[cfg(test)]
mod fuzz;

use std::{
    future::Future,
    io,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail as MailCommand, Quit, Rcpt, Rset},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    response::{Response, Severity},
};
use tokio::net::TcpStream;

use super::{
    judge::{Failure, Stage, Why},
    tls::{self, TlsLine},
};
use crate::{
    config::{Password, RelaySettings, Tls},
    error::Error,
    mail::{Mail, one_line},
};

/// The longest reply that is kept, in characters.
const REPLY: usize = 500;

/// How a relay is reached, made ready once.
pub(crate) struct Way {
    settings: RelaySettings,
    hello: ClientId,
    starttls: Option<TlsParameters>,
    tls: Option<tls::Connector>,
}

/// A relay's word that it took a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Way {
    /// Makes ready: certificates are read here.
    pub(crate) fn new(settings: RelaySettings) -> Result<Self, Error> {
        let starttls = match settings.tls {
            Tls::Starttls => Some(tls::parameters(&settings)?),
            Tls::Tls | Tls::None => None,
        };
        let tls = match settings.tls {
            Tls::Tls => Some(tls::Connector::new(&settings)?),
            Tls::Starttls | Tls::None => None,
        };
        Ok(Self { settings, hello: ClientId::default(), starttls, tls })
    }

    pub(crate) fn settings(&self) -> &RelaySettings {
        &self.settings
    }

    /// Opens a line, secured and logged in as the settings say.
    pub(crate) async fn open(&self) -> Result<Line, Failure> {
        let deadline = tokio::time::Instant::now() + self.settings.timeout;
        let limit = |stage| Limit { stage, deadline, whole: self.settings.timeout };

        let address = (self.settings.host.as_str(), self.settings.port);
        let stream = limit(Stage::Connect).io(TcpStream::connect(address)).await?;
        // lettre writes the end of a mail by itself: without this it waits for the far end's delayed ACK.
        limit(Stage::Connect).io(async { stream.set_nodelay(true) }).await?;
        let mut connection = if let Some(connector) = &self.tls {
            let stream = limit(Stage::Secure).io(connector.connect(stream)).await?;
            limit(Stage::Greet)
                .smtp(AsyncSmtpConnection::connect_with_transport(Box::new(TlsLine(stream)), &self.hello))
                .await?
        } else {
            limit(Stage::Greet)
                .smtp(AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello))
                .await?
        };
        if let Some(parameters) = &self.starttls {
            limit(Stage::Secure).smtp(connection.starttls(parameters.clone(), &self.hello)).await?;
        }
        if let Some(account) = &self.settings.account {
            let unable = |why: String| Failure {
                stage: Stage::Login,
                why: Why::Unable(format!("password_file {}: {why}", account.password_file.display())),
            };
            let password = Password::read(&account.password_file).map_err(unable)?;
            let credentials = Credentials::new(account.username.clone(), password.reveal().to_owned());
            limit(Stage::Login)
                .smtp(connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials))
                .await?;
        }
        Ok(Line { connection, used: Instant::now() })
    }
}

/// An open line with nothing under way on it.
pub(crate) struct Line {
    connection: AsyncSmtpConnection,
    used: Instant,
}

impl Line {
    /// For how long nothing was said on it.
    pub(crate) fn idle(&self) -> Duration {
        self.used.elapsed()
    }

    /// Hands over a mail. The line comes back only when nothing is under way on it any more: one that is given up in
    /// the middle is closed, so that no late reply is ever taken for the answer to another mail.
    pub(crate) async fn send(
        mut self,
        mail: &Mail,
        timeout: Duration,
    ) -> (Result<Taken, Failure>, Option<Self>) {
        let sent = self.talk(mail, timeout).await;
        let clean = match &sent {
            Ok(_) | Err(Failure { why: Why::Unable(_), .. }) => true,
            Err(Failure { why: Why::Answered { code: 421, .. }, .. }) => false,
            // After a refusal of the content the relay has forgotten the envelope; before, it must be told to.
            Err(Failure { why: Why::Answered { code: 400.., .. }, stage }) => {
                *stage == Stage::Content || self.reset(timeout).await
            }
            Err(_) => false,
        };
        self.used = Instant::now();
        (sent, clean.then_some(self))
    }

    async fn talk(&mut self, mail: &Mail, timeout: Duration) -> Result<Taken, Failure> {
        let envelope = tokio::time::Instant::now() + timeout;
        let limit = |stage| Limit { stage, deadline: envelope, whole: timeout };
        let options = self.options(mail)?;
        let sender = MailCommand::new(Some(mail.from.clone()), options);
        expect(&limit(Stage::Sender).smtp(self.connection.command(sender)).await?, Stage::Sender)?;
        let recipient = Rcpt::new(mail.to.clone(), Vec::new());
        expect(&limit(Stage::Recipient).smtp(self.connection.command(recipient)).await?, Stage::Recipient)?;
        expect(&limit(Stage::Data).smtp(self.connection.command(Data)).await?, Stage::Data)?;
        let content =
            Limit { stage: Stage::Content, deadline: tokio::time::Instant::now() + timeout, whole: timeout };
        let response = content.smtp(self.connection.message(&mail.bytes)).await?;
        expect(&response, Stage::Content)
    }

    /// What the relay must be told of an address or mail beyond ASCII.
    fn options(&self, mail: &Mail) -> Result<Vec<MailParameter>, Failure> {
        let offers = |extension| self.connection.server_info().supports_feature(extension);
        let unable = |why: &str| Failure { stage: Stage::Sender, why: Why::Unable(why.to_owned()) };
        let mut options = Vec::new();
        let ascii = |address: &lettre::Address| AsRef::<str>::as_ref(address).is_ascii();
        if !(ascii(&mail.from) && ascii(&mail.to)) {
            if !offers(Extension::SmtpUtfEight) {
                return Err(unable("the address is not ASCII and the relay does not offer SMTPUTF8"));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !mail.bytes.is_ascii() {
            if !offers(Extension::EightBitMime) {
                return Err(unable("the mail is not ASCII and the relay does not offer 8BITMIME"));
            }
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(options)
    }

    async fn reset(&mut self, timeout: Duration) -> bool {
        matches!(tokio::time::timeout(timeout, self.connection.command(Rset)).await, Ok(Ok(_)))
    }

    /// Takes leave. A relay that does not answer is left without.
    pub(crate) async fn quit(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(2), self.connection.command(Quit)).await;
    }
}

/// Whether a positive reply is the one that this stage asks for: 354 to `DATA`, 2xx to all else. A relay that has
/// fallen out of step is not believed.
fn expect(response: &Response, stage: Stage) -> Result<Taken, Failure> {
    let code = u16::from(response.code());
    let text = one_line(&response.message().collect::<Vec<_>>().join(" "), REPLY);
    let wanted = match stage {
        Stage::Data => code == 354,
        _ => response.code().severity == Severity::PositiveCompletion,
    };
    if wanted { Ok(Taken { code, text }) } else { Err(Failure { stage, why: Why::Answered { code, text } }) }
}

/// The time left for a stage.
struct Limit {
    stage: Stage,
    deadline: tokio::time::Instant,
    whole: Duration,
}

impl Limit {
    async fn smtp<T>(
        self,
        talk: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
    ) -> Result<T, Failure> {
        // lettre 0.11.23 panics over a greeting with a line of blanks (ServerInfo::from_response). One relay's words must
        // not keep a mail from the next relay.
        let talk = AssertUnwindSafe(talk).catch_unwind();
        let why = match tokio::time::timeout_at(self.deadline, talk).await {
            Ok(Ok(Ok(done))) => return Ok(done),
            Ok(Ok(Err(error))) => reason(&error),
            Ok(Err(_)) => Why::Lost("the relay's reply is not one of SMTP".to_owned()),
            Err(_) => Why::Late(self.whole),
        };
        Err(Failure { stage: self.stage, why })
    }

    async fn io<T>(self, talk: impl Future<Output = io::Result<T>>) -> Result<T, Failure> {
        let why = match tokio::time::timeout_at(self.deadline, talk).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => match tls::fault(&error) {
                Some(fault) => Why::Insecure(fault),
                None => Why::Lost(one_line(&error.to_string(), REPLY)),
            },
            Err(_) => Why::Late(self.whole),
        };
        Err(Failure { stage: self.stage, why })
    }
}

fn reason(error: &lettre::transport::smtp::Error) -> Why {
    let source = std::error::Error::source(error).map(ToString::to_string);
    if let Some(code) = error.status() {
        return Why::Answered { code: u16::from(code), text: one_line(&source.unwrap_or_default(), REPLY) };
    }
    if let Some(fault) = tls::fault(error) {
        return Why::Insecure(fault);
    }
    let text = one_line(&source.unwrap_or_else(|| error.to_string()), REPLY);
    if error.is_client() { Why::Unable(text) } else { Why::Lost(text) }
}
