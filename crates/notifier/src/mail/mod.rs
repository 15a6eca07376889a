//! The mail of an escalation, written from facts alone: the same facts give the same bytes, so that a mail that is
//! sent again is the same mail.

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
use tocsin_protocol::{Escalation, Event, Timestamp};

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

impl Mail {
    /// Writes the mail of an escalation.
    ///
    /// # Errors
    /// [`Error::Mail`] when the address is none that can be written to: no retry mends that.
    pub fn render(told: &Told<'_>, letterhead: &Letterhead) -> Result<Self, Error> {
        let escalation = told.escalation;
        let refused = |why: String| Error::Mail {
            subject: format!("{}/{} to {}", escalation.incident, escalation.event, escalation.recipient),
            why,
        };
        let to: Address = escalation.to.email.parse().map_err(|why| {
            refused(format!("{:?} is no mail address: {why}", one_line(&escalation.to.email, 200)))
        })?;
        let view = view::view(told, letterhead);
        let (banner, marking) = (view.banner, view.marking.as_deref());
        let (opening, sections) = (&view.opening[..], &view.sections[..]);
        let plain = Plain { banner, marking, opening, sections }.render();
        let html = Html { subject: &view.subject, banner, marking, opening, sections }.render();
        let (plain, html) =
            (plain.map_err(|why| refused(why.to_string()))?, html.map_err(|why| refused(why.to_string()))?);

        let message_id = message_id(escalation, &letterhead.message_id_domain);
        let thread =
            format!("<{}.{}@{}>", escalation.incident, escalation.recipient, letterhead.message_id_domain);
        let name = one_line(&format!("{} - {}", escalation.recipient_name, escalation.to.role), 120);
        let mut builder = Message::builder()
            .from(letterhead.from.clone())
            .to(Mailbox::new(Some(name), to.clone()))
            .subject(view.subject.clone())
            .date(date(told.escalated_at));
        if let Some(reply_to) = &letterhead.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        for (name, value) in [
            ("Message-ID", message_id.clone()),
            ("In-Reply-To", thread.clone()),
            ("References", thread),
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("X-Auto-Response-Suppress", "OOF, AutoReply".to_owned()),
            ("Importance", "high".to_owned()),
            ("X-Tocsin-Incident", escalation.incident.to_string()),
            ("X-Tocsin-Event", escalation.event.to_string()),
            ("X-Tocsin-Step", escalation.step.to_string()),
            ("X-Tocsin-Recipient", escalation.recipient.to_string()),
            ("X-Tocsin-Status", escalation.status.to_string()),
        ] {
            builder = builder.raw_header(plainly(name, value));
        }
        // Quoted-printable holds no "=_", so that no text can end the part before its time.
        let boundary = format!("=_{}.{}.{}", escalation.event, escalation.step, escalation.incident);
        let parts = MultiPart::alternative()
            .boundary(boundary.chars().take(70).collect::<String>())
            .singlepart(part(ContentType::TEXT_PLAIN, plain).map_err(refused)?)
            .singlepart(part(ContentType::TEXT_HTML, html).map_err(refused)?);
        let message = builder.multipart(parts).map_err(|why| refused(why.to_string()))?;
        let bytes = message.formatted();
        Ok(Self { from: letterhead.from.email.clone(), to, message_id, subject: view.subject, bytes })
    }
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
