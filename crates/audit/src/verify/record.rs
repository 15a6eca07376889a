//! What was said against its authors' keys, and what the router wrote against the rules.

use tocsin_duty::{Fold, Held, Pin, Verdict};
use tocsin_protocol::{Entry, Receipt, Signer};

use super::{
    counted,
    fault::{FaultCode, Faults},
};
use crate::{
    problem::ProblemCode,
    report::{DirectoryRead, Report},
    words::utc,
};

pub(super) fn judge(
    entries: &[&Entry],
    (directories, pin): (Vec<DirectoryRead>, Option<&Pin>),
    reports: &[Report],
    faults: &mut Faults,
    proven: &mut Vec<String>,
    limits: &mut Vec<String>,
) {
    let mut fold = Fold::new();
    let (mut events, mut receipts, mut calls, mut refused, mut trails) = (0, 0, 0, 0, 0);
    let mut doors = Doors::default();
    for entry in entries {
        match fold.apply(entry) {
            Verdict::Event(_) => events += 1,
            Verdict::Receipt(receipt) => {
                receipts += 1;
                let key = entry.signed.as_ref().map_or("", |signed| signed.key.as_str());
                let directory = fold.directory_at(entry.time);
                doors.count(directory.and_then(|known| known.signer(&receipt.recipient, key)), &receipt);
            }
            Verdict::Report(_) | Verdict::Link(_) => trails += 1,
            Verdict::Refused(_) => refused += 1,
            Verdict::Foreign => {
                faults.of(FaultCode::Record, entry, "is nothing that a service of ours writes.");
            }
            // Who lacks the key has changed nothing by it, and the record is none the worse.
            Verdict::NotInForce { why, .. } if !why.lacks_the_key() => {
                faults.of(FaultCode::Record, entry, "is a directory that cannot be in force.");
            }
            Verdict::Call(_) => calls += 1,
            Verdict::NotInForce { .. } | Verdict::Repeated | Verdict::Trusted | Verdict::Recorded(_) => {}
        }
    }
    if events + receipts > 0 {
        proven.push(format!(
            "{} and {} are signed by their authors{} and counted{}.",
            counted(events, "event"),
            counted(receipts, "receipt"),
            doors.words(),
            if refused > 0 {
                format!("; {refused} more that was said does not count")
            } else {
                String::new()
            }
        ));
    }
    if calls > 0 {
        let logged = counted(calls, "telephone call");
        proven.push(format!("{logged} as logged by the publisher, signed and counted."));
    }
    if trails > 0 {
        proven
            .push(format!("{} are signed by their authors and counted.", counted(trails, "report or link")));
    }
    for read in directories {
        let words = format!("{}, written at {}: {}.", read.subject, utc(read.at), read.words());
        if read.signed_by.is_some() { proven.push(words) } else { limits.push(words) }
    }
    match pin.map(|pin| (pin, fold.held_against(pin))) {
        None => {}
        Some((pin, Held::Under { version, from })) => proven.push(format!(
            "Version {version} of the directory, the newest in force, stands under the trusted directory_key {pin}, as does each since version {from}."
        )),
        Some((_, Held::Not(why))) => {
            faults.add(FaultCode::Untrusted, format!("Of the newest directory in force: {why}."));
        }
        Some((pin, Held::None)) => faults.add(
            FaultCode::Untrusted,
            format!("No directory is in force, so none stands under the trusted directory_key {pin}."),
        ),
    }
    for report in reports {
        for problem in report.problems.iter().filter(|problem| contradicts(problem.code)) {
            faults.add(FaultCode::Record, format!("Incident {}: {}", report.incident.id, problem.text));
        }
    }
}

/// The receipts that the console signed, by the door through which they came.
#[derive(Default)]
struct Doors {
    account: usize,
    link: usize,
}

impl Doors {
    fn count(&mut self, signer: Option<Signer>, receipt: &Receipt) {
        if signer == Some(Signer::Console) {
            // The rules let the console through these alone.
            let door = if receipt.link.is_some() { &mut self.link } else { &mut self.account };
            *door += 1;
        }
    }

    fn words(&self) -> String {
        match (self.account, self.link) {
            (0, 0) => String::new(),
            (account, link) => format!(
                ", or by the console ({account} by an account of its own, on its page or by a program, {link} by the link of a mail, which is signed too),"
            ),
        }
    }
}

/// Whether a problem of the report says that the record was not written as the rules have it. The others are for the
/// report: they tell of people, relays and time.
fn contradicts(code: ProblemCode) -> bool {
    use ProblemCode as Code;
    match code {
        Code::AlteredNotice
        | Code::DifferingDispatch
        | Code::DifferingFinding
        | Code::DisputedRefusal
        | Code::FaultyRecord
        | Code::LinkOfNoMail => true,
        Code::Neither
        | Code::MissingDispatch
        | Code::MissingNotice
        | Code::OverdueWindow
        | Code::MissingFinding
        | Code::MissingEscalation
        | Code::OverdueNotTold
        | Code::UnrecordedRefusal
        | Code::Forged
        | Code::Refused
        | Code::Unreachable
        | Code::NotHandedOver
        | Code::RelayFault
        | Code::UnknownSend
        | Code::RepeatedMail
        | Code::LateEntry
        | Code::RevisedStart
        | Code::ClosedBeforeNotice
        | Code::AssumedClock
        | Code::NotAllTold
        | Code::UnknownTimeZone => false,
    }
}
