//! The types and the schemas agree: whatever one of our own types can hold within its bounds, its schema passes, and
//! reading it back gives the same.

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use tocsin_protocol::{
    from_body,
    schema::{Kind, check, check_call, check_event, check_receipt},
    to_body,
};

use crate::strategies;

/// Says what the schema has against a fact, or how it differs when read back.
pub(crate) fn agrees<T: Serialize + DeserializeOwned + PartialEq>(
    kind: Kind,
    fact: &T,
) -> Result<(), TestCaseError> {
    let body = to_body("fact", fact).unwrap();
    prop_assert_eq!(check(kind, &body), Ok(()), "{}", String::from_utf8_lossy(&body));
    let back: T = from_body("fact", &body).unwrap();
    prop_assert!(back == *fact, "{}", String::from_utf8_lossy(&body));
    Ok(())
}

proptest! {
    #[test]
    fn an_event_that_we_write_is_one_that_we_take(event in strategies::event()) {
        agrees(Kind::Event, &event)?;
        prop_assert_eq!(check_event(&to_body("event", &event).unwrap()), Ok(event));
    }

    #[test]
    fn a_call_that_we_log_is_one_that_we_take(call in strategies::call()) {
        agrees(Kind::Call, &call)?;
        prop_assert_eq!(check_call(&to_body("call", &call).unwrap()), Ok(call));
    }

    #[test]
    fn an_overdue_that_we_tell_is_as_its_schema_says(overdue in strategies::overdue()) {
        agrees(Kind::Overdue, &overdue)?;
    }

    #[test]
    fn a_receipt_that_we_write_is_one_that_we_take(receipt in strategies::receipt()) {
        agrees(Kind::Receipt, &receipt)?;
        prop_assert_eq!(check_receipt(&to_body("receipt", &receipt).unwrap()), Ok(receipt));
    }

    #[test]
    fn a_directory_that_we_write_is_as_its_schema_says(directory in strategies::directory()) {
        agrees(Kind::Directory, &directory)?;
    }

    #[test]
    fn a_refusal_that_we_write_is_as_its_schema_says(refusal in strategies::refusal()) {
        agrees(Kind::Refusal, &refusal)?;
    }

    #[test]
    fn a_dispatch_that_we_write_is_as_its_schema_says(dispatch in strategies::dispatch()) {
        agrees(Kind::Dispatch, &dispatch)?;
    }

    #[test]
    fn a_notice_that_we_write_is_as_its_schema_says(notice in strategies::notice()) {
        let body = to_body("notice", &notice).unwrap();
        prop_assert_eq!(check(Kind::Notice, &body), Ok(()));
        let back: tocsin_protocol::Notice = from_body("notice", &body).unwrap();
        prop_assert_eq!(back.said_body.get(), notice.said_body.get());
        prop_assert_eq!(to_body("notice", &back).unwrap(), body);
    }

    #[test]
    fn a_window_that_we_arm_is_as_its_schema_says(due in strategies::due()) {
        agrees(Kind::Due, &due)?;
    }

    #[test]
    fn a_finding_that_we_write_is_as_its_schema_says(finding in strategies::finding()) {
        agrees(Kind::Finding, &finding)?;
    }

    #[test]
    fn an_escalation_that_we_write_is_as_its_schema_says(escalation in strategies::escalation()) {
        agrees(Kind::Escalation, &escalation)?;
    }

    #[test]
    fn an_attempt_that_we_begin_is_as_its_schema_says(begun in strategies::attempt_begun()) {
        agrees(Kind::AttemptBegun, &begun)?;
    }

    #[test]
    fn an_attempt_that_we_end_is_as_its_schema_says(ended in strategies::attempt_ended()) {
        agrees(Kind::AttemptEnded, &ended)?;
    }
}
