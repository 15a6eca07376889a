//! A mail as its receiver reads it.

use mail_parser::MessageParser;
use tocsin_notifier::sink::Caught;

/// A mail as its receiver reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The receivers on the envelope.
    pub to: Vec<String>,
    /// Its `Message-ID`, in its angle brackets.
    pub message_id: String,
    /// Its subject, decoded.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// Its HTML.
    pub html: String,
}

impl Mail {
    /// Reads what a sink was given.
    pub fn read(caught: &Caught) -> Self {
        let message = MessageParser::default().parse(&caught.bytes[..]).expect("a mail of ours can be read");
        Self {
            to: caught.to.clone(),
            message_id: format!("<{}>", message.message_id().unwrap_or_default()),
            subject: message.subject().unwrap_or_default().to_owned(),
            text: message.body_text(0).unwrap_or_default().into_owned(),
            html: message.body_html(0).unwrap_or_default().into_owned(),
        }
    }
}
