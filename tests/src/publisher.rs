//! What publishers and recipients say, as values.

use tocsin_protocol::{
    Category, Event, EventKind, Person, Receipt, ReceiptMethod, ReceiptStage, Service, Status, Timestamp,
};

use crate::cast::PUBLISHER;

/// An actual event of the operator: the rest is for the test to change.
pub fn event(incident: &str, number: u32, kind: EventKind) -> Event {
    Event {
        incident: incident.parse().unwrap(),
        sequence: number.to_string().parse().unwrap(),
        kind,
        status: Status::Actual,
        publisher: PUBLISHER.parse().unwrap(),
        category: Category::Outage,
        services: vec![Service::Voice999],
        headline: format!("999 calls are failing: {incident}, event {number}"),
        areas: vec!["uk".parse().unwrap()],
        description: None,
        instruction: None,
        public_advice: None,
        severity: None,
        urgency: None,
        certainty: None,
        began_at: None,
        detected_at: None,
        aware_at: None,
        discovered_at: None,
        classified_at: None,
        restored_at: None,
        expected_restoration_at: None,
        next_update_by: None,
        platform: None,
        impact: None,
        recontact: None,
        contact: None,
        marking: None,
    }
}

/// A receipt of an event.
pub fn receipt(recipient: &str, incident: &str, number: u32, stage: ReceiptStage) -> Receipt {
    let by = Person { name: format!("A Person of {recipient}"), role: "Supervisor".to_owned() };
    Receipt {
        incident: incident.parse().unwrap(),
        event: number.to_string().parse().unwrap(),
        recipient: recipient.parse().unwrap(),
        stage,
        at: Timestamp::now(),
        by: (stage == ReceiptStage::Acknowledged).then_some(by),
        method: (stage == ReceiptStage::Acknowledged).then_some(ReceiptMethod::Desk),
        control_room: None,
        on_behalf_of: None,
        note: None,
        checkpoint: None,
        link: None,
    }
}
