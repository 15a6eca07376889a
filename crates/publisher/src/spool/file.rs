//! The form of a spool file, version 1: header lines, an empty line, then the event's exact bytes to the file's end.
//!
//! ```text
//! tocsin-spool 1
//! spooled-at: 2023-06-25T05:31:02.118Z
//! subject: tocsin.incident.bt-cha.bt-cha-2023-06-25-0624.1
//! key: U...
//! signature: ...
//! outcome: stored              (these three only under sent/)
//! sequence: 17
//! time: 2023-06-25T05:31:02.301Z
//!
//! {"incident":...}
//! ```
//!
//! The signature holds subject and bytes together, so it is the file's checksum too: a file whose signature does not
//! hold is damaged.

#[cfg(test)]
mod fuzz;

use bytes::Bytes;
use tocsin_ledger::{Position, Said};
use tocsin_protocol::{AuthorKey, EventNumber, IncidentId, Signed, Subject, Timestamp};

use super::{Sent, Spooled};

const FIRST_LINE: &str = "tocsin-spool 1";

/// The end of a spool file's name.
pub(super) const EXTENSION: &str = ".event";

/// The largest spool file that is read, in bytes: well above an event and its header lines. Whatever is larger is no
/// file of ours.
pub(super) const FILE_MAX: u64 = 1024 * 1024;

/// The name that sorts by time of spooling, then incident, then event.
pub(super) fn name(at: Timestamp, incident: &IncidentId, event: EventNumber) -> String {
    format!("{}-{incident}-{:010}{EXTENSION}", at.strftime("%Y%m%dT%H%M%S.%9fZ"), event.get())
}

pub(super) fn encode(spooled: &Spooled, said: Option<&Said>) -> Vec<u8> {
    let Spooled { at, subject, signed: Signed { key, signature }, body, .. } = spooled;
    let outcome = said.map(outcome_lines).unwrap_or_default();
    let head = format!(
        "{FIRST_LINE}\nspooled-at: {at}\nsubject: {subject}\nkey: {key}\nsignature: {signature}\n{outcome}\n"
    );
    [head.as_bytes(), body].concat()
}

fn outcome_lines(said: &Said) -> String {
    let (outcome, Position { sequence, time }) = match said {
        Said::Stored(position) => ("stored", position),
        Said::Already(position) => ("already", position),
        Said::Beside(position) => ("beside", position),
    };
    format!("outcome: {outcome}\nsequence: {sequence}\ntime: {time}\n")
}

/// Reads a file that waits to be sent; the error says what is wrong with it.
pub(super) fn decode(bytes: &Bytes) -> Result<Spooled, String> {
    let (spooled, rest) = decode_head(bytes)?;
    match rest[..] {
        [] => Ok(spooled),
        [extra, ..] => Err(format!("header line {extra:?} is not expected here")),
    }
}

/// Reads a file that was sent.
pub(super) fn decode_sent(bytes: &Bytes) -> Result<Sent, String> {
    let (spooled, rest) = decode_head(bytes)?;
    let [outcome, sequence, time] = rest[..] else {
        return Err("it does not say what the bus made of it".to_owned());
    };
    let number = field(sequence, "sequence")?;
    let position = Position {
        sequence: number.parse().map_err(|_| format!("sequence {number:?} is no number"))?,
        time: timestamp(time, "time")?,
    };
    let said = match field(outcome, "outcome")? {
        "stored" => Said::Stored(position),
        "already" => Said::Already(position),
        "beside" => Said::Beside(position),
        other => return Err(format!("outcome {other:?} is none of stored, already, beside")),
    };
    Ok(Sent { spooled, said })
}

fn decode_head(bytes: &Bytes) -> Result<(Spooled, Vec<&str>), String> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").ok_or("it ends within its header")?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "its header is not text")?;
    let body = bytes.slice(end + 2..);
    let mut lines = head.split('\n');
    match lines.next() {
        Some(FIRST_LINE) => {}
        Some(other) if other.starts_with("tocsin-spool ") => {
            return Err(format!("it is of another version: {other:?}, not {FIRST_LINE:?}"));
        }
        _ => return Err(format!("it does not begin with {FIRST_LINE:?}")),
    }
    let mut next =
        |what: &'static str| lines.next().ok_or_else(|| format!("it lacks the header line {what:?}"));
    let at = timestamp(next("spooled-at")?, "spooled-at")?;
    let subject = field(next("subject")?, "subject")?;
    let signed = Signed {
        key: field(next("key")?, "key")?.to_owned(),
        signature: field(next("signature")?, "signature")?.to_owned(),
    };
    let author = AuthorKey::new(&signed.key).map_err(|why| why.to_string())?;
    author.verify(subject, &body, &signed).map_err(|why| why.to_string())?;
    let subject: Subject = subject.parse().map_err(|why: tocsin_protocol::Error| why.to_string())?;
    let Subject::Incident { incident, event, .. } = &subject else {
        return Err(format!("{subject} is no event's subject"));
    };
    let (incident, event) = (incident.clone(), *event);
    let name = name(at, &incident, event);
    Ok((Spooled { name, at, subject, incident, event, signed, body }, lines.collect()))
}

fn field<'a>(line: &'a str, name: &str) -> Result<&'a str, String> {
    line.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix(": "))
        .ok_or_else(|| format!("expected the header line {name:?}, found {line:?}"))
}

fn timestamp(line: &str, name: &str) -> Result<Timestamp, String> {
    let value = field(line, name)?;
    value.parse().map_err(|_| format!("{name} {value:?} is no RFC 3339 time"))
}
