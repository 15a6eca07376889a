//! Reports, links and proposals, as far as the schemas let them be: what we write is what we take.

use proptest::{collection, option, prelude::*, sample::select};
use tocsin_protocol::{
    Alert, BodyId, Candidate, LinkAnswer, LinkId, Linking, Proposal, Report, ReportId, ReportSays,
    ReportSource, Seen, Trail,
    schema::{Kind, check_link, check_report},
    to_body,
};

use crate::agreement::agrees;
use crate::strategies::{
    area, count, event_contact, event_number, incident, line, person, publisher, sequence, services, set,
    status, text, time,
};

const SLUG: &str = "[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?";

fn body_id() -> impl Strategy<Value = BodyId> {
    SLUG.prop_map(|text| BodyId::new(&text).unwrap())
}

fn report_id() -> impl Strategy<Value = ReportId> {
    SLUG.prop_map(|text| ReportId::new(&text).unwrap())
}

fn link_id() -> impl Strategy<Value = LinkId> {
    SLUG.prop_map(|text| LinkId::new(&text).unwrap())
}

fn source() -> impl Strategy<Value = ReportSource> {
    select(&[ReportSource::Agency, ReportSource::Monitoring, ReportSource::Operator][..])
}

prop_compose! {
    fn alert()(
        (monitor, fingerprint) in (option::of(line(120)), option::of(line(128))),
        labels in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,20}", line(200), 0..3),
    ) -> Alert {
        Alert { monitor, fingerprint, labels }
    }
}

prop_compose! {
    fn report()(
        (report, body, status, observed_at) in (report_id(), body_id(), status(), time()),
        (services, areas, headline) in (services(1), set(area(), 1), line(160)),
        (what, adds_to, calls_lost) in (option::of(text()), option::of(report_id()), option::of(count())),
        restored in any::<bool>(),
        source in source(),
        contact in option::of(event_contact()),
        (by, machine) in (person(), any::<bool>()),
        alert in option::of(alert()),
    ) -> Report {
        Report {
            report,
            body,
            status,
            says: if restored && adds_to.is_some() { ReportSays::Restored } else { ReportSays::Failing },
            observed_at,
            services,
            areas,
            headline,
            source,
            what,
            adds_to,
            calls_lost,
            contact,
            by: (source != ReportSource::Monitoring || machine).then_some(by),
            alert,
        }
    }
}

fn trail() -> impl Strategy<Value = Trail> {
    prop_oneof![
        (publisher(), incident()).prop_map(|(publisher, incident)| Trail::incident(publisher, incident)),
        (body_id(), report_id()).prop_map(|(body, report)| Trail::report(body, report)),
    ]
}

prop_compose! {
    fn linking()(
        (link, publisher, incident, with) in (link_id(), publisher(), incident(), trail()),
        (at, by, note) in (time(), person(), option::of(text())),
        differs in any::<bool>(),
    ) -> Linking {
        let answer = if differs && note.is_some() { LinkAnswer::NotTheSame } else { LinkAnswer::Same };
        Linking { link, publisher, incident, with, answer, at, by, note }
    }
}

prop_compose! {
    fn seen()(
        (trail, event, said, said_at) in (trail(), option::of(event_number()), sequence(), time()),
        (seen_at, status, services) in (option::of(time()), status(), services(1)),
        (areas, headline, source) in (set(area(), 1), option::of(line(160)), option::of(source())),
    ) -> Seen {
        Seen { trail, event, source, said, said_at, seen_at, status, services, areas, headline }
    }
}

prop_compose! {
    fn candidate()(
        seen in seen(), shared_services in services(1), touching_areas in set(area(), 1), apart_seconds in sequence(),
    ) -> Candidate {
        Candidate { seen, shared_services, touching_areas, apart_seconds }
    }
}

prop_compose! {
    fn proposal()(
        (publisher, directory, of) in (publisher(), sequence(), seen()),
        candidates in collection::vec(candidate(), 0..4),
    ) -> Proposal {
        Proposal { publisher, directory, of, candidates }
    }
}

proptest! {
    #[test]
    fn a_report_that_we_write_is_one_that_we_take(report in report()) {
        agrees(Kind::Report, &report)?;
        prop_assert_eq!(check_report(&to_body("report", &report).unwrap()), Ok(report));
    }

    #[test]
    fn a_link_that_we_write_is_one_that_we_take(linking in linking()) {
        agrees(Kind::Link, &linking)?;
        prop_assert_eq!(check_link(&to_body("link", &linking).unwrap()), Ok(linking));
    }

    #[test]
    fn a_proposal_that_we_write_is_as_its_schema_says(proposal in proposal()) {
        agrees(Kind::Proposal, &proposal)?;
    }
}
