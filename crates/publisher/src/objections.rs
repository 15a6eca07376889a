//! What the directory in force has against an event, before it is sent: the router would refuse it for the same.

use tocsin_duty::Directory;
use tocsin_ledger::Ledger;
use tocsin_protocol::Event;

use crate::{known::newest_directory, prepare::Prepared};

/// Why the router would refuse this event, signed with this public key, by this directory; empty when it would not.
pub(crate) fn objections(directory: &Directory, event: &Event, signer: &str) -> Vec<String> {
    let version = directory.version();
    let Some(publisher) = directory.publisher(&event.publisher) else {
        return vec![format!("publisher {} is not in directory {version}", event.publisher)];
    };
    let mut found = Vec::new();
    match &publisher.key {
        None => found.push(format!("directory {version} has no key for publisher {}", event.publisher)),
        Some(key) if key.as_str() != signer => found.push(format!(
            "the key given is not the one that directory {version} lists for publisher {}",
            event.publisher
        )),
        Some(_) => {}
    }
    for area in &event.areas {
        if directory.area(area).is_none() {
            found.push(format!("area {area} is not in directory {version}"));
        } else if !directory.may_speak_of(publisher, area) {
            found.push(format!("publisher {} may not speak of area {area}", event.publisher));
        }
    }
    found
}

/// The same by the directory on the bus. Whoever may not read it there learns of it from the router.
pub(crate) async fn objections_on_the_bus(ledger: &Ledger, prepared: &Prepared) -> Vec<String> {
    match newest_directory(ledger).await {
        Ok(Some(directory)) => objections(&directory, prepared.event(), &prepared.signed().key),
        Ok(None) => vec![
            "no directory is in force, so nobody would be told: an administrator applies one with `tocsin directory apply FILE`"
                .to_owned(),
        ],
        Err(why) => {
            tracing::debug!("the directory could not be read before sending: {why}");
            Vec::new()
        }
    }
}
