//! What every test of a page begins with.

use std::path::PathBuf;

use tocsin_console::Sees;
use tocsin_tests::{Cast, PUBLISHER, Program, Service, World};

/// The accounts of every console here, by whom they speak for.
fn accounts<'a>(agencies: &[&'a str]) -> Vec<(&'a str, Sees)> {
    let mut accounts =
        vec![("regulator", Sees::Everything), (PUBLISHER, Sees::Publisher(PUBLISHER.parse().unwrap()))];
    accounts.extend(agencies.iter().map(|id| (*id, Sees::Recipient(id.parse().unwrap()))));
    accounts
}

/// A world at work, with a console to look at it.
pub(crate) struct Scene {
    pub(crate) world: World,
    /// Where the console is.
    pub(crate) url: String,
    config: PathBuf,
    pub(crate) console: Option<Program>,
    services: Vec<Service>,
}

impl Scene {
    /// Router, notifier and console, and an account for each of these agencies.
    pub(crate) async fn start(cast: Cast, agencies: &[&str]) -> Self {
        let mut world = World::start(cast).await;
        let config = world.console_config(&accounts(agencies));
        let (console, url) = world.console(&config).await;
        world.config.link = world.cast.document.link_key.is_some().then(|| url.clone());
        let services = vec![world.router_here().await.into(), world.notifier_here().await.into()];
        Self { world, url, config, console: Some(console), services }
    }

    /// Kills the console.
    pub(crate) fn kill_console(&mut self) {
        self.console.take().unwrap().kill();
    }

    /// Starts the console again, where it was.
    pub(crate) async fn restart_console(&mut self) {
        let (console, url) = self.world.console(&self.config).await;
        assert_eq!(url, self.url);
        self.console = Some(console);
    }

    /// A page of the console.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Holds the record against the promises, as every test of the bus does.
    pub(crate) async fn finish(mut self) -> tocsin_tests::Finished {
        let console = self.console.take().map(Service::from);
        self.world.finish(self.services.into_iter().chain(console)).await
    }
}
