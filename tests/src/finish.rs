//! The end of every test: every duty at its end, and both judges of one mind.

use std::{collections::BTreeMap, time::Duration};

use tocsin_audit::{Problem, ProblemCode, RecipientReport, Report, Request, State};
use tocsin_notifier::sink::Sink;
use tocsin_protocol::{IncidentId, Signer, Stream};

use crate::{
    checker::{self, Evidence, Opinion, Row, Standing},
    mail::Mail,
    program::Program,
    service::Here,
    wait::LONG,
    world::World,
};

/// For how long the services are left alone after the last duty has come to its end: whatever they do too often, they
/// do now.
const QUIET: Duration = Duration::from_millis(400);

/// Between two looks at a world that is not at its end.
const LOOK: Duration = Duration::from_millis(100);

/// What stands at the end of a test.
#[derive(Debug)]
pub struct Finished {
    /// Both streams and the mails.
    pub evidence: Evidence,
    /// What the checker makes of them.
    pub opinion: Opinion,
    /// What the audit makes of them, by incident.
    pub reports: BTreeMap<String, Report>,
}

/// Whatever a test started and is to be stopped.
#[derive(Debug)]
pub enum Service {
    /// A process.
    Program(Program),
    /// A task.
    Here(Here),
}

impl From<Program> for Service {
    fn from(program: Program) -> Self {
        Self::Program(program)
    }
}

impl From<Here> for Service {
    fn from(here: Here) -> Self {
        Self::Here(here)
    }
}

impl Service {
    fn works(&mut self) -> bool {
        match self {
            Self::Program(program) => program.runs(),
            Self::Here(here) => here.works(),
        }
    }

    async fn stop(self) {
        match self {
            Self::Program(program) => {
                let tail = program.tail();
                let status = program.stop().await;
                assert!(status.success(), "asked to stop, it ended with {status}: {tail}");
            }
            Self::Here(here) => here.stop().await,
        }
    }
}

impl World {
    /// Waits until every duty has come to its end, stops the services (all must still be at work), and holds both
    /// streams and the mails against the promises.
    ///
    /// # Panics
    /// When a promise is broken, when something does not come to its end, or when checker and audit differ.
    pub async fn finish(&self, services: impl IntoIterator<Item = Service>) -> Finished {
        let mut services: Vec<Service> = services.into_iter().collect();
        let deadline = tokio::time::Instant::now() + LONG;
        loop {
            let began = tokio::time::Instant::now();
            let opinion = checker::check(&self.evidence().await);
            if opinion.faults.is_empty() {
                break;
            }
            if tokio::time::Instant::now() > deadline {
                let picture = self.picture().await;
                panic!("not as promised: {:#?}\n{picture}", opinion.faults);
            }
            tokio::time::sleep(LOOK + began.elapsed() * 2).await;
        }
        tokio::time::sleep(QUIET).await;
        for service in &mut services {
            assert!(service.works(), "{service:?} ended by itself\n{}", self.picture().await);
        }
        for service in services {
            service.stop().await;
        }
        self.judge().await
    }

    /// Starts another router on what stands, and sees that nothing is owed: all that it adds is the refusal of one more
    /// word, which shows that it has read everything.
    ///
    /// # Panics
    /// When it adds anything else.
    pub async fn owes_nothing(&self) {
        let before = self.entries(Stream::Log).await;
        let router = self.router_here().await;
        let word = self.stranger().await.store("tocsin.receipt.nobody.x.1.delivered", None, "{}").await;
        let refusal = format!("tocsin.refusal.nobody.{}", word.unwrap());
        self.entry(&refusal).await;
        router.stop().await;
        let after = self.entries(Stream::Log).await;
        let added: Vec<&str> = after[before.len()..].iter().map(|entry| entry.subject.as_str()).collect();
        assert_eq!(added, [refusal], "a router that starts anew owes nothing");
    }

    /// Both streams and the mails, as of now.
    pub async fn evidence(&self) -> Evidence {
        let said = self.entries(Stream::Said).await;
        let log = self.entries(Stream::Log).await;
        let mails = self.relays.iter().flat_map(Sink::mails).map(|caught| Mail::read(&caught));
        Evidence { said, log, mails: mails.collect() }
    }

    async fn judge(&self) -> Finished {
        let evidence = self.evidence().await;
        let opinion = checker::check(&evidence);
        let picture = self.picture().await;
        assert!(opinion.faults.is_empty(), "not as promised: {:#?}\n{picture}", opinion.faults);
        let audit = tocsin_audit::read(&self.ledger, None).await.unwrap();
        let mut reports = BTreeMap::new();
        let mut differences = Vec::new();
        for (incident, rows) in &opinion.rows {
            let report = audit.report(incident, Request::default()).unwrap();
            differences.extend(compare(incident, rows, &report));
            reports.insert(incident.to_string(), report);
        }
        let told: u32 = reports.values().map(|report| report.totals.mails_repeated).sum();
        if (told as usize) < opinion.repeated {
            differences
                .push(format!("the audit tells of {told} repeated mails, of {} there", opinion.repeated));
        }
        assert!(differences.is_empty(), "checker and audit differ: {differences:#?}\n{picture}");
        Finished { evidence, opinion, reports }
    }
}

impl Finished {
    /// How a recipient stood to an event.
    pub fn row(&self, incident: &str, number: u32, recipient: &str) -> &Row {
        let rows = self.opinion.rows.iter().find(|(id, _)| id.as_str() == incident).map(|(_, rows)| rows);
        rows.into_iter()
            .flatten()
            .find(|row| row.event.get() == number && row.recipient.as_str() == recipient)
            .unwrap_or_else(|| panic!("{recipient} was not owed {incident}/{number}"))
    }

    /// How a recipient stood to an event, and the steps at which it was written to.
    pub fn stood(&self, incident: &str, number: u32, recipient: &str) -> (Standing, Vec<u32>) {
        let row = self.row(incident, number, recipient);
        (row.standing, row.escalations.keys().map(|step| step.get()).collect())
    }

    /// How many mails were taken for an address.
    pub fn mails_to(&self, address: &str) -> Vec<&Mail> {
        self.evidence.mails.iter().filter(|mail| mail.to.iter().any(|to| to == address)).collect()
    }

    /// How many facts of the log stand under subjects that begin so.
    pub fn count(&self, prefix: &str) -> usize {
        self.evidence.log.iter().filter(|entry| entry.subject.starts_with(prefix)).count()
    }
}

/// Where the audit's report says other than the checker.
fn compare(incident: &IncidentId, rows: &[Row], report: &Report) -> Vec<String> {
    let mut differences = Vec::new();
    let told: Vec<(u32, &RecipientReport)> = report
        .events
        .iter()
        .flat_map(|event| event.recipients.iter().map(move |row| (event.event.get(), row)))
        .collect();
    if told.len() != rows.len() {
        differences.push(format!(
            "{incident}: {} rows in the report, {} by the checker",
            told.len(),
            rows.len()
        ));
    }
    for row in rows {
        let Some((_, there)) =
            told.iter().find(|(event, there)| *event == row.event.get() && there.id == row.recipient)
        else {
            differences.push(format!("{incident}: not in the report: {row:?}"));
            continue;
        };
        let escalations = there
            .escalations
            .iter()
            .map(|e| (e.step, (e.attempts as usize, e.unknown as usize, e.accepted_at.is_some())))
            .collect();
        let same = state(row.standing) == there.state
            && row.requirement == there.requirement
            && row.delivered_at == there.delivered_at
            && row.acknowledged_at == there.acknowledged_at
            && row.by_console == (there.acknowledged_signer == Some(Signer::Console))
            && row.escalations == escalations;
        if !same {
            differences.push(format!("{incident}: {row:?}, and the report: {there:?}"));
        }
    }
    differences.extend(report.problems.iter().filter(|p| is_fault(p)).map(|p| format!("{incident}: {p:?}")));
    differences
}

fn state(standing: Standing) -> State {
    match standing {
        Standing::NotAsked => State::NotAsked,
        Standing::InTime => State::InTime,
        Standing::Late => State::Late,
        Standing::Silent => State::Silent,
        Standing::Excused => State::Excused,
    }
}

/// Whether a problem of the report says that a promise was broken. The others tell what people and relays did.
fn is_fault(problem: &Problem) -> bool {
    use ProblemCode as Code;
    matches!(
        problem.code,
        Code::Neither
            | Code::MissingDispatch
            | Code::MissingNotice
            | Code::OverdueWindow
            | Code::MissingFinding
            | Code::MissingEscalation
            | Code::DifferingFinding
            | Code::DifferingDispatch
            | Code::AlteredNotice
            | Code::FaultyRecord
            | Code::DisputedRefusal
            | Code::UnrecordedRefusal
            | Code::NotHandedOver
            | Code::LinkOfNoMail
    )
}
