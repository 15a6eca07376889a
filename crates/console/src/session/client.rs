//! From which address somebody tries to sign in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::{extract::ConnectInfo, http::request::Parts};

/// The address of the browser. A proxy on this machine, or one that the configuration names, says whom it speaks for in
/// `X-Forwarded-For`; from anybody else that header is worth nothing. Of what such a proxy says, the last address that is no
/// proxy's counts, as the earlier ones are the browser's own claim. An IPv6 address stands for its /64, which one household
/// has whole.
pub(super) fn address(parts: &Parts, proxies: &[IpAddr]) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let mut address = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let trusted = |address: &IpAddr| address.is_loopback() || proxies.contains(address);
    if trusted(&address) {
        let said = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let said: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
        for said in said.iter().rev() {
            let Ok(said) = said.parse::<IpAddr>() else { break };
            address = said.to_canonical();
            if !trusted(&address) {
                break;
            }
        }
    }
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => IpAddr::V6(Ipv6Addr::from_bits(whole.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn only_a_proxy_is_believed_about_whom_it_speaks_for() {
        let table = [
            ("192.0.2.1", None, "192.0.2.1"),
            ("192.0.2.1", Some("198.51.100.7"), "192.0.2.1"),
            ("127.0.0.1", None, "127.0.0.1"),
            ("127.0.0.1", Some("198.51.100.7"), "198.51.100.7"),
            ("127.0.0.1", Some("203.0.113.9, 198.51.100.7"), "198.51.100.7"),
            ("192.0.2.250", Some("203.0.113.9, 198.51.100.7, 127.0.0.1"), "198.51.100.7"),
            ("127.0.0.1", Some("203.0.113.9, rubbish"), "127.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::"),
            ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ];
        for (peer, forwarded, address) in table {
            let mut request = Request::get("/");
            if let Some(forwarded) = forwarded {
                request = request.header("x-forwarded-for", forwarded);
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
            let proxies = ["192.0.2.250".parse().unwrap()];
            assert_eq!(
                super::address(&parts, &proxies),
                address.parse::<IpAddr>().unwrap(),
                "{peer} {forwarded:?}"
            );
        }
    }
}
