//! Our own services, each with the rights of its role alone, and what a stolen key of one could do all the same.

use std::time::Duration;

use tocsin_ledger::{LOG_SOUNDING, SAID_SOUNDING};
use tocsin_provision::Service;

use super::{
    fort::{Attacker, Fort, Seen},
    headers, refused, stored,
    table::Table,
};

/// Every fact that there is, and whose it is to write.
const FACTS: &[(&str, &str)] = &[
    ("tocsin.directory.9", "administrator"),
    ("tocsin.refusal.b.999", "router"),
    ("tocsin.proposal.operator.999", "router"),
    ("tocsin.dispatch.operator.y.1", "router"),
    ("tocsin.notice.b.y.1", "router"),
    ("tocsin.window.y.1.1", "router"),
    ("tocsin.finding.y.1.1", "router"),
    ("tocsin.escalation.b.y.1.1", "router"),
    ("tocsin.checkpoint.999", "router"),
    ("tocsin.fold.0.head", "router"),
    ("tocsin.attempt.b.y.1.1.1.begun", "notifier"),
    ("tocsin.attempt.b.y.1.1.1.ended", "notifier"),
    ("tocsin.due.y.1.1", "the broker"),
    ("tocsin.incident.operator.y.1", "a publisher"),
    ("tocsin.receipt.b.x.1.acknowledged", "a recipient"),
    ("tocsin.report.b.r", "a body"),
    ("tocsin.link.operator.l", "a publisher"),
];

/// What none of them may do.
const NOBODY: &[(&str, &str)] = &[
    ("purge", "$JS.API.STREAM.PURGE.TOCSIN_LOG"),
    ("delete a stream", "$JS.API.STREAM.DELETE.TOCSIN_SAID"),
    ("delete a message", "$JS.API.STREAM.MSG.DELETE.TOCSIN_LOG"),
    ("change the stream of the snapshots", "$JS.API.STREAM.UPDATE.TOCSIN_FOLD"),
    ("purge the snapshots", "$JS.API.STREAM.PURGE.TOCSIN_FOLD"),
    ("restore a stream", "$JS.API.STREAM.RESTORE.TOCSIN_LOG"),
    ("make a stream of another name", "$JS.API.STREAM.CREATE.MINE"),
    ("settle a recipient's notices", "$JS.ACK.TOCSIN_LOG.desk_b.1.1.1.1.0"),
    ("pause a consumer", "$JS.API.CONSUMER.PAUSE.TOCSIN_LOG.desk_b"),
    ("answer in another's place", "_INBOX_other.x"),
    ("ask the system account", "$SYS.REQ.SERVER.PING"),
];

pub(super) async fn services(table: &mut Table, fort: &Fort) {
    // What the console may do has a table of its own.
    for service in Service::ALL.into_iter().filter(|service| *service != Service::Console) {
        let who = format!("The {service}, with a key of its own");
        let posing = fort.service_attacker(service).await;
        for (subject, whose) in FACTS {
            if *whose != service.name() {
                let seen = posing.ask(subject, None, b"{}").await;
                table.add(&who, format!("write what is {whose}'s: `{subject}`"), refused(&seen));
            }
        }
        for (attack, subject) in NOBODY {
            // To put a backup back is the administrator's to do.
            if service == Service::Administrator && subject.contains("RESTORE") {
                continue;
            }
            table.add(
                &who,
                format!("{attack}: `{subject}`"),
                refused(&posing.ask(subject, None, b"{}").await),
            );
        }
        let streams = ["STREAM.UPDATE.TOCSIN_LOG", "STREAM.CREATE.TOCSIN_LOG"];
        for verb in streams.iter().filter(|_| service != Service::Administrator) {
            let subject = format!("$JS.API.{verb}");
            let seen = posing.ask(&subject, None, b"{}").await;
            table.add(&who, format!("change the streams: `{subject}`"), refused(&seen));
        }
        for subject in ["tocsin.>", "_INBOX_router.>", "$JS.API.>"] {
            if subject.contains(service.name()) {
                continue;
            }
            let outcome = match posing.listen(subject).await {
                None => Ok("nats-server: permissions of the user".to_owned()),
                Some(_) => Err("it was let".to_owned()),
            };
            table.add(&who, format!("listen: `{subject}`"), outcome);
        }
        if [Service::Notifier, Service::Auditor].contains(&service) {
            apart(table, &who, fort, &posing).await;
        }
        if service == Service::Router {
            sounding(table, &who, fort, &posing).await;
        }
        if service == Service::Notifier {
            notifier(table, &who, fort, &posing).await;
        }
    }
}

/// It may sound both streams. What is stored where it does, for want of the condition that cannot be met, is no fact.
async fn sounding(table: &mut Table, who: &str, fort: &Fort, posing: &Attacker) {
    for place in [SAID_SOUNDING, LOG_SOUNDING] {
        let condition = headers(&[("Nats-Expected-Last-Sequence", &i64::MAX.to_string())]);
        let Seen::Refused(why) = posing.ask(place, Some(condition), b"").await else {
            panic!("the router cannot sound at {place}")
        };
        assert!(why.starts_with("wrong last sequence: "), "{place}: {why}");
    }
    let sequence = stored(posing.ask(SAID_SOUNDING, None, b"{}").await);
    table.add(
        who,
        format!("have a fact stored where it sounds what is said: `{SAID_SOUNDING}`"),
        Ok(format!("the router: refused ({}), and nothing follows", fort.refusal(sequence).await)),
    );
}

/// It has an account of its own, so not even a detour lets it write what is another's.
async fn apart(table: &mut Table, who: &str, fort: &Fort, posing: &Attacker) {
    let request = serde_json::json!({"stream_name": "TOCSIN_LOG", "config": {
        "name": "n", "deliver_subject": "tocsin.dispatch.operator.q.2", "filter_subject": "tocsin.directory.1",
        "ack_policy": "none", "deliver_policy": "all", "mem_storage": true,
    }})
    .to_string();
    for api in ["BUS.API", "$JS.API"] {
        let subject = format!("{api}.CONSUMER.CREATE.TOCSIN_LOG.n");
        let seen = posing.ask(&subject, None, request.as_bytes()).await;
        table.add(who, format!("make a consumer that delivers onto the log: `{subject}`"), refused(&seen));
    }
    let subject = "BUS.API.STREAM.PURGE.TOCSIN_LOG";
    let seen = posing.ask(subject, None, b"{}").await;
    table.add(who, format!("ask for more of the streams: `{subject}`"), refused(&seen));
    let read = "BUS.API.DIRECT.GET.TOCSIN_LOG.tocsin.directory.1";
    let Seen::Answer(_) = posing.ask(read, None, b"").await else { panic!("{who}: it cannot read") };
    for target in ["tocsin.directory.9", "tocsin.dispatch.operator.q.1"] {
        posing.shout(read, target, None, b"").await;
        posing.ask(read, None, b"").await;
        let stands = stands(fort, target).await;
        table.add(
            who,
            format!("have an answer to its requests put there: `{target}`"),
            if stands { Err("it was stored".to_owned()) } else { Ok("its own account".to_owned()) },
        );
    }
    assert!(!stands(fort, "tocsin.dispatch.operator.q.2").await, "a consumer delivers there");
}

/// What the notifier writes is its own, whose answer it has put onto the log; and it settles no work of others.
async fn notifier(table: &mut Table, who: &str, fort: &Fort, posing: &Attacker) {
    let own = "tocsin.attempt.b.q.1.1.1.begun";
    let Seen::Answer(_) = posing.ask(own, None, br#"{"forged": true}"#).await else {
        panic!("the notifier cannot write its own")
    };
    let target = "tocsin.dispatch.operator.q.3";
    for (request, body) in [
        (own, ""),
        (&format!("BUS.API.DIRECT.GET.TOCSIN_LOG.{own}"), ""),
        ("BUS.API.DIRECT.GET.TOCSIN_LOG", r#"{"seq":1,"batch":9,"next_by_subj":"tocsin.attempt.>"}"#),
        ("BUS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.notifier", ""),
    ] {
        posing.shout(request, target, None, body.as_bytes()).await;
    }
    table.add(
        who,
        format!("have words of its own choosing put there, by the answer to a read of them: `{target}`"),
        if stands(fort, target).await {
            Err("it was stored".to_owned())
        } else {
            Ok("its own account".to_owned())
        },
    );
}

/// What a stolen key of the administrator could do past its permissions: it shares the account of the streams with the
/// router.
pub(super) async fn detours(table: &mut Table, fort: &Fort) {
    let administrator = fort.service_attacker(Service::Administrator).await;
    let target = "tocsin.dispatch.operator.q.4";
    administrator.shout("$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.directory.1", target, None, b"").await;
    table.detour(
        "the administrator has the answer to a read put onto the log: `tocsin.dispatch.<publisher>.<incident>.<n>`",
        stands(fort, target).await,
    );
}

async fn stands(fort: &Fort, subject: &str) -> bool {
    let found = fort.ledger.wait_for(&[subject.parse().unwrap()], Duration::from_secs(3)).await;
    found.unwrap().is_some()
}
