//! The report as one self-contained HTML page.

use askama::Template;

use super::{
    View,
    picture::{self, Picture, pictures},
    story::{KIND_COUNTS, Story},
};
use crate::{Error, Report};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    story: &'a Story,
    pictures: &'a [Picture],
    kind_counts: [&'static str; 6],
    width: f64,
}

/// The report as one HTML file that a browser shows without anything else: no script, nothing fetched, in light and
/// dark, on paper and on a telephone. Everything that came from outside is escaped.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn html(report: &Report, view: &View) -> Result<String, Error> {
    let page = Page {
        story: &Story::of(report, view),
        pictures: &pictures(report, view),
        kind_counts: KIND_COUNTS,
        width: picture::WIDTH,
    };
    page.render().map_err(|why| Error::Render {
        incident: report.incident.id.clone(),
        form: "HTML",
        why: why.to_string(),
    })
}
