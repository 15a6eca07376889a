//! Whose key may say a receipt, and through which door.
//!
//! | signed by | stage | method | proof |
//! |---|---|---|---|
//! | the recipient's own key | any | any, or none said | none needed |
//! | the directory's `console_key` | acknowledged | `page` | none: the console vouches for who was signed in |
//! | the directory's `console_key` | acknowledged | `program` | none: the console vouches for whose API token it was |
//! | the directory's `console_key` | acknowledged | `link` | the link's token, signed by the directory's `link_key` |
//!
//! What a recipient signs itself is its own word, whatever door it names. The console's doors are those that a recipient's
//! entry opens to it: all three (`console = true`, or nothing said), `link` alone (`console = "links"`: the console has no
//! key to make a token with), or none (`console = false`). A token that a receipt carries must hold, whoever signs: it says
//! from which mail it came.

use tocsin_protocol::{
    ConsoleDoors, Link, Receipt, ReceiptMethod, ReceiptStage, RecipientId, RefusalCode, SignedLink, Signer,
    Timestamp,
};

use crate::directory::{Directory, KnownRecipient};

/// Why a receipt may not come through a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// Why, for machines.
    pub code: RefusalCode,
    /// Why, for people, and what to do instead.
    pub why: String,
}

fn shut(code: RefusalCode, why: impl Into<String>) -> Shut {
    Shut { code, why: why.into() }
}

impl Directory {
    /// Through which doors the console may acknowledge in a recipient's name.
    pub fn console_doors(&self, recipient: &RecipientId) -> ConsoleDoors {
        let known = self.recipient(recipient).filter(|_| self.console_key().is_some());
        known.map_or(ConsoleDoors::Shut, |known| known.entry.console)
    }

    /// Whose a key is that signed a receipt in a recipient's name: the recipient's, or the console's. Whether it may is
    /// not said.
    pub fn signer(&self, recipient: &RecipientId, key: &str) -> Option<Signer> {
        let own = self.recipient(recipient).and_then(|known| known.key.as_ref());
        match (own, self.console_key()) {
            (Some(own), _) if own.as_str() == key => Some(Signer::Recipient),
            (_, Some(console)) if console.as_str() == key => Some(Signer::Console),
            _ => None,
        }
    }
}

/// Reads the token of a mail's link, and holds it against the directory in force and the time by the broker.
///
/// # Errors
/// [`RefusalCode::BadLink`] when it is none of the notifier's, [`RefusalCode::LinkExpired`] when it may be used no more.
pub fn check_link(directory: &Directory, token: &str, at: Timestamp) -> Result<Link, Shut> {
    let bad = |why: String| shut(RefusalCode::BadLink, why);
    let key = directory.link_key().ok_or_else(|| {
        bad(format!("directory {} has no link_key, so that no link counts", directory.version()))
    })?;
    let signed = SignedLink::read(token).map_err(|why| bad(why.to_string()))?;
    signed.verify(key).map_err(|why| bad(why.to_string()))?;
    let link = signed.link;
    if at > link.expires_at {
        return Err(shut(
            RefusalCode::LinkExpired,
            format!("the link expired at {}: acknowledge at the desk, or by telephone", link.expires_at),
        ));
    }
    Ok(link)
}

/// Whether a receipt may come through the door that it names, said by this signer at this time by the broker.
pub(crate) fn open(
    directory: &Directory,
    known: &KnownRecipient,
    signer: Signer,
    receipt: &Receipt,
    at: Timestamp,
) -> Result<(), Shut> {
    let not_allowed = |why: String| Err(shut(RefusalCode::DoorNotAllowed, why));
    if signer == Signer::Console {
        let doors = known.entry.console;
        if doors == ConsoleDoors::Shut {
            return not_allowed(format!(
                "recipient {} acknowledges with its own key alone: the directory has console = false",
                receipt.recipient
            ));
        }
        match (receipt.stage, receipt.method) {
            (ReceiptStage::Delivered, _) => {
                return not_allowed(
                    "the console's key acknowledges, and delivers nothing: a notice is delivered to a desk"
                        .to_owned(),
                );
            }
            (ReceiptStage::Acknowledged, Some(door @ (ReceiptMethod::Page | ReceiptMethod::Program))) => {
                if !doors.opens(door) {
                    return not_allowed(format!(
                        "recipient {} acknowledges with its own key, or by the link of a mail: the directory has console = \
                         \"links\", so that the console's page and program are shut to it",
                        receipt.recipient
                    ));
                }
            }
            (ReceiptStage::Acknowledged, Some(ReceiptMethod::Link)) => {
                if receipt.link.is_none() {
                    return Err(shut(
                        RefusalCode::BadLink,
                        "link: with the console's key, method link needs the link's token",
                    ));
                }
            }
            (ReceiptStage::Acknowledged, _) => {
                return not_allowed(
                    "method: with the console's key it must be page, program or link, which are its doors"
                        .to_owned(),
                );
            }
        }
    }
    let Some(token) = &receipt.link else { return Ok(()) };
    let link = check_link(directory, token, at)?;
    let same = link.recipient == receipt.recipient
        && link.incident == receipt.incident
        && link.event == receipt.event;
    if same {
        Ok(())
    } else {
        Err(shut(
            RefusalCode::BadLink,
            format!(
                "the link is recipient {}'s for event {} of {}: it acknowledges nothing else",
                link.recipient, link.event, link.incident
            ),
        ))
    }
}
