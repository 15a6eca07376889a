//! TLS to a relay: STARTTLS by lettre, TLS from the first byte by rustls itself, the same roots for both.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use lettre::transport::smtp::client::{AsyncTokioStream, Certificate, TlsParameters};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{config::RelaySettings, error::Error};

fn unusable(settings: &RelaySettings, why: impl fmt::Display) -> Error {
    Error::Setting {
        field: format!("relays.{}", settings.name),
        value: settings.host.clone(),
        why: format!("TLS to it cannot be made ready: {why}"),
    }
}

/// What lettre needs for STARTTLS.
pub(super) fn parameters(settings: &RelaySettings) -> Result<TlsParameters, Error> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if !settings.roots.is_empty() {
        let root = Certificate::from_pem(&settings.roots).map_err(|why| unusable(settings, why))?;
        builder = builder.add_root_certificate(root);
    }
    builder.build_rustls().map_err(|why| unusable(settings, why))
}

/// TLS from the first byte.
pub(super) struct Connector {
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Connector {
    pub(super) fn new(settings: &RelaySettings) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if !settings.roots.is_empty() {
            for certificate in CertificateDer::pem_slice_iter(&settings.roots) {
                let certificate = certificate.map_err(|why| unusable(settings, why))?;
                roots.add(certificate).map_err(|why| unusable(settings, why))?;
            }
        }
        let provider = rustls::crypto::CryptoProvider::get_default()
            .map_or_else(|| Arc::new(rustls::crypto::ring::default_provider()), Arc::clone);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| unusable(settings, why))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(settings.host.clone()).map_err(|why| unusable(settings, why))?;
        Ok(Self { name, config: Arc::new(config) })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream).await
    }
}

/// A TLS stream in the form that lettre takes.
#[derive(Debug)]
pub(super) struct TlsLine(pub(super) TlsStream<TcpStream>);

impl AsyncTokioStream for TlsLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for TlsLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsLine {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// What TLS found wrong, when an error comes from TLS: a line that was merely cut in a handshake is not that.
pub(super) fn fault(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(fault) = error.downcast_ref::<rustls::Error>() {
            return Some(format!("TLS: {fault}"));
        }
        // An io::Error hands on the source of what it wraps, not the thing itself.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(fault) = wrapped.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(format!("TLS: {fault}"));
        }
        next = error.source();
    }
    None
}
