//! A person at the page: a real headless Chromium.

mod axe;
mod driver;

use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::driver::Driver;
use crate::wait::LONG;

/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(50);

/// The key by which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A key of the keyboard, in the protocol's own code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// To the next control.
    Tab,
    /// Press it.
    Enter,
}

impl Key {
    fn code(self) -> char {
        match self {
            Self::Tab => '\u{e004}',
            Self::Enter => '\u{e007}',
        }
    }
}

/// What a browser prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A Chromium with a profile of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    session: String,
    // After the driver, which must be gone before its files are.
    _directory: TempDir,
}

impl Browser {
    /// Opens one.
    pub async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let driver = Driver::start(directory.path()).await;
        let profile = directory.path().join("profile");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,1000",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let wanted = json!({
            "capabilities": { "alwaysMatch": {
                "goog:chromeOptions": { "args": arguments },
                "goog:loggingPrefs": { "browser": "ALL" },
                "timeouts": { "pageLoad": 60_000, "script": 60_000 },
            } }
        });
        let session = driver.ask(Method::POST, "/session", Some(&wanted)).await.unwrap();
        let session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Self { driver, session, _directory: directory }
    }

    /// Opens one in which no script of a page runs.
    pub async fn without_script() -> Self {
        let browser = Self::open().await;
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        browser
    }

    async fn try_post(&self, what: &str, body: Value) -> Result<Value, String> {
        self.driver.ask(Method::POST, &format!("{}/{what}", self.session), Some(&body)).await
    }

    async fn post(&self, what: &str, body: Value) -> Value {
        match self.try_post(what, body).await {
            Ok(value) => value,
            Err(why) => panic!("{what}: {why}\n{}", self.picture().await),
        }
    }

    async fn try_get(&self, what: &str) -> Result<Value, String> {
        self.driver.ask(Method::GET, &format!("{}/{what}", self.session), None).await
    }

    async fn get(&self, what: &str) -> Value {
        match self.try_get(what).await {
            Ok(value) => value,
            Err(why) => panic!("{what}: {why}\n{}", self.picture().await),
        }
    }

    /// A command of Chromium's own protocol.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Goes to an address.
    pub async fn go(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.post("refresh", json!({})).await;
    }

    /// Where it is.
    pub async fn url(&self) -> String {
        self.get("url").await.as_str().unwrap().to_owned()
    }

    /// The page as it stands now, for a message about what is wrong with it.
    pub async fn picture(&self) -> String {
        let url = self.try_get("url").await.unwrap_or_default();
        let source = self.try_get("source").await.unwrap_or_default();
        format!("at {url}:\n{}", source.as_str().unwrap_or_default())
    }

    async fn try_find(&self, css: &str) -> Result<String, String> {
        let found = self.try_post("element", json!({ "using": "css selector", "value": css })).await?;
        Ok(format!("element/{}", found[ELEMENT].as_str().unwrap()))
    }

    /// Waits for the first element that a selector finds, and gives what `look` makes of it.
    async fn with<T>(&self, css: &str, look: impl AsyncFn(&str) -> Result<T, String>) -> T {
        let deadline = Instant::now() + LONG;
        loop {
            let looked = match self.try_find(css).await {
                Ok(element) => look(&element).await,
                Err(why) => Err(why),
            };
            match looked {
                Ok(value) => return value,
                Err(why) if Instant::now() > deadline => panic!("{css}: {why}\n{}", self.picture().await),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Whether a selector finds anything now.
    pub async fn has(&self, css: &str) -> bool {
        self.try_find(css).await.is_ok()
    }

    /// Waits until a selector finds something that can be seen.
    pub async fn sees(&self, css: &str) {
        self.with(css, async |element| match self.try_get(&format!("{element}/displayed")).await? {
            Value::Bool(true) => Ok(()),
            _ => Err("it is there, and not to be seen".to_owned()),
        })
        .await;
    }

    /// Whether a selector finds something that can be seen now.
    pub async fn seen(&self, css: &str) -> bool {
        match self.try_find(css).await {
            Ok(element) => self
                .try_get(&format!("{element}/displayed"))
                .await
                .is_ok_and(|seen| seen == Value::Bool(true)),
            Err(_) => false,
        }
    }

    /// The text of the first element that a selector finds, as it is seen.
    pub async fn text(&self, css: &str) -> String {
        self.with(css, async |element| {
            let text = self.try_get(&format!("{element}/text")).await?;
            Ok(text.as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// Waits until the text of the first element that a selector finds is as wanted.
    pub async fn reads(&self, css: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.with(css, async |element| {
            let text = self.try_get(&format!("{element}/text")).await?;
            let text = text.as_str().unwrap_or_default();
            if wanted(text) { Ok(text.to_owned()) } else { Err(format!("it reads {text:?}")) }
        })
        .await
    }

    /// Clicks the first element that a selector finds, which the page must let itself be clicked.
    pub async fn click(&self, css: &str) {
        self.with(css, async |element| self.try_post(&format!("{element}/click"), json!({})).await.map(drop))
            .await;
    }

    /// Types into the first element that a selector finds, over what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        self.with(css, async |element| {
            self.try_post(&format!("{element}/clear"), json!({})).await?;
            self.try_post(&format!("{element}/value"), json!({ "text": text })).await.map(drop)
        })
        .await;
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: Key) {
        self.keys(&key.code().to_string()).await;
    }

    /// Types, wherever the focus is.
    pub async fn keys(&self, text: &str) {
        let strokes: Vec<Value> = text
            .chars()
            .flat_map(|c| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": c.to_string() })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("actions", json!({ "actions": [keyboard] })).await;
    }

    /// Presses the tabulator until the element that a selector finds has the focus, as somebody without a mouse does.
    ///
    /// # Panics
    /// When it does not come to it.
    pub async fn tab_to(&self, css: &str) {
        for _ in 0..400 {
            if self.run("return document.activeElement.matches(arguments[0])", json!([css])).await == true {
                return;
            }
            self.press(Key::Tab).await;
        }
        panic!("the tabulator does not come to {css}\n{}", self.picture().await);
    }

    /// Runs a script of the test's own, which a page's policy does not forbid.
    pub async fn run(&self, script: &str, arguments: Value) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// Prefers dark or light.
    pub async fn prefer(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Makes the window as wide as this many CSS pixels.
    pub async fn narrow(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What makes the page wider than its window: nothing, when it is not.
    pub async fn overhang(&self) -> Vec<String> {
        let script = "const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            const wide = [...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > width);
            return wide.map(e => e.outerHTML.slice(0, 120));";
        serde_json::from_value(self.run(script, json!([])).await).unwrap()
    }

    /// What the browser complained of since it was last asked: scripts that failed, and what a page's own policy
    /// forbade it.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let grave = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        grave.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Leaves a picture of the whole page for a person to look at.
    pub async fn shoot(&self, name: &str) {
        let shot = self
            .devtools("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }))
            .await;
        let png = BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap();
        std::fs::write(given("TOCSIN_BROWSER").join(format!("{name}.png")), png).unwrap();
    }
}

/// A path that the step gives.
fn given(name: &str) -> PathBuf {
    match env::var_os(name) {
        Some(path) => path.into(),
        None => panic!("{name} is not set: the browser tests are run by `cargo xtask test browser`"),
    }
}
