//! The report over a period as a page.

use askama::Template;

use super::{PeriodStory, failed};
use crate::{Error, PeriodReport, render::sheet::Bars};

#[derive(Template)]
#[template(path = "period.html")]
struct Page<'a> {
    story: &'a PeriodStory,
}

#[derive(Template)]
#[template(path = "period-body.html")]
struct Body<'a> {
    story: &'a PeriodStory,
}

/// The report over a period as one HTML file that a browser shows without anything else: no script, nothing fetched, in
/// light and dark, on paper and on a telephone. Everything that came from outside is escaped.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn period_html(report: &PeriodReport) -> Result<String, Error> {
    let page = Page { story: &PeriodStory::of(report) };
    page.render().map_err(|why| failed(report, "HTML", why.to_string()))
}

/// The same without the page around it, to stand in another page that has the style sheet [`STYLE`](crate::render::STYLE).
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn period_fragment(report: &PeriodReport) -> Result<String, Error> {
    let body = Body { story: &PeriodStory::of(report) };
    body.render().map_err(|why| failed(report, "HTML", why.to_string()))
}
