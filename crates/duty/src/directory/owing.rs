//! The rules for what a publisher owes under a policy, and for whom a policy reaches beside the silent: each has one
//! meaning, and somebody who can be reached.

use std::collections::BTreeSet;

use tocsin_protocol::{
    ClockStart, Contact, DirectoryDocument, DispatchDuty, DutyStart, PolicyDocument, Reach, Recipient,
    RecipientId, Requirement, SignedDuration, Term, Trigger, Where, Window,
};

use super::fault::{Found, Place, Section};

/// The most duties of a policy: every event is held against all of them.
const DUTIES_MAX: usize = 16;

/// What is owed again sooner than this is warned of.
const REPEAT_MIN: SignedDuration = SignedDuration::from_mins(1);

/// The faults by which a duty would have no single meaning.
pub(super) fn structure(policy: &PolicyDocument, place: &Place, found: &mut Vec<Found>) {
    let id = &policy.id;
    let duties = place.clone().field("duties");
    if policy.duties.len() > DUTIES_MAX {
        found.push(duties.clone().nth(DUTIES_MAX).error(format!(
            "policy {id} has {} duties and may have {DUTIES_MAX}: put those of one basis into one policy",
            policy.duties.len()
        )));
    }
    let mut earlier = BTreeSet::new();
    for (number, duty) in policy.duties.iter().enumerate() {
        let at = duties.clone().nth(number);
        let who = format!("policy {id}, duty {}", duty.id);
        let word = duty.id.as_str();
        if word == DispatchDuty::NEXT_UPDATE || word.parse::<ClockStart>().is_ok() {
            found.push(at.clone().field("id").error(format!(
                "{who}: that word has a meaning already (a clock, or the update that an event promises): use another"
            )));
        }
        if let DutyStart::Duty(from) = &duty.from
            && !earlier.contains(from.as_str())
        {
            found.push(at.clone().field("from").error(format!(
                "{who} runs from {from}, which is no clock and no duty that stands before it: use one of occurred, detected, \
                 aware, discovered, classified, published, restored, or such a duty"
            )));
        }
        if duty.within.is_none() && duty.target.is_none() {
            found.push(at.clone().error(format!(
                "{who} has no time: give `within` where the law has one, or else `target`, which is our own and never a \
                 breach"
            )));
        }
        if duty.lasting.is_some() && duty.repeat.is_none() {
            found.push(
                at.clone()
                    .field("for")
                    .error(format!("{who} lasts and is not repeated: add `repeat`, or take `for` out")),
            );
        }
        if !earlier.insert(word) {
            found.push(
                at.field("id").error(format!("{who} is listed a second time: give this one another id")),
            );
        }
    }
}

/// Those whom a recipient names to be written to in its stead.
pub(super) fn stands_in(
    recipient: &Recipient,
    place: &Place,
    is_listed: impl Fn(&RecipientId) -> bool,
    found: &mut Vec<Found>,
) {
    let named = [("buddy", &recipient.buddy), ("coordinating_body", &recipient.coordinating_body)];
    for (field, other) in named.into_iter().filter_map(|(field, other)| Some((field, other.as_ref()?))) {
        let at = place.clone().field(field);
        let id = &recipient.id;
        if !is_listed(other) {
            found.push(at.error(format!(
                "recipient {id} names {other} as its {field}, which is not listed: correct the name, or add the recipient"
            )));
        } else if other == id {
            found.push(at.error(format!("recipient {id} is its own {field}: name another body, or none")));
        }
    }
    let mut seen = BTreeSet::new();
    for (number, room) in recipient.control_rooms.iter().enumerate() {
        if !seen.insert(&room.id) {
            found.push(place.clone().field("control_rooms").nth(number).field("id").error(format!(
                "control room {} of recipient {} is listed a second time: give this one another id",
                room.id, recipient.id
            )));
        }
    }
}

/// What makes a policy's duties and steps come to nothing.
pub(super) fn fitness(document: &DirectoryDocument, found: &mut Vec<Found>) {
    let contacts = |id: &str| -> bool {
        let own =
            document.publishers.iter().find(|publisher| publisher.id.as_str() == id).map(|p| &p.contacts);
        let other =
            document.recipients.iter().find(|recipient| recipient.id.as_str() == id).map(|r| &r.contacts);
        own.into_iter().chain(other).any(|contacts| !contacts.is_empty())
    };
    let owes = document.policies.iter().any(|policy| !policy.duties.is_empty());
    for (index, publisher) in document.publishers.iter().enumerate() {
        if owes && !contacts(publisher.id.as_str()) {
            found.push(Place::new(Section::Publishers, index).field("contacts").warning(format!(
                "publisher {} has no contact, so that nobody is reminded when something that it owes is overdue: add \
                 contacts.duty with role and email",
                publisher.id
            )));
        }
    }
    for (index, policy) in document.policies.iter().enumerate() {
        let place = Place::new(Section::Policies, index);
        for (number, rule) in policy.owed.iter().enumerate() {
            if rule.place == Where::HandedOver && policy.trigger == Trigger::Failure {
                found.push(place.clone().field("owed").nth(number).field("where").warning(format!(
                    "policy {} owes to those to whom lost callers are handed over, and is about a failure: give it \
                     trigger = \"handover\", so that each handover is acknowledged",
                    policy.id
                )));
            }
        }
        for (number, duty) in policy.duties.iter().enumerate() {
            if let Some(Term::Length(Window(repeat))) = duty.repeat
                && repeat < REPEAT_MIN
            {
                found.push(place.clone().field("duties").nth(number).field("repeat").warning(format!(
                    "policy {}, duty {} is owed again every {repeat:#}, and each time that nobody meets it is found and its \
                     publisher reminded: write a minute or more",
                    policy.id, duty.id
                )));
            }
        }
        let requires = policy.owed.iter().any(|rule| rule.requirement == Requirement::Required);
        for (number, step) in policy.steps.iter().enumerate().filter(|_| requires) {
            let named = |recipient: &Recipient| match step.reach {
                Reach::Own => true,
                Reach::Buddy => recipient.buddy.is_some(),
                Reach::CoordinatingBody => recipient.coordinating_body.is_some(),
            };
            if !document.recipients.iter().any(named) {
                found.push(place.clone().field("steps").nth(number).field("reach").warning(format!(
                    "policy {}, step {} reaches for another body, and no recipient names one: the silent body itself is \
                     written to again; add `buddy` or `coordinating_body` to recipients",
                    policy.id,
                    number + 1
                )));
            }
        }
    }
}

/// The contacts of publishers, with the place of each.
pub(super) fn publishers_contacts(
    document: &DirectoryDocument,
) -> impl Iterator<Item = (Place, String, &String, &Contact)> {
    document.publishers.iter().enumerate().flat_map(|(index, publisher)| {
        let place = Place::new(Section::Publishers, index).field("contacts");
        let who = format!("publisher {}", publisher.id);
        publisher.contacts.iter().map(move |(word, contact)| (place.clone(), who.clone(), word, contact))
    })
}
