//! Every fact that our own code could write, as far as the schemas let it: what a service builds stays within them.

use std::collections::BTreeMap;

use jiff::civil::Date;
use proptest::{collection, option, prelude::*, sample::select};
use serde_json::value::RawValue;
use tocsin_protocol::{
    Again, Area, AreaId, AreaScope, AttemptBegun, AttemptEnded, ByRule, Call, Category, Certainty, Channel,
    ClockStart, Confidence, ConsoleDoors, Contact, ControlRoom, ControlRoomId, Digest, DirectoryDocument,
    Dispatch, DispatchDuty, DispatchStep, Due, DutyDocument, DutyFinding, DutyId, DutyStart, Escalation,
    EscalationReason, Event, EventContact, EventKind, EventNumber, ExerciseDocument, ExerciseId,
    ExerciseStatus, Finding, Impact, IncidentId, Language, Late, Monitor, Notice, Outcome, Overdue, Owed,
    OwedRule, Person, Platform, PolicyDocument, PolicyId, PolicyInForce, Publisher, PublisherId, Reach,
    Receipt, ReceiptMethod, ReceiptStage, Recipient, RecipientId, Recontact, RecontactFigures, Refusal,
    RefusalCode, Requirement, Service, Severity, SignedDuration, SignedIn, Stage, Status, StepDocument,
    StepNumber, StoppedBy, Term, Timestamp, Trigger, Urgency, Via, Where, Window, to_body,
};

const SLUG: &str = "[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?";
/// The largest whole number that every JSON reader keeps exactly.
const SAFE: u64 = 9_007_199_254_740_991;

macro_rules! ids {
    ($($name:ident = $type:ident),+) => {$(
        pub(crate) fn $name() -> impl Strategy<Value = $type> + Clone {
            SLUG.prop_map(|text| $type::new(&text).unwrap())
        }
    )+};
}
ids!(
    incident = IncidentId,
    publisher = PublisherId,
    recipient = RecipientId,
    policy = PolicyId,
    duty = DutyId,
    control_room_id = ControlRoomId,
    exercise = ExerciseId,
    area = AreaId
);

fn word() -> impl Strategy<Value = String> {
    "[a-z]([a-z-]{0,20}[a-z])?"
}

/// One readable line of up to this many characters, in any script.
pub(crate) fn line(most: usize) -> impl Strategy<Value = String> {
    let ends = "[^\\p{C}\\p{Z}]";
    proptest::string::string_regex(&format!(
        "{ends}([^\\p{{C}}\\p{{Zl}}\\p{{Zp}}]{{0,{}}}{ends})?",
        most.min(60) - 2
    ))
    .unwrap()
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    "[^\\p{C}\\p{Z}]([^\\p{C}\\p{Zl}\\p{Zp}]|[\\n\\t]){0,80}"
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    // The years 1900 to 2999.
    (-2_208_988_800_i64..32_503_680_000, 0..1_000_000_000_i32)
        .prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap())
}

fn day() -> impl Strategy<Value = Date> {
    (1900..3000_i16, 1..=12_i8, 1..=28_i8).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

pub(crate) fn event_number() -> impl Strategy<Value = EventNumber> {
    (1..=u32::MAX).prop_map(|n| EventNumber::new(n).unwrap())
}

fn step_number() -> impl Strategy<Value = StepNumber> {
    (1..=u32::MAX).prop_map(|n| StepNumber::new(n).unwrap())
}

fn email() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9.]{0,20}[a-z0-9]@[a-z]{1,20}\\.example"
        .prop_filter("no empty part", |mail| !mail.contains(".."))
}

fn phone() -> impl Strategy<Value = String> {
    "\\+44 1632 960[0-9]{3}( ext\\. [0-9]{1,4})?"
}

pub(crate) fn key() -> impl Strategy<Value = String> {
    "U[A-Z2-7]{55}"
}

pub(crate) fn count() -> impl Strategy<Value = u64> {
    0..=1_000_000_000_u64
}

pub(crate) fn sequence() -> impl Strategy<Value = u64> {
    1..=SAFE
}

pub(crate) fn status() -> impl Strategy<Value = Status> {
    select(Status::ALL)
}

fn kind() -> impl Strategy<Value = EventKind> {
    select(EventKind::ALL)
}

fn requirement() -> impl Strategy<Value = Requirement> {
    select(Requirement::ALL)
}

/// A list without repetitions.
pub(crate) fn set<T: std::fmt::Debug + Ord>(
    of: impl Strategy<Value = T>,
    least: usize,
) -> impl Strategy<Value = Vec<T>> {
    collection::btree_set(of, least..6).prop_map(|set| set.into_iter().collect())
}

pub(crate) fn services(least: usize) -> impl Strategy<Value = Vec<Service>> {
    proptest::sample::subsequence(Service::ALL, least..=Service::ALL.len())
}

fn language() -> impl Strategy<Value = Language> {
    "[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?".prop_map(|tag| Language::new(&tag).unwrap())
}

fn by_area<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = BTreeMap<AreaId, T>> {
    collection::btree_map(area(), of, 0..5)
}

fn figures() -> impl Strategy<Value = RecontactFigures> {
    (option::of(count()), option::of(count()), option::of(count())).prop_map(
        |(reached, outstanding, handed_to_police)| RecontactFigures {
            reached,
            outstanding,
            handed_to_police,
        },
    )
}

prop_compose! {
    fn impact()(
        calls_unsuccessful in option::of(count()),
        by_area in by_area(count()),
        as_of in option::of(time()),
        source in option::of(line(200)),
        provisional in option::of(any::<bool>()),
    ) -> Impact {
        Impact { calls_unsuccessful, by_area, as_of, source, provisional }
    }
}

prop_compose! {
    fn recontact()(
        total in figures(),
        by_area in by_area(figures()),
        as_of in option::of(time()),
        source in option::of(line(200)),
        provisional in option::of(any::<bool>()),
    ) -> Recontact {
        Recontact { total, by_area, as_of, source, provisional }
    }
}

prop_compose! {
    pub(crate) fn event_contact()(
        role in line(120),
        name in option::of(line(120)),
        phone in option::of(phone()),
        email in option::of(email()),
        bridge in option::of(line(200)),
    ) -> EventContact {
        EventContact { role, name, phone, email, bridge }
    }
}

prop_compose! {
    pub(crate) fn event()(
        (incident, sequence, later, status, publisher) in (
            incident(),
            prop_oneof![Just(EventNumber::FIRST), event_number()],
            select(&EventKind::ALL[1..]),
            status(),
            publisher(),
        ),
        (category, services, headline, areas) in (select(Category::ALL), services(1), line(160), set(area(), 1)),
        (description, instruction, public_advice, marking) in
            (option::of(text()), option::of(text()), option::of(text()), option::of(line(64))),
        public_advice_in in collection::btree_map(language(), text(), 0..3),
        (severity, urgency, certainty, platform) in (
            option::of(select(Severity::ALL)),
            option::of(select(Urgency::ALL)),
            option::of(select(Certainty::ALL)),
            option::of(select(Platform::ALL)),
        ),
        times in collection::vec(option::of(time()), 8),
        (stage, material, corrects) in (option::of(select(Stage::ALL)), option::of(any::<bool>()), event_number()),
        (impact, recontact, contact, by_rule) in (
            option::of(impact()),
            option::of(recontact()),
            option::of(event_contact()),
            option::of(by_rule().prop_map(Box::new)),
        ),
    ) -> Event {
        let kind = if sequence == EventNumber::FIRST { EventKind::Initial } else { later };
        Event {
            incident,
            sequence,
            kind,
            status,
            publisher,
            category,
            services,
            headline,
            areas,
            description,
            instruction,
            public_advice_in: if public_advice.is_some() { public_advice_in } else { BTreeMap::new() },
            public_advice,
            severity,
            urgency,
            certainty,
            began_at: times[0],
            detected_at: times[1],
            aware_at: times[2],
            discovered_at: times[3],
            classified_at: times[4],
            restored_at: times[5],
            expected_restoration_at: times[6],
            next_update_by: times[7],
            stage,
            material,
            corrects: (kind == EventKind::Correction).then_some(corrects),
            platform,
            impact,
            recontact,
            contact,
            marking,
            by_rule,
        }
    }
}

prop_compose! {
    fn by_rule()(
        (rule, body, report) in (SLUG, SLUG, SLUG),
        (monitor, fingerprint) in (option::of(line(120)), option::of(line(128))),
    ) -> ByRule {
        ByRule {
            rule: rule.parse().unwrap(),
            body: body.parse().unwrap(),
            report: report.parse().unwrap(),
            monitor,
            fingerprint,
        }
    }
}

pub(crate) fn person() -> impl Strategy<Value = Person> {
    (line(120), line(120)).prop_map(|(name, role)| Person { name, role })
}

fn method() -> impl Strategy<Value = ReceiptMethod> {
    use ReceiptMethod::{Command, Desk, InPerson, Link, Page, PhoneLogged, Program};
    select(&[Desk, Program, Command, Page, Link, PhoneLogged, InPerson][..])
}

prop_compose! {
    pub(crate) fn receipt()(
        (incident, event, recipient, at) in (incident(), event_number(), recipient(), time()),
        by in option::of(person()),
        method in option::of(method()),
        control_room in option::of(line(120)),
        on_behalf_of in option::of(line(120)),
        (note, checkpoint) in (option::of(text()), option::of(text())),
        link in option::of("[A-Za-z0-9._-]{1,300}"),
        signed_in in option::of(("[a-z0-9][a-z0-9._-]{0,63}", "[0-9a-f]{32}")),
    ) -> Receipt {
        let stage = if by.is_some() { ReceiptStage::Acknowledged } else { ReceiptStage::Delivered };
        Receipt {
            incident,
            event,
            recipient,
            stage,
            at,
            by,
            method,
            control_room,
            on_behalf_of,
            note,
            checkpoint,
            link: link.filter(|_| method == Some(ReceiptMethod::Link)),
            signed_in: signed_in
                .filter(|_| matches!(method, Some(ReceiptMethod::Page | ReceiptMethod::Program)))
                .map(|(account, session)| SignedIn { account, session }),
        }
    }
}

fn refusal_code() -> impl Strategy<Value = RefusalCode> {
    use RefusalCode as Code;
    select(
        &[
            Code::UnknownSubject,
            Code::NoDirectory,
            Code::UnknownPublisher,
            Code::UnknownRecipient,
            Code::NoKey,
            Code::BadSignature,
            Code::TooLarge,
            Code::BadSchema,
            Code::SubjectMismatch,
            Code::WrongSequence,
            Code::AnothersIncident,
            Code::StatusChanged,
            Code::IncidentClosed,
            Code::AreaNotAllowed,
            Code::UnknownArea,
            Code::UnknownEvent,
            Code::NotOwed,
            Code::AlreadySaid,
            Code::UnknownBody,
            Code::UnknownReport,
            Code::UnknownIncident,
        ][..],
    )
}

prop_compose! {
    pub(crate) fn refusal()(
        said in sequence(),
        subject in "\\PC{0,83}",
        code in refusal_code(),
        reasons in collection::vec(line(2000), 1..5),
    ) -> Refusal {
        Refusal { said, subject, code, reasons }
    }
}

prop_compose! {
    fn policy_in_force()(
        policy in policy(),
        clock in select(ClockStart::ALL),
        clock_at in time(),
        clock_assumed in any::<bool>(),
    ) -> PolicyInForce {
        PolicyInForce { policy, clock, clock_at, clock_assumed }
    }
}

fn reach() -> impl Strategy<Value = Reach> {
    select(&[Reach::Own, Reach::Buddy, Reach::CoordinatingBody][..])
}

fn duty_start() -> impl Strategy<Value = DutyStart> {
    prop_oneof![
        select(ClockStart::ALL).prop_map(DutyStart::Clock),
        duty()
            .prop_filter("a clock's word is a clock", |id| id.as_str().parse::<ClockStart>().is_err())
            .prop_map(DutyStart::Duty),
    ]
}

prop_compose! {
    fn dispatch_duty()(
        (duty, policy, stage, from) in (duty(), option::of(policy()), select(Stage::ALL), duty_start()),
        (clock_at, due_at, met_at) in (time(), time(), option::of(time())),
        (clock_assumed, target) in (any::<bool>(), any::<bool>()),
        telephone in set(recipient(), 0),
        step in option::of(step_number()),
    ) -> DispatchDuty {
        DispatchDuty { duty, policy, stage, from, clock_at, clock_assumed, due_at, target, telephone, step, met_at }
    }
}

prop_compose! {
    fn duty_finding()(
        (duty, overdue, target) in (duty(), any::<bool>(), any::<bool>()),
        (met_by, met_at) in (option::of(event_number()), option::of(time())),
        not_called in set(recipient(), 0),
        superseded_by in option::of(event_number()),
        (repeated, again) in (
            any::<bool>(),
            option::of((step_number(), time()).prop_map(|(step, due_at)| Again { step, due_at })),
        ),
    ) -> DutyFinding {
        DutyFinding { duty, overdue, target, met_by, met_at, not_called, superseded_by, repeated, again }
    }
}

prop_compose! {
    pub(crate) fn overdue()(
        (incident, event, step, recipient) in (incident(), event_number(), step_number(), recipient()),
        (status, publisher, promised_by) in (status(), publisher(), time()),
    ) -> Overdue {
        Overdue { incident, event, step, recipient, status, publisher, promised_by }
    }
}

prop_compose! {
    pub(crate) fn call()(
        (incident, event, publisher, recipient) in (incident(), event_number(), publisher(), recipient()),
        (at, by, spoke_to) in (time(), person(), person()),
        (number, control_room, note) in (option::of(phone()), option::of(line(120)), option::of(text())),
    ) -> Call {
        Call { incident, event, publisher, recipient, at, by, spoke_to, number, control_room, note }
    }
}

prop_compose! {
    fn dispatch_step()(step in step_number(), policy in policy(), due_at in time(), contact in word(), reach in reach()) -> DispatchStep {
        DispatchStep { reach, step, policy, due_at, contact }
    }
}

prop_compose! {
    fn owed()(policy in policy(), requirement in requirement(), recipients in set(recipient(), 0)) -> Owed {
        Owed { policy, requirement, recipients }
    }
}

prop_compose! {
    pub(crate) fn dispatch()(
        (incident, event, kind, status, publisher) in (incident(), event_number(), kind(), status(), publisher()),
        (said, published_at, directory) in (sequence(), time(), sequence()),
        worsened in collection::vec(line(1000), 0..4),
        policies in collection::vec(policy_in_force(), 0..4),
        steps in collection::vec(dispatch_step(), 0..4),
        owed in collection::vec(owed(), 0..4),
        duties in collection::vec(dispatch_duty(), 0..4),
    ) -> Dispatch {
        let acknowledge = !steps.is_empty();
        Dispatch {
            incident, event, kind, status, publisher, said, published_at, directory, acknowledge, worsened, policies,
            steps, owed, duties,
        }
    }
}

prop_compose! {
    pub(crate) fn notice()(
        event in event(),
        (recipient, requirement, acknowledge, due_at) in
            (recipient(), requirement(), any::<bool>(), option::of(time())),
        (policies, directory, said, published_at) in (set(policy(), 0), sequence(), sequence(), time()),
        calls_unsuccessful_here in option::of(0..=SAFE),
        recontact_here in option::of(figures()),
        key in key(),
        signature in "[A-Za-z0-9_-]{86}",
    ) -> Notice {
        let body = String::from_utf8(to_body("event", &event).unwrap().to_vec()).unwrap();
        Notice {
            incident: event.incident,
            event: event.sequence,
            recipient,
            status: event.status,
            requirement,
            acknowledge,
            due_at,
            policies,
            directory,
            said,
            published_at,
            calls_unsuccessful_here,
            recontact_here,
            key,
            signature,
            said_body: RawValue::from_string(body).unwrap(),
        }
    }
}

prop_compose! {
    pub(crate) fn due()(incident in incident(), event in event_number(), step in step_number(), due_at in time()) -> Due {
        Due { incident, event, step, due_at }
    }
}

prop_compose! {
    pub(crate) fn finding()(
        (incident, event, step, policy, status) in (incident(), event_number(), step_number(), option::of(policy()), status()),
        (due_at, closed_at) in (time(), time()),
        (required, acknowledged) in (any::<u32>(), any::<u32>()),
        silent in set(recipient(), 0),
        late in collection::vec(
            (recipient(), time()).prop_map(|(recipient, acknowledged_at)| Late { recipient, acknowledged_at }),
            0..3,
        ),
        stopped_by in option::of(
            (event_number(), kind(), time())
                .prop_map(|(event, kind, published_at)| StoppedBy { event, kind, published_at }),
        ),
        duty in option::of(duty_finding()),
    ) -> Finding {
        Finding {
            duty,
            incident, event, step, policy, status, due_at, closed_at, required, acknowledged, silent, late, stopped_by,
        }
    }
}

fn contact() -> impl Strategy<Value = Contact> {
    (line(120), email(), option::of(phone())).prop_map(|(role, email, phone)| Contact { role, email, phone })
}

prop_compose! {
    pub(crate) fn escalation()(
        (incident, event, step, recipient, recipient_name) in
            (incident(), event_number(), step_number(), recipient(), line(120)),
        (policy, status, said, due_at) in (option::of(policy()), status(), sequence(), time()),
        reason in select(&[EscalationReason::Silent, EscalationReason::Unreachable, EscalationReason::Overdue][..]),
        duty in option::of(duty()),
        via in option::of((recipient(), line(120), reach()).prop_map(|(recipient, name, reach)| Via { recipient, name, reach })),
        (contact, to) in (word(), contact()),
        time_zone in select(&["Europe/London", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+12"][..]),
    ) -> Escalation {
        Escalation {
            duty,
            via,
            incident, event, step, recipient, recipient_name, policy, status, said, due_at, reason, contact, to,
            time_zone: time_zone.to_owned(),
        }
    }
}

prop_compose! {
    pub(crate) fn attempt_begun()(
        relay in line(253),
        to in email(),
        message_id in "<[!-;=?-~]{1,60}>",
        token in option::of("[!-~]{1,64}"),
        digest in option::of(digest()),
    ) -> AttemptBegun {
        AttemptBegun { relay, to, message_id, token, digest }
    }
}

prop_compose! {
    fn digest()(
        lead in 1..=SAFE,
        of in 2..=500_u32,
        escalations in prop_oneof![Just(Vec::new()), collection::btree_set(1..=SAFE, 2..8).prop_map(|all| all.into_iter().collect())],
    ) -> Digest {
        Digest { lead, of, escalations }
    }
}

prop_compose! {
    pub(crate) fn attempt_ended()(
        relay in prop_oneof![Just(String::new()), line(253)],
        outcome in select(&[
            Outcome::Accepted, Outcome::Temporary, Outcome::RelayFault, Outcome::Permanent, Outcome::Unknown,
            Outcome::StoodDown,
        ][..]),
        code in option::of(0..1000_u16),
        // A relay's words are kept as they came.
        reply in any::<String>(),
    ) -> AttemptEnded {
        AttemptEnded { relay, outcome, code, reply }
    }
}

prop_compose! {
    fn directory_area()(
        id in area(),
        name in line(120),
        within in option::of(area()),
        population in option::of(0..=10_000_000_000_u64),
    ) -> Area {
        Area { id, name, within, population }
    }
}

prop_compose! {
    fn directory_exercise()(
        (id, publisher, status) in (exercise(), publisher(), select(ExerciseStatus::ALL)),
        (category, services, areas) in (select(Category::ALL), services(1), set(area(), 1)),
        (schedule, headline, description) in (line(60), line(160), option::of(text())),
    ) -> ExerciseDocument {
        ExerciseDocument { id, schedule, publisher, status, category, services, areas, headline, description }
    }
}

prop_compose! {
    fn directory_monitor()(
        id in publisher(),
        name in line(120),
        key in option::of(key()),
        areas in prop_oneof![Just(AreaScope::All), set(area(), 0).prop_map(AreaScope::These)],
    ) -> Monitor {
        Monitor { id: (&id).into(), name, key, areas }
    }
}

prop_compose! {
    fn directory_publisher()(
        id in publisher(),
        name in line(120),
        key in option::of(key()),
        areas in prop_oneof![Just(AreaScope::All), set(area(), 0).prop_map(AreaScope::These)],
        contacts in collection::btree_map(word(), contact(), 0..3),
    ) -> Publisher {
        Publisher { contacts, id, name, key, areas }
    }
}

prop_compose! {
    fn control_room()(
        (id, name, critical_contact_number) in (control_room_id(), line(120), phone()),
        areas in set(area(), 0),
    ) -> ControlRoom {
        ControlRoom { id, name, critical_contact_number, areas }
    }
}

prop_compose! {
    fn directory_recipient()(
        (id, name, kind, nation) in (recipient(), line(120), word(), option::of(line(64))),
        (areas, neighbours, key) in (set(area(), 0), set(recipient(), 0), option::of(key())),
        console in select(&[ConsoleDoors::Open, ConsoleDoors::Links, ConsoleDoors::Shut][..]),
        contacts in collection::btree_map(word(), contact(), 0..4),
        (valid_from, valid_to, last_verified_at) in (option::of(day()), option::of(day()), option::of(day())),
        (buddy, coordinating_body) in (option::of(recipient()), option::of(recipient())),
        control_rooms in collection::vec(control_room(), 0..3),
    ) -> Recipient {
        Recipient {
            buddy, coordinating_body, control_rooms,
            id, name, kind, nation, areas, neighbours, key, console, contacts, valid_from, valid_to, last_verified_at,
        }
    }
}

prop_compose! {
    fn owed_rule()(
        kinds in set(word(), 0),
        recipients in set(recipient(), 0),
        place in select(&[Where::Anywhere, Where::Affected, Where::Neighbour, Where::HandedOver][..]),
        requirement in requirement(),
    ) -> OwedRule {
        OwedRule { kinds, recipients, place, requirement }
    }
}

fn window() -> impl Strategy<Value = Window> {
    // Up to a hundred years, to the nanosecond.
    (0..3_155_760_000_i64, 1..1_000_000_000_i32).prop_map(|(s, ns)| Window(SignedDuration::new(s, ns)))
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![
        window().prop_map(Term::Length),
        (1..=9999_u16).prop_map(Term::Days),
        (1..=9999_u16).prop_map(Term::Months)
    ]
}

prop_compose! {
    fn duty_document()(
        (id, what, stage, from) in (duty(), line(200), select(Stage::ALL), duty_start()),
        (within, target) in (option::of(term()), option::of(term())),
        (repeat, lasting) in (option::of(term()), option::of(term())),
        kinds in set(word(), 0),
        channels in proptest::sample::subsequence(Channel::ALL, 0..=Channel::ALL.len()),
    ) -> DutyDocument {
        DutyDocument { id, what, stage, from, within, target, repeat, lasting, kinds, channels }
    }
}

prop_compose! {
    fn policy_document()(
        (id, name, basis) in (policy(), line(200), text()),
        as_of in option::of(day()),
        (confidence, clock) in (select(Confidence::ALL), select(ClockStart::ALL)),
        services in services(0),
        acknowledge in proptest::sample::subsequence(EventKind::ALL, 0..=EventKind::ALL.len()),
        owed in collection::vec(owed_rule(), 0..3),
        steps in collection::vec(
            (window(), word(), reach()).prop_map(|(within, contact, reach)| StepDocument { within, contact, reach }),
            0..3,
        ),
        (source, in_force_from, trigger) in (option::of(line(300)), option::of(day()), select(Trigger::ALL)),
        duties in collection::vec(duty_document(), 0..3),
    ) -> PolicyDocument {
        PolicyDocument {
            id, name, basis, as_of, source, in_force_from, confidence, clock, services, trigger, acknowledge, owed, steps,
            duties,
        }
    }
}

prop_compose! {
    pub(crate) fn directory()(
        name in line(120),
        time_zone in select(&["Europe/London", "UTC", "Etc/GMT-14"][..]),
        (directory_key, checkpoint_key) in (option::of(key()), option::of(key())),
        (console_key, link_key) in (option::of(key()), option::of(key())),
        areas in collection::vec(directory_area(), 0..4),
        (publishers, monitors) in
            (collection::vec(directory_publisher(), 0..3), collection::vec(directory_monitor(), 0..3)),
        exercises in collection::vec(directory_exercise(), 0..3),
        recipients in collection::vec(directory_recipient(), 0..4),
        policies in collection::vec(policy_document(), 0..3),
    ) -> DirectoryDocument {
        let time_zone = time_zone.to_owned();
        DirectoryDocument {
            name, time_zone, directory_key, checkpoint_key, console_key, link_key, areas, publishers, monitors,
            exercises, recipients, policies,
        }
    }
}
