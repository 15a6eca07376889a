//! A verdict as a part of a page, and as JSON.

use askama::Template;

use crate::{Error, Standing, Told, words::plain};

#[derive(Template)]
#[template(path = "verdict-body.html")]
struct Body<'a> {
    told: &'a Told,
    class: &'static str,
    sign: &'static str,
    sections: [(&'static str, Vec<String>); 4],
}

/// What a bundle proves, to stand in another page that has the style sheet [`STYLE`](crate::render::STYLE): what is
/// proven, what was altered, what is missing, and what no bundle of its sort can prove.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn verdict_fragment(told: &Told) -> Result<String, Error> {
    let (class, sign) = match told.standing {
        Standing::Proven => ("s-good", "\u{25cf}"),
        Standing::Unwitnessed => ("s-late", "\u{25c6}"),
        Standing::NotProven => ("s-bad", "\u{2715}"),
    };
    let lines = |lines: &[String]| lines.iter().map(|line| plain(line)).collect();
    let faults = |missing| {
        let of = told.faults.iter().filter(move |fault| fault.is_missing() == missing);
        of.map(|fault| plain(&fault.text)).collect()
    };
    let sections = [
        ("Not proven: altered, put in, or written anew", faults(false)),
        ("Not proven: missing", faults(true)),
        ("Proven", lines(&told.proven)),
        ("Beyond this record", lines(&told.limits)),
    ];
    let body = Body { told, class, sign, sections };
    body.render().map_err(|why| failed("HTML", &why))
}

/// The same as JSON, as the schema `verdict` describes it, with no newline at its end.
///
/// # Errors
/// [`Error::Render`] when it cannot be serialised.
pub fn verdict_json(told: &Told) -> Result<String, Error> {
    serde_json::to_string_pretty(told).map_err(|why| failed("JSON", &why))
}

fn failed(form: &'static str, why: &dyn std::error::Error) -> Error {
    Error::Render { what: "the verdict".to_owned(), form, why: why.to_string() }
}
