//! chromedriver as a child process, and the W3C WebDriver protocol that it speaks.
//!
//! Written here because the libraries cost more than these lines: fantoccini stands on a crate under the MPL and on two
//! versions of many others, and thirtyfour switches on another order of `serde_json`'s maps for every crate that is
//! tested beside it.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::wait::until;

/// How often one is started, before it is taken for granted that there is no port for it.
const TRIES: usize = 10;
/// What it says when it ends because its port is taken.
const NO_PORT: &str = "port not available";

/// A chromedriver of its own. Dropping it ends it and every browser that it started.
#[derive(Debug)]
pub(super) struct Driver {
    guard: Child,
    port: u16,
}

impl Driver {
    /// Starts one on a free port, its log in this directory.
    pub(super) async fn start(directory: &Path) -> Self {
        for _ in 1..TRIES {
            if let Some(driver) = Self::try_start(directory).await {
                return driver;
            }
        }
        Self::try_start(directory).await.expect("chromedriver finds a free port")
    }

    /// None where it has ended: the port that was free for IPv6 when it asked was another's for IPv4.
    async fn try_start(directory: &Path) -> Option<Self> {
        let log = directory.join("chromedriver.log");
        let file = File::create(&log).unwrap();
        // The guard holds a pipe to this process. When that closes, whether by a drop, a panic or a kill, it ends its
        // process group: the driver, the browser, and itself.
        let guard = Command::new("sh")
            .args(["-c", r#""$@" & read -r _; kill -9 0"#, "guard", "chromedriver", "--port=0"])
            .process_group(0)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut driver = Self { guard, port: 0 };
        let port = until("chromedriver listens", async || {
            let said = std::fs::read_to_string(&log).unwrap();
            match port_in(&said) {
                Some(port) => Ok(Some(port)),
                None if said.contains(NO_PORT) => Ok(None),
                None => Err(said),
            }
        })
        .await;
        driver.port = port?;
        Some(driver)
    }

    /// Asks for something, and gives its value, or what the driver says against it.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(|why| why.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| why.to_string())?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, format!("127.0.0.1:{}", self.port))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())))
            .unwrap();
        let answered = async {
            let response = sender.send_request(request).await?;
            let ok = response.status().is_success();
            Ok::<_, hyper::Error>((ok, response.into_body().collect().await?.to_bytes()))
        };
        let answered = answered.await.map_err(|why| why.to_string());
        connection.abort();
        let (ok, body) = answered?;
        let mut answer: Value = serde_json::from_slice(&body).map_err(|why| why.to_string())?;
        let value = answer["value"].take();
        if ok {
            return Ok(value);
        }
        let word = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Err(format!("{}: {}", word("error"), word("message").lines().next().unwrap_or_default()))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // An error means that it is gone already.
        let _ = self.guard.wait();
    }
}

/// The port in what chromedriver prints.
fn port_in(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("was started successfully on port ")?;
    rest.split_once('.')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_what_the_driver_prints() {
        let said = "Starting ChromeDriver 156.0\nChromeDriver was started successfully on port 35127.\n";
        assert_eq!(port_in(said), Some(35_127));
        assert_eq!(port_in("ChromeDriver was started successfully on port 35"), None);
    }
}
