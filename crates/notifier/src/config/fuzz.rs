//! Configurations as a hand under stress writes them.

use tocsin_fuzz::{check, text};

use super::*;

#[test]
fn a_configuration_can_be_used_or_is_told_what_to_mend() {
    let seeds = [r#"
from = "Tocsin <tocsin@operator.example>"
reply_to = "duty@operator.example"
message_id_domain = "tocsin.operator.example"
instructions = "x"
phone = "+44 1632 960 999"
takeover = "15s"
relays = [
  { name = "a", host = "relay.example", port = 587, tls = "starttls", timeout = "30s", connections = 4 },
  { name = "b", host = "::1", port = 25, tls = "none" },
]
link = { url = "https://tocsin.operator.example", key = "", valid = "24h" }
retry = { pauses = ["2s", "1h 30m"], alarm_after = 3 }
"#];
    check("notifier-config", seeds.map(|seed| seed.as_bytes().to_vec()).to_vec(), |bytes| {
        let text = text(bytes);
        let Ok(config) = toml::from_str::<Config>(&text) else { return };
        for deliveries in [0, 1, 7, u64::MAX] {
            let _ = (config.retry.pause(deliveries), config.retry.alarms(deliveries));
        }
        // A file that is named is opened: chance is not to choose which.
        let names_none = |relay: &RelayConfig| relay.password_file.is_none() && relay.ca_file.is_none();
        if config.link.is_none() && config.relays.iter().all(names_none) {
            let _ = config.letterhead().map_err(|why| why.to_string());
            let _ = config.check().map(drop).map_err(|why| why.to_string());
        }
    });
}
