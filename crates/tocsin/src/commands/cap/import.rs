//! A CAP message as a draft. It never publishes.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tocsin_desk::clean;
use tocsin_exchange::cap::{self, MAX_BYTES, Wanted};
use tocsin_ledger::{Ledger, Wait};
use tocsin_protocol::{Area, AreaId, Category, EventNumber, IncidentId, PublisherId, Service};

use crate::{bus, commands::directory, failure::Failure, out};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The CAP message, or - for standard input
    file: PathBuf,
    /// As which publisher of the directory it will be published
    #[arg(long = "as", value_name = "PUBLISHER", env = "TOCSIN_PUBLISHER")]
    publisher: Option<PublisherId>,
    /// Of which incident [default: named after the message]
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<IncidentId>,
    /// Which event of the incident, where it is not the first
    #[arg(long, value_name = "N")]
    sequence: Option<EventNumber>,
    /// What sort of incident: CAP's categories are others
    #[arg(long, value_name = "WORD")]
    category: Option<Category>,
    /// Which services are touched, which CAP does not say
    #[arg(long, value_name = "SERVICE,...", value_delimiter = ',')]
    services: Vec<Service>,
    /// Which areas are touched [default: those of the message that the directory on the bus knows]
    #[arg(long, value_name = "AREA,...", value_delimiter = ',')]
    areas: Vec<AreaId>,
    /// The file to write the draft to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// How long a person waits for the directory.
const LOOK: Duration = Duration::from_secs(3);

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let bytes = read(&args.file)?;
    let mut wanted = Wanted {
        publisher: args.publisher,
        incident: args.incident,
        sequence: args.sequence,
        category: args.category,
        services: args.services,
        areas: args.areas,
        known: &[],
    };
    let read = |wanted: &Wanted| cap::import(&bytes, wanted).map_err(|why| Failure::input(&why));
    let mut import = read(&wanted)?;
    let known;
    // What we wrote names its areas; a stranger's are looked for in the directory.
    if !import.ours && wanted.areas.is_empty() {
        known = areas().await;
        match &known {
            Some(known) => {
                wanted.known = known;
                import = read(&wanted)?;
            }
            None => out::note(
                "The directory on the bus cannot be read, so the message's areas are not looked for in it.",
            ),
        }
    }
    let json = import.json();
    match &args.out {
        None => out::line(&json)?,
        Some(file) => std::fs::write(file, format!("{json}\n"))
            .map_err(|why| Failure::failed(format!("cannot write {}: {why}", file.display())))?,
    }
    for line in &import.told {
        out::note(&clean::line(line, 600));
    }
    match import.event() {
        Ok(_) => {
            out::note(
                "A draft, whole: nothing was published. `tocsin publish FILE` shows it and asks first.",
            );
        }
        Err(problems) => {
            out::note("A draft that is not whole yet; nothing was published. Before it can be, mend:");
            for problem in problems {
                out::note(&format!("  {problem}"));
            }
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |why: std::io::Error| Failure::wrong(format!("cannot read {}: {why}", file.display()));
    // One more than is taken, so that what is too long is told as that.
    let most = MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        std::fs::File::open(file).map_err(cannot)?.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    }
    Ok(bytes)
}

/// The places of the directory in force, where it can be read at once.
async fn areas() -> Option<Vec<Area>> {
    let connection = bus::connection("cap", Wait::Fail(LOOK)).ok()?;
    let look = async {
        let ledger = Ledger::connect(&connection).await.ok()?;
        Some(directory::if_in_force(&ledger).await.ok()??.areas)
    };
    tokio::time::timeout(LOOK, look).await.ok()?
}
