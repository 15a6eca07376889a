//! Reading a bundle, which may be anything.

use std::io::{BufRead, Read as _};

use super::{BUNDLE_VERSION, Bundle, FILE_MAX, LINE_MAX, line::Line};
use crate::error::Error;

/// So many unreadable lines are told; the file is no bundle then.
const UNREADABLE_MAX: usize = 100;

impl Bundle {
    /// Reads a file. A line that cannot be read is kept as such, for the verdict to name.
    ///
    /// # Errors
    /// [`Error::NoBundle`] when it does not begin with the heading of a bundle that we know, or is larger than any.
    pub fn read(mut from: impl BufRead) -> Result<Self, Error> {
        let no_bundle = |why: String| Error::NoBundle { why };
        let mut bundle: Option<Self> = None;
        let (mut text, mut size) = (Vec::new(), 0_u64);
        for number in 1.. {
            text.clear();
            let most = LINE_MAX as u64 + 1;
            let read = from.by_ref().take(most).read_until(b'\n', &mut text);
            let read = read.map_err(|why| no_bundle(format!("line {number} cannot be read: {why}")))?;
            size += read as u64;
            if read == 0 {
                break;
            }
            if text.len() > LINE_MAX || size > FILE_MAX {
                return Err(no_bundle(format!("it is longer than any, at line {number}")));
            }
            let line = serde_json::from_slice::<Line>(&text).map_err(|why| why.to_string());
            match (&mut bundle, line) {
                (None, Ok(Line::Bundle(heading))) if heading.version == BUNDLE_VERSION => {
                    bundle = Some(Self {
                        incident: heading.incident,
                        newest: heading.newest,
                        entries: Vec::new(),
                        links: Vec::new(),
                        unreadable: Vec::new(),
                    });
                }
                (None, Ok(Line::Bundle(heading))) => {
                    let version = heading.version;
                    return Err(no_bundle(format!(
                        "it is of version {version}, and this program knows {BUNDLE_VERSION}: take a later one"
                    )));
                }
                (None, _) => {
                    return Err(no_bundle("it does not begin with the heading of one".to_owned()));
                }
                (Some(bundle), line) => {
                    let taken = match line {
                        Ok(Line::Entry(line)) => line.try_into().map(|entry| bundle.entries.push(entry)),
                        Ok(Line::Consistency(line)) => line.try_into().map(|link| bundle.links.push(link)),
                        Ok(Line::Bundle(_)) => Err("a second heading".to_owned()),
                        Err(why) => Err(why),
                    };
                    if let Err(why) = taken {
                        bundle.unreadable.push((number, why));
                        if bundle.unreadable.len() > UNREADABLE_MAX {
                            return Err(no_bundle(format!("{UNREADABLE_MAX} of its lines cannot be read")));
                        }
                    }
                }
            }
        }
        bundle.ok_or_else(|| no_bundle("it is empty".to_owned()))
    }
}
