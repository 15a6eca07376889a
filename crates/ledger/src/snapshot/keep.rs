//! Writing one.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tocsin_protocol::{AuthorKey, KEY_HEADER, SIGNATURE_HEADER, Signed, SignedDuration, Snapshot};

use super::{AT_ONCE, Head, PART, head_of, part_of};
use crate::{Error, patience::Patience, shared::Shared, wire::EXPECTED_LAST_SUBJECT_SEQUENCE};

/// How long somebody may have been writing before they are taken to be dead.
const DEAD_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// How long the broker may take over a part.
const PART_WITHIN: Duration = Duration::from_mins(1);
/// How long the broker's clock is asked for.
const CLOCK_WITHIN: Duration = Duration::from_secs(5);

impl Shared {
    /// How many entries the newest that stands whole is of, where this key signed it, and it has this form.
    pub(crate) async fn newest_snapshot(&self, form: &str, key: &AuthorKey) -> Result<Option<u64>, Error> {
        let read = |head: &Head| {
            let snapshot = Snapshot::read(&head.body, head.signed.as_ref()?, key).ok()?;
            (snapshot.form == form).then(|| snapshot.entries())
        };
        Ok(self.heads().await?.iter().filter_map(read).max())
    }

    /// Writes one in the place that does not hold the newest. False when somebody else is at it.
    pub(crate) async fn keep_snapshot(
        &self,
        head: Bytes,
        signed: &Signed,
        body: Bytes,
    ) -> Result<bool, Error> {
        let heads = self.heads().await?;
        let newest = heads.iter().filter(|head| !head.body.is_empty()).max_by_key(|head| head.sequence);
        let place = newest.map_or(0, |newest| 1 - newest.place);
        let there = heads.iter().find(|head| head.place == place);
        if there.is_some_and(|there| there.body.is_empty()) {
            let now = self.touch(CLOCK_WITHIN).await?.broker_time;
            let since = now.zip(there).map(|(now, there)| now.duration_since(there.time));
            if since.is_none_or(|since| since < DEAD_AFTER) {
                return Ok(false);
            }
        }
        // From here on the place is nobody else's: who comes with the same condition is refused.
        let empty = HeaderMap::new();
        let Some(mine) =
            self.put_head(place, there.map_or(0, |there| there.sequence), &empty, Bytes::new()).await?
        else {
            return Ok(false);
        };
        let parts = (0..body.len()).step_by(PART).enumerate().map(|(part, from)| {
            let (subject, bytes) = (part_of(place, part), body.slice(from..body.len().min(from + PART)));
            async move { self.put_kept(&subject, &HeaderMap::new(), bytes).await }
        });
        let mut parts = stream::iter(parts).buffer_unordered(AT_ONCE);
        while parts.try_next().await?.is_some() {}
        let mut headers = HeaderMap::new();
        headers.insert(KEY_HEADER, signed.key.as_str());
        headers.insert(SIGNATURE_HEADER, signed.signature.as_str());
        Ok(self.put_head(place, mine, &headers, head).await?.is_some())
    }

    /// Writes the head of a place if this is the last sequence there. `None` when it is not.
    async fn put_head(
        &self,
        place: u8,
        last: u64,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Option<u64>, Error> {
        let mut headers = headers.clone();
        headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE, last.to_string());
        self.put_kept(&head_of(place), &headers, body).await
    }

    async fn put_kept(&self, subject: &str, headers: &HeaderMap, body: Bytes) -> Result<Option<u64>, Error> {
        let attempted = format!("writing {subject}");
        match self.store(&attempted, subject, headers, &body, &mut Patience::up_to(PART_WITHIN)).await? {
            Ok(ack) => Ok(Some(ack.seq)),
            Err(error) if error.is_taken() => Ok(None),
            Err(error) => {
                Err(Error::Refused { attempted, code: error.err_code, description: error.description })
            }
        }
    }
}
