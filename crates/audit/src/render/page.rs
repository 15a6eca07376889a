//! The page around a report, for a file that needs nothing else.

use askama::Template;

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    title: &'a str,
    marking: Option<&'a str>,
    body: &'a str,
}

/// A page of its own around a body, which is HTML already.
pub(super) fn page(title: &str, marking: Option<&str>, body: &str) -> Result<String, askama::Error> {
    Page { title, marking, body }.render()
}
