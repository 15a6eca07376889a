//! An entry as a leaf of its stream's tree.
//!
//! A leaf is made of everything in an entry that counts, each part as its length in bytes (eight bytes, the most
//! significant first) and then its bytes, in this order:
//!
//! 1. the text `tocsin-leaf-1`
//! 2. the stream's name: `TOCSIN_SAID` or `TOCSIN_LOG`
//! 3. the sequence, in decimal
//! 4. the broker's time, in nanoseconds since 1970-01-01T00:00:00Z, in decimal
//! 5. the subject
//! 6. for a signed entry (both headers are there) `signed`, `Tocsin-Key` and `Tocsin-Signature`, as three parts; else
//!    `unsigned`
//! 7. in `TOCSIN_LOG`, where `Tocsin-Said-Through` is there and a number: `through` and that number in decimal, as two
//!    parts; else `no-through`. In `TOCSIN_SAID` that header means nothing
//! 8. the exact body
//!
//! A window (`tocsin.window.*` in `TOCSIN_LOG`) is no leaf: the broker itself removes it as it closes, and the `due` that
//! it writes then is one.

use crate::{
    entry::{Entry, Stream},
    tree::Hash,
};

const WINDOW: &str = "tocsin.window.";

/// The hash of an entry as a leaf. `None` for a window, which is none.
pub fn leaf(entry: &Entry) -> Option<Hash> {
    if is_window(entry) {
        return None;
    }
    let mut bytes = Vec::with_capacity(entry.body.len() + entry.subject.len() + 400);
    let mut part = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    part(b"tocsin-leaf-1");
    part(entry.stream.name().as_bytes());
    part(entry.sequence.to_string().as_bytes());
    part(entry.time.as_nanosecond().to_string().as_bytes());
    part(entry.subject.as_bytes());
    match &entry.signed {
        Some(signed) => {
            part(b"signed");
            part(signed.key.as_bytes());
            part(signed.signature.as_bytes());
        }
        None => part(b"unsigned"),
    }
    match entry.said_through.filter(|_| entry.stream == Stream::Log) {
        Some(through) => {
            part(b"through");
            part(through.to_string().as_bytes());
        }
        None => part(b"no-through"),
    }
    part(&entry.body);
    Some(Hash::of_leaf(&bytes))
}

/// Whether an entry is a window, armed and not closed yet.
pub fn is_window(entry: &Entry) -> bool {
    entry.stream == Stream::Log && entry.subject.starts_with(WINDOW)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sign::Signed;

    fn entry() -> Entry {
        Entry {
            stream: Stream::Log,
            sequence: 7,
            time: "2023-06-25T05:33:00.000000001Z".parse().unwrap(),
            subject: "tocsin.dispatch.bt.x.1".to_owned(),
            signed: Some(Signed { key: "U".to_owned(), signature: "s".to_owned() }),
            said_through: Some(3),
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn whatever_counts_in_an_entry_changes_its_leaf() {
        let alterations: [fn(&mut Entry); 14] = [
            |e| e.stream = Stream::Said,
            |e| e.sequence = 8,
            |e| e.time = "2023-06-25T05:33:00.000000002Z".parse().unwrap(),
            |e| e.subject.push('1'),
            |e| e.signed = None,
            |e| e.signed.as_mut().unwrap().key.push('s'),
            |e| e.signed = Some(Signed { key: "Us".to_owned(), signature: String::new() }),
            |e| e.signed.as_mut().unwrap().signature.clear(),
            |e| e.said_through = None,
            |e| e.said_through = Some(4),
            |e| e.body = Bytes::from_static(b"{ }"),
            |e| e.body = Bytes::new(),
            |e| (e.subject, e.body) = ("tocsin.dispatch.bt.x".to_owned(), Bytes::from_static(b".1{}")),
            |e| (e.signed, e.body) = (None, Bytes::from_static(b"Us{}")),
        ];
        let mut leaves = vec![leaf(&entry()).unwrap()];
        leaves.extend(alterations.iter().map(|alter| {
            let mut changed = entry();
            alter(&mut changed);
            leaf(&changed).unwrap()
        }));
        let different: std::collections::BTreeSet<_> = leaves.iter().collect();
        assert_eq!(different.len(), leaves.len());
    }

    #[test]
    fn a_stranger_cannot_put_a_number_into_a_leaf_of_what_is_said() {
        let said = |said_through| leaf(&Entry { stream: Stream::Said, said_through, ..entry() });
        assert_eq!(said(Some(3)), said(None));
    }

    #[test]
    fn a_window_is_no_leaf_and_whatever_else_is_one() {
        let of =
            |stream, subject: &str| leaf(&Entry { stream, subject: subject.to_owned(), ..entry() }).is_some();
        assert!(!of(Stream::Log, "tocsin.window.x.1.1"));
        assert!(of(Stream::Log, "tocsin.due.x.1.1"));
        assert!(of(Stream::Said, "tocsin.window.x.1.1"));
        assert!(of(Stream::Log, ""));
    }

    #[test]
    fn the_leaf_is_what_the_page_says() {
        let part = |text: &str| [&(text.len() as u64).to_be_bytes()[..], text.as_bytes()].concat();
        let parts = [
            "tocsin-leaf-1",
            "TOCSIN_LOG",
            "7",
            "1687671180000000001",
            "tocsin.dispatch.bt.x.1",
            "signed",
            "U",
            "s",
            "through",
            "3",
            "{}",
        ];
        let bytes: Vec<u8> = parts.into_iter().flat_map(part).collect();
        assert_eq!(leaf(&entry()), Some(Hash::of_leaf(&bytes)));
    }
}
