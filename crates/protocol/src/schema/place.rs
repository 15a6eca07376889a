//! Where in a body something stands: as a JSON Pointer for machines, as a field's name for people.

use std::fmt::Write as _;

use crate::error::shown;

/// The longest pointer that is told; keys come from strangers.
const POINTER_MAX: usize = 300;

/// A place, as a chain of steps from the root that costs nothing until it is wanted.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// The JSON Pointer (RFC 6901).
    pub(super) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, key) => join(&parent.pointer(), key),
            Self::Index(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}

/// The pointer to a key below another pointer, cut to a length that can be shown.
pub(super) fn join(parent: &str, key: &str) -> String {
    let mut pointer = format!("{parent}/{}", shown(key).replace('~', "~0").replace('/', "~1"));
    if let Some((end, _)) = pointer.char_indices().nth(POINTER_MAX) {
        pointer.truncate(end);
    }
    pointer
}

/// The name of a place for people: `impact.by_area.kent`, `recipients[3].name`; of an entry of a list, the list's.
/// Empty for the body itself.
pub(super) fn field(pointer: &str) -> String {
    let mut name = String::new();
    let mut tokens = pointer.split('/').skip(1).peekable();
    while let Some(token) = tokens.next() {
        let index = !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit());
        if index && !name.is_empty() {
            if tokens.peek().is_some() {
                // Writing to a String cannot fail.
                let _ = write!(name, "[{token}]");
            }
            continue;
        }
        if !name.is_empty() {
            name.push('.');
        }
        let key = token.replace("~1", "/").replace("~0", "~");
        let _ = write!(name, "{}", shown(&key).escape_debug());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_as_people_write_it() {
        for (pointer, name) in [
            ("", ""),
            ("/headline", "headline"),
            ("/services/0", "services"),
            ("/impact/by_area/kent", "impact.by_area.kent"),
            ("/recipients/3/contacts/duty/email", "recipients[3].contacts.duty.email"),
            ("/a~1b/c~0d", "a/b.c~d"),
            ("/line\nbreak", "line\\nbreak"),
        ] {
            assert_eq!(field(pointer), name, "{pointer}");
        }
    }

    #[test]
    fn a_strangers_key_does_not_make_a_long_pointer() {
        let long = "k".repeat(10_000);
        let inner = Place::Key(&Place::Root, &long);
        let pointer = Place::Index(&Place::Key(&inner, "~/"), 7).pointer();
        assert!(pointer.len() < 120, "{pointer}");
        assert!(pointer.ends_with("/~0~1/7"), "{pointer}");
    }
}
