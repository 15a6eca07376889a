//! What the directory in force has against an event, before it is sent: the router would refuse it for the same.

use tocsin_duty::Directory;
use tocsin_ledger::Ledger;
use tocsin_protocol::{Event, Subject};

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

/// The same by what is on the bus: the directory in force, and what was said under the same subject. Whoever may not
/// read it there learns of it from the router.
pub(crate) async fn objections_on_the_bus(ledger: &Ledger, prepared: &Prepared) -> Vec<String> {
    let mut found = match newest_directory(ledger).await {
        Ok(Some(directory)) => objections(&directory, prepared.event(), &prepared.signed().key),
        Ok(None) => vec![
            "no directory is in force, so nobody would be told: an administrator applies one with `tocsin directory apply FILE`"
                .to_owned(),
        ],
        Err(why) => {
            tracing::debug!("the directory could not be read before sending: {why}");
            Vec::new()
        }
    };
    match is_taken(ledger, prepared).await {
        Ok(true) => {
            let Event { incident, sequence, .. } = prepared.event();
            found.push(format!(
                "event {sequence} of incident {incident} was said already, otherwise: say what is new with --update {incident}, or begin an incident of another name"
            ));
        }
        Ok(false) => {}
        Err(why) => tracing::debug!("what was said before could not be read before sending: {why}"),
    }
    found
}

/// Whether an event with other words was dispatched under this subject.
async fn is_taken(ledger: &Ledger, prepared: &Prepared) -> Result<bool, tocsin_ledger::Error> {
    let Some(said) = ledger.last(prepared.subject()).await? else { return Ok(false) };
    let Event { publisher, incident, sequence, .. } = prepared.event();
    let (publisher, incident) = (publisher.clone(), incident.clone());
    let dispatch = Subject::Dispatch { publisher, incident, event: *sequence };
    Ok(said.body != *prepared.body() && ledger.last(&dispatch).await?.is_some())
}
