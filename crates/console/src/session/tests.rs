//! Through the router: every way in that must be shut, and the one that is open.

use axum::{
    Json,
    body::Body,
    http::{
        HeaderMap, Request, StatusCode,
        header::{AUTHORIZATION, COOKIE},
    },
    routing::{get, post},
};
use jiff::SignedDuration;
use serde::Deserialize;
use tocsin_protocol::{PublisherId, RecipientId};

use super::{
    fixture::{HERE, PASSWORD, Site},
    ticket::Ticket,
    *,
};
use crate::{config::Config, hands::Hands};

fn kent() -> Sees {
    Sees::Recipient(RecipientId::new("pol-kent").unwrap())
}

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A page, a form's target and an API behind sign-in, whatever the real ones are.
pub(crate) fn probe() -> Router<App> {
    #[derive(Deserialize)]
    struct Note {
        note: String,
    }
    async fn page(visitor: Visitor) -> String {
        format!("{} {:?}", visitor.account, visitor.sees)
    }
    async fn act(posted: Posted<Note>) -> String {
        format!("{}: {}", posted.visitor.account, posted.form.note)
    }
    async fn several(posted: Posted<Vec<(String, String)>>) -> String {
        let fields: Vec<_> = posted.form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        fields.join(";")
    }
    async fn api(visitor: Visitor) -> Json<String> {
        Json(visitor.account)
    }
    Router::new()
        .route("/probe", get(page).post(act))
        .route("/probe/several", post(several))
        .route("/probe/open", post(async || "open"))
        .nest("/api/probe", Router::new().route("/who", get(api).post(api)))
}

#[tokio::test]
async fn who_has_not_signed_in_is_sent_to_the_page_that_lets_them_and_comes_back() {
    let site = Site::start().await;
    site.account("pol-kent.control", kent());
    let asked = site.send(Request::get("/probe?filter=silent").body(Body::empty()).unwrap()).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    assert_eq!(asked.location(), "/sign-in?next=%2Fprobe%3Ffilter%3Dsilent");
    let page = site.send(Request::get(asked.location()).body(Body::empty()).unwrap()).await;
    assert!(page.text.contains("name=\"next\" value=\"/probe?filter=silent\""), "{}", page.text);

    let kent = site.visitor(kent()).await;
    let served = kent.get("/probe").await;
    assert_eq!((served.status, served.text.as_str()), (StatusCode::OK, "pol-kent Recipient(pol-kent)"));
    assert_eq!(kent.get("/sign-in?next=/probe").await.location(), "/probe", "they are signed in already");
    assert_eq!(kent.get("/sign-in?next=//evil.example").await.location(), "/");
}

#[tokio::test]
async fn a_cookie_is_hidden_strict_and_for_this_console_alone() {
    let site = Site::start().await;
    site.visitor(kent()).await;
    let set = site.sign_in("pol-kent", PASSWORD).await;
    for cookie in set.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(cookie.starts_with("tocsin-") && !cookie.contains("Secure"), "{cookie}");
    }
    assert!(set.cookies().contains("tocsin-session-8911="), "{}", set.cookies());
    assert_eq!(set.header("strict-transport-security"), "");

    let https = |config: &mut Config| config.public_url = Some("https://tocsin.operator.example".to_owned());
    let site = Site::with(Hands::default(), https).await;
    let page = site.send(Request::get("/sign-in").body(Body::empty()).unwrap()).await;
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    let account: AccountName = "a".parse().unwrap();
    Accounts::change(&site.app.config().accounts, |accounts| accounts.add(&account, kent(), None, PASSWORD))
        .unwrap();
    let accounts = Accounts::read(&site.app.config().accounts).unwrap().unwrap();
    for cookie in site.app.sessions().begin(&account, accounts.get(&account).unwrap(), None).1 {
        let cookie = cookie.to_str().unwrap().to_owned();
        assert!(cookie.starts_with("__Host-tocsin-") && cookie.contains("; Secure"), "{cookie}");
    }
}

#[tokio::test]
async fn every_answer_keeps_its_page_to_itself() {
    let site = Site::start().await;
    for path in ["/sign-in", "/assets/console.css", "/no-such-page", "/api/probe/who", "/probe"] {
        let answer = site.send(Request::get(path).body(Body::empty()).unwrap()).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self';"), "{path}: {policy}");
        for part in ["frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert!(matches!(answer.header("cache-control"), "no-store" | "no-cache"), "{path}");
    }
}

#[tokio::test]
async fn a_form_is_taken_from_our_own_page_of_this_session_alone() {
    let site = Site::start().await;
    let kent = site.visitor(kent()).await;
    let other = site.visitor(Sees::Everything).await;
    let done = kent.post("/probe", &[("note", "a & b")]).await;
    assert_eq!((done.status, done.text.as_str()), (StatusCode::OK, "pol-kent: a & b"));
    let done = kent.post("/probe/several", &[("area", "a"), ("area", "b")]).await;
    assert!(done.text.ends_with("area=a;area=b"), "{}", done.text);

    let token = ("csrf", kent.csrf.as_str());
    let here = ("origin", HERE);
    let elsewhere = ("origin", "https://evil.example");
    let note = ("note", "<b>");
    let table: [(Pairs, Pairs, StatusCode, &str); 8] = [
        (&[token, note], &[elsewhere], StatusCode::FORBIDDEN, "did not come from a page"),
        (&[token, note], &[here, ("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN, "did not come"),
        (&[token, note], &[("origin", "null")], StatusCode::FORBIDDEN, "did not come"),
        (&[note], &[here], StatusCode::FORBIDDEN, "send it again"),
        (&[("csrf", &other.csrf), note], &[here], StatusCode::FORBIDDEN, "send it again"),
        (&[note], &[], StatusCode::FORBIDDEN, "did not come"),
        (&[token], &[here], StatusCode::UNPROCESSABLE_ENTITY, "could not be read"),
        (&[token, ("note", &"x".repeat(70_000))], &[here], StatusCode::PAYLOAD_TOO_LARGE, "too much"),
    ];
    for (fields, headers, status, told) in table {
        let answer = kent.post_as("/probe", fields, headers).await;
        let sent = format!("{:.200} {headers:?}", format!("{fields:?}"));
        assert_eq!(answer.status, status, "{sent}: {}", answer.text);
        assert!(answer.text.contains(told), "{sent}: {}", answer.text);
    }
    // Without either header, as a browser of long ago sends it, the token alone holds.
    assert_eq!(kent.post_as("/probe", &[token, note], &[]).await.status, StatusCode::OK);

    let stale = kent.post_as("/probe", &[note], &[here]).await;
    assert!(stale.text.contains(&format!("value=\"{}\"", kent.csrf)), "one click sends it again");
    assert!(stale.text.contains("&#60;b&#62;") && !stale.text.contains("<b>"), "{}", stale.text);
    // Where no form is read at all, another site cannot post either.
    assert_eq!(kent.post_as("/probe/open", &[], &[elsewhere]).await.status, StatusCode::FORBIDDEN);
    // A browser that a proxy asks for a password adds it to what another site makes it send.
    let asked = ("authorization", "Basic a2VudDprZW50");
    assert_eq!(kent.post_as("/probe/open", &[], &[elsewhere, asked]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(kent.post_as("/probe/open", &[], &[here]).await.text, "open");
}

#[tokio::test]
async fn what_was_written_is_not_lost_with_the_session() {
    let site = Site::start().await;
    let kent = site.visitor(kent()).await;
    assert_eq!(kent.post("/sign-out", &[]).await.location(), "/sign-in");
    let answer = kent.post("/probe", &[("note", "three lines")]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text.contains("value=\"three lines\"") && answer.text.contains("href=\"/sign-in\""));
}

#[tokio::test]
async fn a_session_ends_by_signing_out_by_age_by_a_new_password_and_by_revoking() {
    let site = Site::start().await;
    let (first, second) = (site.visitor(kent()).await, site.visitor(Sees::Everything).await);
    let publisher = site.visitor(Sees::Publisher(PublisherId::new("bt-cha").unwrap())).await;
    let visitor = |browser: &fixture::Browser| {
        let headers = HeaderMap::from_iter([(COOKIE, browser.cookies.parse().unwrap())]);
        site.app.sessions().visitor(&headers, false)
    };
    let open = [&first, &second, &publisher].map(|browser| visitor(browser).unwrap());
    assert!(open.iter().all(|open| site.app.sessions().still(open)));

    let left = first.post("/sign-out", &[]).await;
    assert!(left.header("set-cookie").contains("Max-Age=0"), "{left:?}");
    assert_eq!(
        first.get("/probe").await.status,
        StatusCode::SEE_OTHER,
        "a copy of its cookie is worth nothing"
    );
    assert!(!site.app.sessions().still(&open[0]));

    Accounts::change(&site.app.config().accounts, |accounts| {
        accounts.set_password(&"everything".parse().unwrap(), "another horse battery")?;
        accounts.revoke(&"bt-cha".parse().unwrap())
    })
    .unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while visitor(&second).is_some() || visitor(&publisher).is_some() {
        assert!(std::time::Instant::now() < until, "a revoked account goes on");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(open.iter().all(|open| !site.app.sessions().still(open)));
    assert_eq!(site.sign_in("bt-cha", PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.sign_in("everything", "another horse battery").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_ticket_that_is_old_idle_forged_or_of_tomorrow_is_none() {
    let hours = |config: &mut Config| {
        config.session_max = SignedDuration::from_hours(2);
        config.session_idle = SignedDuration::from_hours(2);
    };
    let site = Site::with(Hands::default(), hours).await;
    let browser = site.visitor(kent()).await;
    let sessions = site.app.sessions();
    let accounts = Accounts::read(&site.app.config().accounts).unwrap().unwrap();
    let name: AccountName = "pol-kent".parse().unwrap();
    let fingerprint = accounts.get(&name).unwrap().fingerprint();
    let now = tocsin_protocol::Timestamp::now().as_second();
    let ticket = |ago: i64| Ticket::new(name.clone(), fingerprint.clone(), now - ago);
    let served = |ticket: &Ticket| sessions.current(ticket, &accounts).is_some();
    assert!(served(&ticket(7000)));
    assert!(!served(&ticket(7201)), "older than a session may be");
    assert!(!served(&ticket(-3600)), "of tomorrow");
    assert!(!served(&Ticket { fingerprint: "x".to_owned(), ..ticket(0) }), "of another password");

    let (signed, value) = browser.cookies.split_once('=').unwrap();
    assert_eq!(signed, "tocsin-session-8911");
    let value = value.split(';').next().unwrap();
    let plain = &value[44..];
    for forged in [
        plain.to_owned(),
        format!("{}{plain}", "A".repeat(44)),
        value.replace("pol-kent", "everything"),
        String::new(),
    ] {
        let request = Request::get("/probe").header("cookie", format!("{signed}={forged}"));
        let answer = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{forged}");
    }
    // Beside one of the same name that is not ours, ours counts.
    let request = Request::get("/probe").header("cookie", format!("{signed}=x; {signed}={value}"));
    assert_eq!(site.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_program_speaks_by_its_token_and_only_to_the_api() {
    let site = Site::start().await;
    let kent = site.visitor(kent()).await;
    let file = &site.app.config().accounts;
    let token = Accounts::change(file, |accounts| accounts.new_token(&"pol-kent".parse().unwrap())).unwrap();
    let ask = async |method: &str, path: &str, authorization: Option<String>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        site.send(request.body(Body::empty()).unwrap()).await
    };
    let bearer = || Some(format!("Bearer {token}"));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while ask("GET", "/api/probe/who", bearer()).await.status != StatusCode::OK {
        assert!(std::time::Instant::now() < until, "the token is not taken");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(ask("POST", "/api/probe/who", bearer()).await.text, "\"pol-kent\"");
    assert_eq!(ask("GET", "/probe", bearer()).await.status, StatusCode::SEE_OTHER, "a page is no API");
    for wrong in
        [None, Some("Bearer x".to_owned()), Some(format!("Basic {token}")), Some(format!("Bearer {token}x"))]
    {
        let answer = ask("GET", "/api/probe/who", wrong.clone()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(answer.text.starts_with("{\"type\":\"about:blank\","), "{}", answer.text);
    }
    assert_eq!(kent.get("/api/probe/who").await.text, "\"pol-kent\"", "a page's script may read it");
    let posted = kent.post("/api/probe/who", &[]).await;
    assert_eq!(posted.status, StatusCode::UNAUTHORIZED, "but a session changes nothing without its form");

    // What it has open ends when another token takes this one's place, as after a leak.
    let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let open = site.app.sessions().visitor(&headers, true).unwrap();
    assert!(site.app.sessions().still(&open));
    Accounts::change(file, |accounts| accounts.new_token(&"pol-kent".parse().unwrap())).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while site.app.sessions().still(&open) {
        assert!(std::time::Instant::now() < until, "a token that was replaced goes on");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_locks_nobody_out_of_their_own_browser() {
    let site = Site::start().await;
    let kent = site.visitor(kent()).await;
    let mut refused = 0;
    let limited = loop {
        let answer = site.sign_in("pol-kent", "wrong horse battery").await;
        match answer.status {
            StatusCode::UNPROCESSABLE_ENTITY => refused += 1,
            _ => break answer,
        }
        assert!(refused <= 10, "guesses are not limited");
        assert!(answer.text.contains("not right") && !answer.text.contains("wrong horse"), "{}", answer.text);
    };
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(site.sign_in("pol-kent", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    let body = [("account", "pol-kent"), ("password", PASSWORD)];
    let own = kent.post_as("/sign-in", &body, &[("origin", HERE)]).await;
    assert_eq!(own.status, StatusCode::SEE_OTHER, "{}", own.text);

    let mut names = 0;
    while site.sign_in(&format!("nobody-{names}"), "wrong horse battery").await.status
        == StatusCode::UNPROCESSABLE_ENTITY
    {
        names += 1;
        assert!(names <= 30, "an address may try as many names as it likes");
    }
    let unsaid = kent.post_as("/sign-in", &body, &[]).await;
    assert_eq!(unsaid.status, StatusCode::FORBIDDEN, "a sign-in must say where it comes from");
}

#[tokio::test]
async fn who_knew_an_older_password_has_no_tries_of_their_own() {
    let site = Site::start().await;
    let kent = site.visitor(kent()).await;
    let (sessions, file) = (site.app.sessions(), &site.app.config().accounts);
    let headers = HeaderMap::from_iter([(COOKIE, kent.cookies.parse().unwrap())]);
    let name: AccountName = "pol-kent".parse().unwrap();
    let known = || {
        let accounts = Accounts::read(file).unwrap().unwrap();
        sessions.browser(&headers, &name, accounts.get(&name).unwrap()).is_some()
    };
    assert!(known());
    Accounts::change(file, |accounts| accounts.set_password(&name, "another horse battery")).unwrap();
    assert!(!known());
}

#[tokio::test]
async fn posts_are_limited_for_each_session() {
    let site = Site::start().await;
    let (kent, other) = (site.visitor(kent()).await, site.visitor(Sees::Everything).await);
    let mut sent = 0;
    let limited = loop {
        let answer = kent.post("/probe", &[("note", "x")]).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        sent += 1;
        assert!(sent < 10_000, "posts are not limited");
    };
    assert_eq!((limited.status, limited.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    assert_eq!(other.post("/probe", &[("note", "x")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_link_from_another_site_finds_who_is_signed_in_by_one_step_of_our_own() {
    let site = Site::start().await;
    let kent = site.visitor(kent()).await;
    let request = Request::get("/sign-in?next=/probe").header("sec-fetch-site", "cross-site");
    let step = site.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(step.status, StatusCode::OK);
    assert!(
        step.text.contains("http-equiv=\"refresh\" content=\"0; url=/sign-in?next=%2Fprobe\""),
        "{}",
        step.text
    );
    assert_eq!(kent.get("/sign-in?next=%2Fprobe").await.location(), "/probe");
}
