//! The one writer of CAP: elements in the order of the schema.

use super::{Alert, Info, NAMESPACE, Scope};
use crate::xml::Xml;

impl Alert {
    /// The message as a document.
    pub fn to_xml(&self) -> String {
        let mut xml = Xml::new();
        self.write(&mut xml);
        xml.finish()
    }

    /// The message as an element.
    pub(crate) fn write(&self, xml: &mut Xml) {
        xml.open("alert", Some(NAMESPACE));
        xml.leaf("identifier", &self.identifier);
        xml.leaf("sender", &self.sender);
        xml.leaf("sent", self.sent.as_str());
        xml.leaf("status", self.status.as_str());
        xml.leaf("msgType", self.message_type.as_str());
        match &self.scope {
            Scope::Public => xml.leaf("scope", "Public"),
            Scope::Restricted(rule) => {
                xml.leaf("scope", "Restricted");
                xml.leaf("restriction", rule);
            }
            Scope::Private(addresses) => {
                xml.leaf("scope", "Private");
                xml.leaf("addresses", &listed(addresses));
            }
        }
        xml.may("note", self.note.as_deref());
        if !self.references.is_empty() {
            xml.leaf("references", &self.references.join(" "));
        }
        if !self.incidents.is_empty() {
            xml.leaf("incidents", &listed(&self.incidents));
        }
        for info in &self.info {
            info.write(xml);
        }
        xml.close();
    }
}

impl Info {
    fn write(&self, xml: &mut Xml) {
        xml.open("info", None);
        xml.leaf("language", &self.language);
        for category in &self.categories {
            xml.leaf("category", category);
        }
        xml.leaf("event", &self.event);
        for response in &self.responses {
            xml.leaf("responseType", response);
        }
        xml.leaf("urgency", self.urgency);
        xml.leaf("severity", self.severity);
        xml.leaf("certainty", self.certainty);
        xml.may("onset", self.onset.as_ref().map(super::CapTime::as_str));
        xml.may("senderName", self.sender_name.as_deref());
        xml.may("headline", self.headline.as_deref());
        xml.may("description", self.description.as_deref());
        xml.may("instruction", self.instruction.as_deref());
        xml.may("contact", self.contact.as_deref());
        pairs(xml, "parameter", &self.parameters);
        for area in &self.areas {
            xml.open("area", None);
            xml.leaf("areaDesc", &area.name);
            pairs(xml, "geocode", &area.geocodes);
            xml.close();
        }
        xml.close();
    }
}

fn pairs(xml: &mut Xml, name: &'static str, pairs: &[(String, String)]) {
    for (of, value) in pairs {
        xml.open(name, None);
        xml.leaf("valueName", of);
        xml.leaf("value", value);
        xml.close();
    }
}

/// With spaces between; what has one in it stands in quotation marks (3.2.1).
fn listed(all: &[String]) -> String {
    let each = all.iter().map(|one| {
        if one.chars().any(char::is_whitespace) {
            format!("\"{}\"", one.replace('"', "'"))
        } else {
            one.clone()
        }
    });
    each.collect::<Vec<_>>().join(" ")
}
