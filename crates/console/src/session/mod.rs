//! Who is at the page, and what they may see.
//!
//! Somebody signs in with an account of the console's own [`Accounts`] and then has a cookie that says so, signed, strict
//! and hidden from scripts: a [`Visitor`]. What they post comes as [`Posted`], which holds that it was sent from one of our
//! pages by that session. A session ends when it is signed out of, when no page of it has been open for a while, after a
//! shift, and at once when its account is revoked or gets another password. [`guard`] holds what is so for all of it.
//!
//! Under `/api/` a program is a visitor too, by an account's API token.

mod accounts;
mod client;
mod file;
#[cfg(test)]
pub(crate) mod fixture;
mod guard;
mod keeper;
mod limit;
mod next;
mod password;
mod place;
mod posted;
mod refusal;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod ticket;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, OriginalUri},
    http::request::Parts,
    middleware,
    routing::{get, post},
};
use tocsin_protocol::{Person, PublisherId, RecipientId, SignedIn};

use self::ticket::{Ticket, mark};
pub use self::{
    accounts::{Account, AccountName, Accounts},
    password::{PASSWORD_MIN, generated_password},
    posted::Posted,
    refusal::Refusal,
};
pub(crate) use self::{limit::Limit, sessions::Sessions};
use crate::app::App;

/// The largest body that is read, in bytes, where a route does not say otherwise.
const BODY_MAX: usize = 64 * 1024;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
}

/// Puts what holds for every request and answer around all routes.
pub(crate) fn guarded(routes: Router<App>, app: &App) -> Router<App> {
    routes
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
}

/// Somebody who has signed in. As an argument of a handler it is whoever sent the request; who has not signed in is sent to
/// the page that lets them, or under `/api/` told so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The account, such as `pol-kent.control`.
    pub account: String,
    /// What they see and may do.
    pub sees: Sees,
    /// Who is usually at this account: what a form's name and role begin with.
    pub person: Option<Person>,
    pass: Pass,
}

/// By what a visitor is known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pass {
    Session(Ticket),
    /// The token's hash: another one that the account was given since is not this one.
    Token(String),
}

/// What an account sees, and for whom it may speak.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sees {
    /// An agency: its own notices and receipts, and the incidents that it was told of. It may acknowledge.
    Recipient(RecipientId),
    /// An operator: its own incidents, and everyone's part in them. It may publish.
    Publisher(PublisherId),
    /// A regulator, auditor or administrator: everything. It may change nothing.
    Everything,
}

impl Visitor {
    /// What each form of theirs must hold as its field `csrf`: see [`Posted`]. Empty for a program, which posts no forms.
    pub fn csrf(&self) -> String {
        match &self.pass {
            Pass::Session(ticket) => ticket.csrf(),
            Pass::Token(_) => String::new(),
        }
    }

    /// Who this is, as a receipt and the log say it: so that what the console vouches for can be traced.
    pub(crate) fn signed_in(&self) -> SignedIn {
        let session = match &self.pass {
            Pass::Session(ticket) => ticket.mark(),
            Pass::Token(hash) => mark("tocsin token", hash),
        };
        SignedIn { account: self.account.clone(), session }
    }

    /// Whether they may still be served as they are, for what stays open, such as an event stream: asking counts as using
    /// the session. Ask every few seconds, and end it when not, saying why: the session is over, the token is worth nothing
    /// any more, or the account sees something else now.
    pub fn still(&self, app: &App) -> bool {
        app.sessions().still(self)
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let api = uri.path().starts_with("/api/");
        let visitor =
            app.sessions().visitor(&parts.headers, api).ok_or_else(|| Refusal::signed_out(parts))?;
        if matches!(visitor.pass, Pass::Session(_)) && !parts.method.is_safe() {
            // What a session changes comes as `Posted`, with its token; a program has one of its own.
            return Err(Refusal::signed_out(parts));
        }
        Ok(visitor)
    }
}
