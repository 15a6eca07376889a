//! Where somebody wanted to go before they had to sign in.

use axum::http::uri::PathAndQuery;

/// The longest address that is come back to, in bytes.
const NEXT_MAX: usize = 1000;

/// The sign-in page that leads to this path afterwards.
pub(super) fn sign_in(path: &str) -> String {
    match local(path) {
        "/" => "/sign-in".to_owned(),
        path => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            format!("/sign-in?{}", query.append_pair("next", path).finish())
        }
    }
}

/// A path of this console, or its first page where this is none: nobody is sent elsewhere from here.
pub(super) fn local(path: &str) -> &str {
    let plain = path.len() <= NEXT_MAX && path.starts_with('/') && !path.starts_with("//");
    let plain = plain && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let of_ours = !path.starts_with("/sign-") && !path.starts_with("/api/");
    if plain && of_ours && path.parse::<PathAndQuery>().is_ok() { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for good in ["/", "/incident/x?filter=silent", "/report/x.pdf"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x",
            "/\t/evil.example",
            "/sign-in?next=/",
            "/sign-out",
            "/api/v1/incidents",
            "/é",
            &format!("/{}", "x".repeat(NEXT_MAX)),
        ] {
            assert_eq!(local(bad), "/", "{bad:?}");
        }
        assert_eq!(sign_in("/a?b=c&d"), "/sign-in?next=%2Fa%3Fb%3Dc%26d");
        assert_eq!(sign_in("/"), "/sign-in");
    }
}
