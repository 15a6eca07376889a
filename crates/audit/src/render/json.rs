//! The report as JSON.

use crate::{Error, Report};

/// The report as JSON, as the schema `timeliness-report` describes it, with no newline at its end. Times
/// are the broker's, whatever a view shows.
///
/// # Errors
/// [`Error::Render`] when it cannot be serialised.
pub fn json(report: &Report) -> Result<String, Error> {
    serde_json::to_string_pretty(report).map_err(|why| Error::Render {
        what: format!("incident {}", report.incident.id),
        form: "JSON",
        why: why.to_string(),
    })
}
