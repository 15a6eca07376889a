//! A console over a bus of its own, and browsers that use it, for tests of any of its pages.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{
        HeaderMap, Request, StatusCode,
        header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE},
    },
};
use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Shape, Wait,
    server::{Server, ServerOptions, find},
};
use tower::ServiceExt as _;

use super::{Accounts, Sees, Sessions};
use crate::{
    app::App, config::Config, console::router, hands::Hands, model::Model, page::acknowledge::Voice,
};

/// Every account's.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// Where browsers reach it.
pub(crate) const HERE: &str = "http://127.0.0.1:8911";

/// A console, and the bus that it stands on.
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) server: Server,
    _dir: TempDir,
    router: Router,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Where it sends the browser.
    pub(crate) fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The cookies that it sets, as a browser sends them back.
    pub(crate) fn cookies(&self) -> String {
        let set = self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        set.map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(Hands::default(), |_| ()).await
    }

    pub(crate) async fn with(hands: Hands, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store_dir = dir.path().join("store");
        std::fs::create_dir(&store_dir).unwrap();
        let options = ServerOptions { binary: find().unwrap(), store_dir, config: None, port: None };
        let server = Server::start(&options).await.unwrap();
        let connection = Connection { wait: Wait::UntilConnected, ..Connection::to(&server.url()) };
        let ledger = Ledger::connect(&connection).await.unwrap();
        ledger.set_up(&Shape::default()).await.unwrap();
        let accounts = dir.path().join("accounts.toml");
        Accounts::change(&accounts, |_| Ok(())).unwrap();
        let mut config = Config::of(accounts);
        change(&mut config);
        let sessions = Sessions::open(&config, config.listen).unwrap();
        let (model, follower) = Model::new(ledger.clone());
        tokio::spawn(follower.run());
        let voice = Voice::open(&config).unwrap();
        let words = crate::feed::Words::open(&config).unwrap();
        let app = App::new(config, ledger, model, hands, sessions, voice, words);
        let probe = super::guarded(super::tests::probe(), &app).with_state(app.clone());
        Self { router: router(app.clone()).merge(probe), app, server, _dir: dir }
    }

    /// Adds an account and signs in to it. Its name is what it sees.
    pub(crate) async fn visitor(&self, sees: Sees) -> Browser<'_> {
        let name = match &sees {
            Sees::Recipient(id) => id.to_string(),
            Sees::Publisher(id) => id.to_string(),
            Sees::Everything => "everything".to_owned(),
        };
        self.account(&name, sees);
        // The file is looked at from time to time.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let answer = self.sign_in(&name, PASSWORD).await;
            if answer.status == StatusCode::SEE_OTHER {
                return self.browser(&answer);
            }
            assert!(std::time::Instant::now() < until, "{}", answer.text);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn account(&self, name: &str, sees: Sees) {
        let file = &self.app.config().accounts;
        Accounts::change(file, |accounts| accounts.add(&name.parse().unwrap(), sees, None, PASSWORD))
            .unwrap();
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Answer {
        let body = form(&[("account", name), ("password", password)]);
        let request = Request::post("/sign-in").header(ORIGIN, HERE).header(CONTENT_TYPE, FORM);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    fn browser(&self, signed_in: &Answer) -> Browser<'_> {
        let cookies = signed_in.cookies();
        let headers = HeaderMap::from_iter([(COOKIE, cookies.parse().unwrap())]);
        let csrf = self.app.sessions().visitor(&headers, false).unwrap().csrf();
        Browser { site: self, cookies, csrf }
    }

    /// What is answered, whose body may go on for ever.
    pub(crate) async fn open(&self, mut request: Request<Body>) -> axum::response::Response {
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let body = to_bytes(body, 16 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A browser of somebody who has signed in.
pub(crate) struct Browser<'a> {
    site: &'a Site,
    pub(crate) cookies: String,
    pub(crate) csrf: String,
}

impl Browser<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request =
            Request::get(path).header(COOKIE, &self.cookies).header("sec-fetch-site", "same-origin");
        self.site.send(request.body(Body::empty()).unwrap()).await
    }

    /// Posts a form as one of our pages does, with its token.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> =
            [("csrf", self.csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.post_as(path, &fields, &[("origin", HERE)]).await
    }

    pub(crate) async fn post_as(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::post(path).header(COOKIE, &self.cookies).header(CONTENT_TYPE, FORM);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.site.send(request.body(Body::from(form(fields))).unwrap()).await
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
