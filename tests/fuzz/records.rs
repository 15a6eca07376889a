//! Facts and their schemas.

use serde::{Serialize, de::DeserializeOwned};
use tocsin_fuzz::{check, files};
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, Call, DirectoryDocument, Dispatch, Due, Escalation, Event, Finding, Linking,
    Notice, Overdue, Proposal, Receipt, Refusal, Report, from_body,
    schema::{self, Kind, MAX_PROBLEMS, Problem, check_event, check_receipt},
    to_body,
};

fn examples(begin: &str) -> Vec<Vec<u8>> {
    let mut all = files("schemas/examples/valid", begin, ".json");
    all.extend(files("schemas/examples/invalid", begin, ".json"));
    // Bodies have nothing around them; files end in a line break.
    for body in &mut all {
        body.truncate(body.trim_ascii_end().len());
    }
    all
}

/// One that is read is written, and read again as the same.
fn comes_back<T: DeserializeOwned + Serialize>(what: &'static str, body: &[u8]) -> Option<T> {
    let fact: T = from_body(what, body).ok()?;
    let written = to_body(what, &fact).unwrap();
    let again: T = from_body(what, &written).unwrap_or_else(|why| panic!("{what}: {why}: {written:?}"));
    assert_eq!(to_body(what, &again).unwrap(), written);
    Some(fact)
}

fn bounded(problems: &[Problem]) {
    assert!(!problems.is_empty() && problems.len() <= MAX_PROBLEMS + 1);
    for problem in problems {
        assert!(problem.message.chars().count() < 2_000, "{}", problem.message);
        assert!(!problem.message.chars().any(|c| c.is_control() && c != '\n'), "{:?}", problem.message);
    }
}

#[test]
fn every_fact_that_is_read_is_written_and_read_as_the_same() {
    check("fact", examples(""), |body| {
        comes_back::<Event>("event", body);
        comes_back::<Receipt>("receipt", body);
        comes_back::<DirectoryDocument>("directory", body);
        comes_back::<Refusal>("refusal", body);
        comes_back::<Dispatch>("dispatch", body);
        comes_back::<Notice>("notice", body);
        comes_back::<Due>("due", body);
        comes_back::<Finding>("finding", body);
        comes_back::<Escalation>("escalation", body);
        comes_back::<AttemptBegun>("attempt-begun", body);
        comes_back::<AttemptEnded>("attempt-ended", body);
    });
}

#[test]
fn an_event_is_taken_whole_or_told_what_is_wrong() {
    check("event", examples("event-"), |body| match check_event(body) {
        Ok(event) => {
            let written = to_body("event", &event).unwrap();
            assert_eq!(check_event(&written).unwrap_or_else(|why| panic!("{why:?}: {written:?}")), event);
        }
        Err(problems) => {
            bounded(&problems);
            assert!(problems.iter().all(|problem| problem.keyword != "value"), "{problems:?}");
        }
    });
}

#[test]
fn a_receipt_is_taken_whole_or_told_what_is_wrong() {
    check("receipt", examples("receipt-"), |body| match check_receipt(body) {
        Ok(receipt) => {
            let written = to_body("receipt", &receipt).unwrap();
            assert_eq!(check_receipt(&written).unwrap_or_else(|why| panic!("{why:?}: {written:?}")), receipt);
        }
        Err(problems) => {
            bounded(&problems);
            assert!(problems.iter().all(|problem| problem.keyword != "value"), "{problems:?}");
        }
    });
}

#[test]
fn what_passes_its_schema_is_a_fact() {
    let mut seeds = Vec::new();
    for (place, kind) in (0..).zip(Kind::ALL) {
        seeds.extend(examples(kind.as_str()).into_iter().map(|body| [vec![place], body].concat()));
    }
    check("schema", seeds, |bytes| {
        let Some((place, body)) = bytes.split_first() else { return };
        let kind = Kind::ALL[usize::from(*place) % Kind::ALL.len()];
        if let Err(problems) = schema::check(kind, body) {
            return bounded(&problems);
        }
        let known = match kind {
            Kind::Event => comes_back::<Event>("event", body).is_some(),
            Kind::Call => comes_back::<Call>("call", body).is_some(),
            Kind::Overdue => comes_back::<Overdue>("overdue", body).is_some(),
            Kind::Receipt => comes_back::<Receipt>("receipt", body).is_some(),
            Kind::Report => comes_back::<Report>("report", body).is_some(),
            Kind::Link => comes_back::<Linking>("link", body).is_some(),
            Kind::Proposal => comes_back::<Proposal>("proposal", body).is_some(),
            Kind::Directory => comes_back::<DirectoryDocument>("directory", body).is_some(),
            Kind::Refusal => comes_back::<Refusal>("refusal", body).is_some(),
            Kind::Dispatch => comes_back::<Dispatch>("dispatch", body).is_some(),
            Kind::Notice => comes_back::<Notice>("notice", body).is_some(),
            Kind::Due => comes_back::<Due>("due", body).is_some(),
            Kind::Finding => comes_back::<Finding>("finding", body).is_some(),
            Kind::Escalation => comes_back::<Escalation>("escalation", body).is_some(),
            Kind::AttemptBegun => comes_back::<AttemptBegun>("attempt-begun", body).is_some(),
            Kind::AttemptEnded => comes_back::<AttemptEnded>("attempt-ended", body).is_some(),
            made => !made.is_on_the_bus(),
        };
        assert!(known, "{kind}: what the schema passes, the type does not");
    });
}
