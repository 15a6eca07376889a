//! What is shown around an acknowledgement, by either door.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use serde::Deserialize;
use tocsin_protocol::{EventNumber, IncidentId, Person, RecipientId};

use super::say::{Fate, LINE_MAX};
use crate::{
    app::App,
    model::{Acknowledgement, DutyState, Incident, Said, Standing, State},
    page::{
        fragment::Count,
        frame::{Frame, answer},
        names::Names,
        words::{self, Zone},
    },
};

/// What a person fills in.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Fields {
    /// Which event they saw: a newer one may have come since.
    #[serde(default)]
    pub(super) event: Option<EventNumber>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
}

/// What is wrong with what was filled in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Faults {
    name: Option<&'static str>,
    role: Option<&'static str>,
}

impl Fields {
    pub(super) fn of(person: Option<&Person>) -> Self {
        let (name, role) = person.map(|by| (by.name.clone(), by.role.clone())).unwrap_or_default();
        Self { event: None, name, role }
    }

    /// The person, or what to mend.
    pub(super) fn person(&self) -> Result<Person, Faults> {
        let fault = |text: &str, empty: &'static str, long: &'static str| {
            if text.trim().is_empty() {
                Some(empty)
            } else if text.trim().chars().count() > LINE_MAX || text.trim().chars().any(char::is_control) {
                Some(long)
            } else {
                None
            }
        };
        let faults = Faults {
            name: fault(
                &self.name,
                "Enter your name",
                "Your name must be one line of 120 characters or fewer",
            ),
            role: fault(
                &self.role,
                "Enter your role",
                "Your role must be one line of 120 characters or fewer",
            ),
        };
        if faults == Faults::default() {
            Ok(Person { name: self.name.trim().to_owned(), role: self.role.trim().to_owned() })
        } else {
            Err(faults)
        }
    }
}

/// What is acknowledged: an event, and a recipient who is owed it.
pub(super) struct Subject<'s> {
    pub(super) incident: &'s Incident,
    pub(super) standing: &'s Standing,
    pub(super) said: &'s Said,
    names: Names,
    /// Whoever reads it has not said who they are.
    by_link: bool,
}

impl<'s> Subject<'s> {
    /// None where there is no such event, or the recipient is not owed it.
    pub(super) fn of(
        state: &'s State,
        incident: &IncidentId,
        recipient: &RecipientId,
        event: EventNumber,
        by_link: bool,
    ) -> Option<Self> {
        let incident = state.incident(incident)?;
        let standing = incident.standing(recipient)?;
        standing.duty(event)?;
        let said = incident.event(event)?;
        Some(Self { incident, standing, said, names: Names::of(state, incident), by_link })
    }

    fn event(&self) -> EventNumber {
        self.said.event.sequence
    }

    fn who(&self) -> String {
        self.names.name(&self.standing.recipient)
    }

    /// Whether what the event says may be shown to whoever has the link.
    fn is_withheld(&self) -> bool {
        self.by_link && self.incident.events.iter().any(|said| said.event.is_sensitive())
    }

    /// The acknowledgement that covers it, if there is one.
    pub(super) fn acknowledgement(&self) -> Option<&'s Acknowledgement> {
        self.standing.acknowledgement(self.event())
    }

    fn headline(&self) -> String {
        if self.is_withheld() {
            let marking = self.said.event.marking.as_deref().unwrap_or("its marking");
            return format!("Details withheld: {marking} does not let them be shown by a link");
        }
        self.said.event.headline.clone()
    }

    /// The telephone on which an acknowledgement is taken down.
    fn phone(&self, app: &App) -> Option<String> {
        let contact = self.incident.newest().and_then(|said| said.event.contact.as_ref());
        app.config().phone.clone().or_else(|| contact.and_then(|contact| contact.phone.clone()))
    }
}

#[derive(Template)]
#[template(path = "acknowledge/form.html")]
struct Form {
    frame: Frame,
    csrf: Option<String>,
    action: String,
    back: Option<String>,
    who: String,
    headline: String,
    what: String,
    instruction: Option<String>,
    due: Option<Due>,
    earlier: bool,
    event: EventNumber,
    fields: Fields,
    faults: Faults,
    phone: Option<String>,
}

struct Due {
    at: String,
    clock: String,
    count: Count,
}

impl Form {
    fn is_wrong(&self) -> bool {
        self.faults != Faults::default()
    }
}

/// From where a form is sent, and where it goes.
pub(super) struct Way {
    pub(super) csrf: Option<String>,
    pub(super) action: String,
    pub(super) back: Option<String>,
}

/// The form.
pub(super) fn form(
    app: &App,
    frame: Frame,
    subject: &Subject<'_>,
    way: Way,
    fields: Fields,
    faults: Faults,
) -> Response {
    let (zone, now) = (frame.zone().clone(), frame.now());
    let event = &subject.said.event;
    let due = subject.standing.duty(event.sequence).and_then(|duty| duty.asked);
    let page = Form {
        csrf: way.csrf,
        action: way.action,
        back: way.back,
        who: subject.who(),
        headline: subject.headline(),
        what: what(subject, &zone, now),
        instruction: event.instruction.clone().filter(|_| !subject.is_withheld()),
        due: due.map(|(_, at)| Due {
            at: at.to_string(),
            clock: zone.second(at, now),
            count: Count::closing(at, now),
        }),
        earlier: event.sequence > EventNumber::FIRST,
        event: event.sequence,
        fields,
        faults,
        phone: subject.phone(app),
        frame: frame.about(subject.incident.status),
    };
    answer(if page.is_wrong() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &page)
}

/// `Event 2 of bt-999-2023-06-25 (update), said by BT at 06:31:12`.
fn what(subject: &Subject<'_>, zone: &Zone, now: tocsin_protocol::Timestamp) -> String {
    let said = subject.said;
    format!(
        "Event {} of {} ({}), said by {} at {}",
        subject.event(),
        subject.incident.id,
        words::kind(said.event.kind).to_lowercase(),
        subject.names.publisher(&subject.incident.publisher),
        zone.second(said.published_at, now)
    )
}

#[derive(Template)]
#[template(path = "acknowledge/told.html")]
struct Told {
    frame: Frame,
    title: String,
    class: &'static str,
    words: Vec<String>,
    phone: Option<String>,
    again: Option<String>,
    back: Option<String>,
}

/// What is told in place of a form.
pub(super) struct Telling {
    pub(super) status: StatusCode,
    pub(super) title: String,
    pub(super) class: &'static str,
    pub(super) words: Vec<String>,
    pub(super) phone: Option<String>,
    /// Where to try again.
    pub(super) again: Option<String>,
    pub(super) back: Option<String>,
}

impl Telling {
    /// It cannot be done so, and why.
    pub(super) fn cannot(app: &App, status: StatusCode, title: &str, why: String) -> Self {
        Self {
            status,
            title: title.to_owned(),
            class: "panel act",
            words: vec![why],
            phone: app.config().phone.clone(),
            again: None,
            back: None,
        }
    }

    pub(super) fn page(self, frame: Frame) -> Response {
        let Self { status, title, class, words, phone, again, back } = self;
        answer(status, &Told { frame, title, class, words, phone, again, back })
    }
}

/// That it is acknowledged, by whom and when; what is left to do.
pub(super) fn acknowledged(
    frame: &Frame,
    subject: &Subject<'_>,
    by: &Acknowledgement,
    back: Option<String>,
) -> Telling {
    let zone = frame.zone();
    let receipt = &by.receipt;
    let mut words = vec![format!(
        "{}{} at {}{}. That is the broker's time, which decides.",
        match &receipt.by {
            Some(person) => format!("Given by {}, {}", person.name, person.role),
            None => "Given".to_owned(),
        },
        receipt.method.map(|method| format!(", {},", words::door(method))).unwrap_or_default(),
        zone.second(by.at, frame.now()),
        match receipt.event {
            event if event == subject.event() => String::new(),
            event => format!(", with event {event}, which covers this one"),
        },
    )];
    if let Some(duty) = subject.standing.duty(subject.event())
        && let Some((_, due_at)) = duty.asked
    {
        let due = zone.second(due_at, frame.now());
        words.push(match subject.incident.state(subject.standing, duty) {
            DutyState::Late(late) => format!(
                "Late by {}: it was due by {due}. Late ones count, as late, and stop what would have followed.",
                words::length(late)
            ),
            _ => format!("In time: it was due by {due}."),
        });
    }
    words.push(format!(
        "Nobody at {} is written to about this event any more. If the incident gets worse you are asked anew.",
        subject.who()
    ));
    Telling {
        status: StatusCode::OK,
        title: format!("{} has acknowledged event {}", subject.who(), subject.event()),
        class: "success",
        words,
        phone: None,
        again: None,
        back,
    }
}

/// What became of an acknowledgement that does not stand as it was given.
pub(super) fn fate(app: &App, frame: &Frame, subject: &Subject<'_>, fate: &Fate, way: &Way) -> Telling {
    let again = Some(way.action.clone());
    let (status, title, words) = match fate {
        // It was first, or another was: either way it stands.
        Fate::Counts | Fate::Another => {
            let Some(by) = subject.acknowledgement() else {
                let why = "It was read, and is not there any more.".to_owned();
                return Telling::cannot(app, StatusCode::INTERNAL_SERVER_ERROR, "This is a fault of ours", why);
            };
            let mut told = acknowledged(frame, subject, by, way.back.clone());
            if *fate == Fate::Another {
                told.words.insert(0, "Somebody was before you, so yours was not needed:".to_owned());
            }
            return told;
        }
        Fate::Refused(why) => (
            StatusCode::CONFLICT,
            "NOT acknowledged: it does not count",
            vec![format!("It was said, and is refused: {why}.")],
        ),
        Fate::NotSaid(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "NOT acknowledged yet",
            vec![why.clone(), "Nothing was sent. Telephone now, so that somebody is told; then try again here.".to_owned()],
        ),
        Fate::Unknown(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "NOT known to be acknowledged",
            vec![
                why.clone(),
                "It may still arrive. Telephone now, so that somebody is told; then open this page again to see \
                 whether it stands. To give it twice does no harm."
                    .to_owned(),
            ],
        ),
    };
    Telling {
        status,
        title: title.to_owned(),
        class: "panel act",
        words,
        phone: subject.phone(app),
        again,
        back: way.back.clone(),
    }
}
