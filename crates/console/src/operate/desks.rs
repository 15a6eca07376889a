//! `/desks`: whose desk is at work now, what it took in last, and what the last test showed.

use askama::Template;
use axum::{Router, extract::State as Extracted, response::Response, routing::get};
use tocsin_protocol::{EventNumber, PublisherId, Recipient, SignedDuration, Timestamp};

use super::{
    measures::Taken,
    presence::{Attendance, ago},
    scrape::SWIFT,
};
use crate::{
    app::App,
    model::{Incident, State},
    page::{
        absent,
        frame::{Frame, html},
        names::Names,
        words::{self, Zone},
    },
    session::{Sees, Visitor},
};

/// So many who lack the last test are named; the table tells the rest.
const NAMED: usize = 12;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/desks", get(show))
}

/// What a test showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TestCall {
    pub(super) published_at: Timestamp,
    /// To how many it was owed.
    pub(super) owed: usize,
    /// How many desks have said that they hold it.
    pub(super) delivered: usize,
    /// How many said so within [`SWIFT`].
    pub(super) swift: usize,
}

/// What an event of a test showed.
pub(super) fn test_of(incident: &Incident, event: EventNumber) -> Option<TestCall> {
    let published_at = incident.event(event)?.published_at;
    let duties = || incident.standings.iter().filter_map(|standing| standing.duty(event));
    let took = |at: Timestamp| at.duration_since(published_at) <= SWIFT;
    Some(TestCall {
        published_at,
        owed: duties().count(),
        delivered: duties().filter(|duty| duty.delivered_at.is_some()).count(),
        swift: duties().filter(|duty| duty.delivered_at.is_some_and(took)).count(),
    })
}

#[derive(Template)]
#[template(path = "operate/desks.html")]
struct Page {
    frame: Frame,
    summary: String,
    tests: Vec<Test>,
    rows: Vec<Row>,
}

struct Test {
    publisher: String,
    at: Moment,
    words: String,
    lacking: String,
}

struct Row {
    name: String,
    kind: String,
    class: &'static str,
    word: &'static str,
    since: String,
    taken: Option<Moment>,
    test: &'static str,
    test_class: &'static str,
    test_words: String,
    order: u8,
}

#[derive(Debug, Clone)]
struct Moment {
    at: String,
    clock: String,
}

/// What is shown to somebody at a moment.
struct View<'a> {
    state: &'a State,
    sees: &'a Sees,
    zone: &'a Zone,
    now: Timestamp,
}

async fn show(Extracted(app): Extracted<App>, visitor: Visitor) -> Response {
    // An agency sees its own part in each incident, and no more.
    if matches!(visitor.sees, Sees::Recipient(_)) {
        return absent(&app, &visitor);
    }
    let page = {
        let state = app.model().read();
        let frame = Frame::on(&state, &app, &visitor, "desks");
        let zone = frame.zone().clone();
        let view = View { state: &state, sees: &visitor.sees, zone: &zone, now: frame.now() };
        let recipients = state.fold.directory().map_or(&[][..], |d| d.document().recipients.as_slice());
        let attendances = app.model().presence().of_all(recipients.iter().map(|recipient| &recipient.id));
        let rows = view.rows(recipients, &attendances);
        Page { summary: summary(&attendances), tests: view.tests(), rows, frame }
    };
    html(&page)
}

fn summary(attendances: &[Attendance]) -> String {
    let count = |wanted: fn(&Attendance) -> bool| attendances.iter().filter(|a| wanted(a)).count();
    let connected = count(|a| matches!(a, Attendance::Connected(_)));
    let unknown = count(|a| *a == Attendance::Unknown);
    match (attendances.len(), unknown) {
        (0, _) => "No directory is in force, so no desk is known.".to_owned(),
        (all, 0) => format!("{connected} of {all} desks are connected now."),
        (all, unknown) => format!(
            "{connected} of {all} desks are known to be connected; of {unknown} the console cannot tell yet, as it has \
             only begun to listen or has lost touch with the bus."
        ),
    }
}

impl View<'_> {
    fn moment(&self, at: Timestamp) -> Moment {
        Moment { at: at.to_string(), clock: self.zone.second(at, self.now) }
    }

    /// Whether somebody may know when a notice of this incident was taken in.
    fn may_see(&self, incident: &Incident) -> bool {
        match self.sees {
            Sees::Everything => true,
            Sees::Publisher(id) => incident.publisher == *id,
            Sees::Recipient(_) => false,
        }
    }

    fn tests(&self) -> Vec<Test> {
        let test = |(publisher, (id, event)): (&PublisherId, &(_, EventNumber))| {
            let incident = self.state.incident(id)?;
            let TestCall { published_at, owed, delivered, swift } = test_of(incident, *event)?;
            let names = Names::of(self.state, incident);
            let lacking: Vec<_> = incident
                .standings
                .iter()
                .filter(|s| s.duty(*event).is_some_and(|duty| duty.delivered_at.is_none()))
                .map(|standing| names.name(&standing.recipient))
                .collect();
            let more = lacking.len().saturating_sub(NAMED);
            let first = lacking.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
            Some(Test {
                publisher: names.publisher(publisher),
                at: self.moment(published_at),
                words: format!(
                    "{delivered} of {owed} desks have taken it in, {swift} of them within {} s",
                    SWIFT.as_secs()
                ),
                lacking: if more > 0 { format!("{first} and {more} more") } else { first },
            })
        };
        self.state.measures.tests.iter().filter_map(test).collect()
    }

    fn rows(&self, recipients: &[Recipient], attendances: &[Attendance]) -> Vec<Row> {
        let mut rows: Vec<_> =
            recipients.iter().zip(attendances).map(|(recipient, a)| self.row(recipient, *a)).collect();
        // Those first of whom something is amiss.
        rows.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        rows
    }

    fn row(&self, recipient: &Recipient, attendance: Attendance) -> Row {
        let clock = |length| self.zone.second(ago(self.now, length), self.now);
        let (order, class, word, since) = match attendance {
            Attendance::Absent(None) => {
                (0, "bad", "not connected", "not since this console began".to_owned())
            }
            Attendance::Absent(Some(length)) => {
                (0, "bad", "not connected", format!("last heard {}", clock(length)))
            }
            Attendance::Unknown => (1, "plain", "not known", String::new()),
            Attendance::Connected(length) => (2, "good", "connected", format!("since {}", clock(length))),
        };
        let (test, test_class, test_words) = self.test(recipient);
        let taken = self.state.measures.taken.get(&recipient.id);
        let seen = taken.filter(|taken| self.state.incident(&taken.of.0).is_some_and(|i| self.may_see(i)));
        Row {
            name: recipient.name.clone(),
            kind: words::kinds(&recipient.kind),
            class,
            word,
            since,
            taken: seen.map(|taken| self.moment(taken.delivered_at)),
            test,
            test_class,
            test_words,
            order,
        }
    }

    /// How a recipient stands to the newest test that it was owed.
    fn test(&self, recipient: &Recipient) -> (&'static str, &'static str, String) {
        let owed = self
            .state
            .measures
            .tests
            .values()
            .filter_map(|(id, event)| {
                let incident = self.state.incident(id)?;
                let duty = incident.standing(&recipient.id)?.duty(*event)?;
                Some((incident.event(*event)?.published_at, duty.delivered_at))
            })
            .max_by_key(|(published_at, _)| *published_at);
        let passed = self.state.measures.passed.get(&recipient.id);
        let last = |taken: &Taken| format!("last passed {}", self.zone.second(taken.published_at, self.now));
        match owed {
            None => ("none yet", "plain", passed.map(last).unwrap_or_default()),
            Some((published_at, Some(delivered_at))) => {
                let took = delivered_at.duration_since(published_at).max(SignedDuration::ZERO);
                ("taken in", "good", format!("in {}", words::length(took)))
            }
            Some((_, None)) => {
                ("not taken in", "bad", passed.map_or_else(|| "never passed one".to_owned(), last))
            }
        }
    }
}
