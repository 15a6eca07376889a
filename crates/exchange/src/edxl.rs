//! The EDXL Distribution Element 1.0 (OASIS, 1 May 2006) around a CAP message: who sends it to whom, and what is in it.

use crate::{
    cap::{Alert, CapStatus, MessageType, Scope},
    xml::Xml,
};

/// The namespace of EDXL-DE 1.0.
pub const NAMESPACE: &str = "urn:oasis:names:tc:emergency:EDXL:DE:1.0";

/// What our addresses are of.
const SCHEME: &str = "tocsin:recipient";

/// A message in its envelope, addressed to those whom the message names, if it names any. Identity and time are the
/// message's own, so that the same message has the same envelope, always. There is no `targetArea`: it takes a shape, a
/// country's code or a UN code, and a directory has none.
pub fn envelope(alert: &Alert) -> String {
    let mut xml = Xml::new();
    xml.open("EDXLDistribution", Some(NAMESPACE));
    xml.leaf("distributionID", &alert.identifier);
    xml.leaf("senderID", &alert.sender);
    xml.leaf("dateTimeSent", alert.sent.as_str());
    // EDXL-DE 1.0 has no word for a draft; we write none.
    xml.leaf(
        "distributionStatus",
        match alert.status {
            CapStatus::Actual => "Actual",
            CapStatus::Exercise => "Exercise",
            CapStatus::System => "System",
            CapStatus::Test | CapStatus::Draft => "Test",
        },
    );
    xml.leaf(
        "distributionType",
        match alert.message_type {
            MessageType::Alert => "Report",
            MessageType::Update => "Update",
            MessageType::Cancel => "Cancel",
            MessageType::Ack => "Ack",
            MessageType::Error => "Error",
        },
    );
    let (confidentiality, addresses) = match &alert.scope {
        Scope::Public => ("For the public", &[][..]),
        Scope::Restricted(rule) => (rule.as_str(), &[][..]),
        Scope::Private(addresses) => ("For those addressed alone", addresses.as_slice()),
    };
    xml.leaf("combinedConfidentiality", confidentiality);
    if let Some(info) = alert.info.first() {
        xml.leaf("language", &info.language);
    }
    for reference in &alert.references {
        // CAP says `sender,identifier,sent`; EDXL puts the identifier first.
        let mut parts: Vec<&str> = reference.split(',').collect();
        if parts.len() == 3 {
            parts.swap(0, 1);
        }
        xml.leaf("distributionReference", &parts.join(","));
    }
    if !addresses.is_empty() {
        xml.open("explicitAddress", None);
        xml.leaf("explicitAddressScheme", SCHEME);
        for address in addresses {
            xml.leaf("explicitAddressValue", address);
        }
        xml.close();
    }
    xml.open("contentObject", None);
    let info = alert.info.first();
    xml.may("contentDescription", info.and_then(|info| info.headline.as_deref()).or(alert.note.as_deref()));
    xml.may("incidentID", alert.incidents.first().map(String::as_str));
    xml.leaf("confidentiality", confidentiality);
    xml.open("xmlContent", None);
    xml.open("embeddedXMLContent", None);
    alert.write(&mut xml);
    xml.finish()
}
