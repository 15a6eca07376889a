//! The service: model and listener.

use std::{future::Future, net::SocketAddr};

use axum::Router;
use tocsin_ledger::{Ledger, Progress};
use tokio::net::TcpListener;

use crate::{
    api,
    app::App,
    assets, by_rule,
    config::Config,
    error::Error,
    feed,
    hands::Hands,
    live,
    model::{self, Model},
    operate,
    page::{self, acknowledge::Voice},
    serve::serve,
    session::{self, Sessions},
};

/// A console that listens and does not serve yet.
pub struct Console {
    app: App,
    follower: model::Follower,
    listener: TcpListener,
    address: SocketAddr,
}

impl Console {
    /// Takes the address. The ledger should wait for ever ([`tocsin_ledger::Wait::UntilConnected`]): a page must be
    /// served, and say that it is deaf, while the bus is away.
    ///
    /// # Errors
    /// [`Error::Setting`] and [`Error::File`] for a configuration that cannot be used, [`Error::Write`], [`Error::Listen`].
    pub async fn bind(ledger: Ledger, config: Config, hands: Hands) -> Result<Self, Error> {
        let address = config.listen;
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let sessions = Sessions::open(&config, address)?;
        let voice = Voice::open(&config)?;
        let words = feed::Words::open(&config)?;
        by_rule::check(&config)?;
        let (model, follower) = Model::new(ledger.clone());
        let app = App::new(config, ledger, model, hands, sessions, voice, words);
        Ok(Self { app, follower, listener, address })
    }

    /// Tells here how far it has come. It is ready once it shows both streams to their end.
    #[must_use]
    pub fn telling(mut self, progress: Progress) -> Self {
        self.follower.progress = progress;
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the streams cannot be read at all.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let live = live::Hub::run(self.app.clone());
        let rules = Box::pin(by_rule::run(self.app.clone()));
        let router = router(self.app);
        // Open event streams never end by themselves, so a shutdown does not wait for them.
        tokio::select! {
            () = serve(self.listener, router) => Ok(()),
            followed = self.follower.run() => followed,
            () = live => Ok(()),
            () = rules => Ok(()),
            () = shutdown => Ok(()),
        }
    }
}

/// All that it serves.
pub(crate) fn router(app: App) -> Router {
    let routes = Router::new()
        .merge(page::routes())
        .merge(session::routes())
        .merge(live::routes())
        .merge(operate::routes())
        .merge(feed::routes())
        .merge(assets::routes())
        .nest("/api/v1", api::routes());
    session::guarded(routes, &app).with_state(app)
}
