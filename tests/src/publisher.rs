//! What publishers and recipients say, as values.

use tocsin_protocol::{
    Category, Event, EventKind, Person, Receipt, ReceiptMethod, ReceiptStage, Service, Status, Timestamp,
};

use crate::cast::PUBLISHER;

/// An actual event of the operator: the rest is for the test to change.
pub fn event(incident: &str, number: u32, kind: EventKind) -> Event {
    Event {
        sequence: number.to_string().parse().unwrap(),
        kind,
        ..Event::initial(
            PUBLISHER.parse().unwrap(),
            incident.parse().unwrap(),
            Status::Actual,
            Category::Outage,
            vec![Service::Voice999],
            format!("999 calls are failing: {incident}, event {number}"),
            vec!["uk".parse().unwrap()],
        )
    }
}

/// A receipt of an event.
pub fn receipt(recipient: &str, incident: &str, number: u32, stage: ReceiptStage) -> Receipt {
    let by = Person { name: format!("A Person of {recipient}"), role: "Supervisor".to_owned() };
    Receipt {
        stage,
        by: (stage == ReceiptStage::Acknowledged).then_some(by),
        method: (stage == ReceiptStage::Acknowledged).then_some(ReceiptMethod::Desk),
        ..Receipt::delivered(
            recipient.parse().unwrap(),
            incident.parse().unwrap(),
            number.to_string().parse().unwrap(),
            Timestamp::now(),
        )
    }
}
