//! Addresses that a mail can be sent to as they stand.

/// What is wrong with an e-mail address, if anything: `local@domain` of RFC 5321, without quotes, comments, literals
/// or letters outside ASCII, none of which a role mailbox needs.
pub(super) fn malformed(address: &str) -> Option<&'static str> {
    const ADDRESS_MAX: usize = 254;
    const LOCAL_MAX: usize = 64;
    let Some((local, domain)) = address.split_once('@') else { return Some("it has no @") };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.len() <= 63
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
    };
    if address.len() > ADDRESS_MAX || local.len() > LOCAL_MAX {
        Some("it is too long")
    } else if !local.split('.').all(|part| !part.is_empty() && part.bytes().all(word)) {
        Some("what stands before the @ is no mailbox")
    } else if !domain.contains('.') || !domain.split('.').all(label) {
        Some("what stands after the @ is no domain")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_mailbox_at_a_domain() {
        for good in ["duty.officer@west-mercia.police.example", "a+b@c.example", "o'neil@x1.example"] {
            assert_eq!(malformed(good), None, "{good}");
        }
        let long = format!("{}@x.example", "a".repeat(65));
        for bad in [
            "",
            "@",
            "a@",
            "@x.example",
            "a@b",
            "a@@b.example",
            "a b@x.example",
            "a.@x.example",
            ".a@x.example",
            "a..b@x.example",
            "a@.example",
            "a@x..example",
            "a@-x.example",
            "a@x.example.",
            "a@x.example\r\nBcc: b",
            "A <a@x.example>",
            "a@[127.0.0.1]",
            "é@x.example",
            &long,
        ] {
            assert!(malformed(bad).is_some(), "{bad:?}");
        }
    }
}
