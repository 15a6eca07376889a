//! Who is at the page, and what they may see.

use axum::Router;
use tocsin_protocol::{PublisherId, RecipientId};

use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The account, such as `pol-kent.control`.
    pub account: String,
    /// What they see and may do.
    pub sees: Sees,
}

/// What an account sees, and for whom it may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sees {
    /// An agency: its own notices and receipts, and the incidents that it was told of. It may acknowledge.
    Recipient(RecipientId),
    /// An operator: its own incidents, and everyone's part in them. It may publish.
    Publisher(PublisherId),
    /// A regulator, auditor or administrator: everything. It may change nothing.
    Everything,
}
