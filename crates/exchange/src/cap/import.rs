//! A CAP message as the draft of an event.

use serde_json::{Map, Value};
use tocsin_protocol::{
    self as protocol, AreaId, Category, Certainty, Event, EventNumber, IncidentId, PublisherId, Service,
    Severity, Subject, Timestamp, Urgency,
    schema::{self, Problem},
};

use super::{
    CapStatus, HEADLINE_MAX, MessageType,
    export::{AREA, ELSEWHERE},
    flat, keep,
    read::{Block, Message, Pair, Place, take},
};
use crate::error::Error;

/// The schema's bounds, in characters.
const DESCRIPTION_MAX: usize = 8000;
const INSTRUCTION_MAX: usize = 4000;
const ROLE_MAX: usize = 120;
const MARKING_MAX: usize = 64;
const INCIDENT_MAX: usize = 64;

/// What CAP does not say and an event must, and what is to be said otherwise than the message does.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// Who will publish it.
    pub publisher: Option<PublisherId>,
    /// Of which incident.
    pub incident: Option<IncidentId>,
    /// Which event of it.
    pub sequence: Option<EventNumber>,
    /// What sort of incident.
    pub category: Option<Category>,
    /// Which services are touched.
    pub services: Vec<Service>,
    /// Which areas are touched.
    pub areas: Vec<AreaId>,
    /// The places of the directory, among which the message's are looked for by code and name.
    pub known: &'a [protocol::Area],
}

/// A draft: an event as far as the message says one. It is nobody's word until a person publishes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The fields that are known.
    pub draft: Map<String, Value>,
    /// Whether the message is one that we wrote, so that the draft is the event that it was.
    pub ours: bool,
    /// What a person must know of it: what is missing, what was put elsewhere, what was left out.
    pub told: Vec<String>,
}

impl Import {
    /// The draft as JSON, for people to read and mend.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.draft).unwrap_or_default()
    }

    /// The event, where nothing is missing.
    ///
    /// # Errors
    /// Every problem that the schema of an event finds.
    pub fn event(&self) -> Result<Event, Vec<Problem>> {
        schema::check_event(&serde_json::to_vec(&self.draft).unwrap_or_default())
    }
}

/// Reads a message of anybody into a draft.
///
/// # Errors
/// When the bytes are no CAP 1.2 message, or one that can become no event: an acknowledgement, a refusal, a draft, the
/// inner workings of a network.
pub fn import(bytes: &[u8], wanted: &Wanted) -> Result<Import, Error> {
    let message = Message::read(bytes)?;
    let status = match message.status {
        CapStatus::Actual => "actual",
        CapStatus::Exercise => "exercise",
        CapStatus::Test => "test",
        CapStatus::Draft => {
            return Err(no_event(
                "its status is Draft: its author has not said it yet, so nobody may act on it",
            ));
        }
        CapStatus::System => {
            return Err(no_event(
                "its status is System: it is about the inner workings of an alerting network, not about people",
            ));
        }
    };
    match message.what {
        MessageType::Ack => return Err(no_event("it acknowledges another message (msgType Ack)")),
        MessageType::Error => return Err(no_event("it refuses another message (msgType Error)")),
        MessageType::Alert | MessageType::Update | MessageType::Cancel => {}
    }
    let mut draft = Map::new();
    put(&mut draft, "status", status);
    let kind = format!("{}kind", flat::PREFIX);
    let is_ours =
        message.blocks.first().is_some_and(|block| block.parameters.iter().any(|(name, _)| *name == kind));
    match message.identifier.parse::<Subject>() {
        Ok(Subject::Incident { publisher, incident, event }) if is_ours => {
            put(&mut draft, "publisher", publisher.as_str());
            put(&mut draft, "incident", incident.as_str());
            draft.insert("sequence".to_owned(), event.get().into());
            Ok(ours(message, draft, wanted))
        }
        _ => Ok(strangers(message, draft, wanted)),
    }
}

fn no_event(why: &'static str) -> Error {
    Error::NoEvent { why }
}

fn put(draft: &mut Map<String, Value>, name: &str, text: impl Into<String>) {
    draft.insert(name.to_owned(), Value::String(text.into()));
}

/// A message that we wrote: each field is where we put it.
fn ours(message: Message, mut draft: Map<String, Value>, wanted: &Wanted) -> Import {
    /// What is made of other fields when we write, so that it says nothing more.
    const MADE: [&str; 12] = [
        "language",
        "category",
        "event",
        "responseType",
        "urgency",
        "severity",
        "certainty",
        "onset",
        "senderName",
        "contact",
        "headline",
        "description",
    ];
    /// Scope and references are the message's own; the incident is in the identifier, and a note says the status again.
    const ABOUT: [&str; 6] = ["scope", "restriction", "addresses", "references", "incidents", "note"];
    let mut told = Vec::new();
    let mut blocks = message.blocks.into_iter();
    let mut block = blocks.next().unwrap_or_default();
    for name in ["headline", "description", "instruction"] {
        if let Some(text) = take(&mut block.rest, name) {
            put(&mut draft, name, text);
        }
    }
    let mut areas = Vec::new();
    for place in block.places {
        match place.geocodes.iter().find(|(list, _)| list == AREA) {
            Some((_, code)) => areas.push(Value::String(code.clone())),
            None => told
                .push(format!("left out: the area {:?}, which has no code of ours", keep::line(&place.name))),
        }
        told.extend(place.rest.iter().map(left_out));
    }
    draft.insert("areas".to_owned(), Value::Array(areas));
    for (name, text) in &block.parameters {
        let is_elsewhere = name.strip_prefix(flat::PREFIX).is_some_and(|name| ELSEWHERE.contains(&name));
        let restored = if is_elsewhere {
            Err(format!("{name} has an element of its own"))
        } else {
            flat::restore(&mut draft, name, text)
        };
        if let Err(why) = restored {
            told.push(format!("left out: {}", keep::line(&why)));
        }
    }
    told.extend(block.rest.iter().filter(|(name, _)| !MADE.contains(&name.as_str())).map(left_out));
    told.extend(blocks.enumerate().map(|(n, _)| format!("left out: info {}, which we did not write", n + 2)));
    told.extend(message.rest.iter().filter(|(name, _)| !ABOUT.contains(&name.as_str())).map(left_out));
    instead(&mut draft, wanted);
    Import { draft, ours: true, told }
}

fn left_out((name, text): &Pair) -> String {
    let text = keep::line(text);
    let (start, more) = keep::cut(&text, 200);
    format!("left out: {}: {start}{}", keep::line(name), if more { "..." } else { "" })
}

/// What the person wants otherwise.
fn instead(draft: &mut Map<String, Value>, wanted: &Wanted) {
    if let Some(publisher) = &wanted.publisher {
        put(draft, "publisher", publisher.as_str());
    }
    if let Some(incident) = &wanted.incident {
        put(draft, "incident", incident.as_str());
    }
    if let Some(sequence) = wanted.sequence {
        draft.insert("sequence".to_owned(), sequence.get().into());
    }
    if let Some(category) = wanted.category {
        put(draft, "category", category.as_str());
    }
    let list = |all: Vec<&str>| Value::Array(all.into_iter().map(Value::from).collect());
    if !wanted.services.is_empty() {
        draft.insert(
            "services".to_owned(),
            list(wanted.services.iter().map(|service| service.as_str()).collect()),
        );
    }
    if !wanted.areas.is_empty() {
        draft.insert("areas".to_owned(), list(wanted.areas.iter().map(AreaId::as_str).collect()));
    }
}

/// A message of somebody else.
fn strangers(message: Message, mut draft: Map<String, Value>, wanted: &Wanted) -> Import {
    let mut told = Vec::new();
    let mut rest = message.rest;
    let from =
        format!("From CAP message {} of {}, sent {}:", message.identifier, message.sender, message.sent);
    if !is_time(&message.sent) {
        told.push("<sent> is not a time as CAP has it".to_owned());
    }
    name_it(&mut draft, &mut told, (message.what, &message.identifier, take(&mut rest, "incidents")), wanted);
    marking(&mut draft, &mut told, &mut rest);

    let mut blocks = message.blocks;
    let chosen = blocks.iter().position(is_english).unwrap_or(0);
    let mut block = if blocks.is_empty() { Block::default() } else { blocks.remove(chosen) };
    let mut kept: Vec<Pair> = rest;
    headline(&mut draft, &mut told, &mut block, &mut kept);
    graded(&mut draft, &mut block);
    if let Some(onset) = take(&mut block.rest, "onset") {
        match onset.trim().parse::<Timestamp>() {
            Ok(at) if is_time(onset.trim()) => put(&mut draft, "began_at", at.to_string()),
            _ => kept.push(("onset".to_owned(), onset)),
        }
    }
    if let Some(contact) =
        take(&mut block.rest, "contact").map(|text| keep::line(&text)).filter(|text| !text.is_empty())
    {
        if contact.chars().count() <= ROLE_MAX {
            draft.insert(
                "contact".to_owned(),
                Value::Object(Map::from_iter([("role".to_owned(), contact.into())])),
            );
        } else {
            kept.push(("contact".to_owned(), contact));
        }
    }
    if let Some(text) =
        take(&mut block.rest, "instruction").map(|text| keep::text(&text)).filter(|text| !text.is_empty())
    {
        let (start, more) = keep::cut(&text, INSTRUCTION_MAX);
        put(&mut draft, "instruction", start);
        if more {
            told.push(format!("the instruction is longer than {INSTRUCTION_MAX} characters and was cut: read it in the message"));
        }
    }
    let description = take(&mut block.rest, "description").map(|text| keep::text(&text)).unwrap_or_default();
    places(&mut draft, &mut told, (std::mem::take(&mut block.places), &mut kept), wanted);
    kept.append(&mut block.rest);
    kept.extend(block.parameters.into_iter().map(|(name, value)| (format!("parameter {name}"), value)));
    for (number, other) in blocks.into_iter().enumerate() {
        other_block(number + 1, other, &mut kept);
    }
    describe(&mut draft, &mut told, &description, &from, kept);
    instead(&mut draft, wanted);
    for (field, what) in [
        ("publisher", "who publishes it"),
        ("category", "what sort of incident it is"),
        ("services", "which services are touched"),
        ("areas", "which areas are touched"),
        ("sequence", "which event of the incident it is"),
        ("headline", "one line that tells it"),
    ] {
        if !draft.contains_key(field) {
            told.push(format!("missing: {field} ({what}), which the message does not say"));
        }
    }
    Import { draft, ours: false, told }
}

/// The first event is named after the message, a later one cannot be guessed.
fn name_it(
    draft: &mut Map<String, Value>,
    told: &mut Vec<String>,
    (what, identifier, incidents): (MessageType, &str, Option<String>),
    wanted: &Wanted,
) {
    let follows = wanted.sequence.is_some_and(|number| number != EventNumber::FIRST);
    let kind = match what {
        MessageType::Cancel => "cancelled",
        MessageType::Alert if !follows => "initial",
        _ => "update",
    };
    put(draft, "kind", kind);
    if kind == "initial" {
        draft.insert("sequence".to_owned(), 1.into());
    }
    if wanted.incident.is_none() {
        let named = incidents.as_deref().map(str::trim).filter(|text| !text.is_empty()).unwrap_or(identifier);
        let name = slug(named);
        told.push(format!("the incident is named {name} after the message; --incident names it otherwise"));
        put(draft, "incident", name);
    } else if let Some(named) = incidents {
        told.push(format!("the message names its incident {:?}", keep::cut(&keep::line(&named), 200).0));
    }
}

/// An identifier of ours that is as near as can be.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == INCIDENT_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "from-cap".to_owned() } else { slug.to_owned() }
}

/// What is not for everybody keeps a marking under which its content leaves by no mail.
fn marking(draft: &mut Map<String, Value>, told: &mut Vec<String>, rest: &mut Vec<Pair>) {
    let scope = rest.iter().find(|(name, _)| name == "scope").map(|(_, text)| text.trim().to_owned());
    match scope.as_deref() {
        Some("Restricted" | "Private") => {
            let rule = rest.iter().find(|(name, _)| name == "restriction").map(|(_, text)| keep::line(text));
            let rule = rule.filter(|text| !text.is_empty()).map(|text| format!("RESTRICTED: {text}"));
            let rule = rule.filter(|text| text.chars().count() <= MARKING_MAX);
            put(draft, "marking", rule.unwrap_or_else(|| "RESTRICTED".to_owned()));
            told.push("the message is not for everybody, so the draft is marked RESTRICTED: no mail will carry its content. Change `marking` if it may".to_owned());
        }
        Some("Public") => _ = take(rest, "scope"),
        _ => told.push("<scope> is missing or none of Public, Restricted, Private".to_owned()),
    }
}

fn is_english(block: &Block) -> bool {
    let language = block.rest.iter().find(|(name, _)| name == "language");
    // CAP's own default is en-US (3.2.2).
    language.is_none_or(|(_, tag)| tag.trim().to_ascii_lowercase().starts_with("en"))
}

fn headline(draft: &mut Map<String, Value>, told: &mut Vec<String>, block: &mut Block, kept: &mut Vec<Pair>) {
    let headline =
        take(&mut block.rest, "headline").map(|text| keep::line(&text)).filter(|text| !text.is_empty());
    let line = match headline {
        Some(line) => line,
        None => {
            match take(&mut block.rest, "event").map(|text| keep::line(&text)).filter(|text| !text.is_empty())
            {
                Some(event) => event,
                None => return,
            }
        }
    };
    let (start, more) = keep::cut(&line, HEADLINE_MAX);
    put(draft, "headline", start);
    if more {
        told.push(format!("the headline is longer than {HEADLINE_MAX} characters: it was cut, and stands whole in the description"));
        kept.push(("headline".to_owned(), line));
    }
}

/// Severity, urgency and certainty: the same words as ours.
fn graded(draft: &mut Map<String, Value>, block: &mut Block) {
    for name in ["severity", "urgency", "certainty"] {
        let word =
            block.rest.iter().find(|(of, _)| of == name).map(|(_, text)| text.trim().to_ascii_lowercase());
        let is_known = |word: &String| match name {
            "severity" => word.parse::<Severity>().is_ok(),
            "urgency" => word.parse::<Urgency>().is_ok(),
            _ => word.parse::<Certainty>().is_ok(),
        };
        if let Some(word) = word.filter(is_known) {
            take(&mut block.rest, name);
            put(draft, name, word);
        }
    }
}

/// The areas that the directory knows by this code or name; the others are kept.
fn places(
    draft: &mut Map<String, Value>,
    told: &mut Vec<String>,
    (places, kept): (Vec<Place>, &mut Vec<Pair>),
    wanted: &Wanted,
) {
    let mut found: Vec<&AreaId> = Vec::new();
    for place in places {
        let name = keep::line(&place.name);
        let is_it = |area: &&protocol::Area| {
            area.name.to_lowercase() == name.to_lowercase()
                || area.id.as_str() == slug(&name)
                || place.geocodes.iter().any(|(list, code)| list == AREA && code == area.id.as_str())
        };
        let area = wanted.known.iter().find(is_it);
        let is_plain = place.geocodes.iter().all(|(list, _)| list == AREA) && place.rest.is_empty();
        match area {
            Some(area) if !found.contains(&&area.id) => found.push(&area.id),
            None if wanted.areas.is_empty() => {
                told.push(format!(
                    "the area {:?} is none of the directory's: see which it touches",
                    keep::cut(&name, 100).0
                ));
            }
            _ => {}
        }
        if area.is_none() || !is_plain {
            kept.push(("area".to_owned(), name));
            kept.extend(place.geocodes.into_iter().map(|(list, code)| (format!("geocode {list}"), code)));
            kept.extend(place.rest);
        }
    }
    if !found.is_empty() {
        let found = found.into_iter().map(|id| Value::from(id.as_str())).collect();
        draft.insert("areas".to_owned(), Value::Array(found));
    }
}

/// All of a block that is not the chosen one.
fn other_block(number: usize, mut block: Block, kept: &mut Vec<Pair>) {
    let language = take(&mut block.rest, "language").unwrap_or_else(|| "en-US".to_owned());
    let of = format!("info {} ({})", number + 1, language.trim());
    kept.extend(block.rest.into_iter().map(|(name, text)| (format!("{of} {name}"), text)));
    kept.extend(block.parameters.into_iter().map(|(name, text)| (format!("{of} parameter {name}"), text)));
    for place in block.places {
        kept.push((format!("{of} area"), place.name));
        kept.extend(place.geocodes.into_iter().map(|(list, code)| (format!("{of} geocode {list}"), code)));
        kept.extend(place.rest.into_iter().map(|(name, text)| (format!("{of} {name}"), text)));
    }
}

/// The description, and after it what has no field of its own.
fn describe(
    draft: &mut Map<String, Value>,
    told: &mut Vec<String>,
    description: &str,
    from: &str,
    kept: Vec<Pair>,
) {
    // Room for where it is from, at least.
    const ROOM: usize = DESCRIPTION_MAX - 1000;
    let (start, more) = keep::cut(description, ROOM);
    if more {
        told.push(format!(
            "the description is longer than {ROOM} characters and was cut: read it in the message"
        ));
    }
    let mut text = keep::Kept::new(start.to_owned(), DESCRIPTION_MAX);
    if !start.is_empty() {
        text.add("", told);
    }
    text.add(keep::cut(&keep::line(from), 600).0, told);
    let mut count = 0;
    for (name, value) in kept {
        let (name, value) = (keep::line(&name), keep::text(&value));
        if !value.is_empty() {
            text.add(&format!("{name}: {value}"), told);
            count += 1;
        }
    }
    if count > 0 {
        told.push(format!("{count} parts of the message that have no field in an event stand at the end of the description, or are told above"));
    }
    if let Some(text) = text.finish() {
        put(draft, "description", text);
    }
}

/// As CAP writes it; we are not strict about `Z` and fractions when we read.
fn is_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok()
}
