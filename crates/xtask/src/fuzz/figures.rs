//! What a run tells of itself.

use std::fmt;

/// The heading over [`Figures`].
pub(super) const HEAD: &str = "target               inputs  per second   peak MiB";

/// What one target did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    inputs: u64,
    per_second: f64,
    /// The most memory, in MiB, where it is known.
    peak: Option<u64>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10}  {:>10.0}", self.inputs, self.per_second)?;
        match self.peak {
            Some(peak) => write!(f, "  {peak:>9}"),
            None => Ok(()),
        }
    }
}

/// From the harness's own line: `NAME: N inputs in S s`.
pub(super) fn random(said: &str) -> Option<Figures> {
    let (head, time) = said.lines().find_map(|line| line.split_once(" inputs in "))?;
    let inputs: u64 = head.rsplit(' ').next()?.parse().ok()?;
    let seconds: f64 = time.strip_suffix(" s")?.parse().ok()?;
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    Some(Figures { inputs, per_second: inputs as f64 / seconds.max(0.1), peak: None })
}

/// From libFuzzer's closing statistics.
pub(super) fn guided(said: &str) -> Option<Figures> {
    let stat = |name: &str| {
        let line = said.lines().rev().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
        line?.trim_start_matches(':').trim().parse::<u32>().ok()
    };
    Some(Figures {
        inputs: stat("number_of_executed_units")?.into(),
        per_second: stat("average_exec_per_sec")?.into(),
        peak: stat("peak_rss_mb").map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_are_understood() {
        let random = random("running 1 test\nsubject: 1200 inputs in 2.0 s\ntest x ... ok\n").unwrap();
        assert_eq!(random, Figures { inputs: 1200, per_second: 600.0, peak: None });
        let said = "stat::number_of_executed_units: 812345\nstat::average_exec_per_sec:     13539\nstat::new_units_added:          1\nstat::peak_rss_mb:              412\n";
        let guided = guided(said).unwrap();
        assert_eq!(guided, Figures { inputs: 812_345, per_second: 13_539.0, peak: Some(412) });
        assert_eq!(super::random("no such line"), None);
    }
}
