//! A console on a real bus, and pages that stay open.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Shape, Wait,
    server::{Server, ServerOptions, find},
};
use tocsin_protocol::{Entry, EventKind, NewFact, Stream, Subject, Timestamp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    Accounts, Config, Console, Hands, Sees,
    model::world::{INCIDENT, World, id},
};

/// Every wait ends here at the latest, as a failure.
const DEADLINE: Duration = Duration::from_mins(1);
const PASSWORD: &str = "correct horse battery";

struct Site {
    server: Server,
    ledger: Ledger,
    address: SocketAddr,
    world: World,
    /// How many entries of the world are on the bus.
    told: usize,
    _dir: TempDir,
}

impl Site {
    /// A console on a bus on which an incident has been said and dispatched.
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store_dir = dir.path().join("store");
        std::fs::create_dir(&store_dir).unwrap();
        let options = ServerOptions { binary: find().unwrap(), store_dir, config: None, port: None };
        let server = Server::start(&options).await.unwrap();
        let connection = Connection { wait: Wait::UntilConnected, ..Connection::to(&server.url()) };
        let ledger = Ledger::connect(&connection).await.unwrap();
        ledger.set_up(&Shape::default()).await.unwrap();
        let accounts = dir.path().join("accounts.toml");
        let sees = [
            ("all", Sees::Everything),
            ("kent", Sees::Recipient(id("pol-kent"))),
            ("other", Sees::Publisher("other-op".parse().unwrap())),
        ];
        Accounts::change(&accounts, |accounts| {
            sees.into_iter()
                .try_for_each(|(name, sees)| accounts.add(&name.parse().unwrap(), sees, None, PASSWORD))
        })
        .unwrap();
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::of(accounts) };
        let console = Console::bind(ledger.clone(), config, Hands::default()).await.unwrap();
        let address = console.address();
        tokio::spawn(Box::pin(console.run(std::future::pending())));
        let mut world = World::small();
        world.now = Timestamp::now();
        world.say(EventKind::Initial, |_| ());
        let mut site = Self { server, ledger, address, world, told: 0, _dir: dir };
        site.tell().await;
        site
    }

    /// Puts on the bus what the world has said since.
    async fn tell(&mut self) {
        for entry in &self.world.entries[self.told..] {
            let Entry { subject, body, .. } = entry.clone();
            let subject: Subject = subject.parse().unwrap();
            match entry.stream {
                Stream::Said => {
                    self.ledger.say(&subject, entry.signed.as_ref().unwrap(), body).await.unwrap();
                }
                Stream::Log => {
                    self.ledger.append(&NewFact { subject, body, schedule: None }, None).await.unwrap();
                }
            }
        }
        self.told = self.world.entries.len();
    }

    async fn ask(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{head}\r\nHost: {0}\r\nOrigin: http://{0}\r\n\r\n{body}", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// The cookies of somebody who has signed in.
    async fn sign_in(&self, account: &str) -> String {
        let body = format!("account={account}&password={}", PASSWORD.replace(' ', "+"));
        let head = format!(
            "POST /sign-in HTTP/1.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}",
            body.len()
        );
        let mut answer = String::new();
        self.ask(&head, &body).await.read_to_string(&mut answer).await.unwrap();
        let set = answer.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        let cookies: Vec<_> = set.map(|cookie| cookie.split(';').next().unwrap()).collect();
        assert!(!cookies.is_empty(), "{answer}");
        cookies.join("; ")
    }

    async fn get(&self, cookies: &str, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nConnection: close\r\nCookie: {cookies}");
        let mut answer = String::new();
        self.ask(&head, "").await.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// A page, once it says this.
    async fn page_with(&self, cookies: &str, path: &str, words: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let page = self.get(cookies, path).await;
            if page.contains(words) {
                return page;
            }
            assert!(Instant::now() < until, "no {words:?}: {page}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn open(&self, cookies: &str, path: &str, last: Option<&str>) -> Open {
        let last = last.map(|last| format!("\r\nLast-Event-ID: {last}")).unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nCookie: {cookies}{last}");
        Open { stream: self.ask(&head, "").await, text: String::new() }
    }
}

/// A page that is open.
struct Open {
    stream: TcpStream,
    text: String,
}

impl Open {
    /// Reads on until this has come, and gives all that came up to then.
    async fn until(&mut self, what: &str, came: impl Fn(&str) -> bool) -> String {
        let read = async {
            while !came(&self.text) {
                let mut some = Vec::with_capacity(16 * 1024);
                let n = self.stream.read_buf(&mut some).await.unwrap();
                assert!(n > 0, "{what}: it ended: {}", self.text);
                self.text.push_str(&String::from_utf8_lossy(&some));
            }
        };
        let done = tokio::time::timeout(DEADLINE, read).await;
        assert!(done.is_ok(), "{what}: {}", self.text);
        std::mem::take(&mut self.text)
    }
}

/// Whether a whole message with these words has come.
fn is_told(text: &str, words: &str) -> bool {
    text.split_once(words).is_some_and(|(_, rest)| rest.contains("\n\n"))
}

/// The revision that a page says it is of.
fn since(page: &str) -> String {
    let at = page.split("data-live=\"").nth(1).unwrap_or_else(|| panic!("no stream: {page}"));
    at.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn each_is_served_what_it_may_see() {
    let site = Site::start().await;
    let path = format!("/incidents/{INCIDENT}");
    let all = site.sign_in("all").await;
    let page = site.page_with(&all, &path, "r-pol-kent").await;
    assert!(page.contains("999 calls are failing") && page.contains("id=\"wall\""), "{page}");
    assert!(site.get(&all, "/").await.contains("0 of 4 acknowledged"));
    let kent = site.sign_in("kent").await;
    let page = site.get(&kent, &path).await;
    assert!(page.contains("Kent Police") && !page.contains("Gwent Police"), "{page}");
    assert!(site.get(&kent, "/").await.contains("You have not acknowledged yet"));
    let other = site.sign_in("other").await;
    for path in
        [path.as_str(), &format!("/live/incidents/{INCIDENT}"), "/incidents/none", "/incidents/%2e%2e"]
    {
        assert!(site.get(&other, path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
    assert!(site.get("", &path).await.starts_with("HTTP/1.1 303"), "nobody has signed in");
}

#[tokio::test]
async fn an_open_page_is_sent_what_changed_and_after_a_break_what_it_missed() {
    let mut site = Site::start().await;
    let all = site.sign_in("all").await;
    let page = site.page_with(&all, &format!("/incidents/{INCIDENT}"), "r-pol-kent").await;
    let mut open = site.open(&all, &since(&page), None).await;
    let first = open.until("a beat", |text| text.contains("event: beat")).await;
    assert!(first.contains("text/event-stream"), "{first}");

    site.world.acknowledged("pol-kent", 1);
    site.tell().await;
    let is_whole = |text: &str| text.split("event: patch").nth(1).is_some_and(|patch| patch.contains("\n\n"));
    let patch = open.until("a patch", is_whole).await;
    assert!(patch.contains("id=\"r-pol-kent\"") && patch.contains("1 of 4"), "{patch}");
    assert!(
        !patch.contains("id=\"r-pol-gwent\"") && !patch.contains("id=\"wall\""),
        "only what changed: {patch}"
    );
    let last = patch.split("id: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    drop(open);

    site.world.acknowledged("pol-gwent", 1);
    site.tell().await;
    site.page_with(&all, "/", "2 of 4 acknowledged").await;
    // Nobody has the page open: what it missed is found again.
    let mut again = site.open(&all, &since(&page), Some(&last)).await;
    let missed = again.until("what was missed", is_whole).await;
    assert!(missed.contains("id=\"r-pol-gwent\"") && missed.contains("2 of 4"), "{missed}");
    assert!(!missed.contains("id=\"r-pol-kent\""), "it has that: {missed}");

    // Somebody else's, of the same page and from further back.
    let mut older = site.open(&all, &since(&page), None).await;
    let both = older.until("what was missed", is_whole).await;
    assert!(both.contains("id=\"r-pol-gwent\"") && both.contains("id=\"r-pol-kent\""), "{both}");

    // Ofcom's goes to both as one and the same message.
    site.world.acknowledged("ofcom", 1);
    site.tell().await;
    for open in [&mut again, &mut older] {
        let patch = open.until("the third", |text| is_told(text, "3 of 4")).await;
        assert!(patch.contains("id=\"r-ofcom\"") && !patch.contains("id=\"r-pol-kent\""), "{patch}");
    }
}

#[tokio::test]
async fn an_agencys_page_is_sent_its_own_part_alone() {
    let mut site = Site::start().await;
    let kent = site.sign_in("kent").await;
    let page = site.page_with(&kent, &format!("/incidents/{INCIDENT}"), "id=\"own\"").await;
    let mut open = site.open(&kent, &since(&page), None).await;
    site.world.acknowledged("pol-gwent", 1).acknowledged("pol-kent", 1);
    site.tell().await;
    let sent = open.until("its own", |text| is_told(text, "Acknowledged")).await;
    assert!(sent.contains("id=\"own\"") && !sent.contains("Gwent"), "{sent}");
}

#[tokio::test]
async fn a_page_that_knows_more_than_there_is_is_told_to_load_again() {
    let site = Site::start().await;
    let all = site.sign_in("all").await;
    site.page_with(&all, "/", "0 of 4 acknowledged").await;
    let mut open = site.open(&all, "/live/board?since=0", Some("999999")).await;
    open.until("reload", |text| text.contains("event: reload")).await;
}

#[tokio::test]
async fn a_page_that_knows_more_than_there_is_keeps_no_other_from_what_changes() {
    let mut site = Site::start().await;
    let all = site.sign_in("all").await;
    let page = site.page_with(&all, "/", "0 of 4 acknowledged").await;
    let mut ahead = site.open(&all, "/live/board?since=999999", None).await;
    ahead.until("a beat", |text| text.contains("event: beat")).await;
    let mut open = site.open(&all, &since(&page), None).await;
    open.until("a beat", |text| text.contains("event: beat")).await;
    site.world.acknowledged("pol-kent", 1);
    site.tell().await;
    open.until("what changed", |text| is_told(text, "1 of 4 acknowledged")).await;
}

#[tokio::test]
async fn a_bus_that_is_held_up_is_told_on_every_page_and_that_it_is_back_too() {
    let mut site = Site::start().await;
    let all = site.sign_in("all").await;
    let page = site.page_with(&all, "/", "role=\"alert\" hidden").await;
    let mut open = site.open(&all, &since(&page), None).await;
    open.until("a beat that hears", |text| text.contains("\"deaf\":\"\"")).await;
    site.server.pause().unwrap();
    open.until("a beat that is deaf", |text| text.contains("lost touch with the bus")).await;
    let page = site.get(&all, "/").await;
    assert!(page.contains("role=\"alert\"><p") && page.contains("lost touch with the bus"), "{page}");
    site.server.resume().unwrap();
    open.until("a beat that hears again", |text| text.contains("\"deaf\":\"\"")).await;
    site.page_with(&all, "/", "role=\"alert\" hidden").await;

    site.server.kill().await.unwrap();
    open.until("a beat that is deaf", |text| text.contains("lost touch with the bus")).await;
    site.server.restart().await.unwrap();
    open.until("a beat that hears again", |text| text.contains("\"deaf\":\"\"")).await;
    site.world.acknowledged("pol-kent", 1);
    site.tell().await;
    open.until("what was said afterwards", |text| text.contains("1 of 4 acknowledged")).await;
}
