//! Signing in and out.

use std::time::{Duration, Instant};

use askama::Template;
use axum::{
    extract::{Query, Request, State},
    http::{StatusCode, header::SET_COOKIE, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Pass, Posted,
    accounts::AccountName,
    client, next,
    password::Hash,
    place::From,
    posted::Fields,
    refusal::{Refusal, page},
    sessions::set,
};
use crate::app::App;

/// How long somebody waits while others' passwords are checked.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Template)]
#[template(path = "session/sign_in.html")]
struct Page<'a> {
    account: &'a str,
    next: &'a str,
    wrong: bool,
}

/// A step between: see [`show`].
#[derive(Template)]
#[template(path = "session/on.html")]
struct On<'a> {
    to: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Form {
    account: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// Nothing but the token.
#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn show(State(app): State<App>, Query(wanted): Query<Wanted>, request: Request) -> Response {
    let headers = request.headers();
    let to = next::local(&wanted.next);
    if app.sessions().visitor(headers, false).is_some() {
        return Redirect::to(to).into_response();
    }
    // A browser that follows a link from another site, such as a web mail's, leaves our strict cookies out. One step of
    // our own later it sends them, and who was signed in all along need not do it again.
    if app.sessions().place.from(headers) == From::Elsewhere {
        return page(StatusCode::OK, &On { to: &next::sign_in(to) });
    }
    page(StatusCode::OK, &Page { account: "", next: to, wrong: false })
}

pub(super) async fn sign_in(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let sessions = app.sessions();
    // There is no session yet whose token the form could hold, so where it comes from must be said.
    if sessions.place.from(&parts.headers) != From::Here {
        return Err(Refusal::elsewhere(&parts));
    }
    let fields = Fields::read(&parts, Request::from_parts(parts.clone(), body), &app).await?;
    let form: Form = fields.form(&parts).await?;
    let to = next::local(&form.next).to_owned();
    let typed: String = form.account.trim().chars().take(100).collect();
    let name: Option<AccountName> = typed.parse().ok();

    let accounts = sessions.accounts();
    let account = name.as_ref().and_then(|name| Some((name, accounts.get(name)?)));

    // A browser in which somebody has signed in to this account has tries of its own, so that nobody can lock a control
    // room out by guessing at its account.
    let browser = account.and_then(|(name, account)| sessions.browser(&parts.headers, name, account));
    let tried = match &browser {
        Some(browser) => format!("browser {}", browser.id),
        None => format!("account {typed}"),
    };
    let address = client::address(&parts, &sessions.proxies);
    let now = Instant::now();
    let mut allowed = sessions.by_account.take(&tried, now);
    if browser.is_none() {
        allowed = allowed.and(sessions.by_address.take(&address, now));
    }
    if let Err(wait) = allowed {
        tracing::warn!(%address, "too many tries to sign in");
        return Err(Refusal::too_many(&parts, wait));
    }

    if !is_password(&app, &parts, account.map(|(_, account)| account.hash().clone()), form.password).await? {
        // What is no account's name may be a password typed into the wrong field.
        tracing::warn!(%address, account = account.map(|(name, _)| name.as_str()), "a sign-in was refused");
        return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &Page { account: &typed, next: &to, wrong: true }));
    }
    let Some((name, account)) = account else { return Err(Refusal::signed_out(&parts)) };
    sessions.by_account.give_back(&tried);
    if browser.is_none() {
        sessions.by_address.give_back(&address);
    }
    let (session, cookies) = sessions.begin(name, account, browser);
    tracing::info!(%address, account = %name, session, "signed in");
    let mut response = Redirect::to(&to).into_response();
    set(response.headers_mut(), cookies);
    Ok(response)
}

/// Checks a password on a thread beside those that serve, and few at once.
async fn is_password(
    app: &App,
    parts: &Parts,
    hash: Option<Hash>,
    password: String,
) -> Result<bool, Refusal> {
    let sessions = app.sessions();
    let busy = || Refusal::too_many(parts, Duration::from_secs(5));
    let _waiting = sessions.waiting.try_acquire().map_err(|_| busy())?;
    let checking = timeout(PATIENCE, sessions.checks.acquire()).await;
    let Ok(Ok(_checking)) = checking else { return Err(busy()) };
    let checked = tokio::task::spawn_blocking(move || Hash::verify(hash.as_ref(), &password)).await;
    Ok(checked.unwrap_or(false))
}

pub(super) async fn sign_out(State(app): State<App>, posted: Posted<Nothing>) -> Response {
    debug_assert!(matches!(posted.visitor.pass, Pass::Session(_)), "a form is of a session");
    let mut response = Redirect::to("/sign-in").into_response();
    response.headers_mut().insert(SET_COOKIE, app.sessions().end(&posted.visitor));
    response
}
