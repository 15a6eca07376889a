//! The mail of an escalation, written from facts alone: the same facts give the same bytes, so that a mail that is
//! sent again is the same mail.

mod digest;
mod reminder;
mod text;
mod view;
mod when;

use std::time::{Duration, SystemTime};

use askama::Template;
use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use tocsin_duty::Directory;
use tocsin_protocol::{Escalation, EscalationReason, Event, Timestamp};

use crate::{config::Letterhead, error::Error};

pub(crate) use text::one_line;

/// What there is to tell: the escalation, and what stands around it in the record.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The escalation.
    pub escalation: &'a Escalation,
    /// The broker's time of the escalation, which is the date of the mail.
    pub escalated_at: Timestamp,
    /// The event. Where the record holds none that can be read the mail says so, and is sent all the same.
    pub event: Option<&'a Event>,
    /// The broker's time of the event.
    pub published_at: Option<Timestamp>,
    /// The directory in force when the escalation was written: names for identifiers.
    pub directory: Option<&'a Directory>,
}

/// A mail, ready to be handed to a relay.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The sender on the envelope.
    pub from: Address,
    /// The receiver on the envelope.
    pub to: Address,
    /// The `Message-ID`, the same for every attempt.
    pub message_id: String,
    /// The subject line.
    pub subject: String,
    /// The whole mail, in ASCII but for an address that is not.
    pub bytes: Vec<u8>,
}

#[derive(Template)]
#[template(path = "escalation.txt", escape = "none")]
struct Plain<'a> {
    banner: Option<&'a str>,
    marking: Option<&'a str>,
    opening: &'a [String],
    sections: &'a [view::Section],
}

#[derive(Template)]
#[template(path = "escalation.html")]
struct Html<'a> {
    subject: &'a str,
    banner: Option<&'a str>,
    marking: Option<&'a str>,
    opening: &'a [String],
    sections: &'a [view::Section],
}

/// The `Message-ID` of an escalation.
pub(crate) fn message_id(escalation: &Escalation, domain: &str) -> String {
    let Escalation { incident, event, step, recipient, .. } = escalation;
    format!("<{incident}.{event}.{step}.{recipient}@{domain}>")
}

/// The `Message-ID` of the digest that an escalation leads.
fn digest_id(lead: &Escalation, domain: &str) -> String {
    let Escalation { incident, event, step, recipient, .. } = lead;
    format!("<digest.{incident}.{event}.{step}.{recipient}@{domain}>")
}

impl Mail {
    /// Writes the mail of an escalation.
    ///
    /// # Errors
    /// [`Error::Mail`] when the address is none that can be written to: no retry mends that.
    pub fn render(told: &Told<'_>, letterhead: &Letterhead) -> Result<Self, Error> {
        let escalation = told.escalation;
        let to = address(escalation).map_err(|why| refused(escalation, why))?;
        let thread =
            format!("<{}.{}@{}>", escalation.incident, escalation.recipient, letterhead.message_id_domain);
        let about = About {
            message_id: message_id(escalation, &letterhead.message_id_domain),
            thread: Some(thread),
            headers: vec![
                ("X-Tocsin-Incident", escalation.incident.to_string()),
                ("X-Tocsin-Event", escalation.event.to_string()),
                ("X-Tocsin-Step", escalation.step.to_string()),
            ],
        };
        let view = match escalation.reason {
            EscalationReason::Overdue => reminder::view(told),
            EscalationReason::Silent | EscalationReason::Unreachable => view::view(told, letterhead),
        };
        write(told, to, &view, about, letterhead).map_err(|why| refused(escalation, why))
    }

    /// Writes the one mail of several escalations to one address, of one recipient and status, in the order in which they
    /// were owed; `lead` is the place of the one that gives it its name and date.
    ///
    /// # Errors
    /// [`Error::Mail`] when the address is none that can be written to, or there is no escalation.
    pub fn digest(all: &[Told<'_>], lead: usize, letterhead: &Letterhead) -> Result<Self, Error> {
        let Some(told) = all.get(lead) else {
            return Err(Error::Mail { subject: "a digest".to_owned(), why: "it names nothing".to_owned() });
        };
        let to = address(told.escalation).map_err(|why| refused(told.escalation, why))?;
        let view = digest::view(all, told, letterhead);
        let about = About {
            message_id: digest_id(told.escalation, &letterhead.message_id_domain),
            thread: None,
            headers: vec![("X-Tocsin-Digest", all.len().to_string())],
        };
        write(told, to, &view, about, letterhead).map_err(|why| refused(told.escalation, why))
    }
}

/// Where the mail of an escalation goes.
fn address(escalation: &Escalation) -> Result<Address, String> {
    let email = &escalation.to.email;
    email.parse().map_err(|why| format!("{:?} is no mail address: {why}", one_line(email, 200)))
}

fn refused(escalation: &Escalation, why: String) -> Error {
    let Escalation { incident, event, recipient, .. } = escalation;
    Error::Mail { subject: format!("{incident}/{event} to {recipient}"), why }
}

/// What the headers of a mail tell of it beside to whom it is.
struct About {
    message_id: String,
    /// The identifier that the mails of one incident to one recipient answer.
    thread: Option<String>,
    headers: Vec<(&'static str, String)>,
}

/// Lays out what a mail says.
fn write(
    told: &Told<'_>,
    to: Address,
    view: &view::View,
    about: About,
    letterhead: &Letterhead,
) -> Result<Mail, String> {
    let escalation = told.escalation;
    let (banner, marking) = (view.banner, view.marking.as_deref());
    let (opening, sections) = (&view.opening[..], &view.sections[..]);
    let plain = Plain { banner, marking, opening, sections }.render().map_err(|why| why.to_string())?;
    let html = Html { subject: &view.subject, banner, marking, opening, sections };
    let html = html.render().map_err(|why| why.to_string())?;

    let name = one_line(&format!("{} - {}", escalation.recipient_name, escalation.to.role), 120);
    let mut builder = Message::builder()
        .from(letterhead.from.clone())
        .to(Mailbox::new(Some(name), to.clone()))
        .subject(view.subject.clone())
        .date(date(told.escalated_at));
    if let Some(reply_to) = &letterhead.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    let About { message_id, thread, headers } = about;
    let mut all = vec![("Message-ID", message_id.clone())];
    all.extend(
        thread.into_iter().flat_map(|thread| [("In-Reply-To", thread.clone()), ("References", thread)]),
    );
    all.extend([
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "OOF, AutoReply".to_owned()),
        ("Importance", "high".to_owned()),
    ]);
    all.extend(headers);
    all.extend([
        ("X-Tocsin-Recipient", escalation.recipient.to_string()),
        ("X-Tocsin-Status", escalation.status.to_string()),
    ]);
    for (name, value) in all {
        builder = builder.raw_header(plainly(name, value));
    }
    // Quoted-printable holds no "=_", so that no text can end the part before its time.
    let boundary = format!("=_{}.{}.{}", escalation.event, escalation.step, escalation.incident);
    let parts = MultiPart::alternative()
        .boundary(boundary.chars().take(70).collect::<String>())
        .singlepart(part(ContentType::TEXT_PLAIN, plain)?)
        .singlepart(part(ContentType::TEXT_HTML, html)?);
    let message = builder.multipart(parts).map_err(|why| why.to_string())?;
    let bytes = message.formatted();
    Ok(Mail { from: letterhead.from.email.clone(), to, message_id, subject: view.subject.clone(), bytes })
}

fn part(kind: ContentType, text: String) -> Result<SinglePart, String> {
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| "its text has no quoted-printable form".to_owned())?;
    Ok(SinglePart::builder().header(kind).body(body))
}

/// The mail's date. A time that no mail can carry becomes the nearest one.
fn date(at: Timestamp) -> SystemTime {
    // httpdate, below lettre, takes the years 1970 to 9999 and panics beyond.
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(at.as_second()).unwrap_or(0).min(LAST);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A header whose value is made of our own words and identifiers alone. It is written as it is: folding or encoding
/// an identifier would change it.
fn plainly(name: &'static str, value: String) -> HeaderValue {
    debug_assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)), "{name}: {value}");
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}
