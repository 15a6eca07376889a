//! One escalation, worked off: from the record of its attempts to the next end of one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tocsin_duty::Directory;
use tocsin_ledger::{Appended, Item, Ledger};
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Entry, Escalation, NewFact, Outcome, Stream, from_body, to_body,
};
use tokio::sync::watch;

use crate::{
    attempt::{Choice, History, Next, Which, next},
    config::{Letterhead, Retry},
    events::Events,
    gate::{Gate, Shut},
    log::{shown, without_addresses},
    mail::{Mail, Told, one_line},
    order::Lane,
    relay::{Pass, Relay},
    standing::Standing,
    token::Tokens,
    writer::Writer,
};

/// For how long the start waits until it is known who has acknowledged. Longer, and a mail too late does more harm
/// than a mail too many.
const CATCH_UP: Duration = Duration::from_secs(30);
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
    pub(crate) standing: Standing,
    pub(crate) tokens: Tokens,
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
    /// Another notifier has taken it over.
    Leave,
}

/// An item whose escalation can be read, or the reason why no mail can come of it.
struct Case<'a> {
    entry: &'a Entry,
    deliveries: u64,
    lane: Lane,
    which: Which,
    escalation: Result<Escalation, String>,
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
        let Some(which) = Which::of(&entry.subject) else {
            tracing::error!(subject = %one_line(&entry.subject, 200), "this subject is no escalation: it is put aside");
            return Then::Done;
        };
        let escalation = match from_body::<Escalation>("escalation", &entry.body) {
            Ok(escalation) if which.is(&escalation) => Ok(escalation),
            Ok(_) => Err("the escalation's body speaks of another one than its subject".to_owned()),
            Err(why) => Err(why.to_string()),
        };
        let case = Case { entry, deliveries: item.deliveries, lane, which, escalation };
        match self.go_on(&case).await {
            Ok(then) => then,
            Err(why) => {
                let pause = self.retry.pause(item.deliveries);
                tracing::warn!(
                    trace_id = %case.which.trace_id(),
                    incident = %case.which.incident,
                    subject = %entry.subject,
                    error = %why,
                    ?pause,
                    "an escalation waits for the ledger"
                );
                Then::Later(pause)
            }
        }
    }

    async fn go_on(&self, case: &Case<'_>) -> Result<Then, tocsin_ledger::Error> {
        // Nobody has begun what is handed out for the first time. Should that be wrong, the first write tells.
        let mut known = case.deliveries > 1;
        let mut history = if known { self.history(&case.which).await? } else { History::default() };
        let token = self.tokens.next();
        let mut tried = vec![false; self.relays.len()];
        let mut mail = None;
        let mut last = String::new();
        loop {
            if *self.stopping.borrow() {
                return Ok(Then::Later(Duration::ZERO));
            }
            let instead = self.instead(case, &mut mail).await?;
            let choices: Vec<_> =
                tried.iter().enumerate().filter_map(|(relay, tried)| self.choice(relay, *tried)).collect();
            match next(&history, instead, &choices) {
                Next::Nothing => return Ok(Then::Done),
                Next::Pause => return Ok(self.pause(case, &tried, &last)),
                Next::Close { attempt, relay } => {
                    let reply = "the notifier that began this attempt did not live to see its end".to_owned();
                    let ended = AttemptEnded { relay, outcome: Outcome::Unknown, code: None, reply };
                    if !self.end(&case.which, attempt, &ended).await {
                        history = self.history(&case.which).await?;
                        continue;
                    }
                    tracing::warn!(
                        trace_id = %case.which.trace_id(),
                        incident = %case.which.incident,
                        subject = %case.entry.subject,
                        attempt,
                        relay = ended.relay,
                        "a mail may be sent twice: its first sender died"
                    );
                    history.ended(attempt, Outcome::Unknown, &ended.relay);
                }
                Next::End { .. } if !known => {
                    // An end can be written under an attempt that another has begun: it tells of none but the last.
                    history = self.history(&case.which).await?;
                    known = true;
                }
                Next::End { attempt, outcome, reply } => {
                    let ended = AttemptEnded { relay: String::new(), outcome, code: None, reply };
                    if self.end_unbegun(&case.which, attempt, &ended).await? {
                        return Ok(Then::Done);
                    }
                    history = self.history(&case.which).await?;
                }
                Next::Try { attempt, relay: number } => {
                    let (Some(relay), Some(mail), Some(now_tried)) =
                        (self.relays.get(number), &mail, tried.get_mut(number))
                    else {
                        // The decision gives only relays that it was shown, and there is a mail unless there is an end.
                        return Ok(Then::Later(SOON));
                    };
                    let _place = match self.gate.enter(number, case.lane, mail.to.domain()).await {
                        Ok(place) => place,
                        Err(Shut::Closed) => return Ok(Then::Later(Duration::ZERO)),
                        Err(Shut::Crowded(pause)) => return Ok(Then::Later(pause)),
                    };
                    // It may have failed since it was chosen; then another is.
                    let Some(pass) = relay.admit() else { continue };
                    let begun = AttemptBegun {
                        relay: relay.name().to_owned(),
                        to: mail.to.to_string(),
                        message_id: mail.message_id.clone(),
                        token: Some(token.clone()),
                    };
                    if !self.begin(&case.which, attempt, &begun).await {
                        // Whoever began it has the item too, or had it: if that one is dead, it is handed out again.
                        let settled = self.history(&case.which).await?.is_settled();
                        return Ok(if settled { Then::Done } else { Then::Leave });
                    }
                    history.begun(attempt, relay.name());
                    *now_tried = true;
                    let ended = self.hand_over(case, mail, number, pass).await;
                    let stands = self.end(&case.which, attempt, &ended).await;
                    tell(case, attempt, &ended);
                    match (ended.outcome, stands) {
                        // Another notifier took this one for dead and goes on with the item.
                        (_, false) => return Ok(Then::Leave),
                        (Outcome::Accepted | Outcome::Permanent | Outcome::StoodDown, true) => {
                            return Ok(Then::Done);
                        }
                        (Outcome::Unknown, true) => {
                            return Ok(self.pause(case, &tried, &shown(ended.code, &ended.reply)));
                        }
                        (Outcome::Temporary | Outcome::RelayFault, true) => {
                            history.ended(attempt, ended.outcome, &ended.relay);
                            last = shown(ended.code, &ended.reply);
                        }
                    }
                }
            }
        }
    }

    /// Waits for a line and sends, if there is still need by then: a thousand mails over a slow relay take minutes.
    async fn hand_over(&self, case: &Case<'_>, mail: &Mail, relay: usize, pass: Pass<'_>) -> AttemptEnded {
        let turn = match pass.line().await {
            Ok(turn) => turn,
            Err(ended) => return ended,
        };
        let no_need = case.escalation.as_ref().ok().and_then(|escalation| self.standing.no_need(escalation));
        if let Some(reply) = no_need {
            return AttemptEnded { relay: String::new(), outcome: Outcome::StoodDown, code: None, reply };
        }
        let begun = Instant::now();
        let ended = turn.send(mail).await;
        self.gate.took(relay, begun.elapsed());
        ended
    }

    /// The end that stands before any try, if there is one. Otherwise the mail is ready afterwards.
    async fn instead(
        &self,
        case: &Case<'_>,
        mail: &mut Option<Mail>,
    ) -> Result<Option<(Outcome, String)>, tocsin_ledger::Error> {
        let refused = |why: String| {
            tracing::error!(
                trace_id = %case.which.trace_id(),
                incident = %case.which.incident,
                subject = %case.entry.subject,
                error = %without_addresses(&why),
                "no mail can come of this escalation; its next contact is written to"
            );
            Some((Outcome::Permanent, one_line(&why, 500)))
        };
        let escalation = match &case.escalation {
            Ok(escalation) => escalation,
            Err(why) => return Ok(refused(why.clone())),
        };
        if let Some(why) = self.standing.no_need(escalation) {
            return Ok(Some((Outcome::StoodDown, why)));
        }
        if mail.is_none() {
            let heard = self.events.get(escalation.said).await?;
            let directory = self.standing.directory_at(case.entry.time);
            self.tell_of_no_links(directory.as_deref());
            let told = Told {
                escalation,
                escalated_at: case.entry.time,
                event: heard.event.as_deref(),
                published_at: heard.at,
                directory: directory.as_deref(),
            };
            match Mail::render(&told, &self.letterhead) {
                Ok(rendered) => *mail = Some(rendered),
                Err(why) => return Ok(refused(why.to_string())),
            }
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
    fn pause(&self, case: &Case<'_>, tried: &[bool], last: &str) -> Then {
        if self.retry.alarms(case.deliveries)
            && let Ok(escalation) = &case.escalation
        {
            tracing::error!(
                trace_id = %case.which.trace_id(),
                recipient = %escalation.recipient,
                incident = %escalation.incident,
                event = %escalation.event,
                step = %escalation.step,
                status = %escalation.status,
                failures = case.deliveries,
                last = %last,
                "ESCALATION FAILS: no relay confirms the mail. Telephone the recipient now (`tocsin directory show --json` has its numbers), and mend the relays",
            );
        }
        let pause = self.retry.pause(case.deliveries);
        if tried.contains(&true) {
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

    async fn history(&self, which: &Which) -> Result<History, tocsin_ledger::Error> {
        Ok(History::read(&self.ledger.entries(Stream::Log, &[which.attempts()]).await?))
    }

    /// Writes that an attempt begins. False when another has begun it.
    async fn begin(&self, which: &Which, attempt: u32, begun: &AttemptBegun) -> bool {
        let Some(fact) = fact(which, attempt, AttemptPhase::Begun, begun) else { return false };
        self.is_ours(fact).await
    }

    /// Writes how an attempt ended. False when another end stands there.
    async fn end(&self, which: &Which, attempt: u32, ended: &AttemptEnded) -> bool {
        let Some(fact) = fact(which, attempt, AttemptPhase::Ended, ended) else { return false };
        self.is_ours(fact).await
    }

    /// Writes the end of an attempt that nobody has begun. False when somebody has, or another end stands there: a mail that
    /// another notifier sends meanwhile must not be told of as not sent.
    async fn end_unbegun(
        &self,
        which: &Which,
        attempt: u32,
        ended: &AttemptEnded,
    ) -> Result<bool, tocsin_ledger::Error> {
        let Some(fact) = fact(which, attempt, AttemptPhase::Ended, ended) else { return Ok(false) };
        Ok(match self.ledger.append_unbegun(&fact).await? {
            Appended::Written(_) => true,
            Appended::Already(entry) => entry.body == fact.body,
        })
    }

    /// Writes a fact. True when it stands there as we wrote it, by this write or by one whose acknowledgement was lost.
    async fn is_ours(&self, fact: NewFact) -> bool {
        let body = fact.body.clone();
        match self.writer.write(fact).await {
            Some(Appended::Written(_)) => true,
            Some(Appended::Already(entry)) => entry.body == body,
            None => false,
        }
    }
}

fn fact<T: serde::Serialize>(which: &Which, attempt: u32, phase: AttemptPhase, body: &T) -> Option<NewFact> {
    // A record of strings and numbers always has a JSON form.
    let body = to_body("attempt", body).ok()?;
    Some(NewFact { subject: which.attempt(attempt, phase), body, schedule: None })
}

fn tell(case: &Case<'_>, attempt: u32, ended: &AttemptEnded) {
    let (subject, relay, reply) = (&case.entry.subject, &ended.relay, shown(ended.code, &ended.reply));
    let (trace_id, incident) = (case.which.trace_id(), &case.which.incident);
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
