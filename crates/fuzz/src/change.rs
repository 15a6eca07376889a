//! Changed seeds, for when no coverage guides: what a slip, a fault on the line or malice makes of a sound input.

use std::ops::Bound;

use bolero::{Driver, ValueGenerator};

/// Makes inputs: mostly seeds with a few changes, now and then plain noise.
pub(crate) struct Changed {
    pub(crate) seeds: Vec<Vec<u8>>,
    pub(crate) longest: usize,
}

/// Pieces that have a meaning in JSON, TOML, subjects, headers, SMTP or on a terminal, and numbers at the edges.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    ":",
    ",",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e400",
    "1.5",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    ".",
    "..",
    "*",
    ">",
    " ",
    "\t",
    "\r\n",
    "\n",
    "\n\n",
    "\0",
    "\u{7f}",
    "\u{9b}",
    "\u{1b}[2J",
    "\u{1b}]0;",
    "\u{202e}",
    "\u{feff}",
    "\u{2028}",
    "é",
    "𝟡",
    "-",
    "--",
    "=",
    "'''",
    "\"\"\"",
    "#",
    "[[",
    "]]",
    "<",
    "@",
    "%s",
    "0s",
    "15m",
    "1h 30m",
    "9999-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "2024-02-30",
    "+24:00",
    "tocsin.",
    "250 ",
    "250-",
    "999 ",
    "$JS.ACK.",
];

impl Changed {
    fn below<D: Driver>(driver: &mut D, bound: usize) -> Option<usize> {
        if bound == 0 { Some(0) } else { driver.gen_usize(Bound::Included(&0), Bound::Excluded(&bound)) }
    }

    fn noise<D: Driver>(driver: &mut D, longest: usize) -> Option<Vec<u8>> {
        let length = Self::below(driver, longest)?;
        (0..length).map(|_| driver.gen_u8(Bound::Unbounded, Bound::Unbounded)).collect()
    }

    /// One change.
    fn change<D: Driver>(&self, driver: &mut D, bytes: &mut Vec<u8>) -> Option<()> {
        let at = Self::below(driver, bytes.len() + 1)?;
        let end = (at + Self::below(driver, 64)?).min(bytes.len());
        match Self::below(driver, 8)? {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = driver.gen_u8(Bound::Unbounded, Bound::Unbounded)?;
                }
            }
            1 => drop(bytes.drain(at..end)),
            2 | 3 => {
                let piece = PIECES[Self::below(driver, PIECES.len())?];
                let end = if Self::below(driver, 2)? == 0 { at } else { end };
                bytes.splice(at..end, piece.bytes());
            }
            // A digit string becomes another one.
            4 => {
                let from = (at..bytes.len()).find(|&at| bytes[at].is_ascii_digit());
                if let Some(from) = from {
                    let to =
                        (from..bytes.len()).find(|&at| !bytes[at].is_ascii_digit()).unwrap_or(bytes.len());
                    let piece = PIECES[Self::below(driver, PIECES.len())?];
                    bytes.splice(from..to, piece.bytes());
                }
            }
            5 => {
                let again: Vec<u8> = bytes[at..end].to_vec();
                let times = 1 + Self::below(driver, 40)?;
                bytes.splice(at..at, again.repeat(times));
            }
            6 => {
                if let Some(other) = self.seeds.get(Self::below(driver, self.seeds.len())?) {
                    let from = Self::below(driver, other.len() + 1)?;
                    let to = (from + Self::below(driver, 512)?).min(other.len());
                    bytes.splice(at..end, other[from..to].iter().copied());
                }
            }
            _ => {
                let noise = Self::noise(driver, 16)?;
                bytes.splice(at..end, noise);
            }
        }
        Some(())
    }
}

impl ValueGenerator for Changed {
    type Output = Vec<u8>;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Vec<u8>> {
        if self.seeds.is_empty() || Self::below(driver, 16)? == 0 {
            let longest = [64, 512, 4096][Self::below(driver, 3)?];
            return Self::noise(driver, longest);
        }
        let mut bytes = self.seeds[Self::below(driver, self.seeds.len())?].clone();
        for _ in 0..=Self::below(driver, 5)? {
            self.change(driver, &mut bytes)?;
        }
        bytes.truncate(self.longest);
        Some(bytes)
    }
}
