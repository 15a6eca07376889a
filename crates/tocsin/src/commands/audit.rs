//! `tocsin audit`: takes the record to where there is no bus, and verifies it there.

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Subcommand, ValueEnum};
use tocsin_audit::{
    Bundle, Standing, Told, ToldIncident,
    render::{View, table, verdict_json},
};
use tocsin_protocol::IncidentId;

use crate::{
    bus,
    failure::{Exit, Failure},
    keys, out,
    trust::Trust,
};

/// How long a checkpoint is waited for that covers what stands. Routers write one when it has been quiet for a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// Take the record away in one file, and verify such a file without a bus
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write one incident, or everything, to one file, with the proofs that it stands in the log
    #[command(after_help = "Examples:
  tocsin audit export bt-cha-2023-06-25-0624 incident.bundle
  tocsin audit export --all everything.bundle

Only a bundle of everything can prove that nothing was left out. The file holds what both streams hold: guard it as
you guard them. Its lines follow schemas/bundle-line.schema.json.")]
    Export(Export),
    /// Verify such a file: say what is proven, what is missing, and which entry was altered
    ///
    /// No bus is needed, and nobody who made the file is trusted. The report is computed anew from the entries.
    #[command(after_help = "Examples:
  tocsin audit verify everything.bundle
  tocsin audit verify incident.bundle --report --key UDEXAMPLE...
  tocsin audit verify everything.bundle --trust UDEXAMPLE...
  tocsin audit verify everything.bundle --format json | jq .standing

Exit codes: 0 all is proven; 1 it is not, or no recipient's receipt vouches for it, so that it proves nothing by itself;
2 the file is no bundle.")]
    Verify(Verify),
    /// Score every recipient over the exercises of a period, the worst first, and tell whether it gets better
    #[command(after_help = "Examples:
  tocsin audit exercises
  tocsin audit exercises --from 2026-01-01 --to 2026-12-31 --format html --out exercises.html

The trend holds the later half of a recipient's exercises against the earlier: by the share in time where that differs by a
tenth at least, else by the median where that differs by a fifth. Fewer than two exercises in a half tell nothing.")]
    Exercises(super::scores::Args),
}

#[derive(Debug, clap::Args)]
struct Export {
    /// The incident, as `tocsin incidents` lists it; left out with --all
    #[arg(value_name = "INCIDENT")]
    incident_or_file: String,
    /// The file to write
    #[arg(value_name = "FILE", required_unless_present = "all", conflicts_with = "all")]
    file: Option<PathBuf>,
    /// Everything that both streams hold
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The file
    file: PathBuf,
    /// The public key of the checkpoints, as you know it from elsewhere; more than one where it was changed. Without it
    /// the bundle's own directories are believed
    #[arg(long, value_name = "PUBLIC")]
    key: Vec<String>,
    #[command(flatten)]
    trust: Trust,
    /// Print the report of each incident too
    #[arg(long, conflicts_with = "format")]
    report: bool,
    /// How it is written; JSON follows schemas/verdict.schema.json
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Export(export) => write(export).await,
        What::Verify(args) => verify(&args),
        What::Exercises(args) => super::scores::run(args).await,
    }
}

async fn write(Export { incident_or_file, file, all }: Export) -> Result<(), Failure> {
    let (incident, file) = match file {
        Some(file) if !all => {
            let incident: IncidentId = incident_or_file.parse().map_err(|why| Failure::input(&why))?;
            (Some(incident), file)
        }
        _ => (None, PathBuf::from(incident_or_file)),
    };
    let ledger = bus::command("audit").await?;
    let entries = tocsin_audit::read_covered(&ledger, PATIENCE).await?;
    let bundle = Bundle::of(&entries, incident.as_ref()).map_err(|why| match why {
        tocsin_audit::Error::UnknownIncident { .. } => Failure::input(&why),
        other => other.into(),
    })?;
    let cannot = |why: std::io::Error| {
        Failure::failed(format!("cannot write the bundle to {}: {why}", file.display()))
    };
    let to = File::create(&file).map_err(cannot)?;
    bundle.write(BufWriter::new(&to)).and_then(|()| to.sync_all()).map_err(cannot)?;
    let covered = bundle.newest.map_or_else(
        || "There is no checkpoint, so a bundle proves little: see `tocsin router --help`.".to_owned(),
        |number| format!("Proofs are held against checkpoint {number}."),
    );
    let (entries, file) = (bundle.entries.len(), file.display());
    out::line(&format!("{entries} entries are in {file}. {covered}\nNext: tocsin audit verify {file}"))
}

fn verify(args: &Verify) -> Result<(), Failure> {
    let keys = keys::public(&args.key)?;
    let bundle = read(&args.file)?;
    let verdict = match args.trust.pin()? {
        Some(pin) => tocsin_audit::verify_under(&bundle, &keys, &pin),
        None => tocsin_audit::verify(&bundle, &keys),
    };
    let told = Told::of(&bundle, &verdict);
    if args.format == Format::Json {
        out::line(&verdict_json(&told)?)?;
    } else {
        out::text(&in_words(&told))?;
        if args.report {
            for report in &verdict.reports {
                out::text(&table(report, &View::default()))?;
            }
        } else {
            told.incidents.iter().try_for_each(|incident| out::text(&in_a_line(incident)))?;
        }
    }
    if told.standing == Standing::Proven { Ok(()) } else { Err(Failure::told(Exit::Failed)) }
}

pub(super) fn read(file: &Path) -> Result<Bundle, Failure> {
    let cannot = |why| Failure::wrong(format!("cannot read {}: {why}", file.display()));
    let opened = File::open(file).map_err(cannot)?;
    Bundle::read(BufReader::new(opened)).map_err(|why| Failure::wrong(format!("{}: {why}", file.display())))
}

fn in_words(told: &Told) -> String {
    let of = told.incident.as_ref().map_or_else(|| "everything".to_owned(), |id| format!("incident {id}"));
    let mut text = format!("A bundle of {of}: {} entries.\n", told.entries);
    let mut section = |title: &str, lines: &mut dyn Iterator<Item = &String>| {
        let mut lines = lines.peekable();
        if lines.peek().is_some() {
            text.push_str(title);
            lines.for_each(|line| text.extend(["\n  ", line]));
            text.push('\n');
        }
    };
    section("\nProven", &mut told.proven.iter());
    let (missing, wrong): (Vec<_>, Vec<_>) = told.faults.iter().partition(|fault| fault.is_missing());
    section("\nNOT PROVEN: altered, put in, or written anew", &mut wrong.iter().map(|fault| &fault.text));
    section("\nNOT PROVEN: missing", &mut missing.iter().map(|fault| &fault.text));
    section("\nBeyond this bundle", &mut told.limits.iter());
    text.extend(["\n", &told.words, "\n\n"]);
    text
}

fn in_a_line(incident: &ToldIncident) -> String {
    let totals = &incident.totals;
    format!(
        "{}: {} asked, {} in time, {} late, {} never; {} written to (recomputed; --report shows all)\n",
        incident.id,
        totals.asked,
        totals.acknowledged_in_time,
        totals.acknowledged_late,
        totals.never,
        totals.escalated
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::Cli;

    #[test]
    fn an_export_is_of_an_incident_or_of_everything() {
        for (line, taken) in [
            (&["tocsin", "audit", "export", "x", "x.bundle"][..], true),
            (&["tocsin", "audit", "export", "--all", "x.bundle"], true),
            (&["tocsin", "audit", "export", "x"], false),
            (&["tocsin", "audit", "export", "--all", "x", "x.bundle"], false),
            (&["tocsin", "audit", "export"], false),
        ] {
            assert_eq!(Cli::try_parse_from(line).is_ok(), taken, "{line:?}");
        }
    }
}
