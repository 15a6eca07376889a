//! Putting a back-up back.

use std::{fs::File, io::Read as _, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;
use tocsin_protocol::Stream;

use super::{Backup, CHUNK, ORDER, file_of, unfit};
use crate::{Error, Shape, api, shared::Shared, streams};

/// How long the broker may take over one piece, or to begin.
const ANSWER: Duration = Duration::from_mins(1);
/// How long it may take to make the stream of what it was sent.
const END: Duration = Duration::from_mins(30);

#[derive(Deserialize)]
struct Begun {
    deliver_subject: String,
}

impl Shared {
    /// Makes both streams as they are in the back-up.
    pub(crate) async fn restore(&self, backup: &Backup, shape: &Shape) -> Result<(), Error> {
        let mut missing = Vec::new();
        for stream in ORDER.into_iter().rev() {
            match self.standing(stream).await? {
                None => missing.push(stream),
                // Put back by a try that broke off before the log was.
                Some((entries, end))
                    if stream == Stream::Said
                        && entries == backup.entries(stream)
                        && end == backup.last_sequence(stream)
                        && end > 0 => {}
                Some((entries, _)) => return Err(occupied(stream, entries)),
            }
        }
        for stream in missing {
            self.put(backup, stream, shape).await?;
        }
        self.make_snapshots(shape).await?;
        self.verify().await
    }

    /// How many entries a stream has and where it ends; `None` when it is not there.
    async fn standing(&self, stream: Stream) -> Result<Option<(u64, u64)>, Error> {
        match self.size(stream).await {
            Ok(size) => Ok(Some(size)),
            Err(Error::NoStream { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, backup: &Backup, stream: Stream, shape: &Shape) -> Result<(), Error> {
        let attempted = format!("restoring stream {}", stream.name());
        let part = backup.part(stream)?;
        let cannot =
            |why: std::io::Error| unfit(&backup.dir, format!("{} cannot be read: {why}", file_of(stream)));
        let mut file = File::open(backup.file(stream)).map_err(cannot)?;
        let request = json!({"config": streams::wanted(stream, shape), "state": part.state});
        let verb = self.api_subject(&format!("STREAM.RESTORE.{}", stream.name()));
        let answer = self.ask_once(&attempted, &verb, request.to_string().into(), ANSWER).await?;
        let begun: Begun =
            api::read::<Begun>(&attempted, &answer)?.map_err(|error| error.told(&attempted, stream, self))?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = file.read(&mut chunk).map_err(cannot)?;
            let (piece, within) =
                (Bytes::copy_from_slice(&chunk[..read]), if read == 0 { END } else { ANSWER });
            let answer = self.ask_once(&attempted, &begun.deliver_subject, piece, within).await?;
            // A piece is answered with nothing, or with what is wrong; the end, with the stream.
            if !answer.is_empty() {
                api::read::<IgnoredAny>(&attempted, &answer)?
                    .map_err(|error| error.told(&attempted, stream, self))?;
            }
            if read == 0 {
                break;
            }
        }
        let (_, end) = self.size(stream).await?;
        let wanted = part.state.last_seq;
        if end < wanted {
            let why =
                format!("the stream ends at {end} and not at {wanted}: use another copy of the back-up");
            return Err(Error::Transfer { attempted, why });
        }
        Ok(())
    }
}

fn occupied(stream: Stream, entries: u64) -> Error {
    let mend = if entries == 0 {
        format!(
            "it is empty, so remove it (`nats stream rm {}`, or stop nats-server and give it an empty store_dir); a restore makes both streams itself, and needs no `tocsin setup`",
            stream.name()
        )
    } else {
        "a restore never writes over a record: restore to a nats-server with an empty store_dir, and keep the store that is there"
            .to_owned()
    };
    Error::Occupied { stream: stream.name(), entries, mend }
}
