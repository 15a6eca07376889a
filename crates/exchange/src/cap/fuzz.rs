//! A CAP message of anybody.

use tocsin_fuzz::{check, files};

use super::*;

#[test]
fn a_cap_message_becomes_a_draft_or_is_refused_in_words() {
    check("cap-import", files("crates/exchange/tests/data", "", ".xml"), |bytes| {
        match import(bytes, &Wanted::default()) {
            Ok(import) => {
                assert!(["actual", "exercise", "test"].iter().any(|word| import.draft["status"] == **word));
                // What is in the draft is fit to be put right: no more than the schema's own problems.
                let _ = import.event();
                assert!(import.json().starts_with('{'));
            }
            Err(why) => assert!(why.to_string().len() > 10),
        }
    });
}
