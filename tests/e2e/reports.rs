//! The console's reports, on a real bus: who sees which, as a page and as each file, and what the record proves.

use std::time::Duration;

use tocsin_console::Sees;
use tocsin_protocol::EventKind;
use tocsin_tests::{Cast, Manner, PASSWORD, Program, World, event, seconds, until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A console on a world's bus.
struct Site {
    address: String,
    _console: Program,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Site {
    async fn start(world: &World, accounts: &[(&str, Sees)]) -> Self {
        let (console, url) = world.console(&world.console_config(accounts)).await;
        Self { address: url.trim_start_matches("http://").to_owned(), _console: console }
    }

    async fn send(&self, request: String) -> Answer {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        tokio::time::timeout(Duration::from_mins(2), stream.read_to_end(&mut all)).await.unwrap().unwrap();
        let split = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(all[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: all[split + 4..].to_vec() }
    }

    async fn sign_in(&self, account: &str) -> Visitor<'_> {
        let password = PASSWORD.replace(' ', "+");
        let (body, address) = (format!("account={account}&password={password}"), &self.address);
        let answer = self
            .send(format!(
                "POST /sign-in HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nConnection: close\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookies: Vec<String> = answer
            .head
            .lines()
            .filter_map(|line| {
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            })
            .map(|(_, cookie)| cookie.split(';').next().unwrap().to_owned())
            .collect();
        Visitor { site: self, cookies: cookies.join("; ") }
    }
}

struct Visitor<'a> {
    site: &'a Site,
    cookies: String,
}

impl Visitor<'_> {
    async fn get(&self, path: &str) -> Answer {
        let (address, cookies) = (&self.site.address, &self.cookies);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\n\
             Connection: close\r\n\r\n"
        );
        self.site.send(request).await
    }

    /// The page once it can be had, of a record that has been read: until then it says that it is not complete.
    async fn page(&self, path: &str) -> String {
        until("the page is there, and whole", async || {
            let answer = self.get(path).await;
            let text = answer.text();
            if answer.status == 200 && !text.contains("still reading the record") {
                Ok(text)
            } else {
                Err(text)
            }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sees_the_reports_that_are_theirs_as_a_page_and_as_every_file() {
    let cast = Cast::new(&[seconds(1.0), seconds(600.0)]).required(&["alpha", "bravo"]).signing();
    let world = World::start(cast).await;
    let router = world.router_here().await;
    let desk = world.desk("alpha", Manner::Acknowledges).await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.finding.x.1.1").await;
    let site = Site::start(
        &world,
        &[
            ("regulator", Sees::Everything),
            ("operator", Sees::Publisher("operator".parse().unwrap())),
            ("another", Sees::Publisher("another".parse().unwrap())),
            ("alpha", Sees::Recipient("alpha".parse().unwrap())),
            ("stranger", Sees::Recipient("stranger".parse().unwrap())),
        ],
    )
    .await;

    // The regulator and the operator see everyone's part.
    for account in ["regulator", "operator"] {
        let visitor = site.sign_in(account).await;
        let list = visitor.page("/audit").await;
        assert!(list.contains("href=\"/audit/x\"") && list.contains("1 of 2"), "{list}");
        let page = visitor.page("/audit/x").await;
        assert!(
            page.contains("bravo") && page.contains("alpha") && page.contains("1 of 2 asked (50%)"),
            "{page}"
        );
        assert!(!page.contains(" style=") && !page.contains("<style"), "the policy forbids it");
        for (ending, begins, media_type) in [
            ("html", &b"<!doctype html>"[..], "text/html"),
            ("csv", b"of,incident,status", "text/csv"),
            ("json", b"{", "application/json"),
            ("pdf", b"%PDF-1.7", "application/pdf"),
        ] {
            let file = visitor.get(&format!("/audit/x/report.{ending}")).await;
            assert_eq!(file.status, 200, "{}", file.text());
            assert!(file.body.starts_with(begins), "{ending}");
            assert!(
                file.head.contains(&format!("attachment; filename=\"tocsin-x.{ending}\"")),
                "{}",
                file.head
            );
            assert!(file.head.contains(media_type), "{}", file.head);
        }
        let day = |n: i64| jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * n);
        let query = format!("from={}&to={}&status=actual", day(-1).strftime("%F"), day(1).strftime("%F"));
        let period = visitor.page(&format!("/audit?{query}")).await;
        assert!(
            period.contains("Timeliness of actual incidents") && period.contains("1 of 2 (50%)"),
            "{period}"
        );
        for ending in ["html", "csv", "json", "pdf"] {
            let file = visitor.get(&format!("/audit/period.{ending}?{query}")).await;
            assert_eq!(file.status, 200, "{ending}: {}", file.text());
        }
        let verdict = visitor.page("/audit/x/verdict.html").await;
        assert!(verdict.contains("are signed by their authors"), "{verdict}");
    }

    let regulator = site.sign_in("regulator").await;
    wrong_requests_are_told(&regulator).await;
    let whole = regulator.page("/audit/verdict.html").await;
    assert!(whole.contains("The whole record, verified"), "{whole}");
    let json = regulator.get("/audit/verdict.json").await;
    let told: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert!(told["standing"].is_string() && told["incidents"][0]["id"] == "x", "{told}");

    // Another operator, and a body that was not told, see none of it.
    for account in ["another", "stranger"] {
        let visitor = site.sign_in(account).await;
        assert!(!visitor.page("/audit").await.contains("/audit/x"));
        for path in [
            "/audit/x",
            "/audit/x/report.json",
            "/audit/x/verdict.html",
            "/audit/verdict.html",
            "/audit/verdict.json",
        ] {
            assert_eq!(visitor.get(path).await.status, 404, "{account} {path}");
        }
    }

    // An agency sees its own row, and in no file what another said or was sent.
    let agency = site.sign_in("alpha").await;
    let day = jiff::Timestamp::now().strftime("%F").to_string();
    let mut seen = agency.page("/audit").await + &agency.page("/audit/x").await;
    for ending in ["html", "csv", "json"] {
        seen += &agency.get(&format!("/audit/x/report.{ending}")).await.text();
        seen +=
            &agency.get(&format!("/audit/period.{ending}?from={day}&to={day}&status=actual")).await.text();
    }
    assert!(seen.contains("alpha") && !seen.contains("bravo"), "{seen}");
    assert_eq!(agency.get("/audit/x/verdict.html").await.status, 404);

    drop(desk);
    drop(site);
    router.stop().await;
}

/// What is wrong is told beside the form, and what is not there is not there.
async fn wrong_requests_are_told(regulator: &Visitor<'_>) {
    for (query, words) in [
        ("from=2026-02-01&to=2026-01-01", "it ends before it begins"),
        ("from=yesterday&to=2026-01-01", "Give the first day as a date"),
        ("from=2026-01-01", "Give the last day as a date"),
        ("from=2026-01-01&to=2026-01-02&status=x", "Choose actual incidents"),
        ("from=0001-01-01&to=2026-01-02", "longer than ten years"),
    ] {
        let answer = regulator.get(&format!("/audit?{query}")).await;
        assert!(answer.status == 400 && answer.text().contains(words), "{query}: {}", answer.text());
    }
    for path in
        ["/audit/y", "/audit/x/report.exe", "/audit/period.exe?from=2026-01-01&to=2026-01-02", "/audit/..%2f"]
    {
        assert_eq!(regulator.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_of_the_newest_log_and_many_may_ask_for_it_at_once() {
    let world = World::start(Cast::new(&[seconds(1.0), seconds(600.0)]).required(&["alpha"])).await;
    let router = world.router_here().await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.notice.alpha.x.1").await;
    let site = Site::start(&world, &[("regulator", Sees::Everything)]).await;
    let regulator = site.sign_in("regulator").await;
    let before = regulator.page("/audit/x/report.json").await;
    assert!(before.contains("\"acknowledged_at\": null"), "{before}");
    let many = futures_util::future::join_all((0..40).map(|_| regulator.get("/audit/x/report.pdf"))).await;
    let made: Vec<_> = many.iter().filter(|answer| answer.status == 200).collect();
    assert!(!made.is_empty());
    assert!(many.iter().all(|answer| [200, 503].contains(&answer.status)), "served, or told to come again");
    let desk = world.desk("alpha", Manner::Acknowledges).await;
    world.entry("tocsin.receipt.alpha.x.1.acknowledged").await;
    let after = regulator.page("/audit/x/report.json").await;
    assert!(!after.contains("\"acknowledged_at\": null"), "{after}");
    drop((desk, site));
    router.stop().await;
}
