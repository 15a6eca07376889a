//! Forms that somebody who has signed in has posted.

use axum::{
    Form,
    extract::{FromRequest, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{Pass, Visitor, place::From, refusal::Refusal};
use crate::app::App;

/// The field of every form that holds [`Visitor::csrf`].
pub(crate) const CSRF: &str = "csrf";

/// A form that was posted from one of our pages by somebody who has signed in.
///
/// Its page holds `<input type="hidden" name="csrf" value="{{ csrf }}">` with [`Visitor::csrf`]. `T` is what serde makes of
/// the fields; take `Vec<(String, String)>` where one may come several times, as check boxes do. A body beyond 64 KiB, a form
/// from elsewhere, or of another session, is refused before `T` is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted<T> {
    /// Who posted it.
    pub visitor: Visitor,
    /// What they posted.
    pub form: T,
}

impl<T: DeserializeOwned> FromRequest<App> for Posted<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let sessions = app.sessions();
        let from = sessions.place.from(&parts.headers);
        if from == From::Elsewhere {
            return Err(Refusal::elsewhere(&parts));
        }
        let fields = Fields::read(&parts, Request::from_parts(parts.clone(), body), app).await?;
        let Some(visitor) = sessions.visitor(&parts.headers, false) else {
            return Err(Refusal::signed_out(&parts).keeping(fields.pairs));
        };
        let Pass::Session(ticket) = &visitor.pass else { return Err(Refusal::signed_out(&parts)) };
        sessions
            .posts
            .take(&ticket.id, std::time::Instant::now())
            .map_err(|wait| Refusal::too_many(&parts, wait))?;
        // Hashed, so that the time tells nothing of how much of it is right.
        let right = Sha256::digest(ticket.csrf()) == Sha256::digest(&fields.csrf);
        if !right && from == From::Unsaid {
            return Err(Refusal::elsewhere(&parts));
        }
        if !right {
            return Err(Refusal::stale(&parts, ticket.csrf()).keeping(fields.pairs));
        }
        Ok(Self { form: fields.form(&parts).await?, visitor })
    }
}

/// What a form holds, before it is known who sent it.
pub(super) struct Fields {
    csrf: String,
    /// All but the CSRF token.
    pairs: Vec<(String, String)>,
    body: Bytes,
}

impl Fields {
    pub(super) async fn read(parts: &Parts, request: Request, app: &App) -> Result<Self, Refusal> {
        let form = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !form.starts_with("application/x-www-form-urlencoded") {
            return Err(Refusal::no_form(parts, "it is no form as browsers send it".to_owned()));
        }
        let body = Bytes::from_request(request, app).await.map_err(|why| match why.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(parts),
            _ => Refusal::no_form(parts, why.body_text()),
        })?;
        let pairs: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
        let csrf = pairs.iter().find(|(name, _)| name == CSRF).map(|(_, value)| value.clone());
        let pairs = pairs.into_iter().filter(|(name, _)| name != CSRF).collect();
        Ok(Self { csrf: csrf.unwrap_or_default(), pairs, body })
    }

    pub(super) async fn form<T: DeserializeOwned>(self, parts: &Parts) -> Result<T, Refusal> {
        let request = Request::from_parts(parts.clone(), self.body.into());
        let Form(form) = Form::<T>::from_request(request, &())
            .await
            .map_err(|why| Refusal::no_form(parts, why.body_text()))?;
        Ok(form)
    }
}
