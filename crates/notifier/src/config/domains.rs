//! How gently the domains are treated to which mails go.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::setting;
use crate::{error::Error, gate::ANY_DOMAIN};

/// How gently a domain is treated to which mails go, by each notifier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainLimit {
    /// The most mails in any minute: a quarter of them at once, the others evenly.
    #[serde(default)]
    pub mails_a_minute: Option<u32>,
    /// The most mails under way at once, over all relays.
    #[serde(default)]
    pub connections: Option<usize>,
}

/// The limits of domains, by names in small letters.
pub(super) fn check(given: &BTreeMap<String, DomainLimit>) -> Result<BTreeMap<String, DomainLimit>, Error> {
    let mut domains = BTreeMap::new();
    for (name, limit) in given {
        let field = |what: &str| format!("domains.{name}{what}");
        if name != ANY_DOMAIN && !is_domain(name) {
            let why = "write what stands after the @ of an address, or \"*\" for each that is not named";
            return Err(setting(&field(""), name, why));
        }
        if *limit == DomainLimit::default() {
            return Err(setting(&field(""), "", "write mails_a_minute, connections, or both"));
        }
        mails_a_minute(&field(".mails_a_minute"), limit.mails_a_minute)?;
        if limit.connections == Some(0) {
            return Err(setting(
                &field(".connections"),
                "0",
                "write 1 at least: with none no mail goes there",
            ));
        }
        if domains.insert(name.to_ascii_lowercase(), *limit).is_some() {
            return Err(setting(&field(""), name, "this domain stands here twice: write it once"));
        }
    }
    Ok(domains)
}

fn is_domain(name: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '@' && c != '*';
    !name.is_empty() && name.len() <= 253 && name.chars().all(plain)
}

/// Checks a limit of mails.
pub(super) fn mails_a_minute(field: &str, limit: Option<u32>) -> Result<(), Error> {
    if limit == Some(0) {
        return Err(setting(
            field,
            "0",
            "write 1 at least, or leave it out for no limit: with none no mail goes",
        ));
    }
    Ok(())
}
