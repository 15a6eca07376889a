//! The drawing. Curves differ in colour, in the shape of their points and in how their line is broken.

use std::fmt::Write as _;

use super::{Axis, Chart, Curve, Scale};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 560.0;
/// The field of the curves.
const LEFT: f64 = 92.0;
const RIGHT: f64 = 920.0;
const TOP: f64 = 112.0;
const BOTTOM: f64 = 486.0;

/// How wide a letter of a label is taken to be, how high a label is, and how far a label is from its point.
const LETTER: f64 = 6.8;
const HIGH: f64 = 14.0;
const AWAY: f64 = 9.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #222; }
.title { font-size: 17px; font-weight: 600; }
.note, .mark { fill: #555; font-size: 12px; }
.paper { fill: #fff; }
.grid { stroke: #ddd; stroke-width: 1; }
.curve { fill: none; stroke-width: 2; }
.figure { font-size: 12px; font-variant-numeric: tabular-nums; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
.c0 { --ink: #0b57a4; } .c1 { --ink: #b04a00; } .c2 { --ink: #5b6770; } .c3 { --ink: #7a3b8f; }
.curve { stroke: var(--ink); } .point, .figure { fill: var(--ink); }
.c1.curve { stroke-dasharray: 7 4; } .c2.curve { stroke-dasharray: 2 4; } .c3.curve { stroke-dasharray: 9 3 2 3; }
@media (prefers-color-scheme: dark) {
text { fill: #e6e6e6; } .note, .mark { fill: #aaa; } .paper { fill: #16181b; } .grid { stroke: #33373c; }
.figure { stroke: #16181b; }
.c0 { --ink: #7db7f5; } .c1 { --ink: #f0a05a; } .c2 { --ink: #aab4bc; } .c3 { --ink: #cf9ee0; }
}";

/// The place of a figure beside its point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    /// Its middle, its lower edge and its width.
    x: f64,
    pub(super) y: f64,
    width: f64,
}

impl Label {
    pub(super) fn meets(&self, other: &Self) -> bool {
        (self.x - other.x).abs() < f64::midpoint(self.width, other.width) && (self.y - other.y).abs() < HIGH
    }

    /// Whether it covers a point.
    fn covers(&self, (x, y): (f64, f64)) -> bool {
        (self.x - x).abs() < self.width / 2.0 + 5.0 && y > self.y - HIGH - 3.0 && y < self.y + 5.0
    }

    /// Whether a straight part of a curve goes through it, or all but touches it.
    pub(super) fn is_crossed_by(&self, (one, other): ((f64, f64), (f64, f64))) -> bool {
        const NEAR: f64 = 2.0;
        let ((x1, y1), (x2, y2)) = if one.0 <= other.0 { (one, other) } else { (other, one) };
        let half = self.width / 2.0 + NEAR;
        let (from, to) = (x1.max(self.x - half), x2.min(self.x + half));
        if from > to {
            return false;
        }
        let y_at = |x: f64| if x2 > x1 { y1 + (y2 - y1) * (x - x1) / (x2 - x1) } else { y2 };
        // One that goes straight up has no more than its ends.
        let (a, b) = if x2 > x1 { (y_at(from), y_at(to)) } else { (y1, y2) };
        a.max(b) > self.y - HIGH - NEAR && a.min(b) < self.y + NEAR
    }

    fn is_inside(&self) -> bool {
        self.x - self.width / 2.0 > LEFT + 2.0
            && self.x + self.width / 2.0 < WIDTH - 4.0
            && self.y - HIGH > TOP - 18.0
            && self.y < BOTTOM - 2.0
    }
}

fn x_of(scale: Scale, value: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * scale.place(value)
}

fn y_of(scale: Scale, value: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * scale.place(value)
}

/// Draws a chart within these scales.
pub(super) fn draw(chart: &Chart, across: Scale, up: Scale) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         role=\"img\" aria-labelledby=\"title note\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    for (class, y, words) in [("title", 30.0, &chart.title), ("note", 50.0, &chart.note)] {
        let words = escaped(words);
        line(
            &mut svg,
            &format!("<text class=\"{class}\" id=\"{class}\" x=\"{LEFT}\" y=\"{y}\">{words}</text>"),
        );
    }
    axes(&mut svg, chart, across, up);
    key(&mut svg, chart);
    let mut labels = placed(chart, across, up).into_iter();
    for (n, curve) in chart.curves.iter().enumerate() {
        let places: Vec<_> = curve.points.iter().map(|(x, y)| (x_of(across, *x), y_of(up, *y))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        line(&mut svg, &format!("<path class=\"curve c{n}\" d=\"M{}\"/>", path.join(" L")));
        for (place, (_, value)) in places.iter().zip(&curve.points) {
            point(&mut svg, n, *place);
            if let Some(label) = labels.next() {
                let figure = escaped(&chart.up.unit.tell(*value));
                text(&mut svg, &format!("figure c{n}"), (label.x, label.y - 3.0), "middle", &figure);
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The straight parts of all curves, where they are drawn.
fn parts(chart: &Chart, across: Scale, up: Scale) -> Vec<((f64, f64), (f64, f64))> {
    let place = |(x, y): &(f64, f64)| (x_of(across, *x), y_of(up, *y));
    let of = |curve: &Curve| {
        curve.points.windows(2).map(|two| (place(&two[0]), place(&two[1]))).collect::<Vec<_>>()
    };
    chart.curves.iter().flat_map(of).collect()
}

/// The figures of all points, in the order of the curves, each where it covers nothing if there is such a place: no curve
/// either, where there is one.
fn placed(chart: &Chart, across: Scale, up: Scale) -> Vec<Label> {
    let place = |(x, y): &(f64, f64)| (x_of(across, *x), y_of(up, *y));
    let points: Vec<_> = chart.curves.iter().flat_map(|curve| curve.points.iter().map(place)).collect();
    let parts = parts(chart, across, up);
    let mut labels: Vec<Label> = Vec::new();
    for (n, curve) in chart.curves.iter().enumerate() {
        for point in &curve.points {
            let letters = chart.up.unit.tell(point.1).chars().count();
            let (width, (x, y)) =
                (f64::from(u16::try_from(letters).unwrap_or(u16::MAX)) * LETTER, place(point));
            // Ours stand above their points first, the others below.
            let sides: [f64; 2] = if n == 0 { [-1.0, 1.0] } else { [1.0, -1.0] };
            let beside = width / 2.0 + AWAY;
            // A little further away before on the other side, where it could pass for another curve's.
            let near_and_far = [0..5_u8, 5..24];
            let ways = near_and_far.into_iter().flat_map(|steps| {
                sides.into_iter().flat_map(move |side| {
                    steps.clone().flat_map(move |step| {
                        let away = AWAY + f64::from(step) * (HIGH + 1.0) / 2.0;
                        let above = if side < 0.0 { y - away } else { y + away + HIGH };
                        [0.0, -beside, beside].map(|aside| Label { x: x + aside, y: above, width })
                    })
                })
            });
            let free = |label: &Label| {
                label.is_inside()
                    && !labels.iter().any(|other| label.meets(other))
                    && !points.iter().any(|point| label.covers(*point))
            };
            let first = Label { x, y: y - AWAY, width };
            let free: Vec<_> = ways.filter(free).collect();
            let clear = free.iter().find(|label| !parts.iter().any(|part| label.is_crossed_by(*part)));
            labels.push(clear.or(free.first()).copied().unwrap_or(first));
        }
    }
    labels
}

#[cfg(test)]
pub(super) fn labels_of(chart: &Chart) -> Vec<Label> {
    let (across, up) = scales_of(chart);
    placed(chart, across, up)
}

#[cfg(test)]
pub(super) fn parts_of(chart: &Chart) -> Vec<((f64, f64), (f64, f64))> {
    let (across, up) = scales_of(chart);
    parts(chart, across, up)
}

#[cfg(test)]
fn scales_of(chart: &Chart) -> (Scale, Scale) {
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    (Scale::over(points().map(|(x, _)| *x)).unwrap(), Scale::over(points().map(|(_, y)| *y)).unwrap())
}

fn axes(svg: &mut String, chart: &Chart, across: Scale, up: Scale) {
    for (mark, told) in across.marks() {
        let x = x_of(across, mark);
        line(svg, &format!("<path class=\"grid\" d=\"M{x:.1} {TOP} V{BOTTOM}\"/>"));
        if told {
            text(svg, "mark", (x, BOTTOM + 18.0), "middle", &escaped(&chart.across.unit.tell(mark)));
        }
    }
    for (mark, told) in up.marks() {
        let y = y_of(up, mark);
        line(svg, &format!("<path class=\"grid\" d=\"M{LEFT} {y:.1} H{RIGHT}\"/>"));
        if told {
            text(svg, "mark", (LEFT - 8.0, y + 4.0), "end", &escaped(&chart.up.unit.tell(mark)));
        }
    }
    let Axis { label, .. } = chart.across;
    text(svg, "name", (f64::midpoint(LEFT, RIGHT), BOTTOM + 44.0), "middle", &escaped(label));
    let (x, y) = (20.0, f64::midpoint(TOP, BOTTOM));
    line(
        svg,
        &format!(
            "<text class=\"name\" transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escaped(chart.up.label)
        ),
    );
}

/// Which curve is which.
fn key(svg: &mut String, chart: &Chart) {
    let mut x = LEFT;
    for (n, curve) in chart.curves.iter().enumerate() {
        line(svg, &format!("<path class=\"curve c{n}\" d=\"M{x:.1} 76 h34\"/>"));
        point(svg, n, (x + 17.0, 76.0));
        text(svg, "key", (x + 42.0, 80.0), "start", &escaped(curve.name));
        x += 42.0 + 26.0 + f64::from(u16::try_from(curve.name.chars().count()).unwrap_or(u16::MAX)) * LETTER;
    }
}

fn point(svg: &mut String, n: usize, (x, y): (f64, f64)) {
    let shape = match n {
        0 => format!("<circle class=\"point c{n}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>"),
        1 => format!("<path class=\"point c{n}\" d=\"M{:.1} {:.1} h8 v8 h-8 z\"/>", x - 4.0, y - 4.0),
        2 => format!("<path class=\"point c{n}\" d=\"M{x:.1} {:.1} l5 9 h-10 z\"/>", y - 5.0),
        _ => format!("<path class=\"point c{n}\" d=\"M{x:.1} {:.1} l5 5 l-5 5 l-5 -5 z\"/>", y - 5.0),
    };
    line(svg, &shape);
}

fn text(svg: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
    line(
        svg,
        &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"),
    );
}

fn line(svg: &mut String, markup: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{markup}");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
