//! Under which addresses the console is reached, and from where a form may be posted.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Uri, header::ORIGIN};

use crate::{config::Config, error::Error};

/// Where the console is, as browsers see it.
pub(super) struct Place {
    /// As browsers write it in `Origin`.
    origins: Vec<String>,
    pub(super) https: bool,
}

/// What a request says of the page that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// One of our own pages.
    Here,
    /// Another site's.
    Elsewhere,
    /// It does not say. Every browser of today does, of a posted form.
    Unsaid,
}

impl Place {
    /// Works out the addresses, and refuses to serve others than this machine without TLS in front.
    pub(super) fn new(config: &Config, address: SocketAddr) -> Result<Self, Error> {
        let place = if let Some(url) = &config.public_url {
            Self::of(url)?
        } else {
            let hosts =
                ["127.0.0.1".to_owned(), "localhost".to_owned(), "[::1]".to_owned(), host(address.ip())];
            let origins = hosts.into_iter().map(|host| origin("http", &host, address.port())).collect();
            Self { origins, https: false }
        };
        if !address.ip().is_loopback() && !place.https {
            return Err(Error::Setting {
                field: "listen".to_owned(),
                value: address.to_string(),
                why: "others than this machine could reach it, and passwords would cross the network in the clear: put a proxy that does TLS before it and say its address, public_url = \"https://tocsin.operator.example\", or listen on 127.0.0.1"
                    .to_owned(),
            });
        }
        Ok(place)
    }

    fn of(url: &str) -> Result<Self, Error> {
        let wrong = || Error::Setting {
            field: "public_url".to_owned(),
            value: url.to_owned(),
            why: "write the address as browsers have it, without a path: https://tocsin.operator.example"
                .to_owned(),
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let default = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(wrong()),
        };
        if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        let host = authority.host().to_ascii_lowercase();
        Ok(Self {
            origins: vec![origin(scheme, &host, authority.port_u16().unwrap_or(default))],
            https: scheme == "https",
        })
    }

    /// Where a request was made from. `Origin` is `null` from a page that sends no referrer; then, and always when it is
    /// there, `Sec-Fetch-Site` decides.
    pub(super) fn from(&self, headers: &HeaderMap) -> From {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let origin = text(ORIGIN.as_str()).filter(|origin| *origin != "null");
        let origin_is_here = origin.map(|origin| self.origins.iter().any(|ours| ours == origin));
        // `none`: by the person's own hand, such as a reload.
        let site_is_here = text("sec-fetch-site").map(|site| matches!(site, "same-origin" | "none"));
        match (origin_is_here, site_is_here) {
            (Some(false), _) | (_, Some(false)) => From::Elsewhere,
            (None, None) if headers.contains_key(ORIGIN) => From::Elsewhere,
            (None, None) => From::Unsaid,
            _ => From::Here,
        }
    }
}

fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn origin(scheme: &str, host: &str, port: u16) -> String {
    match (scheme, port) {
        ("https", 443) | ("http", 80) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn config(listen: &str, public_url: Option<&str>) -> Config {
        Config {
            listen: listen.parse().unwrap(),
            public_url: public_url.map(str::to_owned),
            ..Config::of("accounts.toml".into())
        }
    }

    fn place(listen: &str, public_url: Option<&str>) -> Result<Place, Error> {
        Place::new(&config(listen, public_url), listen.parse().unwrap())
    }

    #[test]
    fn beyond_this_machine_it_is_served_by_a_proxy_with_tls_or_not_at_all() {
        let table = [
            ("127.0.0.1:80", None, true),
            ("[::1]:8911", None, true),
            ("127.0.0.1:8911", Some("https://tocsin.operator.example"), true),
            ("0.0.0.0:8911", Some("https://tocsin.operator.example/"), true),
            ("0.0.0.0:8911", None, false),
            ("192.0.2.1:8911", Some("http://tocsin.operator.example"), false),
            ("127.0.0.1:8911", Some("tocsin.operator.example"), false),
            ("127.0.0.1:8911", Some("ftp://tocsin.operator.example"), false),
            ("127.0.0.1:8911", Some("https://a:b@tocsin.operator.example"), false),
            ("127.0.0.1:8911", Some("https://tocsin.operator.example/console"), false),
            ("127.0.0.1:8911", Some(""), false),
        ];
        for (listen, public_url, taken) in table {
            assert_eq!(place(listen, public_url).is_ok(), taken, "{listen} {public_url:?}");
        }
    }

    #[test]
    fn where_a_form_comes_from_is_told_by_what_only_a_browser_can_set() {
        let here = "https://tocsin.operator.example";
        let table = [
            (None, None, From::Unsaid),
            (Some(here), None, From::Here),
            (Some(here), Some("same-origin"), From::Here),
            (None, Some("same-origin"), From::Here),
            (None, Some("none"), From::Here),
            (Some("null"), Some("same-origin"), From::Here),
            (Some("null"), None, From::Elsewhere),
            (Some("null"), Some("cross-site"), From::Elsewhere),
            (Some(here), Some("cross-site"), From::Elsewhere),
            (Some(here), Some("same-site"), From::Elsewhere),
            (Some("http://tocsin.operator.example"), None, From::Elsewhere),
            (Some("https://tocsin.operator.example:8443"), None, From::Elsewhere),
            (Some("https://tocsin.operator.example.evil.example"), Some("same-origin"), From::Elsewhere),
            (Some(""), None, From::Elsewhere),
        ];
        let place = place("127.0.0.1:8911", Some("https://Tocsin.operator.example:443")).unwrap();
        for (origin, site, from) in table {
            let mut headers = HeaderMap::new();
            let mut set = |name: &'static str, value: Option<&'static str>| {
                value.map(|value| headers.insert(name, HeaderValue::from_static(value)));
            };
            set("origin", origin);
            set("sec-fetch-site", site);
            assert_eq!(place.from(&headers), from, "{origin:?} {site:?}");
        }
    }

    #[test]
    fn on_this_machine_it_may_be_called_by_name_or_number() {
        let place = place("127.0.0.1:8911", None).unwrap();
        for origin in ["http://127.0.0.1:8911", "http://localhost:8911", "http://[::1]:8911"] {
            let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            assert_eq!(place.from(&headers), From::Here, "{origin}");
        }
        let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("http://localhost:8912"))]);
        assert_eq!(place.from(&headers), From::Elsewhere);
    }
}
