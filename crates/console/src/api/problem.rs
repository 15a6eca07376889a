//! What a program is told that is not served: problem+json (RFC 9457).

use axum::{
    extract::{FromRequestParts, Query, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE, header::RETRY_AFTER, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tocsin_protocol::schema;

use crate::hands;

/// Why a request is not served, and how to mend it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: String,
    /// Each fault by itself, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    #[serde(skip)]
    wait_seconds: Option<u64>,
}

/// One fault of what was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Fault {
    /// Where, as a JSON Pointer; empty for the whole.
    pointer: String,
    /// What stands there; left out where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// What is wrong with it, and what is expected.
    message: String,
}

/// The longest value that is repeated in a fault, in characters of its JSON.
const SHOWN: usize = 200;

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Not served").to_owned();
        let (status, detail) = (status.as_u16(), detail.into());
        Self { kind: "about:blank", title, status, detail, errors: Vec::new(), wait_seconds: None }
    }

    /// Not there, or not there for them: the two are told alike.
    pub(super) fn absent() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such thing here, or it is not for this account")
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// They are to come again after so many seconds.
    #[must_use]
    pub(super) fn after(self, seconds: u64) -> Self {
        Self { wait_seconds: Some(seconds), ..self }
    }

    /// What the schema does not take.
    pub(super) fn of_schema(problems: &[schema::Problem], body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let value = |pointer: &str| {
            let value = body.pointer(pointer).filter(|_| !pointer.is_empty())?;
            (value.to_string().chars().count() <= SHOWN).then(|| value.clone())
        };
        let fault = |problem: &schema::Problem| Fault {
            value: value(&problem.pointer),
            pointer: problem.pointer.clone(),
            message: problem.message.clone(),
        };
        Self {
            errors: problems.iter().map(fault).collect(),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the body is not as its schema says: see errors")
        }
    }

    /// What the operator's own side does not take.
    pub(super) fn of_press(faults: Vec<hands::Fault>) -> Self {
        let fault = |fault: hands::Fault| Fault {
            pointer: fault.field.map(|field| format!("/{}", field.replace('.', "/"))).unwrap_or_default(),
            value: None,
            message: fault.words,
        };
        Self {
            errors: faults.into_iter().map(fault).collect(),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the event cannot be said: see errors")
        }
    }

    pub(super) fn of_body(why: &BytesRejection) -> Self {
        let detail = match why.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than 64 KiB".to_owned(),
            _ => why.body_text(),
        };
        Self::new(why.status(), detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.wait_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What follows the question mark.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, why.body_text()))?;
        Ok(Self(asked))
    }
}
