//! Files of a spool that a fault of the disk, or a hand, has changed.

use tocsin_fuzz::{Choices, check};
use tocsin_protocol::SigningKey;

use super::*;

#[test]
fn a_spool_file_is_as_it_was_written_or_set_aside() {
    let key = SigningKey::generate();
    let subject: Subject = "tocsin.incident.bt-cha.bt-cha-2023-06-25-0624.1".parse().unwrap();
    let Subject::Incident { incident, event, .. } = &subject else { return };
    let body = Bytes::from_static(b"{\"incident\":\"x\"}\n\n{}");
    let at: Timestamp = "2023-06-25T05:31:02.118Z".parse().unwrap();
    let spooled = Spooled {
        name: name(at, incident, *event),
        at,
        signed: key.sign(&subject.to_string(), &body).unwrap(),
        incident: incident.clone(),
        event: *event,
        subject: subject.clone(),
        body,
    };
    let said = Said::Stored(Position { sequence: 17, time: at });
    let files = [encode(&spooled, None), encode(&spooled, Some(&said))];
    check("spool", files.to_vec(), |bytes| {
        let mut choices = Choices::new(bytes);
        let changed = choices.changed(&files[choices.clone().below(2)]);
        for bytes in [Bytes::copy_from_slice(bytes), changed.into()] {
            if let Ok(read) = decode(&bytes) {
                // Its time alone is not under the signature.
                assert_eq!(
                    (&read.subject, &read.body, &read.signed),
                    (&spooled.subject, &spooled.body, &spooled.signed)
                );
                assert_eq!(decode(&encode(&read, None).into()).unwrap(), read);
            }
            if let Ok(read) = decode_sent(&bytes) {
                assert_eq!(read.spooled.body, spooled.body);
                let again = decode_sent(&encode(&read.spooled, Some(&read.said)).into()).unwrap();
                assert_eq!((again.spooled, again.said), (read.spooled, read.said));
            }
        }
    });
}
