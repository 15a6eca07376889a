//! The listener: one task for each connection, and no connection that holds more than its share.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tower::ServiceExt as _;

/// The most connections at a time; who comes then waits.
const CONNECTIONS_MOST: usize = 12_000;
/// How long a request's head may take: who dribbles it holds no connection.
const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// The most that is kept of what a slow reader has not taken yet, in bytes, beside one message.
const KEPT_MOST: usize = 64 * 1024;
/// How long is waited when no connection can be taken, as when there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves for ever. Dropping it ends every connection.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MOST));
    let mut connections = JoinSet::new();
    loop {
        // Never closed, so it fails never.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(come) => come,
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken for the moment");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let router = router.clone();
        connections.spawn(async move {
            connection(stream, peer, router).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router) {
    // A change is small and must not wait for another.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(KEPT_MOST);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        // People close pages, and lines break.
        tracing::debug!(%error, "a connection ended");
    }
}
