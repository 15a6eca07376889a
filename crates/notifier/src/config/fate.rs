//! Whether the relays share their fate with one another, or with the operator whose failure they are to report.

use super::Config;

impl Config {
    /// What a person should know before relying on these relays: that one failure takes them all. It is no fault, since
    /// nobody can know from names who stands behind them; empty where nothing is seen.
    pub fn shared_fate(&self) -> Vec<String> {
        let hosts: Vec<String> =
            self.relays.iter().map(|relay| relay.host.trim_end_matches('.').to_ascii_lowercase()).collect();
        let mut told = Vec::new();
        match hosts.as_slice() {
            [only] => told.push(format!(
                "there is one relay, {only}: when it or the way to it fails, no escalation leaves; add one on another provider"
            )),
            [first, rest @ ..] if rest.iter().all(|host| host == first) => told.push(format!(
                "all relays are the same host, {first}: they fail together; add one on another provider"
            )),
            [first, rest @ ..] if rest.iter().all(|host| provider(host) == provider(first)) => {
                told.push(format!(
                    "all relays are of one domain, {}: they may fail together; add one on another provider",
                    provider(first)
                ));
            }
            _ => {}
        }
        let own = self.message_id_domain.trim_end_matches('.').to_ascii_lowercase();
        let is_own = |host: &String| *host == own || host.ends_with(&format!(".{own}"));
        if !hosts.is_empty() && hosts.iter().all(is_own) {
            told.push(format!(
                "all relays are within {own}, the operator's own domain: mail may fail with what it is to report; add one \
                 on another provider"
            ));
        }
        told
    }
}

/// The host without its first name, where it has more than two; an address whole.
fn provider(host: &str) -> &str {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host;
    }
    match host.split_once('.') {
        Some((_, rest)) if rest.contains('.') => rest,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(hosts: &[&str]) -> Vec<String> {
        let relays: Vec<String> = hosts
            .iter()
            .enumerate()
            .map(|(n, host)| format!("[[relays]]\nname = 'relay-{n}'\nhost = '{host}'\n"))
            .collect();
        let text = format!(
            "from = 'tocsin@operator.example'\nmessage_id_domain = 'operator.example'\n{}",
            relays.concat()
        );
        toml::from_str::<Config>(&text).unwrap().shared_fate()
    }

    #[test]
    fn relays_that_one_failure_takes_together_are_told_of_and_others_are_not() {
        for (hosts, words) in [
            (&["mx.first.example"][..], &["there is one relay"][..]),
            (&["mx.first.example", "MX.first.example."], &["the same host, mx.first.example"]),
            (&["a.mail.first.example", "b.mail.first.example"], &["one domain, mail.first.example"]),
            (
                &["mx1.operator.example", "mx2.operator.example"],
                &["one domain, operator.example", "the operator's own domain"],
            ),
            (&["mx.operator.example", "operator.example"], &["one domain", "the operator's own domain"]),
            (&["mx.first.example", "mx.second.example"], &[]),
            (&["mx.operator.example", "mx.second.example"], &[]),
            (&["192.0.2.1", "192.0.2.2"], &[]),
        ] {
            let told = told(hosts);
            let fits =
                told.len() == words.len() && told.iter().zip(words).all(|(told, word)| told.contains(word));
            assert!(fits, "{hosts:?}: {told:?}");
        }
    }
}
