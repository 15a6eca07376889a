//! Taking a back-up.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tocsin_protocol::{Stream, Timestamp};

use super::{
    Backup, CHUNK, MANIFEST, ORDER, file_of, make,
    manifest::{Manifest, Part, State},
    unfit,
};
use crate::{Error, api, shared::Shared};

/// How long the broker may look through a stream's files before it answers.
const ANSWER: Duration = Duration::from_mins(5);
/// How long the next piece may take.
const SILENT: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Begun {
    state: State,
}

impl Shared {
    /// Writes both streams to a new directory.
    pub(crate) async fn back_up(&self, dir: &Path) -> Result<Backup, Error> {
        // Before an upgrade there should be a back-up, whichever program takes it.
        self.verify_as_old().await?;
        let taken_at = self.touch(ANSWER).await?.broker_time.unwrap_or_else(Timestamp::now);
        make(dir)?;
        let mut streams = BTreeMap::new();
        for stream in ORDER {
            streams.insert(stream.name().to_owned(), self.take(stream, dir).await?);
        }
        let manifest = Manifest::new(taken_at, self.client.server_info().version, streams);
        let cannot = |why: std::io::Error| unfit(dir, format!("{MANIFEST} cannot be written: {why}"));
        let text = serde_json::to_string_pretty(&manifest).map_err(|why| cannot(why.into()))?;
        let mut file = File::create_new(dir.join(MANIFEST)).map_err(cannot)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(cannot)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(cannot)?;
        Ok(Backup { dir: dir.to_owned(), manifest })
    }

    async fn take(&self, stream: Stream, dir: &Path) -> Result<Part, Error> {
        let attempted = format!("backing up stream {}", stream.name());
        let failed = |why: String| Error::Transfer { attempted: attempted.clone(), why };
        let inbox = self.client.new_inbox();
        let mut pieces = self
            .client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| Error::Closed { why: error.to_string() })?;
        // Asked once: a second answer's pieces would come among the first's.
        let request = json!({"deliver_subject": inbox, "chunk_size": CHUNK, "jsck": true});
        let verb = self.api_subject(&format!("STREAM.SNAPSHOT.{}", stream.name()));
        let answer = self.ask_once(&attempted, &verb, request.to_string().into(), ANSWER).await?;
        let begun: Begun =
            api::read::<Begun>(&attempted, &answer)?.map_err(|error| error.told(&attempted, stream, self))?;

        let name = file_of(stream);
        let cannot = |why: std::io::Error| unfit(dir, format!("{name} cannot be written: {why}"));
        let mut file = BufWriter::new(File::create_new(dir.join(&name)).map_err(cannot)?);
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        loop {
            let piece = match tokio::time::timeout(SILENT, pieces.next()).await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Err(failed("the connection was closed".to_owned())),
                Err(_) => return Err(failed(format!("nothing came for {SILENT:?}"))),
            };
            if piece.payload.is_empty() {
                // The last one says how it went; an older server says nothing.
                match piece.status.map(|status| status.as_u16()) {
                    None | Some(204) => break,
                    Some(status) => {
                        let why = piece.description.unwrap_or_default();
                        return Err(failed(format!("the broker gave up: {status} {why}")));
                    }
                }
            }
            file.write_all(&piece.payload).map_err(cannot)?;
            digest.update(&piece.payload);
            bytes += piece.payload.len() as u64;
            if let Some(reply) = piece.reply {
                self.client
                    .publish(reply, Bytes::new())
                    .await
                    .map_err(|error| Error::Closed { why: error.to_string() })?;
            }
        }
        let file = file.into_inner().map_err(|why| cannot(why.into_error()))?;
        file.sync_all().map_err(cannot)?;
        if bytes == 0 {
            return Err(failed("the broker sent nothing".to_owned()));
        }
        Ok(Part { bytes, sha256: HEXLOWER.encode(&digest.finalize()), state: begun.state })
    }

    /// One request that must not be sent twice.
    pub(super) async fn ask_once(
        &self,
        attempted: &str,
        subject: &str,
        payload: Bytes,
        within: Duration,
    ) -> Result<Bytes, Error> {
        use crate::shared::NoAnswer;
        let failed = |why: String| Error::Transfer { attempted: attempted.to_owned(), why };
        match self.ask(subject, None, payload, within).await {
            Ok(message) => Ok(message.payload),
            Err(NoAnswer::Never(error)) => Err(error),
            Err(NoAnswer::Lost(why)) => Err(failed(why)),
            Err(NoAnswer::NobodyThere) => Err(failed("nobody answers there".to_owned())),
        }
    }
}
