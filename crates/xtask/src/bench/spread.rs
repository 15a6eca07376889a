//! Several rounds of one measurement.

use std::time::Duration;

/// The middle of several measurements, and their ends.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(super) struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    /// Times, in milliseconds.
    pub(super) fn milliseconds(times: &[Duration]) -> Self {
        Self::of(times.iter().map(|time| time.as_secs_f64() * 1000.0).collect())
    }

    pub(super) fn of(mut sorted: Vec<f64>) -> Self {
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The value that this share of all is not above: by nearest rank.
    pub(super) fn share(&self, percent: usize) -> f64 {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn median(&self) -> f64 {
        self.share(50)
    }

    pub(super) fn least(&self) -> f64 {
        self.share(0)
    }

    pub(super) fn most(&self) -> f64 {
        self.share(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_by_nearest_rank() {
        let spread = Spread::of((1..=200).rev().map(f64::from).collect());
        let told = [0, 50, 99, 100].map(|percent| spread.share(percent).to_string());
        assert_eq!(told, ["1", "100", "198", "200"]);
        assert_eq!(Spread::of(vec![7.0]).median().to_string(), "7");
        assert!(Spread::of(Vec::new()).median().is_nan());
    }
}
