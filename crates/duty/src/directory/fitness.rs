//! The rules that make a directory fit for use: everybody who must answer can, and everybody who must be reached can be.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZoneDatabase};
use tocsin_protocol::{
    AreaScope, ConsoleDoors, Contact, DirectoryDocument, ExerciseDocument, PolicyDocument, Recipient,
    RecipientId, Requirement, schema, to_body,
};

use crate::exercise::{EXERCISE_ID_MAX, Schedule, event_of};

use super::{
    Unread,
    address::malformed,
    area::AreaTree,
    fault::{Found, Place, Section},
    holds_on,
    owed::Rules,
    owing,
    reader::nearest,
    source::shown,
};

/// The longest name, role or number, in characters: one line of a letter.
const LINE_MAX: usize = 200;

/// Finds every such fault in a directory whose names resolve.
pub(super) fn judge(
    document: &DirectoryDocument,
    unread: &Unread,
    today: Option<Date>,
    found: &mut Vec<Found>,
) {
    top(document, found);
    areas(document, unread, found);
    for (index, publisher) in document.publishers.iter().enumerate() {
        let place = Place::new(Section::Publishers, index);
        line(&place, "name", &format!("publisher {}", publisher.id), &publisher.name, found);
        if matches!(&publisher.areas, AreaScope::These(own) if own.is_empty()) {
            found.push(place.field("areas").error(format!(
                "publisher {} may speak of no area: write areas = \"all\", or list some",
                publisher.id
            )));
        }
    }
    for (index, monitor) in document.monitors.iter().enumerate() {
        let place = Place::new(Section::Monitors, index);
        line(&place, "name", &format!("monitor {}", monitor.id), &monitor.name, found);
        if matches!(&monitor.areas, AreaScope::These(own) if own.is_empty()) {
            found.push(place.field("areas").error(format!(
                "monitor {} may report of no area: write areas = \"all\", or list some",
                monitor.id
            )));
        }
    }
    for (index, exercise) in document.exercises.iter().enumerate() {
        self::exercise(document, exercise, &Place::new(Section::Exercises, index), today, found);
    }
    for (index, recipient) in document.recipients.iter().enumerate() {
        let place = Place::new(Section::Recipients, index);
        entry(recipient, &place, found);
        dates(recipient, &place, today, found);
    }
    addresses(&document.recipients, found);
    for (place, who, word, contact) in owing::publishers_contacts(document) {
        reachable(&who, word, contact, &place, found);
    }
    owing::fitness(document, found);
    let kinds =
        document.recipients.iter().map(|recipient| (&recipient.id, recipient.kind.as_str())).collect();
    for (index, policy) in document.policies.iter().enumerate() {
        let place = Place::new(Section::Policies, index);
        steps(policy, &place, found);
        if !unread.any {
            owed(policy, &document.recipients, &kinds, &place, found);
        }
    }
    let duties = duties(document, &kinds);
    for (index, (recipient, duties)) in document.recipients.iter().zip(&duties).enumerate() {
        contacts(recipient, duties, &Place::new(Section::Recipients, index), found);
    }
    links(document, found);
    keys(document, &duties, found);
}

fn top(document: &DirectoryDocument, found: &mut Vec<Found>) {
    let place = Place::new(Section::Top, 0);
    // What could not be read is empty here, and has been told.
    if !document.name.is_empty() {
        line(&place, "name", "the directory", &document.name, found);
    }
    let zone = &document.time_zone;
    if !zone.is_empty() && TimeZoneDatabase::bundled().get(zone).is_err() {
        found.push(place.clone().field("time_zone").error(format!(
            "there is no time zone {}: use a name of the IANA database, such as \"Europe/London\"",
            shown(zone)
        )));
    }
    if document.link_key.is_some() && document.console_key.is_none() {
        found.push(place.clone().field("link_key").warning(
            "there is a link_key and no console_key, so that no link of a mail counts: the console signs what comes by \
             one; `tocsin keys new --directory FILE --out keys` makes both"
                .to_owned(),
        ));
    }
    if document.policies.is_empty() {
        found.push(
            place.field("policies").warning(
                "there is no policy, so that nobody is owed anything: name a policy file in `policies`"
                    .to_owned(),
            ),
        );
    }
}

/// The earliest day that a schedule is held against where no day is given: any will do, as it only must come at all.
const SOME_DAY: Date = jiff::civil::date(2026, 1, 1);

fn exercise(
    document: &DirectoryDocument,
    exercise: &ExerciseDocument,
    place: &Place,
    today: Option<Date>,
    found: &mut Vec<Found>,
) {
    let who = format!("exercise {}", exercise.id);
    if exercise.id.as_str().len() > EXERCISE_ID_MAX {
        found.push(place.clone().field("id").error(format!(
            "{who} has too long a name for those of its incidents: use at most {EXERCISE_ID_MAX} characters"
        )));
    }
    if let Ok(zone) = TimeZoneDatabase::bundled().get(&document.time_zone) {
        let from =
            today.unwrap_or(SOME_DAY).to_zoned_datetime(jiff::tz::TimeZone::UTC).map(|day| day.timestamp());
        let judged = Schedule::read(&exercise.schedule, zone)
            .and_then(|schedule| from.map_or(Ok(()), |from| schedule.check(from)));
        if let Err(why) = judged {
            found.push(place.clone().field("schedule").error(format!(
                "{who} has the schedule {}, which is of no use: {why}",
                shown(&exercise.schedule)
            )));
        }
    }
    // What would be refused when it is said is told beforehand.
    if let Ok(event) = event_of(exercise, Timestamp::UNIX_EPOCH)
        && let Ok(body) = to_body("event", &event)
        && let Err(problems) = schema::check_event(&body)
    {
        let what: Vec<String> = problems.iter().map(ToString::to_string).collect();
        found.push(
            place.clone().error(format!("{who} would say an event that is refused: {}", what.join("; "))),
        );
    }
    let areas = AreaTree::new(&document.areas);
    let publisher = document.publishers.iter().find(|publisher| publisher.id == exercise.publisher);
    if let Some(AreaScope::These(own)) = publisher.map(|publisher| &publisher.areas) {
        for area in exercise.areas.iter().filter(|area| !own.iter().any(|own| areas.contains(own, area))) {
            found.push(place.clone().field("areas").error(format!(
                "{who} touches {area}, of which publisher {} may not speak: leave it out, or give it that area",
                exercise.publisher
            )));
        }
    }
}

/// Text for people is one line that is not empty: it goes into letters.
fn line(place: &Place, field: &str, who: &str, text: &str, found: &mut Vec<Found>) {
    if text.trim().is_empty() || text.chars().any(char::is_control) || text.chars().nth(LINE_MAX).is_some() {
        found.push(
            place
                .clone()
                .field(field)
                .error(format!("{who}: {field} should be one line of 1 to {LINE_MAX} characters")),
        );
    }
}

fn areas(document: &DirectoryDocument, unread: &Unread, found: &mut Vec<Found>) {
    let tree = AreaTree::new(&document.areas);
    let served: Vec<_> =
        document.recipients.iter().flat_map(|recipient| recipient.areas.iter().cloned()).collect();
    let extent = tree.extent(&served);
    for (index, area) in document.areas.iter().enumerate() {
        let place = Place::new(Section::Areas, index);
        line(&place, "name", &format!("area {}", area.id), &area.name, found);
        if !unread.any && !extent.touches(&tree, &area.id) {
            found.push(place.field("id").warning(format!(
                "nobody serves area {}: an incident there would affect nobody; add it to a recipient's areas",
                area.id
            )));
        }
    }
}

fn entry(recipient: &Recipient, place: &Place, found: &mut Vec<Found>) {
    let who = format!("recipient {}", recipient.id);
    line(place, "name", &who, &recipient.name, found);
    line(place, "kind", &who, &recipient.kind, found);
    if recipient.areas.is_empty() {
        found.push(
            place
                .clone()
                .field("areas")
                .error(format!("{who} serves no area: name one, or the largest that there is")),
        );
    }
    for (number, room) in recipient.control_rooms.iter().enumerate() {
        let place = place.clone().field("control_rooms").nth(number);
        let who = format!("{who}, control room {}", room.id);
        line(&place, "name", &who, &room.name, found);
        line(&place, "critical_contact_number", &who, &room.critical_contact_number, found);
    }
    let mut seen = BTreeMap::new();
    for (word, contact) in &recipient.contacts {
        let place = place.clone().field("contacts");
        let email = &contact.email;
        if !reachable(&who, word, contact, &place, found) {
            continue;
        }
        let place = place.field(word);
        let contact = format!("{who}, contact {}", shown(word));
        if let Some(other) = seen.insert(email.to_ascii_lowercase(), word) {
            found.push(place.field("email").warning(format!(
                "{contact} has the address of contact {}: a second letter to a silent mailbox reaches nobody new; \
                 give it another",
                shown(other)
            )));
        }
    }
}

/// Whether a contact can be written to; its faults are told.
fn reachable(who: &str, word: &str, contact: &Contact, place: &Place, found: &mut Vec<Found>) -> bool {
    let place = place.clone().field(word);
    let Contact { role, email, phone } = contact;
    let contact = format!("{who}, contact {}", shown(word));
    line(&place, "role", &contact, role, found);
    if let Some(phone) = phone {
        line(&place, "phone", &contact, phone, found);
    }
    let Some(why) = malformed(email) else { return true };
    found.push(place.field("email").error(format!(
        "{contact}: no mail can be sent to {}: {why}; write it as mailbox@domain",
        shown(email)
    )));
    false
}

/// An address is one body's: an acknowledgement must show who was asked.
fn addresses(recipients: &[Recipient], found: &mut Vec<Found>) {
    let mut holders = BTreeMap::new();
    for (index, recipient) in recipients.iter().enumerate() {
        for (word, contact) in &recipient.contacts {
            let address = contact.email.to_ascii_lowercase();
            let holder = *holders.entry(address).or_insert(&recipient.id);
            if holder != &recipient.id {
                found.push(
                    Place::new(Section::Recipients, index)
                        .field("contacts")
                        .field(word)
                        .field("email")
                        .error(format!(
                            "recipient {} and recipient {holder} have the same address {}: give each its own",
                            recipient.id,
                            shown(&contact.email)
                        )),
                );
            }
        }
    }
}

fn dates(recipient: &Recipient, place: &Place, today: Option<Date>, found: &mut Vec<Found>) {
    let id = &recipient.id;
    if let (Some(from), Some(to)) = (recipient.valid_from, recipient.valid_to)
        && to < from
    {
        found.push(place.clone().field("valid_to").error(format!(
            "recipient {id} holds until {to}, before it begins on {from}: correct one of the days"
        )));
        return;
    }
    let Some(today) = today else { return };
    if !holds_on(recipient, today) {
        let field =
            if recipient.valid_from.is_some_and(|from| today < from) { "valid_from" } else { "valid_to" };
        found.push(place.clone().field(field).warning(format!(
            "recipient {id} does not hold on {today}, and is owed notices all the same: correct the day, or take it out"
        )));
    }
    // A year is what 47 CFR 4.9(h) gives for the contacts of call centres, and a good rule elsewhere.
    let stale = |day: Date| day.checked_add(1.year()).is_ok_and(|until| until < today);
    if let Some(day) = recipient.last_verified_at.filter(|day| stale(*day)) {
        found.push(place.clone().field("last_verified_at").warning(format!(
            "recipient {id} was last confirmed on {day}, over a year ago: ask them, and write the day of their answer"
        )));
    }
}

fn steps(policy: &PolicyDocument, place: &Place, found: &mut Vec<Found>) {
    let id = &policy.id;
    line(place, "name", &format!("policy {id}"), &policy.name, found);
    for (number, step) in policy.steps.iter().enumerate() {
        let who = format!("policy {id}, step {}", number + 1);
        line(&place.clone().field("steps").nth(number), "contact", &who, &step.contact, found);
    }
    let requires = policy.owed.iter().any(|rule| rule.requirement == Requirement::Required);
    if requires && policy.steps.is_empty() {
        found.push(place.clone().field("owed").error(format!(
            "policy {id} requires acknowledgements and has no steps, so that silence has no end: add [[steps]]"
        )));
    } else if !requires && !policy.steps.is_empty() {
        found.push(place.clone().field("steps").warning(format!(
            "policy {id} has steps and requires nobody to acknowledge: take them out, or require somebody"
        )));
    }
}

/// The kind of each recipient.
type Kinds<'a> = BTreeMap<&'a RecipientId, &'a str>;

/// Every kind in a rule is somebody's, and somebody is owed something.
fn owed(
    policy: &PolicyDocument,
    recipients: &[Recipient],
    kind_of: &Kinds,
    place: &Place,
    found: &mut Vec<Found>,
) {
    let id = &policy.id;
    let kinds: BTreeSet<_> = kind_of.values().copied().collect();
    for (number, rule) in policy.owed.iter().enumerate() {
        for (nth, kind) in rule.kinds.iter().enumerate().filter(|(_, kind)| !kinds.contains(kind.as_str())) {
            const COMPARED: usize = 64;
            let hint = match nearest(kind, kinds.iter().copied().take(COMPARED)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "correct the word, or take it out".to_owned(),
            };
            found.push(place.clone().field("owed").nth(number).field("kinds").nth(nth).error(format!(
                "policy {id} is about kind {:?}, and no recipient is of that kind: {hint}",
                shown(kind)
            )));
        }
    }
    let rules = Rules::new(policy, |id| kind_of.get(id).copied());
    if !recipients.iter().any(|recipient| rules.may_hold(recipient)) {
        found.push(place.clone().field("owed").error(format!(
            "nobody is owed anything under policy {id}: add an [[owed]] rule that fits a recipient"
        )));
    }
}

/// What may be asked of each recipient: the policies that may require it to answer.
fn duties<'d>(document: &'d DirectoryDocument, kinds: &Kinds) -> Vec<Vec<&'d PolicyDocument>> {
    let mut duties = vec![Vec::new(); document.recipients.len()];
    for policy in &document.policies {
        let rules = Rules::new(policy, |id| kinds.get(id).copied());
        for (recipient, duties) in document.recipients.iter().zip(&mut duties) {
            if rules.may_require(recipient) {
                duties.push(policy);
            }
        }
    }
    duties
}

fn contacts(recipient: &Recipient, duties: &[&PolicyDocument], place: &Place, found: &mut Vec<Found>) {
    let mut told = BTreeSet::new();
    for policy in duties {
        for (number, step) in policy.steps.iter().enumerate() {
            let word = step.contact.as_str();
            if !recipient.contacts.contains_key(word) && told.insert(word) {
                found.push(place.clone().field("contacts").error(format!(
                    "recipient {} may be required under policy {}, whose step {} writes to contact {}, and has none: \
                     add contacts.{} with role and email",
                    recipient.id,
                    policy.id,
                    number + 1,
                    shown(word),
                    shown(word)
                )));
            }
        }
    }
}

/// How who has no key acknowledges all the same, if it can.
fn by_the_console(document: &DirectoryDocument, recipient: &Recipient) -> Option<&'static str> {
    document.console_key.as_ref()?;
    match recipient.console {
        ConsoleDoors::Open => Some("on the console's page or by a mail's link, and at no desk of its own"),
        ConsoleDoors::Links => document.link_key.as_ref().map(|_| {
            "by a mail's link alone, which is sent when its first window has closed, and at no desk of its own"
        }),
        ConsoleDoors::Shut => None,
    }
}

/// Who acknowledges by links has somebody to sign them.
fn links(document: &DirectoryDocument, found: &mut Vec<Found>) {
    if document.console_key.is_none() || document.link_key.is_some() {
        return;
    }
    for (index, recipient) in document.recipients.iter().enumerate() {
        if recipient.console == ConsoleDoors::Links {
            found.push(Place::new(Section::Recipients, index).field("console").warning(format!(
                "recipient {} has console = \"links\", and there is no link_key, so that no link of a mail counts: \
                 `tocsin keys new --directory FILE --out keys` makes one",
                recipient.id
            )));
        }
    }
}

/// Everybody whose word must count has a key.
fn keys(document: &DirectoryDocument, duties: &[Vec<&PolicyDocument>], found: &mut Vec<Found>) {
    const MEND: &str =
        "make keys with `tocsin keys new --directory FILE --out keys/` and give `--keys keys/public.toml`";
    let mut missing = Vec::new();
    for (index, publisher) in
        document.publishers.iter().enumerate().filter(|(_, publisher)| publisher.key.is_none())
    {
        missing.push(Place::new(Section::Publishers, index).error(format!(
            "publisher {} has no key, so that nothing that it says would count: {MEND}",
            publisher.id
        )));
    }
    for (index, monitor) in document.monitors.iter().enumerate().filter(|(_, monitor)| monitor.key.is_none())
    {
        missing.push(Place::new(Section::Monitors, index).error(format!(
            "monitor {} has no key, so that nothing that it reports would count: {MEND}",
            monitor.id
        )));
    }
    for (index, (recipient, duties)) in document.recipients.iter().zip(duties).enumerate() {
        if let (None, Some(policy)) = (&recipient.key, duties.first()) {
            if let Some(how) = by_the_console(document, recipient) {
                found.push(Place::new(Section::Recipients, index).warning(format!(
                    "recipient {} has no key: it can acknowledge {how}: {MEND}",
                    recipient.id
                )));
                continue;
            }
            missing.push(Place::new(Section::Recipients, index).error(format!(
                "recipient {} may be required under policy {} and has no key, so that its acknowledgement would not \
                 count: {MEND}",
                recipient.id, policy.id
            )));
        }
    }
    let any = document.publishers.iter().any(|publisher| publisher.key.is_some())
        || document.recipients.iter().any(|recipient| recipient.key.is_some());
    if any || missing.len() < 2 {
        found.append(&mut missing);
    } else {
        found.push(Place::new(Section::Top, 0).error(format!(
            "nobody has a key, and {} publishers and required recipients need one: {MEND}",
            missing.len()
        )));
    }
}
