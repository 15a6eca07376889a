//! The configuration file as a hand under stress writes it.

use tocsin_fuzz::{check, files, text};

use super::*;

#[test]
fn a_configuration_file_is_read_or_told_what_is_wrong() {
    check("config", files("deploy", "tocsin", ".toml"), |bytes| {
        if let Err(why) = Config::parse(&text(bytes)) {
            assert!(!why.is_empty());
        }
    });
}
