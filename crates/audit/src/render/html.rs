//! The report as one self-contained HTML page.

use askama::Template;

use super::{
    View,
    page::page,
    picture::{self, Picture, pictures},
    sheet::Bars,
    story::Story,
};
use crate::{Error, Report};

#[derive(Template)]
#[template(path = "report-body.html")]
struct Body<'a> {
    story: &'a Story,
    pictures: &'a [Picture],
    width: f64,
}

/// The style sheet of a report that stands in another page. It touches nothing outside of `.report` but what has a class
/// that begins with `k-`: the signs of the picture, which no rule reaches from around them.
pub const STYLE: &str = include_str!("../../templates/report.css");

/// The report as one HTML file that a browser shows without anything else: no script, nothing fetched, in light and
/// dark, on paper and on a telephone. Everything that came from outside is escaped.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn html(report: &Report, view: &View) -> Result<String, Error> {
    let story = Story::of(report, view);
    let body = body(&story, report, view)?;
    page(&story.title(), story.marking, &body).map_err(|why| failed(report, &why))
}

/// The same without the page around it, to stand in another page that has the style sheet [`STYLE`].
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn fragment(report: &Report, view: &View) -> Result<String, Error> {
    body(&Story::of(report, view), report, view)
}

fn body(story: &Story, report: &Report, view: &View) -> Result<String, Error> {
    let body = Body { story, pictures: &pictures(report, view), width: picture::WIDTH };
    body.render().map_err(|why| failed(report, &why))
}

fn failed(report: &Report, why: &askama::Error) -> Error {
    Error::Render { what: format!("incident {}", report.incident.id), form: "HTML", why: why.to_string() }
}
