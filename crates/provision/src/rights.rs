//! What each may do on the bus: as little as it needs.

use tocsin_ledger::{NOTIFIER_WORK, SAID_SOUNDING, SNAPSHOT_SUBJECTS, SNAPSHOTS, desk_name, present_subject};
use tocsin_protocol::{RecipientId, Stream};

use crate::roster::{Body, Service};

/// What somebody in an account of its own has of the bus.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Imports {
    /// Requests with one answer.
    pub(crate) asked: Vec<String>,
    /// Requests with several answers.
    pub(crate) pulled: Vec<String>,
    /// What is heard of the bus without being asked for.
    pub(crate) heard: Vec<String>,
    /// What is heard of a body's account: that, and the subject.
    pub(crate) overheard: Vec<(String, String)>,
    /// What is told in the account itself, where the console overhears it: what came into the streams' account from
    /// another account goes on to no third.
    pub(crate) told: Vec<String>,
    /// The prefix under which JetStream's requests are had in the account.
    pub(crate) api: Option<&'static str>,
}

/// The prefix that JetStream's API has.
const API: &str = "$JS.API";
/// That of services with an account of their own. Under the true one it would be that account's JetStream that answers,
/// of which it has none.
pub(crate) const APART_API: &str = "BUS.API";

/// What a user of the bus's own account may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) publish: Vec<String>,
    pub(crate) subscribe: Vec<String>,
}

const SAID: &str = Stream::Said.name();
const LOG: &str = Stream::Log.name();

fn read_back(stream: &str, subjects: &str) -> String {
    format!("$JS.API.DIRECT.GET.{stream}.{subjects}")
}

impl Imports {
    /// A publisher says events of its own, and reads what became of them and whom they reach. A recipient takes its own
    /// notices, says receipts of its own, and sees whether one was refused. Neither may search a stream or make a
    /// consumer: a search is not bound to subjects, and a consumer could be told to deliver onto those of others.
    pub(crate) fn of_body(body: &Body) -> Self {
        let id = &body.id;
        let mut rights = Self::default();
        if body.publishes {
            rights.asked.extend([
                format!("tocsin.incident.{id}.*.*"),
                format!("tocsin.incident.{id}.*.*.called.*"),
                read_back(SAID, &format!("tocsin.incident.{id}.*.*")),
                read_back(SAID, &format!("tocsin.incident.{id}.*.*.called.*")),
                read_back(LOG, "tocsin.directory.*"),
                read_back(LOG, &format!("tocsin.dispatch.{id}.*.*")),
                format!("tocsin.link.{id}.*"),
                read_back(SAID, &format!("tocsin.link.{id}.*")),
                read_back(LOG, &format!("tocsin.proposal.{id}.*")),
            ]);
        }
        if body.receives
            && let Ok(recipient) = RecipientId::new(id)
        {
            let desk = desk_name(&recipient);
            rights.asked.extend([
                format!("tocsin.receipt.{id}.*.*.delivered"),
                format!("tocsin.receipt.{id}.*.*.acknowledged"),
                read_back(SAID, &format!("tocsin.receipt.{id}.>")),
                read_back(LOG, &format!("tocsin.notice.{id}.>")),
                // Of which its receipts are the witnesses.
                read_back(LOG, "tocsin.checkpoint.*"),
                format!("$JS.ACK.{LOG}.{desk}.>"),
            ]);
            // That its desk is at work: its own alone.
            rights.told.push(present_subject(id));
            rights.pulled.push(format!("$JS.API.CONSUMER.MSG.NEXT.{LOG}.{desk}"));
            rights.heard.push(format!("tocsin.wake.{id}.>"));
        }
        // Whoever is listed may say what they see.
        rights.asked.extend([
            format!("tocsin.report.{id}.*"),
            read_back(SAID, &format!("tocsin.report.{id}.*")),
            read_back(LOG, &format!("tocsin.refusal.{id}.*")),
        ]);
        rights
    }

    /// A service with an account of its own reads both streams whole. The console acknowledges besides; the
    /// notifier takes what is to be sent, begins with what the router has folded, and records its attempts. None may make a consumer, which could be told to
    /// deliver onto any subject.
    pub(crate) fn of_service(service: Service, bodies: &[Body]) -> Self {
        let (more, overheard) = match service {
            Service::Console => (
                vec![
                    "tocsin.receipt.*.*.*.acknowledged".to_owned(),
                    // What an agency's people report on its pages.
                    "tocsin.report.*.*".to_owned(),
                    // Which desks there are.
                    format!("$JS.API.CONSUMER.NAMES.{LOG}"),
                ],
                bodies
                    .iter()
                    .filter(|body| body.receives)
                    .map(|body| (body.id.clone(), present_subject(&body.id)))
                    .collect(),
            ),
            Service::Notifier => (
                ["tocsin.attempt.>".to_owned(), read_back(SNAPSHOTS, SNAPSHOT_SUBJECTS)]
                    .into_iter()
                    .chain(NOTIFIER_WORK.iter().flat_map(|name| {
                        [format!("$JS.API.CONSUMER.INFO.{LOG}.{name}"), format!("$JS.ACK.{LOG}.{name}.>")]
                    }))
                    .collect(),
                Vec::new(),
            ),
            _ => (Vec::new(), Vec::new()),
        };
        let work = match service {
            Service::Notifier => &NOTIFIER_WORK[..],
            _ => &[],
        };
        let pulled = work.iter().map(|name| format!("$JS.API.CONSUMER.MSG.NEXT.{LOG}.{name}"));
        // Many entries by one request.
        let pulled = pulled.chain([SAID, LOG].map(|stream| format!("$JS.API.DIRECT.GET.{stream}"))).collect();
        let asked = [SAID, LOG].into_iter().flat_map(|stream| {
            [
                format!("$JS.API.STREAM.INFO.{stream}"),
                format!("$JS.API.STREAM.MSG.GET.{stream}"),
                read_back(stream, "tocsin.>"),
            ]
        });
        Self {
            asked: asked.chain(more).collect(),
            pulled,
            overheard,
            api: Some(APART_API),
            ..Self::default()
        }
    }

    /// What may be published to: the bus's subjects as they are called in the account, and its own.
    pub(crate) fn publish(&self) -> Vec<String> {
        self.names().into_iter().map(|(_, called)| called).chain(self.told.iter().cloned()).collect()
    }

    /// The bus's subjects that may be published to, and what each is called in the account.
    pub(crate) fn names(&self) -> Vec<(&str, String)> {
        let called = |subject: &str| match (self.api, subject.strip_prefix(API)) {
            (Some(api), Some(rest)) => format!("{api}{rest}"),
            _ => subject.to_owned(),
        };
        self.asked.iter().chain(&self.pulled).map(|subject| (subject.as_str(), called(subject))).collect()
    }

    /// What may be subscribed to. The account is its own, so nobody else hears its inboxes.
    pub(crate) fn subscribe(&self) -> Vec<String> {
        let present = (!self.overheard.is_empty()).then(|| present_subject("*"));
        std::iter::once("_INBOX.>".to_owned()).chain(self.heard.iter().cloned()).chain(present).collect()
    }
}

impl Rights {
    /// What a service may do; `None` for one that has an account of its own.
    pub(crate) fn of(service: Service) -> Option<Self> {
        let (facts, more): (&[&str], Vec<String>) = match service {
            Service::Administrator => (
                &["directory.*"],
                [SAID, LOG]
                    .iter()
                    .flat_map(|stream| {
                        // A restore makes a stream that is not there; it writes over none.
                        let api = [
                            "STREAM.CREATE",
                            "STREAM.UPDATE",
                            "STREAM.SNAPSHOT",
                            "STREAM.RESTORE",
                            "CONSUMER.NAMES",
                        ];
                        let pieces = ["$JS.SNAPSHOT.ACK", "$JS.SNAPSHOT.RESTORE"];
                        api.map(|verb| format!("$JS.API.{verb}.{stream}"))
                            .into_iter()
                            .chain(pieces.map(|piece| format!("{piece}.{stream}.>")))
                    })
                    .chain(std::iter::once(format!("$JS.API.STREAM.CREATE.{SNAPSHOTS}")))
                    .collect(),
            ),
            Service::Router => (
                &[
                    "refusal.*.*",
                    "dispatch.*.*.*",
                    "notice.>",
                    "window.>",
                    "finding.>",
                    "escalation.>",
                    "proposal.*.*",
                    "checkpoint.*",
                ],
                // It keeps its fold, to begin with at its next start. Where it sounds SAID nothing can be stored that is a
                // fact; LOG it sounds among its checkpoints.
                vec![
                    format!("$JS.API.CONSUMER.NAMES.{LOG}"),
                    SAID_SOUNDING.to_owned(),
                    SNAPSHOT_SUBJECTS.to_owned(),
                    read_back(SNAPSHOTS, SNAPSHOT_SUBJECTS),
                ],
            ),
            Service::Notifier | Service::Auditor | Service::Console => return None,
        };
        let reading = [SAID, LOG].into_iter().flat_map(|stream| {
            [
                format!("$JS.API.STREAM.INFO.{stream}"),
                format!("$JS.API.STREAM.MSG.GET.{stream}"),
                read_back(stream, "tocsin.>"),
                format!("$JS.API.CONSUMER.CREATE.{stream}.>"),
                format!("$JS.API.CONSUMER.DELETE.{stream}.*"),
                format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"),
            ]
        });
        let publish = facts.iter().map(|fact| format!("tocsin.{fact}")).chain(more).chain(reading).collect();
        Some(Self { publish, subscribe: vec![format!("{}.>", inbox_prefix(service))] })
    }
}

/// Services share an account, so each has answers come to a place of its own.
pub(crate) fn inbox_prefix(service: Service) -> String {
    format!("_INBOX_{service}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A subject with `*` for whatever stands for somebody or something in it.
    fn form(subject: &str) -> String {
        let whole = if subject.starts_with("$JS.ACK.") {
            subject.to_owned()
        } else {
            // `>` stands for the rest of what one fact of that form has.
            subject.replace("tocsin.receipt.b.>", "tocsin.receipt.b.*.*.*").replace(".b.>", ".b.*.*")
        };
        let word = |word: &str| match word {
            "b" | "*" | ">" => "*".to_owned(),
            "desk_b" => "desk_*".to_owned(),
            plain => plain.to_owned(),
        };
        whole
            .split('.')
            .map(word)
            .collect::<Vec<_>>()
            .join(".")
            .replace("acknowledged", "*")
            .replace("delivered", "*")
    }

    #[test]
    fn what_a_body_may_do_is_what_schemas_asyncapi_json_says_that_it_can() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/asyncapi.json");
        let document: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let mut told = BTreeSet::new();
        for operation in document["operations"].as_object().unwrap().values() {
            let role = operation["tags"][0]["name"].as_str().unwrap();
            if !["publisher", "recipient"].contains(&role) {
                continue;
            }
            let channel = operation["channel"]["$ref"].as_str().unwrap();
            let address = document.pointer(&channel[1..]).unwrap()["address"].as_str().unwrap();
            let words = address.split('.').map(|word| match word.split_once('{') {
                Some((before, _)) => format!("{before}*"),
                None => word.to_owned(),
            });
            told.insert(words.collect::<Vec<_>>().join("."));
        }
        let body = Body { id: "b".to_owned(), key: None, publishes: true, receives: true };
        let rights = Imports::of_body(&body);
        let may = [&rights.asked, &rights.pulled, &rights.heard, &rights.told];
        let may = may.into_iter().flatten().map(|subject| form(subject));
        assert_eq!(told, may.collect());
    }
}
