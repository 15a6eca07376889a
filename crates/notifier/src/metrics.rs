//! What waits for a limit, as figures for monitoring: in a file, as a notifier listens nowhere. It is in the form that
//! Prometheus' node exporter takes in from its directory of text files.

use std::{fmt::Write as _, fs, io, path::Path, time::Duration};

use crate::gate::{Gate, Held};

/// How often the file is written anew.
const EVERY: Duration = Duration::from_secs(15);

/// Writes the file for as long as this is waited for.
pub(crate) async fn tell(gate: &Gate, file: Option<&Path>) {
    let Some(file) = file else { return std::future::pending().await };
    let mut told = false;
    loop {
        match write(file, &text(&gate.held())) {
            Ok(()) => told = false,
            Err(_) if told => {}
            Err(why) => {
                told = true;
                tracing::warn!(file = %file.display(), error = %why, "the notifier's figures could not be written");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Beside it first: whoever reads it has the old or the new one whole.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    // Not one of those that the node exporter takes in, which end in .prom.
    name.push(".new");
    let beside = file.with_file_name(name);
    fs::write(&beside, text)?;
    fs::rename(&beside, file)
}

fn text(held: &[Held]) -> String {
    type Figure = fn(&Held) -> f64;
    let figures: [(&str, &str, Figure); 2] = [
        ("limit_waiting", "Mails that wait for a limit", |held| f64::from(held.waiting)),
        ("limit_wait_seconds", "How long the oldest of them has waited", |held| held.oldest.as_secs_f64()),
    ];
    let mut text = String::new();
    for (name, help, figure) in figures {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP tocsin_notifier_{name} {help}\n# TYPE tocsin_notifier_{name} gauge");
        for one in held {
            let (of, whose) = (one.of, escaped(&one.name));
            let _ =
                writeln!(text, "tocsin_notifier_{name}{{limit=\"{of}\",name=\"{whose}\"}} {}", figure(one));
        }
    }
    text
}

/// As a label's value may stand.
fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_figures_and_a_reader_has_a_whole_file() {
        let held = [
            Held {
                of: "relay",
                name: "own \"x\"".to_owned(),
                waiting: 3,
                oldest: Duration::from_millis(1500),
            },
            Held { of: "domain", name: "*".to_owned(), waiting: 0, oldest: Duration::ZERO },
        ];
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tocsin.prom");
        for _ in 0..2 {
            write(&file, &text(&held)).unwrap();
        }
        insta::assert_snapshot!(fs::read_to_string(&file).unwrap(), @r#"
        # HELP tocsin_notifier_limit_waiting Mails that wait for a limit
        # TYPE tocsin_notifier_limit_waiting gauge
        tocsin_notifier_limit_waiting{limit="relay",name="own \"x\""} 3
        tocsin_notifier_limit_waiting{limit="domain",name="*"} 0
        # HELP tocsin_notifier_limit_wait_seconds How long the oldest of them has waited
        # TYPE tocsin_notifier_limit_wait_seconds gauge
        tocsin_notifier_limit_wait_seconds{limit="relay",name="own \"x\""} 1.5
        tocsin_notifier_limit_wait_seconds{limit="domain",name="*"} 0
        "#);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
