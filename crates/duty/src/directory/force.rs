//! Which of the directories on the log are in force.
//!
//! Each names, if it names one, the `directory_key` with which the version after it must be signed. The first that names
//! one must be signed with that very key, so that nobody is bound to a key of which there is no seed. Whatever is not
//! signed so changes nothing: the one in force stays, and a later version that is signed is taken as if the other were
//! not there. A version that is signed may name another key, or none.

use std::fmt;

use tocsin_protocol::{DirectoryDocument, Entry, Error, from_body};

use super::Directory;

/// Why a directory on the log is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotInForce {
    /// Its body is no directory, or one that leaves a question without an answer.
    NoDirectory(String),
    /// A version that is as new was in force before it.
    Late {
        /// That version.
        in_force: u64,
    },
    /// It is not signed, and was to be.
    Unsigned {
        /// By which key.
        key: String,
    },
    /// Its signature is not the one that it was to have.
    SignedOtherwise {
        /// By which key it was to be signed.
        key: String,
        /// What is wrong with the signature.
        why: String,
    },
}

impl NotInForce {
    /// Whether somebody who does not hold the key has tried to put it in force.
    pub fn lacks_the_key(&self) -> bool {
        matches!(self, Self::Unsigned { .. } | Self::SignedOtherwise { .. })
    }
}

impl fmt::Display for NotInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory(why) => f.write_str(why),
            Self::Late { in_force } => write!(f, "version {in_force} was in force already"),
            Self::Unsigned { key } => {
                write!(f, "it is not signed, and directory_key {key} was to sign it")
            }
            Self::SignedOtherwise { key, why } => {
                write!(f, "directory_key {key} was to sign it, and of its signature {why}")
            }
        }
    }
}

/// The directory that an entry puts in force after the one that is.
///
/// # Errors
/// Why it is not in force, and so changes nothing.
pub(crate) fn follows(
    in_force: Option<&Directory>,
    version: u64,
    entry: &Entry,
) -> Result<Directory, NotInForce> {
    if let Some(known) = in_force.filter(|known| known.version() >= version) {
        return Err(NotInForce::Late { in_force: known.version() });
    }
    let document: DirectoryDocument =
        from_body("directory", &entry.body).map_err(|why| NotInForce::NoDirectory(why.to_string()))?;
    let next = Directory::build(version, document).map_err(|faults| {
        NotInForce::NoDirectory(faults.first().map_or_else(String::new, ToString::to_string))
    })?;
    let Some(key) = in_force.and_then(Directory::directory_key).or(next.directory_key()) else {
        return Ok(next);
    };
    let named = || key.as_str().to_owned();
    let signed = entry.signed.as_ref().ok_or_else(|| NotInForce::Unsigned { key: named() })?;
    match key.verify(&entry.subject, &entry.body, signed) {
        Ok(()) => Ok(next),
        Err(Error::Signature { why, .. }) => {
            Err(NotInForce::SignedOtherwise { key: named(), why: why.to_owned() })
        }
        Err(other) => Err(NotInForce::SignedOtherwise { key: named(), why: other.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::{collection::vec, option, prelude::*};
    use tocsin_protocol::{AuthorKey, Signed, SigningKey, Stream, Subject, Timestamp, to_body};

    use super::*;
    use crate::{
        directory::{Held, Pin},
        fold::{Fold, Verdict},
    };

    static KEYS: LazyLock<[SigningKey; 3]> = LazyLock::new(|| [(); 3].map(|()| SigningKey::generate()));

    /// Over what a signature is.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Over {
        Itself,
        AnotherVersion,
        AnotherBody,
    }

    /// A directory on the log: its version, the key that it names, and by which key it is signed over what.
    #[derive(Debug, Clone, Copy)]
    struct Written(u64, Option<usize>, Option<usize>, Over);

    use Over::{AnotherBody, AnotherVersion, Itself};

    fn entry(sequence: u64, Written(version, names, signed, over): Written) -> Entry {
        let document = |name: &str| DirectoryDocument {
            directory_key: names.map(|key| KEYS[key].public()),
            ..serde_json::from_value(serde_json::json!({ "name": name, "time_zone": "UTC" })).unwrap()
        };
        let (subject, body) =
            (Subject::Directory { version }.to_string(), to_body("d", &document("Ours")).unwrap());
        let sign = |key: usize| -> Signed {
            let (other, another) = (
                Subject::Directory { version: version ^ 1 }.to_string(),
                to_body("d", &document("Theirs")).unwrap(),
            );
            match over {
                Itself => KEYS[key].sign(&subject, &body),
                AnotherVersion => KEYS[key].sign(&other, &body),
                AnotherBody => KEYS[key].sign(&subject, &another),
            }
            .unwrap()
        };
        let time = Timestamp::from_second(i64::try_from(sequence).unwrap()).unwrap();
        let signed = signed.map(sign);
        Entry { stream: Stream::Log, sequence, time, subject, signed, said_through: None, body }
    }

    fn in_force(fold: &Fold) -> u64 {
        fold.directory().map_or(0, |directory| directory.version())
    }

    #[test]
    fn a_directory_is_in_force_when_the_key_that_was_named_before_it_has_signed_it() {
        let (none, ours, other, third) = (None, Some(0), Some(1), Some(2));
        // What is written, and which version is in force after it.
        let stories: &[(&str, &[(Written, u64)])] = &[
            ("no key, as ever", &[(Written(1, none, none, Itself), 1), (Written(2, none, ours, Itself), 2)]),
            (
                "the first that names a key has its own signature",
                &[
                    (Written(1, none, none, Itself), 1),
                    (Written(2, ours, none, Itself), 1),
                    (Written(3, ours, other, Itself), 1),
                    (Written(4, ours, ours, AnotherBody), 1),
                    (Written(5, ours, ours, Itself), 5),
                ],
            ),
            (
                "so has the very first",
                &[(Written(1, ours, none, Itself), 0), (Written(2, ours, ours, Itself), 2)],
            ),
            (
                "what is not signed spoils no more than its number",
                &[
                    (Written(1, ours, ours, Itself), 1),
                    (Written(2, none, none, Itself), 1),
                    (Written(3, other, other, Itself), 1),
                    (Written(u64::MAX, ours, ours, AnotherBody), 1),
                    (Written(4, ours, ours, AnotherVersion), 1),
                    (Written(5, ours, ours, Itself), 5),
                ],
            ),
            (
                "the old key gives its place to another, which the new one need not sign",
                &[
                    (Written(1, ours, ours, Itself), 1),
                    (Written(2, other, ours, Itself), 2),
                    (Written(3, third, ours, Itself), 2),
                    (Written(4, third, other, Itself), 4),
                ],
            ),
            (
                "and to none",
                &[
                    (Written(1, ours, ours, Itself), 1),
                    (Written(2, none, ours, Itself), 2),
                    (Written(3, none, none, Itself), 3),
                    (Written(4, other, none, Itself), 3),
                    (Written(5, other, other, Itself), 5),
                ],
            ),
            (
                "a version that was passed does not come back",
                &[(Written(3, ours, ours, Itself), 3), (Written(2, ours, ours, Itself), 3)],
            ),
        ];
        for (what, story) in stories {
            let mut fold = Fold::new();
            for (sequence, (written, wanted)) in (1..).zip(*story) {
                let entry = entry(sequence, *written);
                let verdict = fold.apply(&entry);
                assert_eq!(in_force(&fold), *wanted, "{what}: {written:?}");
                let counts = *wanted == written.0;
                assert_eq!(matches!(verdict, Verdict::Recorded(_)), counts, "{what}: {verdict:?}");
                assert_eq!(matches!(verdict, Verdict::NotInForce { .. }), !counts, "{what}: {verdict:?}");
                if counts {
                    let told = fold.directory_signer(written.0).map(AuthorKey::as_str);
                    let signed = entry.signed.as_ref().map(|signed| signed.key.as_str());
                    assert!(told.is_none() || told == signed, "{what}: {told:?}");
                }
            }
        }
    }

    fn pin(key: usize) -> Pin {
        KEYS[key].public().parse().unwrap()
    }

    #[test]
    fn the_directory_in_force_stands_under_a_key_that_signed_it_or_one_before_it_in_an_unbroken_chain() {
        // What is written, and under which of the three keys the one in force then stands.
        type Step = (Written, [bool; 3]);
        let (none, ours, other, third) = (None, Some(0), Some(1), Some(2));
        let stories: &[(&str, &[Step])] = &[
            ("without a key under none", &[(Written(1, none, ours, Itself), [false; 3])]),
            (
                "under the one that signed it, whatever is written beside it",
                &[
                    (Written(1, ours, ours, Itself), [true, false, false]),
                    (Written(2, other, other, Itself), [true, false, false]),
                    (Written(3, none, none, Itself), [true, false, false]),
                    (Written(4, ours, ours, Itself), [true, false, false]),
                ],
            ),
            (
                "under the old one and, once it has signed, the new one",
                &[
                    (Written(1, ours, ours, Itself), [true, false, false]),
                    (Written(2, other, ours, Itself), [true, false, false]),
                    (Written(3, third, other, Itself), [true, true, false]),
                    (Written(4, third, third, Itself), [true; 3]),
                ],
            ),
            (
                "to be named by somebody else is not enough",
                &[
                    (Written(1, other, other, Itself), [false, true, false]),
                    (Written(2, ours, other, Itself), [false, true, false]),
                ],
            ),
            (
                "a key that is taken on later counts from there",
                &[
                    (Written(1, none, none, Itself), [false; 3]),
                    (Written(2, ours, ours, Itself), [true, false, false]),
                ],
            ),
            (
                "what the key let go of is under it, and nothing after it",
                &[
                    (Written(1, ours, ours, Itself), [true, false, false]),
                    (Written(2, none, ours, Itself), [true, false, false]),
                    (Written(3, none, none, Itself), [false; 3]),
                    (Written(4, other, other, Itself), [false, true, false]),
                ],
            ),
        ];
        for (what, story) in stories {
            let mut fold = Fold::new();
            assert_eq!(fold.held_against(&pin(0)), Held::None, "{what}");
            let mut first = [None; 3];
            for (sequence, (written, wanted)) in (1..).zip(*story) {
                fold.apply(&entry(sequence, *written));
                for (key, wanted) in wanted.iter().enumerate() {
                    first[key] = wanted.then(|| first[key].unwrap_or(written.0));
                    let held = fold.held_against(&pin(key));
                    assert_eq!(held.is_under(), *wanted, "{what}: {written:?}, key {key}");
                    match held {
                        Held::Under { version, from } => {
                            assert_eq!(version, in_force(&fold), "{what}");
                            assert_eq!(Some(from), first[key], "{what}: {written:?}, key {key}");
                        }
                        Held::Not(not) => assert_eq!(not.version, in_force(&fold), "{what}"),
                        Held::None => panic!("{what}: {written:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_found_in_place_of_the_trusted_key_is_told() {
        let mut fold = Fold::new();
        let mut why = |sequence, written| {
            fold.apply(&entry(sequence, written));
            match fold.held_against(&pin(0)) {
                Held::Not(why) => {
                    why.to_string().replace(&KEYS[0].public(), "U0").replace(&KEYS[1].public(), "U1")
                }
                other => panic!("{other:?}"),
            }
        };
        let unsigned = why(1, Written(1, None, None, Itself));
        assert!(unsigned.starts_with(
            "version 1 of the directory is in force, which no key had to sign, and does not stand under the directory_key U0"
        ), "{unsigned}");
        let signed = why(2, Written(2, Some(1), Some(1), Itself));
        assert!(signed.starts_with("version 2 of the directory is in force, signed by U1, and"), "{signed}");
    }

    #[test]
    fn why_it_is_not_in_force_is_told() {
        let mut fold = Fold::new();
        fold.apply(&entry(1, Written(1, Some(0), Some(0), Itself)));
        let mut why = |written| match fold.apply(&entry(2, written)) {
            Verdict::NotInForce { why, .. } => {
                (why.lacks_the_key(), why.to_string().replace(&KEYS[0].public(), "U0"))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [
                why(Written(2, None, None, Itself)),
                why(Written(2, None, Some(1), Itself)),
                why(Written(2, None, Some(0), AnotherVersion)),
                why(Written(1, None, Some(0), Itself)),
            ],
            [
                (true, "it is not signed, and directory_key U0 was to sign it"),
                (true, "directory_key U0 was to sign it, and of its signature it names another key"),
                (true, "directory_key U0 was to sign it, and of its signature it does not verify"),
                (false, "version 1 was in force already"),
            ]
            .map(|(lacks, words)| (lacks, words.to_owned()))
        );
    }

    #[test]
    fn a_snapshot_puts_no_directory_in_force_that_the_log_does_not() {
        use tocsin_protocol::{Cut, Snapshot};

        use crate::fold::Trust;

        let ours = [Written(1, Some(0), Some(0), Itself), Written(2, Some(1), Some(1), Itself)];
        // The thief's own record, in which the second was signed by whom the first names.
        let theirs = [Written(1, Some(1), Some(1), Itself), ours[1]];
        let [ours, theirs] = [ours, theirs].map(|of| [entry(1, of[0]), entry(2, of[1])]);
        let begun = |state: &[Entry], log: &[Entry]| {
            let (mut fold, mut cut) = (Fold::new(), Cut::default());
            for entry in state {
                fold.apply(entry);
                cut.take(entry);
            }
            let body = fold.snapshot().unwrap();
            let head = Snapshot::of(&body, Fold::form(), Cut::default(), cut);
            Fold::begun(&head, &body, log, Trust::default()).map(|begun| in_force(&begun))
        };
        assert_eq!(begun(&ours, &ours).unwrap(), 1);
        assert_eq!(begun(&theirs, &theirs).unwrap(), 2, "had it been so");
        let why = begun(&theirs, &ours).unwrap_err().to_string();
        assert!(why.contains("other directories in force"), "{why}");
        begun(&ours, &theirs).unwrap_err();
        begun(&ours, &[]).unwrap_err();
        assert_eq!(begun(&ours[..1], &ours).unwrap(), 1, "what came since is folded by whoever begins");
    }

    fn written() -> impl Strategy<Value = Written> {
        let over = prop_oneof![4 => Just(Itself), 1 => Just(AnotherVersion), 1 => Just(AnotherBody)];
        (1..12_u64, option::of(0..3_usize), option::of(0..3_usize), over)
            .prop_map(|(version, names, signed, over)| Written(version, names, signed, over))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_written_only_the_key_named_before_puts_it_in_force(story in vec(written(), 0..24)) {
            let (mut fold, mut stands, mut key) = (Fold::new(), 0, None);
            // Which of the keys have signed it, or one before it since each has been signed by the one before.
            let mut under = [false; 3];
            for (sequence, written) in (1..).zip(story) {
                let Written(version, names, signed, over) = written;
                let asked = key.or(names);
                if version > stands && (asked.is_none() || signed == asked && over == Itself) {
                    if key.is_none() {
                        under = [false; 3];
                    }
                    if let Some(asked) = asked {
                        under[asked] = true;
                    }
                    (stands, key) = (version, names);
                }
                fold.apply(&entry(sequence, written));
                prop_assert_eq!(in_force(&fold), stands);
                for (key, under) in under.into_iter().enumerate() {
                    prop_assert_eq!(fold.held_against(&pin(key)).is_under(), under);
                }
            }
        }
    }
}
