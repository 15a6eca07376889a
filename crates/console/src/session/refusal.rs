//! What somebody is told who is not served: as a page, and under `/api/` as problem+json.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::OriginalUri,
    http::{
        HeaderValue, Method, StatusCode, Uri,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{Html, IntoResponse, Redirect, Response},
};
use tocsin_duty::NotUnder;

use super::next;

/// Why a request is not served. Answered as a page, and under `/api/` as problem+json.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Refused>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    why: Why,
    asked: Asked,
}

/// What was asked for, as far as the answer depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    uri: Uri,
    shown: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    SignedOut { fields: Vec<(String, String)> },
    Forbidden { words: String },
    Elsewhere,
    Stale { csrf: String, fields: Vec<(String, String)> },
    TooMany { wait: Duration },
    TooLarge,
    NoForm { words: String },
    Untrusted { words: String },
}

#[derive(Template)]
#[template(path = "session/refusal.html")]
struct Page<'a> {
    title: &'a str,
    words: &'a str,
    /// What was posted, to be sent again by the person's own hand.
    again: Option<Again<'a>>,
    sign_in: bool,
}

struct Again<'a> {
    action: &'a str,
    csrf: &'a str,
    fields: &'a [(String, String)],
}

impl Refusal {
    fn new(parts: &Parts, why: Why) -> Self {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let shown = parts.method == Method::GET || parts.method == Method::HEAD;
        Self(Box::new(Refused { why, asked: Asked { uri: uri.clone(), shown } }))
    }

    pub(super) fn signed_out(parts: &Parts) -> Self {
        Self::new(parts, Why::SignedOut { fields: Vec::new() })
    }

    /// What was posted, so that it is not lost.
    pub(super) fn keeping(mut self, posted: Vec<(String, String)>) -> Self {
        if let Why::SignedOut { fields } | Why::Stale { fields, .. } = &mut self.0.why {
            *fields = posted;
        }
        self
    }

    pub(super) fn elsewhere(parts: &Parts) -> Self {
        Self::new(parts, Why::Elsewhere)
    }

    pub(super) fn stale(parts: &Parts, csrf: String) -> Self {
        Self::new(parts, Why::Stale { csrf, fields: Vec::new() })
    }

    pub(super) fn too_many(parts: &Parts, wait: Duration) -> Self {
        Self::new(parts, Why::TooMany { wait })
    }

    pub(super) fn too_large(parts: &Parts) -> Self {
        Self::new(parts, Why::TooLarge)
    }

    pub(super) fn no_form(parts: &Parts, words: String) -> Self {
        Self::new(parts, Why::NoForm { words })
    }

    pub(super) fn untrusted(parts: &Parts, why: &NotUnder) -> Self {
        Self::new(parts, Why::Untrusted { words: why.to_string() })
    }

    /// They are known and may not do this: `words` says what, and who may.
    pub fn forbidden(uri: &Uri, words: impl Into<String>) -> Self {
        let asked = Asked { uri: uri.clone(), shown: true };
        Self(Box::new(Refused { why: Why::Forbidden { words: words.into() }, asked }))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refused { why, asked } = *self.0;
        let path = asked.uri.path();
        let api = path.starts_with("/api/");
        let (status, title, words) = match &why {
            Why::SignedOut { .. } if !api && asked.shown => {
                let here = asked.uri.path_and_query().map_or("/", |path| path.as_str());
                return Redirect::to(&next::sign_in(here)).into_response();
            }
            Why::SignedOut { .. } if api => (
                StatusCode::UNAUTHORIZED,
                "",
                "send an API token of an account as `Authorization: Bearer ...`; `tocsin account token NAME` makes one".to_owned(),
            ),
            Why::SignedOut { .. } => (
                StatusCode::UNAUTHORIZED,
                "You are signed out",
                "Your session has ended, so nothing was done. Sign in again in a new tab, then come back to this one and send it again: what you wrote is kept here.".to_owned(),
            ),
            Why::Forbidden { words } => (StatusCode::FORBIDDEN, "You may not do this", words.clone()),
            Why::Elsewhere => (
                StatusCode::FORBIDDEN,
                "This did not come from a page of this console",
                "Another site, or another address of this one, sent this form, so nothing was done. Open the console at its own address and do it there. If you did, whoever runs the console must set public_url to the address that you use.".to_owned(),
            ),
            Why::Stale { .. } => (
                StatusCode::FORBIDDEN,
                "Nothing was done yet",
                "The page that you sent this from is of an earlier session, or of another account. If you still mean it, send it again.".to_owned(),
            ),
            Why::TooMany { wait } => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many tries",
                format!("Nothing was done. Try again in {}.", spelled(*wait)),
            ),
            Why::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "That was too much at once",
                "Nothing was done. Write less, and send it again.".to_owned(),
            ),
            Why::Untrusted { words } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "This console does not trust the directory",
                format!("Nothing is shown or taken here. Use the telephone, and tell whoever runs Tocsin: {words}."),
            ),
            Why::NoForm { words } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The form could not be read",
                format!("Nothing was done. Open the page again and fill it in anew. ({words})"),
            ),
        };
        let mut response = if api {
            crate::api::Problem::new(status, words).into_response()
        } else {
            let here = asked.uri.path_and_query().map_or("/", |path| path.as_str());
            let again = match &why {
                Why::SignedOut { fields } if !fields.is_empty() => {
                    Some(Again { action: here, csrf: "", fields })
                }
                Why::Stale { csrf, fields } => Some(Again { action: here, csrf, fields }),
                _ => None,
            };
            let sign_in = matches!(why, Why::SignedOut { .. });
            page(status, &Page { title, words: &words, again, sign_in })
        };
        match why {
            Why::TooMany { wait } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            Why::SignedOut { .. } if api => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// A page, written out.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(why) => {
            tracing::error!(error = %why, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// In whole seconds or minutes, rounded up.
fn spelled(wait: Duration) -> String {
    let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
    match (seconds, seconds.div_ceil(60)) {
        (1, _) => "a second".to_owned(),
        (..100, _) => format!("{seconds} seconds"),
        (_, minutes) => format!("{minutes} minutes"),
    }
}
