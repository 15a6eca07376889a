//! What of a mail's fate a log may tell. A log goes to more people than the record does, so it names subjects and
//! recipients by their identifiers, and nobody's name, address or number.

/// A relay's words, or what went wrong, as a log may have it. A refusal often repeats the address, or the name before
/// its `@`, so of that the codes alone are told; its words are in the record of the attempt.
pub(crate) fn shown(code: Option<u16>, reply: &str) -> String {
    match code {
        Some(code @ 400..) => match reply.split_whitespace().find(|word| is_enhanced(word)) {
            Some(enhanced) => format!("{code} {enhanced}"),
            None => code.to_string(),
        },
        _ => without_addresses(reply),
    }
}

/// A text with nobody's address in it.
pub(crate) fn without_addresses(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.contains('@') { "(address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether this is an enhanced status code of RFC 3463, such as 5.1.1.
fn is_enhanced(word: &str) -> bool {
    let mut parts = word.split('.');
    let class = parts.next().is_some_and(|class| ["2", "4", "5"].contains(&class));
    let number = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
    class && parts.next().is_some_and(number) && parts.next().is_some_and(number) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_what_went_wrong_and_nobodys_address() {
        for (code, reply, wanted) in [
            (Some(250), "2.0.0 Ok: queued as 4B1D", "2.0.0 Ok: queued as 4B1D"),
            (Some(250), "2.1.5 a.person@police.example ok", "2.1.5 (address) ok"),
            (Some(550), "5.1.1 no such user: a.person", "550 5.1.1"),
            (Some(550), "Unknown local part a.person in <a.person@police.example>", "550"),
            (Some(451), "4.7.1.2 later 1.2.3 or 4.7.1", "451 4.7.1"),
            (None, "the line was lost", "the line was lost"),
            (
                None,
                "the address <a@b.example>, cannot be written to",
                "the address (address) cannot be written to",
            ),
        ] {
            assert_eq!(shown(code, reply), wanted);
        }
    }
}
