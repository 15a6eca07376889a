//! The figures, for scripts and for people.

use std::{collections::BTreeMap, fmt};

use super::{
    chart::Chart,
    curves::Curves,
    fanout::Fanout,
    lateness::Lateness,
    mail::{CONNECTIONS, Mails, Relay},
    memory::Memory,
    pages::Pages,
    replay::{Replay, rate as per_second},
    spread::Spread,
    storm::{Memory as Grown, Storm},
};

const MIB: f64 = 1024.0 * 1024.0;

/// What was measured. The names of `figures` are relied on by scripts.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) figures: BTreeMap<String, f64>,
    quick: bool,
    lines: Vec<Line>,
    curves: Curves,
}

/// Ours beside the raw limit.
#[derive(Debug)]
struct Line {
    what: String,
    ours: String,
    raw: String,
    ratio: String,
    aim: &'static str,
}

impl Report {
    pub(super) fn new(quick: bool) -> Self {
        Self { figures: BTreeMap::new(), quick, lines: Vec::new(), curves: Curves::default() }
    }

    fn set(&mut self, name: impl Into<String>, value: f64) {
        self.figures.insert(name.into(), (value * 1000.0).round() / 1000.0);
    }

    /// What was measured at several sizes, as charts.
    pub(super) fn charts(&self) -> Vec<Chart> {
        self.curves.charts()
    }

    pub(super) fn fanout(&mut self, fanout: &Fanout) {
        self.curves.fanout(fanout);
        let n = fanout.recipients;
        let ratio = fanout.ours.median() / fanout.raw.median();
        self.set(format!("fanout_{n}_ratio"), ratio);
        for (name, spread) in [
            ("", &fanout.ours),
            ("_raw", &fanout.raw),
            ("_raw_wake", &fanout.wake),
            ("_receipts", &fanout.receipts),
        ] {
            self.set(format!("fanout_{n}{name}_ms"), spread.median());
        }
        self.line(
            format!("publish to the last of {n} durable deliveries"),
            milliseconds(&fanout.ours),
            milliseconds(&fanout.raw),
            ratio,
            match n {
                250 => "< 1.5",
                10_000 => "ours < 1000 ms",
                _ => "",
            },
        );
        self.line(
            "  ... beside plain subscribers to the stream".to_owned(),
            milliseconds(&fanout.ours),
            milliseconds(&fanout.wake),
            fanout.ours.median() / fanout.wake.median(),
            "",
        );
        self.alone(format!("  ... to the last of {n} signed receipts"), milliseconds(&fanout.receipts), "");
    }

    pub(super) fn mail(&mut self, mails: &Mails) {
        self.curves.mail(mails);
        let ratio = mails.ours.median() / mails.lettre.median();
        let connections = mails.connections;
        let (set, relay, aim) = match mails.relay {
            Relay::Networked if connections == CONNECTIONS => (String::new(), "takes 1 ms each", "> 0.8"),
            Relay::Networked => (format!("_over_{connections}"), "takes 1 ms each", ""),
            Relay::Instant => ("_instant".to_owned(), "takes no time", ""),
        };
        self.set(format!("mail_ratio{set}"), ratio);
        self.set(format!("mails{set}_per_second"), mails.ours.median());
        self.set(format!("mails{set}_recorded_per_second"), mails.recorded.median());
        self.set(format!("mails{set}_raw_per_second"), mails.lettre.median());
        self.line(
            format!("{} overdue mails over {connections}, relay {relay}", mails.count),
            rate(&mails.ours),
            rate(&mails.lettre),
            ratio,
            aim,
        );
        self.alone("  ... and recorded as accepted".to_owned(), rate(&mails.recorded), "");
    }

    pub(super) fn replay(&mut self, replay: &Replay) {
        self.curves.replay(replay);
        let seconds = [&replay.ours, &replay.raw].map(|measured| measured.seconds.median());
        let bytes = [&replay.ours, &replay.raw].map(|measured| measured.bytes.most());
        let ratio = seconds[1] / seconds[0];
        let told = |n: usize| {
            let rate = per_second(replay.entries, seconds[n]);
            format!("{:.2} s, {rate:.0}/s, {:.0} MiB", seconds[n], bytes[n] / MIB)
        };
        let aim = if replay.checked.is_some() { "> 0.7" } else { "" };
        let what = format!("replay of {} entries into the fold", replay.entries);
        self.line(what, told(0), told(1), ratio, aim);
        self.set(format!("replay_{}_seconds", replay.asked), seconds[0]);
        self.set(format!("replay_{}_mib", replay.asked), bytes[0] / MIB);
        self.set(format!("replay_{}_raw_seconds", replay.asked), seconds[1]);
        let (kept, most) = (replay.kept.seconds.median(), replay.kept.bytes.most());
        #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
        let (size, still) = (replay.snapshot.0 as f64, replay.snapshot.1);
        self.set(format!("replay_{}_kept_seconds", replay.asked), kept);
        self.set(format!("replay_{}_kept_mib", replay.asked), most / MIB);
        self.set(format!("replay_{}_snapshot_mib", replay.asked), size / MIB);
        self.set(format!("replay_{}_snapshot_seconds", replay.asked), still);
        let told = format!("{kept:.2} s, {:.0} MiB", most / MIB);
        let what = format!("  ... from a snapshot of {:.1} MiB, written in {still:.2} s", size / MIB);
        self.alone(what, told, if replay.checked.is_some() { "< 2 s" } else { "" });
        let Some(checked) = replay.checked else { return };
        self.set("replay_ratio", ratio);
        self.set("replay_entries_per_second", per_second(replay.entries, seconds[0]));
        self.set("replay_raw_entries_per_second", per_second(replay.entries, seconds[1]));
        self.set("replay_checked_entries_per_second", checked);
        self.alone("  ... with every signature checked".to_owned(), format!("{checked:.0}/s"), "");
    }

    pub(super) fn memory(&mut self, memory: Memory) {
        self.set("bytes_per_duty", memory.per_duty());
        let told = format!("{:.0} bytes", memory.per_duty());
        self.alone(format!("memory per open duty, of {}", memory.duties), told, "< 300 bytes");
    }

    pub(super) fn lateness(&mut self, lateness: &Lateness) {
        self.set("finding_late_p50_ms", lateness.found.share(50));
        self.set("finding_late_p99_ms", lateness.found.share(99));
        self.set("window_closed_late_p50_ms", lateness.closed.share(50));
        self.set("window_closed_late_p99_ms", lateness.closed.share(99));
        let told =
            |spread: &Spread| format!("p50 {:.1} ms, p99 {:.1} ms", spread.share(50), spread.share(99));
        self.alone("finding behind its due time".to_owned(), told(&lateness.found), "p50 < 10 ms");
        self.alone("  ... of which the broker's own".to_owned(), told(&lateness.closed), "");
    }

    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
    pub(super) fn pages(&mut self, pages: &Pages) {
        let n = pages.size.pages;
        for (name, spread) in
            [("event", &pages.event), ("acknowledged", &pages.acknowledged), ("raw", &pages.raw)]
        {
            for share in [50, 99, 100] {
                self.set(format!("pages_{n}_{name}_p{share}_ms"), spread.share(share));
            }
        }
        let told = |spread: &Spread| {
            let [middle, high, most] = [50, 99, 100].map(|share| spread.share(share));
            format!("{middle:.0}, {high:.0}, {most:.0} ms")
        };
        let ratio = pages.event.median() / pages.raw.median();
        self.line(
            format!("event to each of {n} pages: p50, p99, most"),
            told(&pages.event),
            told(&pages.raw),
            ratio,
            "< 1000 ms",
        );
        let tile = format!("  ... an acknowledgement, one of {}", pages.size.recipients);
        self.alone(tile, told(&pages.acknowledged), "< 1000 ms");
        let [before, open, most] = pages.bytes.map(|bytes| bytes as f64 / MIB);
        let each = (pages.bytes[1].saturating_sub(pages.bytes[0])) as f64 / n as f64 / 1024.0;
        self.set(format!("pages_{n}_mib"), most);
        self.set(format!("pages_{n}_kib_each"), each);
        self.set(format!("pages_{n}_processor"), pages.processor);
        self.line(
            format!("  ... memory: {before:.0} MiB and {each:.0} KiB a page"),
            format!("{open:.0}, at most {most:.0} MiB"),
            format!("{:.0} MiB", pages.raw_bytes as f64 / MIB),
            most / (pages.raw_bytes as f64 / MIB),
            "",
        );
        let share = format!("{:.0} % of one", pages.processor * 100.0);
        self.alone(format!("  ... processor, {} KiB a page and event", pages.bytes_each / 1024), share, "");
    }

    #[expect(clippy::cast_precision_loss, reason = "counts and memory are far below 2^52")]
    pub(super) fn storm(&mut self, storm: &Storm) {
        let size = storm.size;
        let (n, within) = (size.incidents, size.within.as_secs_f64());
        self.set("storm_dispatch_most_ms", storm.dispatched.as_secs_f64() * 1000.0);
        self.set("storm_settled_s", storm.settled.as_secs_f64());
        self.set("storm_mails", storm.mails as f64);
        self.set("storm_overtaken_s", storm.overtaken.as_secs_f64());
        let what = format!("{n} incidents in {within:.0} s to {}: event to dispatch", size.recipients);
        self.alone(what, format!("at most {:.0} ms", storm.dispatched.as_secs_f64() * 1000.0), "");
        let mails = format!("{:.1} s after the windows", storm.settled.as_secs_f64());
        self.alone(format!("  ... {} escalations, in {} mails", storm.duties, storm.mails), mails, "");
        if let Some(apart) = storm.apart.map(|apart| apart.as_secs_f64()) {
            self.set("storm_digests_apart_s", apart);
            let what = "  ... between two digests to one recipient".to_owned();
            self.alone(what, format!("at least {apart:.1} s"), "");
        }
        self.alone("  ... receipts of one agency refused".to_owned(), storm.refused.to_string(), "");
        let mut memory = |name: &str, what: String, grown: Grown, each: usize| {
            let [before, after, most] =
                [grown.before, grown.after, grown.most].map(|bytes| bytes as f64 / MIB);
            self.set(format!("storm_{name}_mib"), most);
            let bytes = grown.most.saturating_sub(grown.before) as f64 / each.max(1) as f64;
            self.set(format!("storm_{name}_bytes_each"), bytes);
            let told = format!("{before:.0}, then {after:.0}, most {most:.0} MiB");
            self.alone(what, told, "");
        };
        memory("router", "  ... router's memory".to_owned(), storm.router, storm.duties);
        memory("notifier", "  ... notifier's memory".to_owned(), storm.notifier, storm.duties);
        memory("nats", "  ... nats-server's memory".to_owned(), storm.bus, storm.duties);
        let what = format!("notifier with {} mails due", size.mails);
        memory("due", what, storm.holding, size.mails);
        let what = format!("  ... {:.0} s a mail: actual ones overtake in", size.relay_takes.as_secs_f64());
        self.alone(what, format!("{:.1} s", storm.overtaken.as_secs_f64()), "");
    }

    fn line(&mut self, what: String, ours: String, raw: String, ratio: f64, aim: &'static str) {
        self.push(Line { what, ours, raw, ratio: format!("{ratio:.2}"), aim });
    }

    fn alone(&mut self, what: String, ours: String, aim: &'static str) {
        self.push(Line { what, ours, raw: String::new(), ratio: String::new(), aim });
    }

    /// Told at once too: a later part may fail.
    fn push(&mut self, line: Line) {
        eprintln!("{line}");
        self.lines.push(line);
    }
}

fn milliseconds(spread: &Spread) -> String {
    format!("{:.1} ms ({:.1}-{:.1})", spread.median(), spread.least(), spread.most())
}

fn rate(spread: &Spread) -> String {
    format!("{:.0}/s ({:.0}-{:.0})", spread.median(), spread.least(), spread.most())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quick {
            writeln!(f, "A quick run: that every part works is shown, and nothing is measured.")?;
        }
        writeln!(f, "{:<48} {:<29} {:<29} {:>6}  aim", "median (least-most)", "ours", "raw", "ratio")?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, ours, raw, ratio, aim } = self;
        let line = format!("{what:<48} {ours:<29} {raw:<29} {ratio:>6}  {aim}");
        f.write_str(line.trim_end())
    }
}
