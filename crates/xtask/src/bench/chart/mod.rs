//! Curves on two logarithmic axes, drawn as SVG: ours and the raw limit of the same work on one chart.

mod scale;
mod svg;

use scale::Scale;
pub(super) use scale::Unit;

/// One chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// The name of its file, without the ending.
    pub(super) name: &'static str,
    pub(super) title: String,
    /// What was done to get it, in one line.
    pub(super) note: String,
    pub(super) across: Axis,
    pub(super) up: Axis,
    pub(super) curves: Vec<Curve>,
}

/// What an axis counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) unit: Unit,
}

/// One curve. The first of a chart is ours.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

impl Curve {
    pub(super) fn new(name: &'static str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        // What has no logarithm has no place.
        let has_place = |(x, y): &(f64, f64)| *x > 0.0 && *y > 0.0 && x.is_finite() && y.is_finite();
        Self { name, points: points.into_iter().filter(has_place).collect() }
    }
}

impl Chart {
    /// The chart as a file that needs nothing else; `None` when there is nothing on it.
    pub(super) fn svg(&self) -> Option<String> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let across = Scale::over(points().map(|(x, _)| *x))?;
        let up = Scale::over(points().map(|(_, y)| *y))?;
        Some(svg::draw(self, across, up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(ours: &[(f64, f64)], raw: &[(f64, f64)]) -> Chart {
        Chart {
            name: "some",
            title: "From <here> to there".to_owned(),
            note: "Measured & drawn".to_owned(),
            across: Axis { label: "recipients", unit: Unit::Count },
            up: Axis { label: "until the last", unit: Unit::Milliseconds },
            curves: vec![
                Curve::new("ours", ours.iter().copied()),
                Curve::new("raw limit", raw.iter().copied()),
            ],
        }
    }

    #[test]
    fn every_figure_is_on_the_chart_and_what_is_written_harms_no_markup() {
        let svg = chart(&[(10.0, 2.0), (250.0, 17.4), (10_000.0, 980.0)], &[(10.0, 1.0), (10_000.0, 420.0)]);
        let svg = svg.svg().unwrap();
        for told in ["2 ms", "17.4 ms", "980 ms", "1 ms", "420 ms", "10,000", "From &lt;here&gt; to there"] {
            assert!(svg.contains(told), "{told}: {svg}");
        }
        // Each has its line and its place in the key.
        assert_eq!(svg.matches("<path class=\"curve").count(), 4);
    }

    #[test]
    fn what_has_no_logarithm_is_left_out_and_nothing_at_all_is_no_chart() {
        assert!(chart(&[(1.0, 0.0), (f64::NAN, 1.0)], &[(0.0, 5.0)]).svg().is_none());
        assert!(chart(&[(1.0, 1.0)], &[]).svg().is_some(), "a single point has its place");
    }

    #[test]
    fn no_label_lies_on_another_where_both_curves_run_together() {
        let both: Vec<_> = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0].map(|x| (x, x * 900.0)).to_vec();
        let labels = svg::labels_of(&chart(&both, &both));
        assert_eq!(labels.len(), 14);
        for (n, one) in labels.iter().enumerate() {
            assert!(labels[n + 1..].iter().all(|other| !one.meets(other)), "{one:?} of {labels:?}");
        }
    }
    #[test]
    fn no_label_touches_a_curve_where_there_is_room_also_at_the_left_edge() {
        // The first points lie on the edge, whose labels can stand to their right alone.
        for (ours, raw) in [
            (&[(10.0, 2.0), (250.0, 17.4), (10_000.0, 980.0)][..], &[(10.0, 1.0), (10_000.0, 420.0)][..]),
            (&[(1.0, 900.0), (8.0, 70.0), (64.0, 60.0)], &[(1.0, 50.0), (64.0, 12.0)]),
            (&[(10.0, 1.0), (12.0, 800.0), (1000.0, 900.0)], &[]),
        ] {
            let chart = chart(ours, raw);
            for label in svg::labels_of(&chart) {
                let crossed: Vec<_> =
                    svg::parts_of(&chart).into_iter().filter(|part| label.is_crossed_by(*part)).collect();
                assert!(crossed.is_empty(), "{label:?} by {crossed:?}");
            }
        }
    }
    #[test]
    fn the_figures_of_two_curves_stand_in_the_order_of_the_curves() {
        let above = [(10.0, 2.0), (50.0, 4.4), (250.0, 17.4), (1_000.0, 88.0), (10_000.0, 980.0)];
        let below = [(10.0, 1.0), (50.0, 2.0), (250.0, 10.3), (1_000.0, 40.0), (10_000.0, 420.0)];
        let labels = svg::labels_of(&chart(&above, &below));
        for (n, label) in labels[..5].iter().enumerate() {
            assert!(label.y < labels[n + 5].y, "{n}: {labels:?}");
        }
    }
}
