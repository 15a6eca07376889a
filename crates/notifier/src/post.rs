//! One escalation, worked off: from the record of its attempts to the next end of one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tocsin_duty::Directory;
use tocsin_ledger::{Appended, Item, Ledger};
use tocsin_protocol::{AttemptBegun, AttemptEnded, Entry, NewFact, Outcome, Stream};
use tokio::sync::{Semaphore, watch};

use crate::{
    attempt::{Choice, History, Next, Which, next},
    config::{Letterhead, Retry},
    events::Events,
    gate::{Gate, Shut},
    gathering::{Hold, PutOff, READS_AT_A_TIME},
    letter::{Letter, Named},
    log::{shown, without_addresses},
    mail::{Mail, Told, one_line},
    open::Leave,
    order::Lane,
    relay::{Pass, Relay},
    standing::Standing,
    token::Tokens,
    trusted::Trusted,
    writer::Writer,
};

/// For how long the start waits until it is known who has acknowledged. Longer, and a mail too late does more harm
/// than a mail too many.
const CATCH_UP: Duration = Duration::from_secs(30);
/// The pause before an item is looked at again that goes in a digest of another's; and in one that is being made up here.
const LED: Duration = Duration::from_secs(15);
const IN_HAND: Duration = Duration::from_secs(1);

/// The shortest pause before an item is taken up again.
const SOON: Duration = Duration::from_millis(100);

/// What all items in work share.
pub(crate) struct Post {
    pub(crate) ledger: Ledger,
    pub(crate) letterhead: Letterhead,
    pub(crate) retry: Retry,
    pub(crate) gate: Arc<Gate>,
    pub(crate) relays: Vec<Relay>,
    pub(crate) writer: Writer,
    pub(crate) events: Events,
    pub(crate) reads: Semaphore,
    /// The digests in hand: those that are made up, and those that are made again. Either holds some megabytes, and in a
    /// storm hundreds become due at once. Whoever waits for the one has a place at the gate, and whoever has the other waits
    /// for such a place, so that they are not one.
    pub(crate) digests: Semaphore,
    pub(crate) again: Semaphore,
    pub(crate) standing: Standing,
    pub(crate) trusted: Trusted,
    pub(crate) tokens: Tokens,
    pub(crate) put_off: PutOff,
    pub(crate) told_of_no_links: AtomicBool,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// What becomes of an item once nothing more can be done for it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It has come to its end.
    Done,
    /// It is taken up again after this time, by whichever notifier is free.
    Later(Duration),
    /// The same, though nothing failed: it waits for others, or for a limit.
    PutOff(Duration),
    /// Another notifier has taken it over.
    Leave,
}

/// An item, and what goes in one mail with it.
pub(crate) struct Case<'a> {
    pub(crate) entry: &'a Entry,
    deliveries: u64,
    lane: Lane,
    pub(crate) letter: Letter,
}

/// How far an item has come since it was handed out.
struct Round {
    /// The record of its attempts was read.
    known: bool,
    history: History,
    token: String,
    /// Which relays were tried.
    tried: Vec<bool>,
    mail: Option<Mail>,
    /// What the last one answered, as a log may have it.
    last: String,
}

impl Case<'_> {
    fn which(&self) -> &Which {
        &self.letter.lead().which
    }
}

impl Post {
    /// Waits until all that is written is known here, but not for ever.
    pub(crate) async fn wait_for_what_is_known(&self) {
        if !self.standing.caught_up(CATCH_UP).await {
            tracing::warn!(
                "after {CATCH_UP:?} it is still not known who has acknowledged: mails go out all the same, some perhaps without need"
            );
        }
    }

    /// Does all that can be done for an item now.
    pub(crate) async fn work_off(&self, item: &Item, lane: Lane) -> Then {
        let entry = &item.entry;
        let Some(named) = Named::of(item) else {
            tracing::error!(subject = %one_line(&entry.subject, 200), "this subject is no escalation: it is put aside");
            return Then::Done;
        };
        let mut case = Case { entry, deliveries: item.deliveries, lane, letter: Letter::alone(named) };
        let then = self.go_on(&mut case).await;
        match &then {
            Ok(Then::PutOff(_)) => self.put_off.note(entry.sequence),
            Ok(Then::Done | Then::Leave) => self.put_off.forget(entry.sequence),
            Ok(Then::Later(_)) | Err(_) => {}
        }
        match then {
            Ok(then) => then,
            Err(why) => {
                let pause = self.retry.pause(item.deliveries);
                tracing::warn!(
                    trace_id = %case.which().trace_id(),
                    incident = %case.which().incident,
                    subject = %entry.subject,
                    error = %why,
                    ?pause,
                    "an escalation waits for the ledger"
                );
                Then::Later(pause)
            }
        }
    }

    async fn go_on(&self, case: &mut Case<'_>) -> Result<Then, tocsin_ledger::Error> {
        let (leave, is_fresh) = self.leave(case);
        match leave {
            Leave::Ended => return Ok(Then::Done),
            Leave::Led => return Ok(Then::PutOff(LED)),
            Leave::Go | Leave::Wait(_) | Leave::Elsewhere => {}
        }
        // Nobody has begun what is handed out for the first time, or is known to be untouched. Should that be wrong, the
        // first write tells.
        let known = case.deliveries > 1 && !is_fresh;
        let history = if known { self.history(case.which()).await? } else { History::default() };
        let mut round = Round {
            known,
            history,
            token: self.tokens.next(),
            tried: vec![false; self.relays.len()],
            mail: None,
            last: String::new(),
        };
        let mut turn = None;
        loop {
            if *self.stopping.borrow() {
                return Ok(Then::Later(Duration::ZERO));
            }
            if let Some(digest) =
                round.history.digest().filter(|_| !round.history.is_settled() && !case.letter.is_digest())
            {
                if digest.lead == case.entry.sequence {
                    // Whoever has a turn asks for no second one: all who have one could wait for each other.
                    if turn.is_none() {
                        turn = self.again.acquire().await.ok();
                    }
                    self.gather_again(case, &digest.escalations).await?;
                    round.mail = None;
                } else if self.goes_on(digest.lead).await? {
                    return Ok(Then::PutOff(LED));
                }
            }
            let mut instead = self.instead(case);
            if instead.is_none() && round.history.is_empty() {
                match self.leave(case).0 {
                    Leave::Go => {}
                    Leave::Wait(pause) => return Ok(Then::PutOff(pause.max(SOON))),
                    Leave::Ended => return Ok(Then::Done),
                    Leave::Led => return Ok(Then::PutOff(LED)),
                    Leave::Elsewhere if round.known => return Ok(Then::PutOff(IN_HAND)),
                    Leave::Elsewhere => {
                        self.read_again(case, &mut round).await?;
                        continue;
                    }
                }
            }
            // What waits for others is not written: in a storm that is nearly all, and each is looked at more than once.
            if instead.is_none() {
                instead = self.write(case, &mut round.mail).await?;
            }
            let choices: Vec<_> = round
                .tried
                .iter()
                .enumerate()
                .filter_map(|(relay, tried)| self.choice(relay, *tried))
                .collect();
            match next(&round.history, instead, &choices) {
                Next::Nothing => return Ok(Then::Done),
                Next::Pause => return Ok(self.pause(case, &round, &round.last)),
                Next::Close { attempt, relay } => {
                    let reply = "the notifier that began this attempt did not live to see its end".to_owned();
                    let ended = AttemptEnded { relay, outcome: Outcome::Unknown, code: None, reply };
                    if !self.end(case, attempt, &ended).await {
                        self.read_again(case, &mut round).await?;
                        continue;
                    }
                    tracing::warn!(
                        trace_id = %case.which().trace_id(),
                        incident = %case.which().incident,
                        subject = %case.entry.subject,
                        attempt,
                        relay = ended.relay,
                        "a mail may be sent twice: its first sender died"
                    );
                    round.history.ended(attempt, Outcome::Unknown, &ended.relay);
                }
                // An end can be written under an attempt that another has begun: it tells of none but the last.
                Next::End { .. } if !round.known => self.read_again(case, &mut round).await?,
                Next::End { attempt, outcome, reply } => {
                    let ended = AttemptEnded { relay: String::new(), outcome, code: None, reply };
                    if self.end_unbegun(case, attempt, &ended).await? {
                        return Ok(Then::Done);
                    }
                    self.read_again(case, &mut round).await?;
                }
                Next::Try { attempt, relay } => {
                    if let Some(then) = self.attempt(case, &mut round, attempt, relay).await? {
                        return Ok(then);
                    }
                }
            }
        }
    }

    async fn read_again(&self, case: &Case<'_>, round: &mut Round) -> Result<(), tocsin_ledger::Error> {
        round.history = self.history(case.which()).await?;
        round.known = true;
        Ok(())
    }

    /// Makes an attempt by a relay. None where what comes next is to be decided anew.
    async fn attempt(
        &self,
        case: &mut Case<'_>,
        round: &mut Round,
        attempt: u32,
        number: usize,
    ) -> Result<Option<Then>, tocsin_ledger::Error> {
        let (Some(relay), Some(mail)) = (self.relays.get(number), &round.mail) else {
            // The decision gives only relays that it was shown, and there is a mail unless there is an end.
            return Ok(Some(Then::Later(SOON)));
        };
        let _place = match self.gate.enter(number, case.lane, mail.to.domain()).await {
            Ok(place) => place,
            Err(Shut::Closed) => return Ok(Some(Then::Later(Duration::ZERO))),
            Err(Shut::Crowded(pause)) => return Ok(Some(Then::PutOff(pause))),
        };
        // It may have failed since it was chosen; then another is.
        let Some(pass) = relay.admit() else { return Ok(None) };
        let mut hold = None;
        if round.history.is_empty() {
            hold = self.take(case).await?;
            if hold.is_none() {
                // It went elsewhere while it waited.
                return Ok(None);
            }
            if case.letter.is_digest() {
                round.mail = None;
                let instead = self.instead(case).is_some();
                if instead || self.write(case, &mut round.mail).await?.is_some() {
                    return Ok(Some(Then::PutOff(SOON)));
                }
            }
        }
        let Some(mail) = &round.mail else { return Ok(Some(Then::Later(SOON))) };
        let begun = AttemptBegun {
            relay: relay.name().to_owned(),
            to: mail.to.to_string(),
            message_id: mail.message_id.clone(),
            token: Some(round.token.clone()),
            digest: None,
        };
        if !self.begin(case, attempt, &begun).await {
            if case.letter.is_digest() && hold.is_some() {
                // One of those that were to go along has gone: it is made up anew.
                return Ok(Some(Then::PutOff(SOON)));
            }
            // Whoever began it has the item too, or had it: if that one is dead, it is handed out again.
            let settled = self.history(case.which()).await?.is_settled();
            return Ok(Some(if settled { Then::Done } else { Then::Leave }));
        }
        let _turn = hold.and_then(Hold::begun);
        round.history.begun(attempt, relay.name());
        if let Some(tried) = round.tried.get_mut(number) {
            *tried = true;
        }
        let ended = self.hand_over(case, mail, number, pass).await;
        let stands = self.end(case, attempt, &ended).await;
        tell(case, attempt, &ended);
        let last = shown(ended.code, &ended.reply);
        Ok(match (ended.outcome, stands) {
            // Another notifier took this one for dead and goes on with the item.
            (_, false) => Some(Then::Leave),
            (Outcome::Accepted | Outcome::Permanent | Outcome::StoodDown, true) => Some(Then::Done),
            (Outcome::Unknown, true) => Some(self.pause(case, round, &last)),
            (Outcome::Temporary | Outcome::RelayFault, true) => {
                round.history.ended(attempt, ended.outcome, &ended.relay);
                round.last = last;
                None
            }
        })
    }

    /// Waits for a line and sends, if there is still need by then: a thousand mails over a slow relay take minutes.
    async fn hand_over(&self, case: &Case<'_>, mail: &Mail, relay: usize, pass: Pass<'_>) -> AttemptEnded {
        let turn = match pass.line().await {
            Ok(turn) => turn,
            Err(ended) => return ended,
        };
        if let Some(reply) = self.no_need(case) {
            return AttemptEnded { relay: String::new(), outcome: Outcome::StoodDown, code: None, reply };
        }
        let begun = Instant::now();
        let ended = turn.send(mail).await;
        self.gate.took(relay, begun.elapsed());
        ended
    }

    /// Why nothing that the mail names needs it any more, if that is so.
    fn no_need(&self, case: &Case<'_>) -> Option<String> {
        let why = |named: &Named| named.escalation.as_ref().ok().and_then(|one| self.standing.no_need(one));
        let reply = why(case.letter.lead())?;
        case.letter.named().into_iter().all(|named| why(named).is_some()).then_some(reply)
    }

    /// The end that stands before any try, if there is one.
    fn instead(&self, case: &Case<'_>) -> Option<(Outcome, String)> {
        if let Err(why) = &case.letter.lead().escalation {
            return Some(refused(case, why));
        }
        self.no_need(case).map(|why| (Outcome::StoodDown, why))
    }

    /// Writes the mail, where it is not written. The end that stands before any try, where none can be.
    async fn write(
        &self,
        case: &Case<'_>,
        mail: &mut Option<Mail>,
    ) -> Result<Option<(Outcome, String)>, tocsin_ledger::Error> {
        if mail.is_some() {
            return Ok(None);
        }
        let directory = self.standing.directory_at(case.entry.time);
        self.tell_of_no_links(directory.as_deref());
        let named = case.letter.named();
        let said = named.iter().filter_map(|named| named.escalation.as_ref().ok()).map(|one| one.said);
        let reads: Vec<_> = said.map(|said| self.events.get(said)).collect();
        let heard: Vec<_> = stream::iter(reads).buffered(READS_AT_A_TIME).try_collect().await?;
        let told: Vec<_> = named
            .iter()
            .filter_map(|named| Some((named, named.escalation.as_ref().ok()?)))
            .zip(&heard)
            .map(|((named, escalation), heard)| Told {
                escalation,
                escalated_at: named.at,
                event: heard.event.as_deref(),
                published_at: heard.at,
                directory: directory.as_deref(),
            })
            .collect();
        let lead = named.iter().position(|named| named.sequence == case.entry.sequence);
        let rendered = match (&told[..], lead) {
            ([told], _) => Mail::render(told, &self.letterhead),
            (all, lead) => Mail::digest(all, lead.unwrap_or_default(), &self.letterhead),
        };
        match rendered {
            Ok(rendered) => *mail = Some(rendered),
            Err(why) => return Ok(Some(refused(case, &why.to_string()))),
        }
        Ok(None)
    }

    /// Tells once that mails go out without the link that was asked for.
    fn tell_of_no_links(&self, directory: Option<&Directory>) {
        let (Some(links), Some(directory)) = (&self.letterhead.links, directory) else { return };
        let listed = links.is_listed(directory) && directory.console_key().is_some();
        if !listed && !self.told_of_no_links.swap(true, Ordering::Relaxed) {
            tracing::error!(
                directory = directory.version(),
                "mails go out without a link: the directory must have a console_key, and this notifier's key as its link_key. `tocsin keys new --directory` makes both"
            );
        }
    }

    /// No relay has confirmed the mail: puts the item off, and calls for a person when that has gone on.
    fn pause(&self, case: &Case<'_>, round: &Round, last: &str) -> Then {
        let without_fault = self.put_off.of(case.entry.sequence);
        let failures = case.deliveries.saturating_sub(without_fault).max(round.history.rounds());
        if self.retry.alarms(failures)
            && let Ok(escalation) = &case.letter.lead().escalation
        {
            tracing::error!(
                trace_id = %case.which().trace_id(),
                recipient = %escalation.recipient,
                incident = %escalation.incident,
                event = %escalation.event,
                step = %escalation.step,
                status = %escalation.status,
                failures,
                last = %last,
                "ESCALATION FAILS: no relay confirms the mail. Telephone the recipient now (`tocsin directory show --json` has its numbers), and mend the relays",
            );
        }
        let pause = self.retry.pause(failures);
        if round.tried.contains(&true) {
            return Then::Later(pause);
        }
        // None was tried, all being left alone for a moment: that moment is the pause.
        let back = self.relays.iter().filter_map(Relay::down_until).min();
        Then::Later(back.map_or(pause, |back| back.saturating_duration_since(Instant::now()).max(SOON)))
    }

    fn choice(&self, number: usize, tried: bool) -> Option<Choice<'_>> {
        let relay = self.relays.get(number)?;
        let (down, used_up) = (relay.down_until().is_some(), self.gate.is_used_up(number));
        Some(Choice { name: relay.name(), down, tried, used_up })
    }

    pub(crate) async fn history(&self, which: &Which) -> Result<History, tocsin_ledger::Error> {
        Ok(History::read(&self.ledger.entries(Stream::Log, &[which.attempts()]).await?))
    }

    /// Writes that an attempt begins, for all that the mail names or for none. False when another has begun one of them.
    async fn begin(&self, case: &Case<'_>, attempt: u32, begun: &AttemptBegun) -> bool {
        let facts = case.letter.begun(attempt, begun);
        if case.letter.is_digest() {
            self.writer.write_together(&facts).await
        } else {
            self.is_ours(facts).await
        }
    }

    /// Writes how an attempt ended, for all that the mail names. False when another end stands there.
    async fn end(&self, case: &Case<'_>, attempt: u32, ended: &AttemptEnded) -> bool {
        let facts = case.letter.ended(attempt, ended, |escalation| self.standing.no_need(escalation));
        if !case.letter.is_digest() {
            return self.is_ours(facts).await;
        }
        let first = facts.first().map(|fact| fact.body.clone());
        match self.writer.write_all(&facts).await.into_iter().next() {
            Some(Appended::Written(_)) => true,
            Some(Appended::Already(entry)) => Some(entry.body) == first,
            None => false,
        }
    }

    /// Writes the end of an attempt that nobody has begun. False when somebody has, or another end stands there: a mail that
    /// another notifier sends meanwhile must not be told of as not sent.
    async fn end_unbegun(
        &self,
        case: &Case<'_>,
        attempt: u32,
        ended: &AttemptEnded,
    ) -> Result<bool, tocsin_ledger::Error> {
        let facts = case.letter.ended(attempt, ended, |escalation| self.standing.no_need(escalation));
        // The lead's decides: whoever begins the attempt begins the lead's with the others.
        let Some((lead, others)) = facts.split_first() else { return Ok(false) };
        let stands = match self.ledger.append_unbegun(lead).await? {
            Appended::Written(_) => true,
            Appended::Already(entry) => entry.body == lead.body,
        };
        if stands && !others.is_empty() {
            self.writer.write_all(others).await;
        }
        Ok(stands)
    }

    /// Writes a fact. True when it stands there as we wrote it, by this write or by one whose acknowledgement was lost.
    async fn is_ours(&self, facts: Vec<NewFact>) -> bool {
        let Some(fact) = facts.into_iter().next() else { return false };
        let body = fact.body.clone();
        match self.writer.write(fact).await {
            Some(Appended::Written(_)) => true,
            Some(Appended::Already(entry)) => entry.body == body,
            None => false,
        }
    }
}

/// No mail can come of it.
fn refused(case: &Case<'_>, why: &str) -> (Outcome, String) {
    tracing::error!(
        trace_id = %case.which().trace_id(),
        incident = %case.which().incident,
        subject = %case.entry.subject,
        error = %without_addresses(why),
        "no mail can come of this escalation; its next contact is written to"
    );
    (Outcome::Permanent, one_line(why, 500))
}

fn tell(case: &Case<'_>, attempt: u32, ended: &AttemptEnded) {
    let (subject, relay, reply) = (&case.entry.subject, &ended.relay, shown(ended.code, &ended.reply));
    let (trace_id, incident) = (case.which().trace_id(), &case.which().incident);
    match ended.outcome {
        Outcome::Accepted => {
            tracing::info!(%trace_id, %incident, %subject, attempt, %relay, %reply, "escalation handed over");
        }
        Outcome::StoodDown => {
            tracing::info!(%trace_id, %incident, %subject, attempt, %reply, "escalation stood down");
        }
        Outcome::Temporary => {
            tracing::warn!(%trace_id, %incident, %subject, attempt, %relay, %reply, "a relay did not take a mail; tried again");
        }
        Outcome::Unknown => {
            tracing::warn!(%trace_id, %incident, %subject, attempt, %relay, %reply, "a relay may have taken a mail; sent again");
        }
        Outcome::RelayFault => {
            tracing::error!(%trace_id, %incident, %subject, attempt, %relay, %reply, "a relay refuses us: mend its account, certificate or sender");
        }
        Outcome::Permanent => {
            tracing::error!(%trace_id, %incident, %subject, attempt, %relay, %reply, "this address takes no mail: mend the directory; its next contact is written to");
        }
    }
}
