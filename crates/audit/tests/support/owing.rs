//! Policies under which a publisher owes something.

use tocsin_protocol::{
    ClockStart, Contact, DirectoryDocument, DutyDocument, DutyStart, Event, OwedRule, PolicyDocument,
    Requirement, Stage, Term, Trigger, Where,
};

use super::{World, seconds, start};

pub(crate) fn term(text: &str) -> Term {
    serde_json::from_value(text.into()).unwrap()
}

/// A duty that runs from when the operator was aware.
pub(crate) fn duty(name: &str, stage: Stage, within: Option<&str>) -> DutyDocument {
    DutyDocument {
        id: name.parse().unwrap(),
        what: format!("The {name} report"),
        stage,
        from: DutyStart::Clock(ClockStart::Aware),
        within: within.map(term),
        target: None,
        repeat: None,
        lasting: None,
        kinds: Vec::new(),
        channels: Vec::new(),
    }
}

/// A world whose publisher owes these duties, and is reminded by mail.
pub(crate) fn owing(duties: Vec<DutyDocument>) -> World {
    let mut world = World::small();
    world.change_directory(2, |document| {
        document.policies[0].duties = duties;
        let to = Contact { role: "duty".into(), email: "duty@bt-cha.example".into(), phone: None };
        document.publishers[0].contacts.insert("duty".into(), to);
    });
    world.at(seconds(1));
    world
}

pub(crate) fn aware(event: &mut Event) {
    event.aware_at = Some(start());
}

pub(crate) fn handover(document: &mut DirectoryDocument) {
    let first = document.policies[0].clone();
    document.policies.push(PolicyDocument {
        id: "handover".parse().unwrap(),
        trigger: Trigger::Handover,
        acknowledge: Vec::new(),
        duties: Vec::new(),
        owed: vec![OwedRule {
            kinds: vec!["police-territorial".into()],
            recipients: Vec::new(),
            place: Where::HandedOver,
            requirement: Requirement::Required,
        }],
        ..first
    });
}
