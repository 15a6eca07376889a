//! What this recipient has yet to acknowledge, whether or not this desk was there when it came.

use std::collections::BTreeMap;

use tocsin_ledger::Error as LedgerError;
use tocsin_protocol::{Entry, EventNumber, IncidentId, Receipt, ReceiptStage, Stream, Subject};

use crate::{
    desk::Desk,
    error::Error,
    read::{ReadNotice, read_notice},
};

impl Desk {
    /// The notices that ask for an acknowledgement and have none: of each incident the newest, soonest due first. One
    /// that a later event made pointless is not among them.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the bus cannot be searched, or does not let this desk.
    pub async fn unacknowledged(&self) -> Result<Vec<ReadNotice>, Error> {
        let notices = format!("tocsin.notice.{}.>", self.recipient);
        let receipts = format!("tocsin.receipt.{}.*.*.acknowledged", self.recipient);
        let (notices, receipts) = match self.ledger.entries(Stream::Log, std::slice::from_ref(&notices)).await
        {
            Ok(notices) => (notices, self.ledger.entries(Stream::Said, &[receipts]).await?),
            // Who may not search is told of the incident that it was told of last.
            Err(LedgerError::Denied { .. }) => {
                let Some(newest) = self.ledger.newest(Stream::Log, &notices).await? else {
                    return Ok(Vec::new());
                };
                let Ok(Subject::Notice { incident, .. }) = newest.subject.parse() else {
                    return Ok(Vec::new());
                };
                let receipts = format!("tocsin.receipt.{}.{incident}.*.acknowledged", self.recipient);
                let receipt = self.ledger.newest(Stream::Said, &receipts).await?;
                (self.notices_one_by_one(&incident).await?, receipt.into_iter().collect())
            }
            Err(why) => return Err(why.into()),
        };
        let notices =
            notices.iter().filter_map(|entry| read_notice(entry, &self.recipient, &self.pinned).ok());
        let acknowledged = receipts.iter().filter(|entry| self.is_ours(entry)).filter_map(acknowledgement_of);
        Ok(open(notices, acknowledged))
    }

    /// The acknowledgement of this notice that stands on the bus, if this recipient gave one, here or elsewhere, and
    /// it was not refused.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the bus cannot be read.
    pub async fn acknowledgement_of(&self, read: &ReadNotice) -> Result<Option<Receipt>, Error> {
        let subject = Subject::Receipt {
            recipient: self.recipient.clone(),
            incident: read.notice.incident.clone(),
            event: read.notice.event,
            stage: ReceiptStage::Acknowledged,
        };
        let Some((entry, receipt)) = self.said_before(&subject).await? else { return Ok(None) };
        Ok(self.counts(&entry).await.then_some(receipt))
    }
}

fn acknowledgement_of(entry: &Entry) -> Option<(IncidentId, EventNumber)> {
    match entry.subject.parse() {
        Ok(Subject::Receipt { incident, event, .. }) => Some((incident, event)),
        _ => None,
    }
}

fn open(
    notices: impl Iterator<Item = ReadNotice>,
    acknowledged: impl Iterator<Item = (IncidentId, EventNumber)>,
) -> Vec<ReadNotice> {
    let mut through: BTreeMap<IncidentId, EventNumber> = BTreeMap::new();
    for (incident, event) in acknowledged {
        let known = through.entry(incident).or_insert(event);
        *known = event.max(*known);
    }
    let mut newest: BTreeMap<IncidentId, ReadNotice> = BTreeMap::new();
    let mut ended: BTreeMap<IncidentId, EventNumber> = BTreeMap::new();
    for read in notices {
        let (incident, event) = (read.notice.incident.clone(), read.notice.event);
        if read.event.kind.lifts_duties() {
            let known = ended.entry(incident.clone()).or_insert(event);
            *known = event.max(*known);
        }
        let later = newest.get(&incident).is_none_or(|known| known.notice.event < event);
        if read.notice.acknowledge && later {
            newest.insert(incident, read);
        }
    }
    let mut open: Vec<_> = newest
        .into_iter()
        .filter(|(incident, read)| {
            let event = read.notice.event;
            through.get(incident).is_none_or(|through| *through < event)
                && ended.get(incident).is_none_or(|ended| *ended <= event)
        })
        .map(|(_, read)| read)
        .collect();
    open.sort_by_key(|read| (read.notice.due_at.is_none(), read.notice.due_at, read.sequence));
    open
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::EventKind;

    use super::*;
    use crate::fixture;

    fn notice(incident: &str, event: u32, kind: EventKind, acknowledge: bool) -> ReadNotice {
        let mut read = fixture::arrived(|words| {
            words.incident = incident.parse().unwrap();
            words.sequence = EventNumber::new(event).unwrap();
            words.kind = kind;
        })
        .read;
        read.notice.acknowledge = acknowledge;
        read
    }

    #[test]
    fn what_is_acknowledged_or_over_is_not_open() {
        use EventKind::{Cancelled, Initial, Resolved, Update};
        let notices = vec![
            notice("open", 1, Initial, true),
            notice("open", 2, Update, false),
            notice("anew", 1, Initial, true),
            notice("anew", 3, Update, true),
            notice("covered", 1, Initial, true),
            notice("resolved", 1, Initial, true),
            notice("resolved", 2, Resolved, false),
            notice("cancelled", 2, Cancelled, false),
            notice("cancelled", 1, Initial, true),
            notice("informed", 1, Initial, false),
            notice("end-to-be-acknowledged", 1, Initial, true),
            notice("end-to-be-acknowledged", 2, Resolved, true),
        ];
        let number = |n| EventNumber::new(n).unwrap();
        let acknowledged =
            [("anew".parse().unwrap(), number(2)), ("covered".parse().unwrap(), number(4))].into_iter();
        let mut open: Vec<_> = open(notices.into_iter(), acknowledged)
            .iter()
            .map(|read| format!("{} {}", read.notice.incident, read.notice.event))
            .collect();
        open.sort();
        assert_eq!(open, ["anew 3", "end-to-be-acknowledged 2", "open 1"]);
    }
}
