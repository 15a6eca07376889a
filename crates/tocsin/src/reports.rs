//! What the console's reports are computed with: the auditor's side, as `tocsin report` and `tocsin audit` use it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tocsin_audit::{Asked, Error, Reporter, Whose, Written, render::STYLE};
use tocsin_console::{Document, Form, NoReport, Reports, Sees, Wanted};
use tocsin_ledger::Ledger;

/// Computes them from the bus itself.
pub(crate) struct Auditor(Arc<Reporter>);

impl Auditor {
    pub(crate) fn new(ledger: &Ledger) -> Arc<Self> {
        Arc::new(Self(Reporter::new(ledger.clone())))
    }
}

impl Reports for Auditor {
    fn report(&self, wanted: Wanted, sees: Sees, form: Form) -> BoxFuture<'_, Result<Document, NoReport>> {
        let asked = match wanted {
            Wanted::Incident(incident) => Asked::Incident(incident),
            Wanted::Period(from, to, status) => Asked::Period(from, to, status),
            Wanted::Verdict(incident) => Asked::Verdict(incident),
            Wanted::CallList(incident) => Asked::CallList(incident),
        };
        let whose = match sees {
            Sees::Everything => Whose::Everybodys,
            Sees::Publisher(publisher) => Whose::Publishers(publisher),
            Sees::Recipient(recipient) => Whose::Recipients(recipient),
        };
        let written = match form {
            Form::Part => Written::Part,
            Form::Html => Written::Html,
            Form::Csv => Written::Csv,
            Form::Json => Written::Json,
            Form::Pdf => Written::Pdf,
        };
        Box::pin(async move {
            let made = self.0.make(asked, whose, written).await.map_err(|why| match why {
                Error::UnknownIncident { .. } | Error::NoSuchForm => NoReport::Absent,
                Error::Period { .. } => NoReport::Wrong(why.to_string()),
                other => NoReport::Failed(other.to_string()),
            })?;
            Ok(Document { body: made.body, media_type: made.media_type, name: made.name })
        })
    }

    fn style(&self) -> &'static str {
        STYLE
    }
}
