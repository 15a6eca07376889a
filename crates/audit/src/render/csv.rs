//! The report as CSV: one row for each event and recipient, and each mail that it was owed.

use tocsin_protocol::{Requirement, Timestamp};

use crate::{
    Error, EscalationReport, EventReport, RecipientReport, Report,
    words::{outcome, plain},
};

/// The names of the columns. Times are the broker's, in RFC 3339 and UTC; seconds are unrounded.
const COLUMNS: [&str; 40] = [
    "incident",
    "status",
    "event",
    "event_kind",
    "published_at",
    "recipient",
    "name",
    "kind",
    "requirement",
    "state",
    "noticed_at",
    "delivered_at",
    "acknowledged_at",
    "acknowledged_by_name",
    "acknowledged_by_role",
    "acknowledged_event",
    "acknowledged_method",
    "acknowledged_signer",
    "acknowledged_key",
    "acknowledged_step",
    "due_at",
    "in_time",
    "late_by_seconds",
    "notice_to_acknowledgement_seconds",
    "escalation_step",
    "escalation_contact",
    "escalation_address",
    "escalation_due_at",
    "escalation_closed_at",
    "escalation_owed_at",
    "escalation_accepted_at",
    "escalation_relay",
    "escalation_attempts",
    "escalation_outcome",
    "escalation_unknown",
    "acknowledged_control_room",
    "acknowledged_on_behalf_of",
    "acknowledged_account",
    "acknowledged_session",
    "escalation_via",
];

/// The report as CSV: one row for each event and recipient; a recipient that was owed several mails of one event has
/// one for each. Cells that a spreadsheet would run as a formula begin with an apostrophe. Times are the broker's.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn csv(report: &Report) -> Result<String, Error> {
    let failed =
        |why: String| Error::Render { what: format!("incident {}", report.incident.id), form: "CSV", why };
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(|why| failed(why.to_string()))?;
    for event in &report.events {
        for recipient in &event.recipients {
            let mails = recipient.escalations.iter().map(Some);
            let none = recipient.escalations.is_empty().then_some(None);
            for mail in mails.chain(none) {
                let cells = row(report, event, recipient, mail).map(|cell| guarded(&cell));
                writer.write_record(cells).map_err(|why| failed(why.to_string()))?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|why| failed(why.to_string()))?;
    String::from_utf8(bytes).map_err(|why| failed(why.to_string()))
}

fn row(
    report: &Report,
    event: &EventReport,
    recipient: &RecipientReport,
    mail: Option<&EscalationReport>,
) -> [String; COLUMNS.len()] {
    let by = recipient.acknowledged_by.as_ref();
    let taken = recipient.acknowledged_at.zip(recipient.noticed_at);
    let of = |cell: &dyn Fn(&EscalationReport) -> String| mail.map(cell).unwrap_or_default();
    [
        report.incident.id.to_string(),
        report.incident.status.to_string(),
        event.event.to_string(),
        event.kind.to_string(),
        event.published_at.to_string(),
        recipient.id.to_string(),
        recipient.name.clone(),
        recipient.kind.clone(),
        match recipient.requirement {
            Requirement::Required => "required".to_owned(),
            Requirement::Informed => "informed".to_owned(),
        },
        recipient.state.words().to_owned(),
        time(recipient.noticed_at),
        time(recipient.delivered_at),
        time(recipient.acknowledged_at),
        by.map(|by| by.name.clone()).unwrap_or_default(),
        by.map(|by| by.role.clone()).unwrap_or_default(),
        recipient.acknowledged_event.map(|event| event.to_string()).unwrap_or_default(),
        recipient.acknowledged_method.map(|method| method.as_str().to_owned()).unwrap_or_default(),
        recipient.acknowledged_signer.map(|signer| signer.as_str().to_owned()).unwrap_or_default(),
        recipient.acknowledged_key.clone().unwrap_or_default(),
        recipient.acknowledged_step.map(|step| step.to_string()).unwrap_or_default(),
        time(recipient.due_at),
        recipient.in_time.map(|in_time| in_time.to_string()).unwrap_or_default(),
        recipient.late_by_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
        taken.map(|(to, from)| to.duration_since(from).as_secs_f64().to_string()).unwrap_or_default(),
        of(&|mail| mail.step.to_string()),
        of(&|mail| mail.contact.clone()),
        of(&|mail| mail.address.clone()),
        of(&|mail| mail.due_at.to_string()),
        of(&|mail| time(mail.closed_at)),
        of(&|mail| mail.owed_at.to_string()),
        of(&|mail| time(mail.accepted_at)),
        of(&|mail| mail.relay.clone().unwrap_or_default()),
        of(&|mail| mail.attempts.to_string()),
        of(&|mail| mail.outcome.map(outcome).unwrap_or_default().to_owned()),
        of(&|mail| mail.unknown.to_string()),
        recipient.acknowledged_control_room.clone().unwrap_or_default(),
        recipient.acknowledged_on_behalf_of.clone().unwrap_or_default(),
        recipient.acknowledged_account.clone().unwrap_or_default(),
        recipient.acknowledged_session.clone().unwrap_or_default(),
        of(&|mail| mail.via.as_ref().map(|via| via.recipient.to_string()).unwrap_or_default()),
    ]
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// A cell on one line that no spreadsheet takes for a formula: what could hide its first letter is taken out before it
/// is looked at. Numbers stay numbers.
pub(super) fn guarded(cell: &str) -> String {
    // The wide forms too: a spreadsheet in Japanese or Chinese reads them as the narrow ones.
    const RISKY: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let cell = plain(cell);
    if cell.starts_with(RISKY) && cell.parse::<f64>().is_err() { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_guarded_and_a_number_is_not() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+44 20", "'+44 20"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-cmd", "'-cmd"),
            ("\t=1", "'=1"),
            ("\r\n=1", "'=1"),
            ("\u{0}=1", "'=1"),
            (" =1", "'=1"),
            ("-1.5", "-1.5"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(guarded(cell), written, "{cell:?}");
        }
    }
}
