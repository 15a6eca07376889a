//! Logarithmic scales, their marks, and how a figure is written.

/// In what something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Unit {
    Count,
    Milliseconds,
    PerSecond,
    /// And not bytes: the marks of an axis are round in what it counts.
    Mebibytes,
}

impl Unit {
    /// A figure with at most three digits that mean something.
    pub(super) fn tell(self, value: f64) -> String {
        match self {
            Self::Count => count(value),
            Self::PerSecond => format!("{}/s", count(value)),
            Self::Milliseconds if value >= 1000.0 => format!("{} s", rounded(value / 1000.0)),
            Self::Milliseconds => format!("{} ms", rounded(value)),
            Self::Mebibytes => format!("{} MiB", rounded(value)),
        }
    }
}

fn count(value: f64) -> String {
    if value >= 1e6 {
        return format!("{} million", rounded(value / 1e6));
    }
    let digits = rounded(value);
    match digits.len().checked_sub(3) {
        Some(at) if at > 0 && !digits.contains('.') => format!("{},{}", &digits[..at], &digits[at..]),
        _ => digits,
    }
}

/// Three digits that mean something, without noughts at the end of a fraction.
fn rounded(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A logarithmic scale from one mark to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    /// The shortest one between marks that holds all of these; `None` without any.
    pub(super) fn over(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (least, most) =
            values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        if least > most {
            return None;
        }
        let below = marks(least).into_iter().rfind(|mark| *mark <= least * 1.000_001)?;
        let above = marks(most).into_iter().find(|mark| *mark >= most * 0.999_999)?;
        // A single value has room on both sides.
        let (least, most) = if above > below { (below, above) } else { (below / 2.0, above * 2.0) };
        Some(Self { least, most })
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn place(self, value: f64) -> f64 {
        (value / self.least).ln() / (self.most / self.least).ln()
    }

    /// Its marks, and which of them are written out.
    pub(super) fn marks(self) -> Vec<(f64, bool)> {
        let decades = (self.most / self.least).log10();
        let inside = |mark: &f64| *mark >= self.least * 0.999_999 && *mark <= self.most * 1.000_001;
        let mut all: Vec<f64> = Vec::new();
        let mut value = self.least;
        while value <= self.most * 10.0 {
            all.extend(marks(value).into_iter().filter(inside));
            value *= 10.0;
        }
        all.sort_by(f64::total_cmp);
        all.dedup_by(|one, other| (*one / *other - 1.0).abs() < 1e-6);
        all.into_iter()
            .map(|mark| {
                let power = mark.log10();
                (mark, decades < 2.5 || (power - power.round()).abs() < 1e-6)
            })
            .collect()
    }
}

/// The marks 1, 2 and 5 of the decade in which a value lies, and the beginning of the next.
fn marks(value: f64) -> [f64; 4] {
    let decade = 10_f64.powf((value * 1.000_001).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|mark| mark * decade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_three_digits_that_mean_something() {
        for (unit, value, told) in [
            (Unit::Milliseconds, 17.44, "17.4 ms"),
            (Unit::Milliseconds, 0.25, "0.25 ms"),
            (Unit::Milliseconds, 9800.0, "9.8 s"),
            (Unit::Milliseconds, 100_000.0, "100 s"),
            (Unit::Count, 10.0, "10"),
            (Unit::Count, 10_000.0, "10,000"),
            (Unit::Count, 1e6, "1 million"),
            (Unit::PerSecond, 212_345.0, "212,345/s"),
            (Unit::Mebibytes, 50.0, "50 MiB"),
            (Unit::Mebibytes, 183.27, "183 MiB"),
        ] {
            assert_eq!(unit.tell(value), told);
        }
    }

    #[test]
    fn a_scale_ends_at_marks_around_all_values() {
        for (values, least, most) in [
            (&[10.0, 10_000.0][..], 10.0, 10_000.0),
            (&[1.0, 64.0], 1.0, 100.0),
            (&[2.3, 980.0], 2.0, 1000.0),
            (&[7.0], 5.0, 10.0),
            (&[100.0], 50.0, 200.0),
        ] {
            let scale = Scale::over(values.iter().copied()).unwrap();
            assert!((scale.least / least - 1.0).abs() < 1e-9, "{scale:?} over {values:?}");
            assert!((scale.most / most - 1.0).abs() < 1e-9, "{scale:?} over {values:?}");
            assert!(values.iter().all(|value| (-1e-9..=1.0 + 1e-9).contains(&scale.place(*value))));
        }
        assert_eq!(Scale::over(std::iter::empty()), None);
    }

    #[test]
    fn decades_alone_are_written_out_where_there_are_many() {
        let told = |scale: Scale| scale.marks().iter().filter(|(_, told)| *told).count();
        assert_eq!(told(Scale { least: 10.0, most: 10_000.0 }), 4);
        assert_eq!(told(Scale { least: 1.0, most: 100.0 }), 7);
    }
}
