//! What can be said of a scenario only as a whole: the order of its day, who is asked at all, and whether its end can come
//! of its beginning.

use std::collections::BTreeSet;

use tocsin_duty::{Directory, Fault, reading::Source};
use tocsin_protocol::{Dispatch, EventNumber, RecipientId, Requirement};

use crate::{
    course::Course,
    model::{Acknowledged, Does, Expectation, Part, Whose},
    place::Placed,
    read::Read,
};

/// Finds every such fault.
pub(crate) fn judge(
    source: &Source<'_>,
    read: &Read,
    directory: Option<&Directory>,
    course: Option<&Course>,
    faults: &mut Vec<Fault>,
) {
    let before = faults.len();
    order(source, read, faults);
    // On a day that cannot be, nothing follows that could be held against it.
    let (Some(directory), Some(course), true) = (directory, course, faults.len() == before) else { return };
    for placed in &read.events {
        let dispatch = course.dispatch(placed.entry.event.sequence);
        if dispatch.is_none_or(|dispatch| dispatch.recipients().is_empty()) {
            let what = "nobody is owed it: no policy of the directory is about these services in these areas";
            faults.push(placed.fault(source, "services", what));
        }
    }
    if faults.len() > before {
        return;
    }
    let ground = Ground { source, directory, course, events: read.events.len() };
    for part in &read.people {
        ground.part(part, read, faults);
    }
    lots(&ground, read, faults);
    for expectation in &read.expect {
        ground.expectation(expectation, faults);
    }
}

/// The day goes forward, and nothing follows on what ends an incident.
fn order(source: &Source<'_>, read: &Read, faults: &mut Vec<Fault>) {
    if let (Some(began_at), Some(first)) = (read.began_at, read.events.first())
        && first.entry.at < began_at
    {
        let what = "it is said before the failure began: correct `at`, or `began_at` at the top";
        faults.push(first.fault(source, "at", what));
    }
    for pair in read.events.windows(2) {
        let [before, after] = pair else { continue };
        if after.entry.at <= before.entry.at {
            let what = format!("at is not later than that of {}: put the events in order", before.what);
            faults.push(after.fault(source, "at", what));
        }
        if before.entry.event.kind.ends_incident() {
            let what = format!("{} ends the incident, and nothing follows that: take it out", before.what);
            faults.push(after.fault(source, "kind", what));
        }
    }
}

/// There is a lot for whoever must answer and is not named, and not more silence than people.
fn lots(ground: &Ground<'_>, read: &Read, faults: &mut Vec<Fault>) {
    let source = ground.source;
    let most = ground.course.asking().map(|dispatch| required(dispatch).len()).max().unwrap_or_default();
    for lot in &read.lots {
        let steps: BTreeSet<_> = ground
            .course
            .asking()
            .flat_map(|dispatch| &dispatch.steps)
            .map(|step| step.contact.as_str())
            .collect();
        for contact in lot.entry.once_mailed.keys().filter(|contact| !steps.contains(contact.as_str())) {
            let words: Vec<_> = steps.iter().copied().collect();
            faults.push(lot.fault(
                source,
                "once_mailed",
                format_args!("no step writes to contact {contact}: there is {}", words.join(", ")),
            ));
        }
        let silent: usize = lot.entry.once_mailed.values().map(|share| share.of(most)).sum();
        let silent = silent + lot.entry.never.of(most);
        if silent > most {
            let what = format!("{silent} are to be silent, and {most} must acknowledge at most");
            faults.push(lot.fault(source, "never", what));
        }
    }
    if read.lots.is_empty() {
        let named: BTreeSet<_> = read.people.iter().flat_map(|part| &part.entry.recipients).collect();
        let unnamed = ground.course.asking().flat_map(required).find(|one| !named.contains(one));
        if let Some(one) = unnamed {
            let what = format!(
                "the scenario does not say how {one} answers, nor others: add [[lots]] with answer = [\"1m\", \"12m\"], or \
                 name them under [[people]]"
            );
            faults.push(source.fault(1, what));
        }
    }
}

/// Those who must acknowledge an event.
fn required(dispatch: &Dispatch) -> Vec<&RecipientId> {
    let all = dispatch.recipients().into_iter();
    all.filter(|(_, requirement)| *requirement == Requirement::Required).map(|(one, _)| one).collect()
}

struct Ground<'a> {
    source: &'a Source<'a>,
    directory: &'a Directory,
    course: &'a Course,
    events: usize,
}

impl Ground<'_> {
    /// The dispatch of an event that an entry names; a fault where there is no such event.
    fn event<T>(&self, placed: &Placed<T>, event: EventNumber, faults: &mut Vec<Fault>) -> Option<&Dispatch> {
        if event.get() as usize > self.events {
            let what = format!("there is no event {event}: there are {}", self.events);
            faults.push(placed.fault(self.source, "event", what));
        }
        self.course.dispatch(event)
    }

    fn part(&self, placed: &Placed<Part>, read: &Read, faults: &mut Vec<Fault>) {
        let Part { recipients, event, does, .. } = &placed.entry;
        let asking: Vec<&Dispatch> = match event {
            None => self.course.asking().collect(),
            Some(event) => {
                let Some(dispatch) = self.event(placed, *event, faults) else { return };
                if !dispatch.acknowledge {
                    let what =
                        format!("event {event} asks nobody for an acknowledgement: name another, or none");
                    faults.push(placed.fault(self.source, "event", what));
                    return;
                }
                vec![dispatch]
            }
        };
        for one in recipients.iter().filter(|one| self.directory.recipient(one).is_some()) {
            if !asking.iter().any(|dispatch| required(dispatch).contains(&one)) {
                let what = format!("{one} is not asked to acknowledge: it is informed at most; take it out");
                faults.push(placed.fault(self.source, "recipients", what));
                continue;
            }
            let Does::AnswersMail(contact) = does else { continue };
            let steps: BTreeSet<_> =
                asking.iter().flat_map(|d| &d.steps).map(|step| step.contact.as_str()).collect();
            if !steps.contains(contact.as_str()) {
                let words: Vec<_> = steps.into_iter().collect();
                let what = format!("no step writes to contact {contact}: there is {}", words.join(", "));
                faults.push(placed.fault(self.source, "contact", what));
                return;
            }
            let dead = read
                .mailboxes
                .iter()
                .find(|dead| dead.entry.recipient == *one && dead.entry.contact == *contact);
            if let Some(dead) = dead {
                let what = format!(
                    "{one} is to answer a mail to {contact}, and by {} nobody reads that: change one of them",
                    dead.what
                );
                faults.push(placed.fault(self.source, "contact", what));
            }
        }
    }

    fn expectation(&self, placed: &Placed<Expectation>, faults: &mut Vec<Fault>) {
        let Expectation { event, whose, acknowledged, silent_after, mailed, requirement, .. } = &placed.entry;
        let Some(dispatch) = self.event(placed, *event, faults) else { return };
        let mut fault = |field: &str, what: String| faults.push(placed.fault(self.source, field, what));
        let owed = dispatch.recipients();
        if let Whose::These(these) = whose {
            for one in these.iter().filter(|one| self.directory.recipient(one).is_some()) {
                match owed.get(one) {
                    None => fault("recipients", format!("{one} is not owed event {event}: take it out")),
                    Some(Requirement::Informed) if acknowledged.is_some() || silent_after.is_some() => {
                        fault(
                            "recipients",
                            format!("{one} is informed of event {event} and not asked: take it out"),
                        );
                    }
                    Some(_) => {}
                }
            }
        } else if !owed
            .keys()
            .any(|one| self.directory.recipient(one).is_some_and(|known| whose.is_entry(&known.entry)))
        {
            fault("kinds", format!("nobody of that kind is owed event {event}"));
        }
        let asks = acknowledged.is_some()
            || silent_after.is_some()
            || mailed.as_ref().is_some_and(|m| !m.is_empty());
        if asks && !dispatch.acknowledge {
            fault(
                "event",
                format!("event {event} asks nobody for an acknowledgement, so that nobody is silent"),
            );
            return;
        }
        if *acknowledged == Some(Acknowledged::Anew) && dispatch.worsened.is_empty() {
            fault("acknowledged", format!("event {event} is no worsening, so that nobody is asked anew"));
        }
        let windows = self.course.windows(*event);
        if let Some(length) = silent_after
            && !windows.iter().any(|(window, _)| window == length)
        {
            let told: Vec<_> = windows.iter().map(|(window, _)| format!("{window:#}")).collect();
            let told = told.join(" and ");
            fault("silent_after", format!("no window of event {event} is {length:#} long: they are {told}"));
        }
        for contact in mailed.iter().flatten() {
            if !windows.iter().any(|(_, word)| word == contact) {
                fault("mailed", format!("no step of event {event} writes to contact {contact}"));
            }
        }
        if acknowledged.is_none() && silent_after.is_none() && mailed.is_none() && requirement.is_none() {
            // That they were told is held in any case; a sentence should say more than that.
            let none = matches!(whose, Whose::Everybody);
            if none {
                fault(
                    "says",
                    "it expects nothing: add acknowledged, silent_after, mailed, requirement or recipients"
                        .to_owned(),
                );
            }
        }
    }
}
