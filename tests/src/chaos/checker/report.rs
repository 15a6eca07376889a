//! The audit's report, held against what the checker has found.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Debt, Finding, Promise, Row, duties::Sent, log::time};

/// Where a report says other than the checker.
pub(in super::super) fn differences(
    incident: &str,
    rows: &[Row],
    debts: &[Debt],
    report: &Value,
) -> Vec<Finding> {
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
            .map(|mail| (mail["step"].as_u64().unwrap_or_default(), sent(mail)))
            .collect();
        let same = there["state"] == row.state
            && time(&there["delivered_at"]) == row.delivered_at
            && time(&there["acknowledged_at"]) == row.acknowledged_at
            && mails == row.mails;
        if !same {
            differs(format!("{incident}: {row:?}, and the report has {there}"));
        }
    }
    let told: Vec<&Value> = report["duties"].as_array().into_iter().flatten().collect();
    if told.len() != debts.len() {
        differs(format!("{incident}: {} duties in the report, {} by the checker", told.len(), debts.len()));
    }
    for debt in debts {
        let same = |there: &&&Value| {
            there["event"] == debt.event
                && there["duty"] == debt.name.as_str()
                && there["policy"].as_str() == debt.policy.as_deref()
                && there["target"] == debt.target
                && time(&there["due_at"]) == Some(debt.due_at)
                && there["state"] == debt.state
                && there["met_by"].as_u64() == debt.met_by
                && there["told_overdue"] == debt.told
                && (!there["reminder"].is_null()).then(|| sent(&there["reminder"])) == debt.reminder
        };
        if !told.iter().any(|there| same(&there)) {
            let named = told.iter().filter(|there| there["duty"] == debt.name.as_str());
            differs(format!("{incident}: {debt:?}, and the report has {:?}", named.collect::<Vec<_>>()));
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

fn sent(mail: &Value) -> Sent {
    let number = |name: &str| mail[name].as_u64().unwrap_or_default();
    Sent {
        attempts: number("attempts"),
        unknown: number("unknown"),
        accepted: !mail["accepted_at"].is_null(),
    }
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
