//! The pictures of the page, on paper.

use super::paper::{BAND, BLACK, Colour, INNER, LINE, Mark, Paper, QUIET, Style, as_length};
use crate::render::{
    picture::{self, LEGEND, Picture, PictureRow, Sign},
    sheet::Bars,
};

const GOOD: Colour = (0x11, 0x70, 0x3b);
const LATE: Colour = (0xa0, 0x4b, 0x00);
const BAD: Colour = (0xb3, 0x14, 0x1f);
const MAIL: Colour = (0x5b, 0x3a, 0x9e);
const WHITE: Colour = (0xff, 0xff, 0xff);

/// The size of words in a picture, in points.
const WORDS: f32 = 7.0;

/// From the picture's own units to points.
#[allow(clippy::cast_possible_truncation, reason = "a picture is far smaller than what f32 tells apart")]
fn points(units: f64) -> f32 {
    (units * f64::from(INNER) / picture::WIDTH) as f32
}

/// The timeline of an event. One that is longer than a page goes on over the next, each part a picture of its own.
pub(super) fn timeline(paper: &mut Paper, picture: &Picture) {
    paper.heading(3, &picture.title);
    paper.paragraph(&picture.text, Style::NOTE);
    legend(paper);
    let (above, row, below) = (points(picture.top), points(24.0), 34.0);
    let rows_that_fit = |room: f32| {
        let fit = ((room - above - below) / row).floor().clamp(0.0, 1_000.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 1,000"
        )]
        let fit = fit as usize;
        fit
    };
    let mut left = &picture.rows[..];
    let mut part = 0;
    loop {
        let here = rows_that_fit(paper.left() - 10.0);
        let fit = if here >= left.len() || here >= 8 { here } else { rows_that_fit(Paper::most() - 10.0) };
        let (now, rest) = left.split_at(fit.max(1).min(left.len()));
        part += 1;
        let words = if part == 1 && rest.is_empty() {
            format!("Timeline of {}. {}", picture.title, picture.text)
        } else {
            format!("Timeline of {}, part {part}. {}", picture.title, picture.text)
        };
        let height = above + row * as_length(now.len()) + below;
        paper.picture(words, height, |faces, x, y| {
            let place = Place { x, y, above, row, wide: &|words| faces.plain.width(words, WORDS) };
            place.picture(picture, now)
        });
        left = rest;
        if left.is_empty() {
            return;
        }
    }
}

/// The signs and what they say, as words with their shapes.
fn legend(paper: &mut Paper) {
    let words: Vec<&str> = LEGEND.iter().map(|(_, words)| *words).collect();
    let told = format!("The signs of the picture, from left to right: {}.", words.join("; "));
    paper.picture(told, 12.0, |faces, x, y| {
        let mut at = x + 6.0;
        let mut marks = Vec::new();
        for (shape, words) in LEGEND {
            sign(shape, at, y + 5.0, &mut marks);
            marks.push(Mark::Words {
                x: at + 7.0,
                y: y + 7.5,
                size: 6.5,
                colour: BLACK,
                text: words.to_owned(),
            });
            at += faces.plain.width(words, 6.5) + 21.0;
        }
        marks
    });
}

/// Where a part of a picture stands on the page.
struct Place<'a> {
    x: f32,
    y: f32,
    above: f32,
    row: f32,
    /// How wide words are.
    wide: &'a dyn Fn(&str) -> f32,
}

impl Place<'_> {
    fn picture(&self, picture: &Picture, rows: &[PictureRow]) -> Vec<Mark> {
        let (top, bottom) = (self.y + self.above, self.y + self.above + self.row * as_length(rows.len()));
        let mut marks = Vec::new();
        for n in (0..rows.len()).step_by(2) {
            let y = top + self.row * as_length(n);
            marks.push(Mark::Area { x: self.x, y, width: INNER, height: self.row, colour: BAND });
        }
        for tick in &picture.ticks {
            let x = self.x + points(tick.x);
            marks.push(line(&[(x, top), (x, bottom + 4.0)], LINE, 0.7, 0.0));
            for (n, words) in [&tick.local, &tick.utc].into_iter().enumerate() {
                let y = bottom + 13.0 + 9.0 * as_length(n);
                let x = x - (self.wide)(words) / 2.0;
                marks.push(words_at(x, y, if n == 0 { BLACK } else { QUIET }, words));
            }
        }
        for mark in &picture.lines {
            let (x, y) = (self.x + points(mark.x), self.y + points(mark.y));
            let (colour, dash) = match mark.class {
                "due" => (BAD, 4.0),
                "began" => (BLACK, 1.5),
                _ => (BLACK, 0.0),
            };
            marks.push(line(&[(x, y - 6.0), (x, bottom)], colour, 1.2, dash));
            let wide = if mark.before { (self.wide)(&mark.label) } else { 0.0 };
            marks.push(words_at(self.x + points(mark.text_x) - wide, y, BLACK, &mark.label));
        }
        for (n, row) in rows.iter().enumerate() {
            let y = top + self.row * (as_length(n) + 0.5);
            marks.push(words_at(self.x + 3.0, y + 2.5, BLACK, &row.label));
            for sign in &row.signs {
                self.sign(sign, y, &mut marks);
            }
        }
        marks
    }

    fn sign(&self, of: &Sign, y: f32, marks: &mut Vec<Mark>) {
        let x = self.x + points(of.x);
        sign(of.shape, x, y, marks);
        if let Some(at) = &of.beyond {
            let words = format!("{at} >");
            marks.push(words_at(x - 8.0 - (self.wide)(&words), y + 2.5, BLACK, &words));
        }
    }
}

fn words_at(x: f32, y: f32, colour: Colour, words: &str) -> Mark {
    Mark::Words { x, y, size: WORDS, colour, text: words.to_owned() }
}

fn line(points: &[(f32, f32)], colour: Colour, width: f32, dash: f32) -> Mark {
    Mark::Path { points: points.to_vec(), close: false, fill: None, stroke: Some((colour, width)), dash }
}

/// The shapes of the page, at two thirds of their size.
fn sign(shape: &str, x: f32, y: f32, marks: &mut Vec<Mark>) {
    let around = |points: &[(f32, f32)]| points.iter().map(|(dx, dy)| (x + dx, y + dy)).collect::<Vec<_>>();
    let shaped = |points: &[(f32, f32)], fill, stroke| Mark::Path {
        points: around(points),
        close: true,
        fill: Some(fill),
        stroke: Some(stroke),
        dash: 0.0,
    };
    let triangle = [(0.0, -4.5), (4.5, 4.0), (-4.5, 4.0)];
    match shape {
        "noticed" => marks.push(line(&around(&[(0.0, -4.0), (0.0, 4.0)]), QUIET, 1.4, 0.0)),
        "delivered" => {
            marks.push(Mark::Circle { x, y, radius: 2.3, fill: Some(WHITE), stroke: Some((QUIET, 1.2)) });
        }
        "in-time" => marks.push(Mark::Circle { x, y, radius: 3.6, fill: Some(GOOD), stroke: None }),
        "late" => marks.push(shaped(&[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)], LATE, (WHITE, 0.7))),
        "silent" => {
            marks.push(line(&around(&[(-4.0, -4.0), (4.0, 4.0)]), BAD, 2.1, 0.0));
            marks.push(line(&around(&[(4.0, -4.0), (-4.0, 4.0)]), BAD, 2.1, 0.0));
        }
        "excused" => marks.push(line(&around(&[(-4.0, 0.0), (4.0, 0.0)]), QUIET, 2.0, 0.0)),
        "open" => {
            marks.push(shaped(&[(-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)], WHITE, (QUIET, 1.2)));
        }
        "mail" => marks.push(shaped(&triangle, MAIL, (WHITE, 0.7))),
        _ => marks.push(shaped(&triangle, WHITE, (MAIL, 1.3))),
    }
}

/// Shares as bars.
pub(super) fn bars(paper: &mut Paper, bars: &Bars) {
    const ROW: f32 = 14.0;
    let (left, long) = (points(Bars::LEFT), points(Bars::LONG));
    // More than fit on a page are left to the table, which has them all.
    let height = ROW * as_length(bars.all.len()) + 4.0;
    if height > Paper::most() {
        return;
    }
    paper.picture(bars.text.clone(), height, |faces, x, y| {
        let mut marks = Vec::new();
        for (n, bar) in bars.all.iter().enumerate() {
            let y = y + ROW * as_length(n) + 2.0;
            let label = faces.plain.wrapped(&bar.label, WORDS, left - 12.0).swap_remove(0);
            let wide = faces.plain.width(&label, WORDS);
            let words = |x, text: &str| Mark::Words {
                x,
                y: y + 7.5,
                size: WORDS,
                colour: BLACK,
                text: text.to_owned(),
            };
            marks.push(words(x + left - 7.0 - wide, &label));
            if let Some(share) = bar.share {
                let outline =
                    [(x + left, y), (x + left + long, y), (x + left + long, y + 9.0), (x + left, y + 9.0)];
                #[allow(clippy::cast_possible_truncation, reason = "a share is between 0 and 1")]
                let width = long * share as f32;
                marks.push(Mark::Area { x: x + left, y, width, height: 9.0, colour: GOOD });
                marks.push(Mark::Path {
                    points: outline.to_vec(),
                    close: true,
                    fill: None,
                    stroke: Some((QUIET, 0.7)),
                    dash: 0.0,
                });
            }
            marks.push(words(x + left + long + 8.0, &bar.words));
        }
        marks
    });
}
