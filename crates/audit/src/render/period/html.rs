//! The report over a period as a page.

use askama::Template;

use super::{PeriodStory, failed};
use crate::{
    Error, PeriodReport,
    render::{page::page, sheet::Bars},
};

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
    let story = PeriodStory::of(report);
    let body = body(&story, report)?;
    page(&story.title, story.marking, &body).map_err(|why| failed(report, "HTML", why.to_string()))
}

/// The same without the page around it, to stand in another page that has the style sheet [`STYLE`](crate::render::STYLE).
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn period_fragment(report: &PeriodReport) -> Result<String, Error> {
    body(&PeriodStory::of(report), report)
}

fn body(story: &PeriodStory, report: &PeriodReport) -> Result<String, Error> {
    Body { story }.render().map_err(|why| failed(report, "HTML", why.to_string()))
}
