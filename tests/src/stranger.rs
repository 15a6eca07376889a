//! A client that knows NATS and none of our manners.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap, Request};
use bytes::Bytes;
use tocsin_protocol::{KEY_HEADER, SIGNATURE_HEADER, Signed};

/// A client that knows NATS and none of our manners.
#[derive(Debug, Clone)]
pub struct Stranger(Client);

impl Stranger {
    pub(crate) async fn connect(url: &str, login: Option<(&str, String)>) -> Self {
        let options = match login {
            Some((who, seed)) => ConnectOptions::with_nkey(seed).custom_inbox_prefix(format!("_INBOX_{who}")),
            None => ConnectOptions::new(),
        };
        Self(options.connect(url).await.unwrap())
    }

    /// The plain client.
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Publishes without waiting for an answer.
    pub async fn shout(&self, subject: &str, headers: Option<HeaderMap>, body: impl Into<Bytes>) {
        let (subject, body) = (subject.to_owned(), body.into());
        match headers {
            Some(headers) => self.0.publish_with_headers(subject, headers, body).await.unwrap(),
            None => self.0.publish(subject, body).await.unwrap(),
        }
    }

    /// Publishes and gives the stream's own answer: the sequence, or JetStream's code and words.
    ///
    /// # Errors
    /// JetStream's error code and words.
    pub async fn store(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        body: impl Into<Bytes>,
    ) -> Result<u64, (u64, String)> {
        let mut request = Request::new().payload(body.into()).timeout(Some(Duration::from_secs(20)));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let answer = match self.0.send_request(subject.to_owned(), request).await {
            Ok(answer) => answer,
            Err(why) => return Err((0, why.to_string())),
        };
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
        let error = &answer["error"];
        if error.is_null() {
            return Ok(answer["seq"].as_u64().unwrap());
        }
        Err((error["err_code"].as_u64().unwrap_or_default(), error["description"].to_string()))
    }

    /// Waits until everything has been handed to the broker.
    pub async fn flush(&self) {
        self.0.flush().await.unwrap();
    }
}

/// The headers of a signed fact.
pub fn signed_headers(signed: &Signed) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(KEY_HEADER, signed.key.as_str());
    headers.insert(SIGNATURE_HEADER, signed.signature.as_str());
    headers
}
