//! How everybody reaches the bus: as whoever comes, or each as itself.

use tocsin_ledger::{
    Connection, Wait,
    server::{Server, ServerOptions},
};
use tocsin_protocol::{DirectoryDocument, SigningKey};
use tocsin_provision::{Bus, Plan, Service, Tls, provision};

use super::parts::Home;
use crate::error::Error;

/// Where the bus is, and who is let in.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    url: String,
    /// The provisioned bus; without one anybody may do anything.
    guarded: Option<Bus>,
}

impl Way {
    /// Starts the bus, guarded or not.
    ///
    /// # Errors
    /// When it cannot be provisioned, or does not start.
    pub(crate) async fn open(
        options: &ServerOptions,
        home: &Home,
        document: &DirectoryDocument,
        secure: bool,
    ) -> Result<(Server, Self), Error> {
        const CANNOT: &str = "start a nats-server of our own";
        let cannot = |why| Error::part(CANNOT, why);
        if !secure {
            let server = Server::start(options).await.map_err(cannot)?;
            let way = Self { url: server.url(), guarded: None };
            return Ok((server, way));
        }
        let dir = home.bus();
        let dir =
            std::fs::canonicalize(&dir).map_err(|why| Error::io(format!("find {}", dir.display()), why))?;
        let bus = Bus::at(dir);
        let names = ["127.0.0.1".to_owned()];
        // The server takes a port of its own choosing.
        let plan = Plan {
            document,
            listen: "127.0.0.1:4222",
            names: &names,
            tls: Tls::Development,
            seeds: None,
            now: tocsin_protocol::Timestamp::now(),
            renew: false,
            cluster: tocsin_provision::Cluster::default(),
        };
        provision(&bus, &plan).map_err(|why| Error::part("provision the bus", why))?;
        let server = Server::start_with(options, &bus.config()).await.map_err(cannot)?;
        let way = Self { url: server.url(), guarded: Some(bus) };
        Ok((server, way))
    }

    /// A service's connection.
    ///
    /// # Errors
    /// When it has no key.
    pub(crate) fn service(&self, service: Service) -> Result<Connection, Error> {
        let connection = match &self.guarded {
            Some(bus) => bus
                .service(service, &self.url)
                .map_err(|why| Error::part(format!("log in as the {service}"), why))?,
            None => Connection::to(&self.url),
        };
        Ok(Connection { name: format!("drill {service}"), wait: Wait::UntilConnected, ..connection })
    }

    /// A body's connection.
    ///
    /// # Errors
    /// Never for a key made here.
    pub(crate) fn body(&self, id: &str, key: &SigningKey) -> Result<Connection, Error> {
        match &self.guarded {
            Some(bus) => {
                bus.body(id, key, &self.url).map_err(|why| Error::part(format!("log in as {id}"), why))
            }
            None => Ok(Connection::to(&self.url)),
        }
    }

    /// Whether each must have a connection of its own.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guarded.is_some()
    }
}
