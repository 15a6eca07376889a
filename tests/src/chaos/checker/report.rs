//! The audit's report, held against what the checker has found.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Finding, Promise, Row, duties::Sent, log::time};

/// Where a report says other than the checker.
pub(in super::super) fn differences(incident: &str, rows: &[Row], report: &Value) -> Vec<Finding> {
    let mut differences = Vec::new();
    let mut differs =
        |what: String| differences.push(Finding { promise: Promise::Report, unfinished: false, what });
    let mut told: BTreeMap<(u64, &str), &Value> = BTreeMap::new();
    for event in report["events"].as_array().into_iter().flatten() {
        for row in event["recipients"].as_array().into_iter().flatten() {
            let key = (event["event"].as_u64().unwrap_or_default(), row["id"].as_str().unwrap_or_default());
            told.insert(key, row);
        }
    }
    if told.len() != rows.len() {
        differs(format!("{incident}: {} rows in the report, {} by the checker", told.len(), rows.len()));
    }
    for row in rows {
        let Some(there) = told.get(&(row.event, row.recipient.as_str())) else {
            differs(format!("{incident}: not in the report: {row:?}"));
            continue;
        };
        let mails: BTreeMap<u64, Sent> = there["escalations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|mail| {
                let number = |name: &str| mail[name].as_u64().unwrap_or_default();
                let accepted = !mail["accepted_at"].is_null();
                (number("step"), Sent { attempts: number("attempts"), unknown: number("unknown"), accepted })
            })
            .collect();
        let same = there["state"] == row.state
            && time(&there["delivered_at"]) == row.delivered_at
            && time(&there["acknowledged_at"]) == row.acknowledged_at
            && mails == row.mails;
        if !same {
            differs(format!("{incident}: {row:?}, and the report has {there}"));
        }
    }
    if report["totals"]["neither"] != 0 {
        differs(format!(
            "{incident}: the report tells of {} neither in time nor escalated",
            report["totals"]["neither"]
        ));
    }
    for problem in report["problems"].as_array().into_iter().flatten().filter(|problem| tells_fault(problem))
    {
        differs(format!("{incident}: the report has {problem}"));
    }
    differences
}

/// Whether a problem of a report says that a promise was broken. These tell what people and relays did.
fn tells_fault(problem: &Value) -> bool {
    let code = problem["code"].as_str().unwrap_or_default();
    !PEOPLE.contains(&code)
}

/// The problems that are no fault of ours.
const PEOPLE: [&str; 9] = [
    "refused",
    "unreachable",
    "relay-fault",
    "unknown-send",
    "repeated-mail",
    "late-entry",
    "revised-start",
    "closed-before-notice",
    "not-all-told",
];
