//! What a failure to send means for the mail.
//!
//! lettre's own predicates do not tell it: a refused connection answers none of them, and no error says whether the
//! line was lost before or after the relay may have taken the mail. So each failure carries the stage it happened at.

use std::{fmt, time::Duration};

use tocsin_protocol::Outcome;

/// How far the talk with a relay had come, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// To reach it.
    Connect,
    /// To secure the line.
    Secure,
    /// Its greeting and what it offers.
    Greet,
    /// To log in.
    Login,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// `DATA`.
    Data,
    /// The mail itself and the relay's word that it has it. From here on silence proves nothing.
    Content,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Secure => "securing the line",
            Self::Greet => "the greeting",
            Self::Login => "logging in",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming the recipient",
            Self::Data => "asking to hand over the mail",
            Self::Content => "handing over the mail",
        })
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// The relay answered so.
    Answered {
        /// The SMTP reply code.
        code: u16,
        /// Its words.
        text: String,
    },
    /// It did not answer within this time.
    Late(Duration),
    /// The line could not be made, was lost, or carried no SMTP.
    Lost(String),
    /// The line could not be secured: a certificate, a protocol.
    Insecure(String),
    /// The relay does not offer what we need, or we cannot use its settings.
    Unable(String),
}

/// A failure to send, and where it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) why: Why,
}

impl Failure {
    /// The reply code, where there was a reply.
    pub(crate) fn code(&self) -> Option<u16> {
        match self.why {
            Why::Answered { code, .. } => Some(code),
            _ => None,
        }
    }

    /// What the failure means for the mail.
    ///
    /// - A 4xx reply is the relay's own word that it did not take the mail, and may later.
    /// - 530, 534, 535 and 538 speak of our login; any 5xx before the recipient was named speaks of us and not of the
    ///   recipient; so do a status that names our sender, the protocol, policy or the relay's own state (RFC 3463), a
    ///   command refused as such, and a refusal to relay. To take these for a dead address would burn every contact of
    ///   every recipient on one wrong setting of ours.
    /// - Any other 5xx is a refusal for good.
    /// - No proper reply: nothing was taken before the content was sent; after that nobody knows.
    pub(crate) fn outcome(&self) -> Outcome {
        match (&self.why, self.stage) {
            (Why::Answered { code: 400..=499, .. }, _) => Outcome::Temporary,
            (Why::Answered { code: 530 | 534 | 535 | 538, .. }, _) => Outcome::RelayFault,
            (Why::Answered { code: 500..=599, .. }, stage) if stage < Stage::Recipient => Outcome::RelayFault,
            (Why::Answered { code: code @ 500..=599, text }, _) if is_about_us(*code, text) => {
                Outcome::RelayFault
            }
            (Why::Answered { code: 500..=599, .. }, _)
            | (Why::Unable(_), Stage::Sender | Stage::Recipient) => Outcome::Permanent,
            (_, Stage::Content) => Outcome::Unknown,
            (Why::Answered { .. } | Why::Late(_) | Why::Lost(_), _) => Outcome::Temporary,
            (Why::Insecure(_) | Why::Unable(_), _) => Outcome::RelayFault,
        }
    }
}

/// Whether a refusal speaks of us or of the relay and not of the address. Its status (RFC 3463) decides, where it gives
/// one: "user unknown in relay recipient table" is a dead address, and says so by 5.1.1.
fn is_about_us(code: u16, text: &str) -> bool {
    match text.split_whitespace().find_map(status) {
        // Our address as the sender (Postfix refuses it only when the recipient is named), the relay's own state.
        Some((1, 7 | 8) | (3, 2 | 5)) => true,
        // The protocol; security and policy.
        Some((class, _)) => matches!(class, 5 | 7),
        None => matches!(code, 500 | 502..=504 | 521 | 555) || text.to_ascii_lowercase().contains("relay"),
    }
}

/// The subject and the detail of an enhanced status code: 1 and 7 of `5.1.7`.
fn status(word: &str) -> Option<(u16, u16)> {
    let mut parts = word.strip_prefix("5.")?.split('.');
    let (subject, detail) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((subject, detail))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.stage;
        match &self.why {
            Why::Answered { text, .. } => write!(f, "{text} (at {stage})"),
            Why::Late(limit) => write!(f, "no answer within {limit:?} (at {stage})"),
            Why::Lost(why) | Why::Insecure(why) | Why::Unable(why) => write!(f, "{why} (at {stage})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(stage: Stage, code: u16, text: &str) -> Outcome {
        Failure { stage, why: Why::Answered { code, text: text.to_owned() } }.outcome()
    }

    const STAGES: [Stage; 8] = [
        Stage::Connect,
        Stage::Secure,
        Stage::Greet,
        Stage::Login,
        Stage::Sender,
        Stage::Recipient,
        Stage::Data,
        Stage::Content,
    ];

    #[test]
    fn a_4xx_is_tried_again_wherever_it_comes() {
        for stage in STAGES {
            for code in [421, 450, 451, 452, 454] {
                assert_eq!(answered(stage, code, "later"), Outcome::Temporary, "{stage} {code}");
            }
        }
    }

    #[test]
    fn a_login_that_is_refused_never_speaks_of_the_recipient() {
        for stage in STAGES {
            for code in [530, 534, 535, 538] {
                assert_eq!(answered(stage, code, "5.7.8 no"), Outcome::RelayFault, "{stage} {code}");
            }
        }
    }

    #[test]
    fn a_5xx_speaks_of_the_recipient_only_once_it_was_named() {
        for stage in STAGES {
            let expected = if stage < Stage::Recipient { Outcome::RelayFault } else { Outcome::Permanent };
            for (code, text) in
                [(550, "5.1.1 no such user"), (552, "too large"), (553, ""), (554, "5.6.0 no")]
            {
                assert_eq!(answered(stage, code, text), expected, "{stage} {code}");
            }
        }
    }

    #[test]
    fn a_relay_that_will_not_relay_for_us_is_at_fault_and_not_the_address() {
        for text in [
            "5.7.1 <a@b.example>: Relay access denied",
            "relay not permitted",
            "5.7.26 unauthenticated mail",
            "5.1.8 <tocsin@operator.example>: Sender address rejected: Domain not found",
            "5.5.2 cannot read that",
            "5.3.2 system not accepting messages",
        ] {
            assert_eq!(answered(Stage::Recipient, 550, text), Outcome::RelayFault, "{text}");
        }
        for code in [500, 502, 503, 504, 521, 555] {
            assert_eq!(answered(Stage::Recipient, code, "no"), Outcome::RelayFault, "{code}");
        }
    }

    #[test]
    fn an_address_that_a_relay_does_not_know_is_dead_whatever_words_it_uses() {
        for (code, text) in [
            (550, "5.1.1 <a@b.example>: Recipient address rejected: User unknown in relay recipient table"),
            (550, "5.4.1 Recipient address rejected: Access denied"),
            (501, "5.1.3 Bad recipient address syntax"),
            (550, "no such user here"),
            (550, "5.x no such user"),
        ] {
            assert_eq!(answered(Stage::Recipient, code, text), Outcome::Permanent, "{code} {text}");
        }
    }

    #[test]
    fn silence_is_harmless_before_the_content_and_unknown_after() {
        for stage in STAGES {
            let expected = if stage == Stage::Content { Outcome::Unknown } else { Outcome::Temporary };
            for why in [Why::Late(Duration::from_secs(1)), Why::Lost("reset".to_owned())] {
                assert_eq!(Failure { stage, why }.outcome(), expected, "{stage}");
            }
            assert_eq!(answered(stage, 250, "out of turn"), expected, "{stage}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_secured_is_the_operators_to_mend() {
        let why = Why::Insecure("certificate expired".to_owned());
        assert_eq!(Failure { stage: Stage::Secure, why }.outcome(), Outcome::RelayFault);
        let why = Why::Insecure("a record that cannot be read".to_owned());
        assert_eq!(
            Failure { stage: Stage::Content, why }.outcome(),
            Outcome::Unknown,
            "it may have been taken"
        );
        let why = Why::Unable("no STARTTLS".to_owned());
        assert_eq!(Failure { stage: Stage::Secure, why }.outcome(), Outcome::RelayFault);
        let why = Why::Unable("no SMTPUTF8".to_owned());
        assert_eq!(Failure { stage: Stage::Sender, why }.outcome(), Outcome::Permanent);
    }
}
