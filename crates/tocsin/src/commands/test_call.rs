//! `tocsin test-call`: the dead man's switch. It proves the path to every desk before the day on which it is needed.

use std::time::Duration;

use tocsin_duty::Directory;
use tocsin_ledger::{Ledger, Wait};
use tocsin_protocol::{AreaId, AreaScope, PublisherId, Service};
use tocsin_publisher::newest_directory;

use crate::{
    bus,
    commands::{publish, spool::SpoolDir},
    failure::Failure,
    moment,
    seed::KeyFile,
};

/// Send a test to every desk: it proves the path, and wakes nobody
///
/// It is an event of status `test`, published as any other is. Every desk's system says that it holds it; no person
/// acknowledges it, and nobody is written to. What came of it stands on the console's page /desks and in its metrics.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, once a day from a timer (deploy/systemd/tocsin-test-call.timer):
  tocsin test-call --as bt-cha --key /etc/tocsin/bt-cha.nk

Exit codes: 0 every desk that is owed it is being told; 1 not so: the path does not stand.")]
pub(crate) struct Args {
    /// As which publisher of the directory
    #[arg(long = "as", value_name = "PUBLISHER", env = "TOCSIN_PUBLISHER")]
    publisher: PublisherId,
    #[command(flatten)]
    key: KeyFile,
    /// Which areas, separated by commas [default: all that the publisher may speak of]
    #[arg(long, value_name = "AREAS", value_delimiter = ',')]
    areas: Vec<AreaId>,
    /// Which services, separated by commas [default: all that the policies are about]
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    services: Vec<Service>,
    #[command(flatten)]
    spool: SpoolDir,
    /// How long to try to send, and to wait for who is told
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = moment::length)]
    wait: Duration,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Args { publisher, key, mut areas, mut services, spool, wait } = args;
    if areas.is_empty() || services.is_empty() {
        let ledger = Ledger::connect(&bus::connection("test-call", Wait::Fail(wait))?).await?;
        let Some(directory) = newest_directory(&ledger).await.map_err(publish::told)? else {
            return Err(Failure::failed(
                "no directory is in force, so that nobody can be told: `tocsin directory apply`",
            ));
        };
        if areas.is_empty() {
            areas = areas_of(&directory, &publisher)?;
        }
        if services.is_empty() {
            services = services_of(&directory);
        }
    }
    Box::pin(publish::test_call(publish::TestCall { publisher, key, areas, services, spool, wait })).await
}

/// All that the publisher may speak of. An area touches all within it, so the outermost are enough.
fn areas_of(directory: &Directory, publisher: &PublisherId) -> Result<Vec<AreaId>, Failure> {
    let Some(known) = directory.publisher(publisher) else {
        return Err(Failure::wrong(format!(
            "the directory in force knows no publisher {publisher}: see `tocsin directory show`"
        )));
    };
    Ok(match &known.areas {
        AreaScope::These(areas) => areas.clone(),
        AreaScope::All => {
            let areas = directory.document().areas.iter().filter(|area| area.within.is_none());
            areas.map(|area| area.id.clone()).collect()
        }
    })
}

/// Every service that some policy is about; one is enough where all policies are about all.
fn services_of(directory: &Directory) -> Vec<Service> {
    let mut services: Vec<_> =
        directory.policies().iter().flat_map(|policy| policy.services.iter().copied()).collect();
    services.sort_unstable();
    services.dedup();
    if services.is_empty() {
        services.push(Service::Voice999);
    }
    services
}
