//! The mail that reminds a publisher of what it owes and has not done.

use tocsin_protocol::{DutyDocument, DutyId, Event, Status};

use super::{
    Told,
    text::one_line,
    view::{Section, VALUE, View, WHAT_THIS_IS, banner, identity, prefix, row},
    when::Zone,
};

/// Decides what the mail says. It names the publisher's own incident by its identifier and no more: the one who reads it
/// knows the rest, and its marking need not be looked at.
pub(super) fn view(told: &Told<'_>) -> View {
    let escalation = told.escalation;
    let zone = Zone::named(&escalation.time_zone);
    let name = one_line(&escalation.recipient_name, VALUE);
    let duty = duty(told);
    let what = match (&escalation.policy, duty) {
        (None, _) => {
            format!("{name} promised to say more by {}, and nothing has come", zone.show(escalation.due_at))
        }
        (Some(_), Some(duty)) => format!(
            "{} was due by {}, and is not done",
            one_line(&duty.what, VALUE),
            zone.show(escalation.due_at)
        ),
        (Some(policy), None) => {
            format!(
                "what policy {policy} asks for was due by {}, and is not done",
                zone.show(escalation.due_at)
            )
        }
    };
    let mut opening = vec![format!("{}.", capital(&what))];
    if duty.is_some_and(|duty| duty.within.is_none()) {
        opening.push("That time is a target of our own, and no law's.".to_owned());
    }
    if escalation.policy.is_none() {
        opening.push("All who were promised it have been told that it did not come.".to_owned());
    }
    let update =
        format!("tocsin publish --as {} --key KEY --update {}", escalation.recipient, escalation.incident);
    let mut text = vec![
        "Say what is known now, if only that nothing has changed. On the console's page, or with this command:".to_owned(),
        update,
    ];
    if duty.is_some_and(|duty| duty.channels.contains(&tocsin_protocol::Channel::Telephone)) {
        text.push(
            "It must be done by telephone too: call those who have not been called, and log each call (`tocsin called`)."
                .to_owned(),
        );
    }
    let mut rows = vec![match told.event {
        Some(event) => row("Incident", identity(escalation, event.kind)),
        None => row("Incident", format!("{}, event {}", escalation.incident, escalation.event)),
    }];
    rows.extend(told.published_at.map(|at| row("Published", zone.show(at))));
    rows.extend(
        told.event.and_then(|event| event.next_update_by).map(|by| row("Promised by", zone.show(by))),
    );
    rows.extend(escalation.policy.as_ref().map(|policy| row("Policy", policy.to_string())));
    let marking =
        told.event.and_then(|event: &Event| event.marking.as_deref()).map(|marking| one_line(marking, 80));
    View {
        subject: format!(
            "{}OVERDUE: {} - {name} [{}/{} step {}]",
            prefix(escalation.status),
            if escalation.policy.is_none() {
                "the update that was promised"
            } else {
                "a report that is owed"
            },
            escalation.incident,
            escalation.event,
            escalation.step
        ),
        banner: banner(escalation.status),
        marking: marking.filter(|marking| !marking.is_empty()),
        opening,
        sections: vec![
            Section { title: "WHAT TO DO NOW".into(), text, link: None, rows: Vec::new() },
            Section { title: "FACTS".into(), text: Vec::new(), link: None, rows },
            Section {
                title: "WHY YOU GET THIS MAIL".into(),
                text: vec![
                    WHAT_THIS_IS.split(". ").next().map(|first| format!("{first}.")).unwrap_or_default(),
                    format!(
                        "You are the {} contact ({}) of {name}, which published the incident{}.",
                        one_line(&escalation.contact, 64),
                        one_line(&escalation.to.role, VALUE),
                        if escalation.status == Status::Actual { "" } else { "; it is no real one" }
                    ),
                ],
                link: None,
                rows: Vec::new(),
            },
        ],
    }
}

/// The duty in the directory under which the mail was owed.
fn duty<'d>(told: &Told<'d>) -> Option<&'d DutyDocument> {
    let (policy, duty): (_, &DutyId) = (told.escalation.policy.as_ref()?, told.escalation.duty.as_ref()?);
    let policy = told.directory?.policies().iter().find(|known| known.id == *policy)?;
    policy.duties.iter().find(|known| known.id == *duty)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
