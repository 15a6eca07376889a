//! What the console has done by other services: no service imports another, so they meet here.

use std::sync::Arc;

use tocsin_console::{Hands, Press};
use tocsin_ledger::Ledger;

use crate::{press::OperatorPress, reports::Auditor};

/// What stands in the way of nothing: each hand that is missing is told on the page that would use it.
pub(crate) fn hands(ledger: &Ledger, press: Option<OperatorPress>) -> Hands {
    Hands {
        press: press.map(|press| Arc::new(press) as Arc<dyn Press>),
        reports: Some(Auditor::new(ledger)),
        ..Hands::default()
    }
}
