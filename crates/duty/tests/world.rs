//! A world of publishers, recipients, a broker with its own clock, routers that race, fall behind and die, and a
//! notifier that fails: whatever happens, in whatever order, the promises hold.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use support::{Outside, World};
use tocsin_duty::{Fold, Trust};
use tocsin_protocol::{
    AttemptPhase, Dispatch, Escalation, EscalationReason, Finding, Outcome, Requirement, Stream, Subject,
    from_body,
};

fn outside() -> impl Strategy<Value = Outside> {
    prop_oneof![
        3 => (0..3_u8, 0..4_u8).prop_map(|(incident, kind)| Outside::Publish { incident, kind }),
        1 => (0..3_u8).prop_map(|incident| Outside::Forge { incident }),
        6 => (0..3_u8, 1..4_u8, 0..5_u8).prop_map(|(incident, event, recipient)| Outside::Acknowledge { incident, event, recipient }),
        2 => (0..3_u8, 1..4_u8, 0..5_u8).prop_map(|(incident, event, recipient)| Outside::Deliver { incident, event, recipient }),
        1 => (0..3_u8, 1..4_u8, 0..5_u8).prop_map(|(incident, event, recipient)| Outside::Impersonate { incident, event, recipient }),
        1 => Just(Outside::SayAgain),
        1 => any::<u8>().prop_map(Outside::Junk),
        4 => (1..9_u8).prop_map(Outside::Wait),
    ]
}

/// What routers and the notifier do between two things from outside.
#[derive(Debug, Clone)]
enum Inside {
    Read(usize),
    Write(usize, usize),
    Crash(usize),
    Send(bool),
}

fn inside() -> impl Strategy<Value = Inside> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Inside::Read),
        5 => (0..3_usize, 1..9_usize).prop_map(|(router, facts)| Inside::Write(router, facts)),
        1 => (0..3_usize).prop_map(Inside::Crash),
        2 => prop::bool::weighted(0.3).prop_map(Inside::Send),
    ]
}

fn run(story: &[(Outside, Vec<Inside>)], mails: Mails) -> World {
    let mut world = World::new(3);
    for (outside, insides) in story {
        world.outside(outside);
        for inside in insides {
            match inside {
                Inside::Read(router) => world.read(*router),
                Inside::Write(router, facts) => world.write(*router, *facts),
                Inside::Crash(router) => world.crash(*router),
                Inside::Send(permanent) => match mails {
                    Mails::Sent => {
                        world.send(if *permanent { Outcome::Permanent } else { Outcome::Accepted });
                    }
                    Mails::Kept => {}
                },
            }
        }
    }
    world.settle();
    world
}

#[derive(Clone, Copy)]
enum Mails {
    Sent,
    Kept,
}

fn hold(world: &World) -> Result<(), TestCaseError> {
    let log: Vec<_> = world.all.iter().filter(|e| e.stream == Stream::Log).collect();
    let mut subjects = BTreeSet::new();
    for entry in &log {
        prop_assert!(subjects.insert(entry.subject.as_str()), "written twice: {}", entry.subject);
    }

    let refused: BTreeSet<u64> = log
        .iter()
        .filter_map(|e| match e.subject.parse() {
            Ok(Subject::Refusal { said, .. }) => Some(said),
            _ => None,
        })
        .collect();
    prop_assert_eq!(&refused, &world.judged_refused(), "refused is what an auditor refuses too");

    let dispatches: Vec<Dispatch> = facts(&log, |s| matches!(s, Subject::Dispatch { .. }));
    prop_assert_eq!(dispatches.len(), world.valid_events());
    for dispatch in &dispatches {
        for (recipient, _) in dispatch.recipients() {
            let notice = format!("tocsin.notice.{recipient}.{}.{}", dispatch.incident, dispatch.event);
            prop_assert!(subjects.contains(notice.as_str()), "no {notice}");
        }
        let informed: BTreeSet<_> = dispatch
            .recipients()
            .into_iter()
            .filter(|(_, r)| *r == Requirement::Informed)
            .map(|(r, _)| r.clone())
            .collect();
        let mut acknowledged_before = BTreeSet::new();
        for step in &dispatch.steps {
            let finding = format!("tocsin.finding.{}.{}.{}", dispatch.incident, dispatch.event, step.step);
            let finding: Finding = log
                .iter()
                .find(|e| e.subject == finding)
                .map(|e| from_body("finding", &e.body).unwrap())
                .ok_or_else(|| TestCaseError::fail(format!("no {finding}")))?;
            for recipient in dispatch.required(step.step) {
                let subject = format!(
                    "tocsin.escalation.{recipient}.{}.{}.{}",
                    dispatch.incident, dispatch.event, step.step
                );
                let escalation: Option<Escalation> = log
                    .iter()
                    .find(|e| e.subject == subject)
                    .map(|e| from_body("escalation", &e.body).unwrap());
                let for_silence = escalation.as_ref().is_some_and(|e| e.reason == EscalationReason::Silent);
                let at = world.acknowledged(recipient, &dispatch.incident, dispatch.event);
                let in_time = at.is_some_and(|at| at <= step.due_at);
                if in_time {
                    prop_assert!(!for_silence, "in time, and escalated: {subject}");
                    prop_assert!(!finding.silent.contains(recipient));
                    acknowledged_before.insert(recipient.clone());
                } else {
                    prop_assert!(finding.silent.contains(recipient));
                    prop_assert!(!acknowledged_before.contains(recipient), "an acknowledgement is for good");
                    prop_assert_eq!(
                        escalation.is_some(),
                        finding.stopped_by.is_none()
                            || escalation.is_some_and(|e| e.reason == EscalationReason::Unreachable),
                        "neither acknowledged in time nor escalated: {}",
                        subject
                    );
                }
            }
        }
        for entry in &log {
            if let Ok(Subject::Escalation { recipient, .. }) = entry.subject.parse() {
                prop_assert!(!informed.contains(&recipient), "informed, and escalated: {}", entry.subject);
            }
        }
    }
    Ok(())
}

fn facts<T: serde::de::DeserializeOwned>(
    log: &[&tocsin_protocol::Entry],
    wanted: impl Fn(&Subject) -> bool,
) -> Vec<T> {
    log.iter()
        .filter(|e| e.subject.parse().is_ok_and(|s| wanted(&s)))
        .map(|e| from_body("fact", &e.body).unwrap())
        .collect()
}

/// The log by subject, without what tells when a window was seen to close: that depends on when somebody armed it.
fn content(world: &World) -> BTreeMap<String, serde_json::Value> {
    world
        .all
        .iter()
        .filter(|e| e.stream == Stream::Log)
        .filter(|e| {
            !matches!(
                e.subject.parse(),
                Ok(Subject::Attempt { phase: AttemptPhase::Begun | AttemptPhase::Ended, .. })
            )
        })
        .map(|e| {
            let mut body: serde_json::Value = serde_json::from_slice(&e.body).unwrap();
            if let Some(body) = body.as_object_mut() {
                body.remove("closed_at");
                body.remove("late");
            }
            (e.subject.clone(), body)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_duty_ends_whatever_happens_in_whatever_order(
        story in prop::collection::vec((outside(), prop::collection::vec(inside(), 0..6)), 1..40),
    ) {
        hold(&run(&story, Mails::Sent))?;
    }

    #[test]
    fn a_fold_read_back_at_any_place_goes_on_as_the_one_that_read_all(
        story in prop::collection::vec((outside(), prop::collection::vec(inside(), 0..6)), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let world = run(&story, Mails::Sent);
        let (before, after) = world.all.split_at(cut.index(world.all.len() + 1));
        let mut whole = Fold::new();
        for entry in before {
            whole.apply(entry);
        }
        let mut restored = Fold::restored(&whole.snapshot().unwrap(), Trust::default()).unwrap();
        prop_assert_eq!(&restored, &whole);
        for entry in after {
            prop_assert_eq!(restored.apply(entry), whole.apply(entry));
            prop_assert_eq!(restored.follows(), whole.follows());
        }
        prop_assert_eq!(&restored, &whole);
        let as_value = |fold: &Fold| serde_json::from_slice::<serde_json::Value>(&fold.snapshot().unwrap()).unwrap();
        prop_assert_eq!(as_value(&restored)["incidents"].clone(), as_value(&whole)["incidents"].clone());
    }

    #[test]
    fn the_log_is_the_same_whatever_the_order_of_replicas(
        outsides in prop::collection::vec(outside(), 1..25),
        one in prop::collection::vec(prop::collection::vec(inside(), 0..5), 25),
        other in prop::collection::vec(prop::collection::vec(inside(), 0..5), 25),
    ) {
        let story = |insides: Vec<Vec<Inside>>| outsides.iter().cloned().zip(insides).collect::<Vec<_>>();
        let (one, other) = (run(&story(one), Mails::Kept), run(&story(other), Mails::Kept));
        prop_assert_eq!(content(&one), content(&other));
    }
}
