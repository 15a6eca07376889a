//! Which figures make which curve.

use super::{
    chart::{Axis, Chart, Curve, Unit},
    fanout::Fanout,
    mail::{Mails, Relay},
    replay::Replay,
    spread::Spread,
};

const MIB: f64 = 1024.0 * 1024.0;

/// A point of each curve of a chart.
type Points<const N: usize> = (f64, [f64; N]);

/// What was measured at several sizes.
#[derive(Debug, Default)]
pub(super) struct Curves {
    fanouts: Vec<Points<4>>,
    mails: Vec<Points<3>>,
    seconds: Vec<Points<3>>,
    mebibytes: Vec<Points<3>>,
}

impl Curves {
    pub(super) fn fanout(&mut self, fanout: &Fanout) {
        let all = [&fanout.ours, &fanout.wake, &fanout.raw, &fanout.receipts];
        self.fanouts.push((count(fanout.recipients), all.map(Spread::median)));
    }

    pub(super) fn mail(&mut self, mails: &Mails) {
        if mails.relay == Relay::Networked {
            let all = [&mails.ours, &mails.lettre, &mails.recorded];
            self.mails.push((count(mails.connections), all.map(Spread::median)));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of entries is far below 2^52")]
    pub(super) fn replay(&mut self, replay: &Replay) {
        let all = [&replay.ours, &replay.kept, &replay.raw];
        let entries = replay.entries as f64;
        self.seconds.push((entries, all.map(|measured| measured.seconds.median() * 1000.0)));
        self.mebibytes.push((entries, all.map(|measured| measured.bytes.most() / MIB)));
    }

    pub(super) fn charts(&self) -> Vec<Chart> {
        let recipients = Axis { label: "recipients", unit: Unit::Count };
        let entries = Axis { label: "entries of both streams", unit: Unit::Count };
        vec![
            Chart {
                name: "fanout",
                title: "From the operator's publish to the last of all desks".to_owned(),
                note: "Each write on disk before it is acknowledged; a connection for each desk; all on one machine"
                    .to_owned(),
                across: recipients,
                up: Axis { label: "until the last", unit: Unit::Milliseconds },
                curves: curves(
                    &self.fanouts,
                    [
                        "ours: notice in hand",
                        "raw: plain subscribers",
                        "raw: durable pulls",
                        "ours: signed receipt",
                    ],
                ),
            },
            Chart {
                name: "mail",
                title: "E-mails a second to a relay that takes 1 ms over each".to_owned(),
                note: "Attempts begun and ended stand in the log; lettre alone sends mails rendered beforehand"
                    .to_owned(),
                across: Axis { label: "connections to the relay", unit: Unit::Count },
                up: Axis { label: "mails a second", unit: Unit::PerSecond },
                curves: curves(
                    &self.mails,
                    ["ours: taken by the relay", "raw: lettre alone", "ours: recorded as taken"],
                ),
            },
            Chart {
                name: "replay",
                title: "Replay of both streams at a router's start".to_owned(),
                note: "The raw limit reads the same entries by ordered consumers and drops them".to_owned(),
                across: entries,
                up: Axis { label: "until the end is reached", unit: Unit::Milliseconds },
                curves: curves(&self.seconds, ["ours: into the fold", "ours: from a snapshot", "raw: read and dropped"]),
            },
            Chart {
                name: "memory",
                title: "Memory of a router that has replayed both streams".to_owned(),
                note: "The most that the process ever had resident; all incidents acknowledged".to_owned(),
                across: entries,
                up: Axis { label: "resident memory", unit: Unit::Mebibytes },
                curves: curves(&self.mebibytes, ["ours: with the fold", "ours: from a snapshot", "raw: read and dropped"]),
            },
        ]
    }
}

fn curves<const N: usize>(points: &[Points<N>], names: [&'static str; N]) -> Vec<Curve> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    names
        .into_iter()
        .enumerate()
        .map(|(n, name)| Curve::new(name, sorted.iter().map(|(x, ys)| (*x, ys[n]))))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn count(n: usize) -> f64 {
    n as f64
}
