//! Who does what in a scenario, what is counted, and what is expected of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tocsin_duty::reading::{Reader, shown};
use tocsin_protocol::{RecipientId, Window};
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{Ground, length, line, meant, moment, recipients, unknown};
use crate::model::{Does, Expectation, Lot, Mailbox, Measures, Part, Share, Then, Whose};

pub(super) fn lot(reader: &mut Reader<'_, '_, '_>) -> Option<Lot> {
    let answer = reader.need_list::<Window>("answer", "[\"1m\", \"12m\"]");
    let never = reader.may::<Share>("never");
    let mut once_mailed = BTreeMap::new();
    let mut clean = true;
    for (contact, value) in reader.entries("once_mailed")? {
        let (source, faults) = reader.within();
        match Share::deserialize_from(value) {
            Ok(share) => _ = once_mailed.insert(contact.to_owned(), share),
            Err(why) => {
                clean = false;
                faults.push(source.misread(value, format_args!("once_mailed.{}", shown(contact)), &why));
            }
        }
    }
    let answer = answer.and_then(|answer| match &answer[..] {
        [soonest, latest] if soonest <= latest => Some([soonest.0, latest.0]),
        _ => {
            reader.fault("answer", "answer should be the soonest and the latest, such as [\"1m\", \"12m\"]");
            None
        }
    });
    clean.then_some(Lot { answer: answer?, never: never?.unwrap_or(Share::Count(0)), once_mailed })
}

impl Share {
    fn deserialize_from(value: &Spanned<DeValue<'_>>) -> Result<Self, toml::de::Error> {
        Deserialize::deserialize(ValueDeserializer::from(value.clone()))
    }
}

pub(super) fn part(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Part> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        Answers,
        AnswersMail,
        Nothing,
    }
    let recipients = recipients(reader, ground);
    let event = reader.may("event");
    let word = reader.need::<Word>("does", "\"answers\", \"answers-mail\" or \"nothing\"");
    let contact: Option<Option<String>> = reader.may("contact");
    let after = length(reader, "after");
    let does = match (word?, contact?) {
        (Word::AnswersMail, Some(contact)) => Does::AnswersMail(contact),
        (Word::AnswersMail, None) => {
            reader.fault("does", "whose mail do they answer? Add contact = \"duty\"");
            return None;
        }
        (Word::Answers | Word::Nothing, Some(_)) => {
            reader.fault("contact", "a contact is for does = \"answers-mail\": say that, or take it out");
            return None;
        }
        (Word::Answers, None) => Does::Answers,
        (Word::Nothing, None) => Does::Nothing,
    };
    if does == Does::Nothing && after?.is_some() {
        reader.fault("after", "they do nothing, so there is no time after which: take it out");
        return None;
    }
    Some(Part { recipients: recipients?, event: event?, does, after: after? })
}

pub(super) fn mailbox(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Mailbox> {
    let recipient = reader.need("recipient", "\"dsit\"");
    let contact: Option<String> = reader.need("contact", "\"duty\"");
    let fate = reader.need("fate", "\"retired\" or \"refused\"");
    let (recipient, contact) = (recipient?, contact?);
    if let Some(directory) = ground.directory {
        match directory.recipient(&recipient) {
            None => unknown(reader, "recipient", recipient.as_str(), directory),
            Some(known) if !known.entry.contacts.contains_key(&contact) => {
                let words: Vec<_> = known.entry.contacts.keys().map(String::as_str).collect();
                let hint = meant(&contact, &words);
                reader
                    .fault("contact", format_args!("{recipient} has no contact {}: {hint}", shown(&contact)));
            }
            Some(_) => {}
        }
    }
    Some(Mailbox { recipient, contact, fate: fate? })
}

pub(super) fn figure(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Then> {
    let label = line(reader, "label", "\"The regulator is told\"");
    let at = moment(reader, "at");
    let since = moment(reader, "since");
    let recipient = reader.may("recipient");
    let measures = reader.may("measures");
    let recipient: Option<RecipientId> = recipient?;
    if let (Some(recipient), Some(directory)) = (&recipient, ground.directory)
        && directory.recipient(recipient).is_none()
    {
        unknown(reader, "recipient", recipient.as_str(), directory);
    }
    let measures = measures?.unwrap_or(Measures::Told);
    if recipient.is_none() && measures == Measures::Acknowledged {
        reader.fault("measures", "whose acknowledgement? Add recipient = \"dsit\", or measure who was told");
    }
    let (at, since) = (at?, since?.or(ground.began_at)?);
    if at.is_some_and(|at| at < since) {
        reader
            .fault("at", "it lies before the moment from which it is counted: correct one of the two times");
    }
    Some(Then { label: label?, at, since, recipient, measures })
}

pub(super) fn expectation(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Expectation> {
    let says = line(reader, "says", "\"The regulator acknowledges in time\"");
    let event = reader.need("event", "1");
    let given = reader.value("recipients").is_some();
    let these = if given { Some(recipients(reader, ground)) } else { None };
    let kinds: Option<Vec<String>> = reader.list("kinds");
    if let (Some(kinds), Some(directory)) = (&kinds, ground.directory) {
        let known: BTreeSet<_> = directory.recipients().map(|known| known.entry.kind.as_str()).collect();
        let known: Vec<_> = known.into_iter().collect();
        for kind in kinds.iter().filter(|kind| !known.contains(&kind.as_str())) {
            let hint = meant(kind, &known);
            reader.fault("kinds", format_args!("no recipient is of kind {}: {hint}", shown(kind)));
        }
    }
    let requirement = reader.may("requirement");
    let acknowledged = reader.may("acknowledged");
    let silent_after = length(reader, "silent_after");
    let mailed = if reader.value("mailed").is_some() { reader.list("mailed").map(Some) } else { Some(None) };
    let whose = match (these, kinds?) {
        (Some(these), kinds) if kinds.is_empty() => Whose::These(these?),
        (None, kinds) if !kinds.is_empty() => Whose::Kinds(kinds),
        (None, _) => Whose::Everybody,
        (Some(_), _) => {
            reader.fault("kinds", "say recipients or kinds, not both");
            return None;
        }
    };
    Some(Expectation {
        says: says?,
        event: event?,
        whose,
        requirement: requirement?,
        acknowledged: acknowledged?,
        silent_after: silent_after?,
        mailed: mailed?,
    })
}
