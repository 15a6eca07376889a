//! The gate before the relays: mails wait here until one may begin, and go in the order of [`crate::order`] and within the
//! limits of the configuration. What waits is held in memory up to a bound; beyond it, the broker holds it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    config::{DomainLimit, RelaySettings},
    limit::Limit,
    order::{Lane, Turns},
};

/// The domain whose limits hold for each that has none of its own.
pub(crate) const ANY_DOMAIN: &str = "*";

/// How much work is at hand for a line, beyond the mail on it: writing down that one begins takes some 20 ms. What has
/// begun is in doubt when the notifier dies, and nothing more urgent can go before it.
const AHEAD: Duration = Duration::from_millis(100);
/// The most mails begun for a line beyond the one on it, however quick the relay is; and as long as it is not known.
const AHEAD_MOST: u32 = 63;
const AHEAD_FIRST: u32 = 1;

/// The most mails of one lane that wait for one domain. More would keep those to other domains out.
const A_DOMAIN: usize = 256;
/// For how long one beyond them is put off.
const PUT_OFF: Duration = Duration::from_secs(15);

/// Domains whose state is kept without need. Beyond, those at rest are forgotten.
const DOMAINS_KEPT: usize = 1024;
/// How often it is told what waits for a limit.
const TELL: Duration = Duration::from_mins(1);

/// The gate before all relays.
pub(crate) struct Gate(Mutex<Inner>, Weak<Self>);

struct Inner {
    relays: Vec<AtRelay>,
    limits: BTreeMap<String, DomainLimit>,
    domains: HashMap<Arc<str>, AtDomain>,
    closed: bool,
    /// When it is looked again of itself.
    alarm: Option<Instant>,
    told: Option<Instant>,
}

/// What waits for a relay.
struct AtRelay {
    name: String,
    lanes: [VecDeque<Waiter>; 4],
    turns: Turns,
    begun: usize,
    connections: usize,
    /// How long a mail takes there, lately.
    takes: Option<Duration>,
    limit: Option<Limit>,
}

#[derive(Default)]
struct AtDomain {
    waiting: [usize; 4],
    begun: usize,
    connections: Option<usize>,
    limit: Option<Limit>,
}

struct Waiter {
    domain: Arc<str>,
    since: Instant,
    grant: oneshot::Sender<Place>,
}

/// What waits for a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// Of what it is: `relay` or `domain`.
    pub(crate) of: &'static str,
    /// Of which.
    pub(crate) name: String,
    pub(crate) waiting: u32,
    /// For how long the first of them has waited.
    pub(crate) oldest: Duration,
}

impl Held {
    fn by<'w>(of: &'static str, name: &str, waiting: impl Iterator<Item = &'w Waiter>, now: Instant) -> Self {
        let mut held = Self { of, name: name.to_owned(), waiting: 0, oldest: Duration::ZERO };
        for waiter in waiting {
            held.waiting += 1;
            held.oldest = held.oldest.max(now.saturating_duration_since(waiter.since));
        }
        held
    }
}

/// Leave to begin one mail. Dropped, the next one may.
pub(crate) struct Place {
    gate: Arc<Gate>,
    relay: usize,
    domain: Arc<str>,
}

/// Why a mail may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// The notifier is stopping.
    Closed,
    /// As many as may wait for that domain do: it is to be put off for this long.
    Crowded(Duration),
}

impl Gate {
    pub(crate) fn new(relays: &[RelaySettings], domains: &BTreeMap<String, DomainLimit>) -> Arc<Self> {
        let at_relay = |relay: &RelaySettings| AtRelay {
            name: relay.name.clone(),
            lanes: Default::default(),
            turns: Turns::default(),
            begun: 0,
            connections: relay.connections,
            takes: None,
            limit: relay.mails_a_minute.map(Limit::a_minute),
        };
        let inner = Inner {
            relays: relays.iter().map(at_relay).collect(),
            limits: domains.clone(),
            domains: HashMap::new(),
            closed: false,
            alarm: None,
            told: None,
        };
        Arc::new_cyclic(|gate| Self(Mutex::new(inner), gate.clone()))
    }

    /// Whether a relay has used up its mails for now, so that another is better asked.
    pub(crate) fn is_used_up(&self, relay: usize) -> bool {
        let inner = self.lock();
        let limit = inner.relays.get(relay).and_then(|relay| relay.limit.as_ref());
        limit.is_some_and(|limit| limit.until(Instant::now()).is_some())
    }

    /// Waits until a mail may begin at a relay. Cancelled, it waits no more.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) async fn enter(&self, relay: usize, lane: Lane, domain: &str) -> Result<Place, Shut> {
        let (grant, granted) = oneshot::channel();
        {
            let mut inner = self.lock();
            if inner.closed {
                return Err(Shut::Closed);
            }
            let domain = inner.domain(domain);
            let at_domain = inner.domains.entry(Arc::clone(&domain)).or_default();
            let is_limited = at_domain.limit.is_some() || at_domain.connections.is_some();
            let waiting = &mut at_domain.waiting[lane.place()];
            if is_limited && *waiting >= A_DOMAIN {
                return Err(Shut::Crowded(PUT_OFF));
            }
            *waiting += 1;
            let Some(at_relay) = inner.relays.get_mut(relay) else { return Err(Shut::Closed) };
            at_relay.lanes[lane.place()].push_back(Waiter { domain, since: Instant::now(), grant });
        }
        self.serve();
        granted.await.map_err(|_| Shut::Closed)
    }

    /// What waits for each limit that the configuration sets: of each relay, and of each domain by the name under which its
    /// limit stands there.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.lock().held(Instant::now())
    }

    /// Takes in how long a relay had a mail in hand.
    pub(crate) fn took(&self, relay: usize, time: Duration) {
        if let Some(relay) = self.lock().relays.get_mut(relay) {
            relay.takes = Some(relay.takes.map_or(time, |takes| (takes * 3 + time) / 4));
        }
    }

    /// Lets no further mail begin: those that wait are told so.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.relays.iter_mut().flat_map(|relay| &mut relay.lanes).for_each(VecDeque::clear);
    }

    /// Lets begin whatever may.
    fn serve(&self) {
        let Some(gate) = self.1.upgrade() else { return };
        let now = Instant::now();
        let (granted, alarm) = {
            let mut inner = self.lock();
            let granted = inner.grant(now, &gate);
            (granted, inner.set_alarm(now))
        };
        // Whoever waited may be gone: the place comes back by itself, and the lock must be free for that.
        for (waiter, place) in granted {
            let _ = waiter.send(place);
        }
        if let Some(at) = alarm {
            let gate = self.1.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(at.into()).await;
                let Some(gate) = gate.upgrade() else { return };
                gate.lock().alarm.take_if(|alarm| *alarm <= at);
                gate.serve();
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The domain's name as it is kept, once for all that wait for it.
    fn domain(&mut self, name: &str) -> Arc<str> {
        let name = name.to_ascii_lowercase();
        if let Some((known, _)) = self.domains.get_key_value(name.as_str()) {
            return Arc::clone(known);
        }
        if self.domains.len() >= DOMAINS_KEPT {
            let now = Instant::now();
            self.domains.retain(|_, domain| domain.is_in_use(now));
        }
        let limit = self.limits.get(&name).or_else(|| self.limits.get(ANY_DOMAIN));
        let domain = AtDomain {
            connections: limit.and_then(|limit| limit.connections),
            limit: limit.and_then(|limit| limit.mails_a_minute).map(Limit::a_minute),
            ..AtDomain::default()
        };
        let name: Arc<str> = name.into();
        self.domains.insert(Arc::clone(&name), domain);
        name
    }

    fn grant(&mut self, now: Instant, gate: &Arc<Gate>) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut granted = Vec::new();
        for (number, relay) in self.relays.iter_mut().enumerate() {
            while let Some(Waiter { domain, grant, .. }) = relay.next(&mut self.domains, now) {
                let place = Place { gate: Arc::clone(gate), relay: number, domain };
                granted.push((grant, place));
            }
        }
        granted
    }

    fn held(&self, now: Instant) -> Vec<Held> {
        let mut all = Vec::new();
        for relay in &self.relays {
            let Some(limit) = &relay.limit else { continue };
            let waiters = relay.lanes.iter().flatten().filter(|_| limit.until(now).is_some());
            all.push(Held::by("relay", &relay.name, waiters, now));
        }
        for name in self.limits.keys() {
            let waiters =
                self.relays.iter().flat_map(|relay| relay.lanes.iter().flatten()).filter(|waiter| {
                    let own = self.limits.contains_key(&*waiter.domain);
                    let under = if own { &*waiter.domain } else { ANY_DOMAIN };
                    under == name
                        && self.domains.get(&waiter.domain).is_some_and(|domain| !domain.may_go(now))
                });
            all.push(Held::by("domain", name, waiters, now));
        }
        all
    }

    /// When it is to be looked again, where nobody will be asked to before.
    fn set_alarm(&mut self, now: Instant) -> Option<Instant> {
        let mut at: Option<Instant> = None;
        for relay in &self.relays {
            if relay.lanes.iter().all(VecDeque::is_empty) || relay.begun >= relay.most() {
                continue;
            }
            let free = relay.limit.as_ref().and_then(|limit| limit.until(now));
            let domains = relay.lanes.iter().flatten().filter_map(|waiter| self.domains.get(&waiter.domain));
            // A domain with no limit of its own waits for the relay's.
            let domain = domains.filter_map(|domain| domain.limit.as_ref()?.until(now)).min();
            let relay_at = free.or(domain);
            at = match (at, relay_at) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let at = at?;
        self.tell(now);
        if self.alarm.is_some_and(|alarm| alarm <= at) {
            return None;
        }
        self.alarm = Some(at);
        Some(at)
    }

    /// Tells now and then what waits for a limit.
    fn tell(&mut self, now: Instant) {
        if self.told.is_some_and(|told| now < told + TELL) {
            return;
        }
        self.told = Some(now);
        for relay in &self.relays {
            let waiting: usize = relay.lanes.iter().map(VecDeque::len).sum();
            if waiting > 0 && relay.limit.as_ref().is_some_and(|limit| limit.until(now).is_some()) {
                tracing::warn!(
                    relay = relay.name,
                    waiting,
                    "mails wait as a relay's mails_a_minute are used up"
                );
            }
        }
        for (name, domain) in &self.domains {
            let waiting: usize = domain.waiting.iter().sum();
            if waiting > 0 && !domain.may_go(now) {
                tracing::warn!(domain = &**name, waiting, "mails wait for the limits of their domain");
            }
        }
    }
}

impl AtRelay {
    /// The most mails begun and not ended.
    fn most(&self) -> usize {
        let ahead = match self.takes {
            None => AHEAD_FIRST,
            Some(takes) => u32::try_from(AHEAD.as_micros() / takes.as_micros().max(1))
                .unwrap_or(AHEAD_MOST)
                .min(AHEAD_MOST),
        };
        self.connections * (1 + ahead as usize)
    }

    /// Takes the next one that may go from those that wait.
    fn next(&mut self, domains: &mut HashMap<Arc<str>, AtDomain>, now: Instant) -> Option<Waiter> {
        if self.begun >= self.most() || self.limit.as_ref().is_some_and(|limit| limit.until(now).is_some()) {
            return None;
        }
        let may_go = |waiter: &Waiter| domains.get(&waiter.domain).is_none_or(|domain| domain.may_go(now));
        let first = Lane::ALL.map(|lane| self.lanes[lane.place()].iter().position(may_go));
        let lane = self.turns.next(first.map(|found| found.is_some()))?.place();
        let waiter = self.lanes[lane].remove(first[lane]?)?;
        self.begun += 1;
        if let Some(limit) = &mut self.limit {
            limit.take(now);
        }
        if let Some(domain) = domains.get_mut(&waiter.domain) {
            domain.waiting[lane] -= 1;
            domain.begun += 1;
            if let Some(limit) = &mut domain.limit {
                limit.take(now);
            }
        }
        Some(waiter)
    }
}

impl AtDomain {
    fn may_go(&self, now: Instant) -> bool {
        self.connections.is_none_or(|most| self.begun < most)
            && self.limit.as_ref().is_none_or(|limit| limit.until(now).is_none())
    }

    fn is_in_use(&self, now: Instant) -> bool {
        self.begun > 0
            || self.waiting.iter().any(|waiting| *waiting > 0)
            || self.limit.as_ref().is_some_and(|limit| !limit.is_rested(now))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let mut inner = self.gate.lock();
            if let Some(relay) = inner.relays.get_mut(self.relay) {
                relay.begun -= 1;
            }
            if let Some(domain) = inner.domains.get_mut(&self.domain) {
                domain.begun -= 1;
            }
        }
        self.gate.serve();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::config::Tls;

    fn gate(connections: usize, mails_a_minute: Option<u32>, domains: &[(&str, DomainLimit)]) -> Arc<Gate> {
        let relay = RelaySettings {
            name: "a".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 25,
            tls: Tls::None,
            account: None,
            roots: Vec::new(),
            timeout: Duration::from_secs(1),
            connections,
            mails_a_minute,
        };
        let domains = domains.iter().map(|(name, limit)| ((*name).to_owned(), *limit)).collect();
        let gate = Gate::new(&[relay], &domains);
        // A relay that takes its time: nothing more is begun than there are lines.
        gate.took(0, Duration::from_secs(5));
        gate
    }

    fn at_once(connections: usize) -> DomainLimit {
        DomainLimit { mails_a_minute: None, connections: Some(connections) }
    }

    #[tokio::test]
    async fn an_actual_mail_goes_before_all_exercises_that_wait() {
        let gate = gate(1, None, &[]);
        let first = gate.enter(0, Lane::Rehearsed, "a.example").await.unwrap();
        let mut exercise = Box::pin(gate.enter(0, Lane::Rehearsed, "a.example"));
        assert!((&mut exercise).now_or_never().is_none());
        let mut actual = Box::pin(gate.enter(0, Lane::Actual, "b.example"));
        assert!((&mut actual).now_or_never().is_none());
        drop(first);
        assert!((&mut exercise).now_or_never().is_none());
        let actual = actual.now_or_never().unwrap().unwrap();
        drop(actual);
        assert!(exercise.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_domain_at_its_limit_keeps_no_other_waiting() {
        let gate = gate(4, None, &[("slow.example", at_once(1)), (ANY_DOMAIN, at_once(2))]);
        let slow = gate.enter(0, Lane::Actual, "Slow.example").await.unwrap();
        let mut waits = Box::pin(gate.enter(0, Lane::Actual, "slow.example"));
        assert!((&mut waits).now_or_never().is_none());
        let _others = [
            gate.enter(0, Lane::Rehearsed, "a.example").await.unwrap(),
            gate.enter(0, Lane::Rehearsed, "a.example").await.unwrap(),
        ];
        let mut third = Box::pin(gate.enter(0, Lane::Rehearsed, "a.example"));
        assert!((&mut third).now_or_never().is_none(), "each other has two");
        let held: Vec<_> = gate.held().into_iter().map(|held| (held.of, held.name, held.waiting)).collect();
        assert_eq!(held, [("domain", "*".to_owned(), 1), ("domain", "slow.example".to_owned(), 1)]);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(gate.held().iter().all(|held| held.oldest >= Duration::from_millis(5)));
        drop(slow);
        assert!(waits.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_a_domain_cannot_take_is_put_off_once_too_much_of_it_waits() {
        let gate = gate(1, None, &[("slow.example", at_once(1))]);
        let _slow = gate.enter(0, Lane::Actual, "slow.example").await.unwrap();
        let mut waiting: Vec<_> =
            (0..A_DOMAIN).map(|_| Box::pin(gate.enter(0, Lane::Actual, "slow.example"))).collect();
        assert!(waiting.iter_mut().all(|waits| waits.now_or_never().is_none()));
        let put_off = gate.enter(0, Lane::Actual, "slow.example").await.err();
        assert_eq!(put_off, Some(Shut::Crowded(PUT_OFF)));
        assert!(gate.enter(0, Lane::ActualLater, "slow.example").now_or_never().is_none(), "another lane");
    }

    #[tokio::test]
    async fn a_mail_that_waits_for_a_limit_goes_when_its_time_has_come() {
        let gate = gate(4, Some(240), &[]);
        let start = Instant::now();
        for _ in 0..60 {
            assert!(!gate.is_used_up(0));
            drop(gate.enter(0, Lane::Actual, "a.example").await.unwrap());
        }
        assert!(gate.is_used_up(0));
        assert_eq!(gate.held()[0].waiting, 0);
        let (next, last) =
            tokio::join!(gate.enter(0, Lane::Actual, "a.example"), gate.enter(0, Lane::Actual, "b.example"));
        drop((next.unwrap(), last.unwrap()));
        assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn who_waits_no_more_takes_nobodys_place_and_who_waits_at_the_end_is_told() {
        let gate = gate(1, None, &[("a.example", at_once(1))]);
        let first = gate.enter(0, Lane::Actual, "a.example").await.unwrap();
        let gone = Box::pin(gate.enter(0, Lane::Actual, "a.example"));
        assert!(gone.now_or_never().is_none());
        let mut waits = Box::pin(gate.enter(0, Lane::Actual, "a.example"));
        assert!((&mut waits).now_or_never().is_none());
        drop(first);
        let place = waits.now_or_never().unwrap().unwrap();
        let mut waits = Box::pin(gate.enter(0, Lane::Actual, "a.example"));
        assert!((&mut waits).now_or_never().is_none());
        gate.close();
        assert_eq!(waits.now_or_never().unwrap().err(), Some(Shut::Closed));
        assert_eq!(gate.enter(0, Lane::Actual, "a.example").await.err(), Some(Shut::Closed));
        drop(place);
    }

    #[tokio::test]
    async fn the_quicker_a_relay_the_more_is_at_hand_for_its_lines() {
        let gate = gate(2, None, &[]);
        let most = || gate.lock().relays[0].most();
        assert_eq!(most(), 2);
        for _ in 0..40 {
            gate.took(0, Duration::from_millis(10));
        }
        assert_eq!(most(), 2 * 10);
        for _ in 0..40 {
            gate.took(0, Duration::ZERO);
        }
        assert_eq!(most(), 2 * 64);
    }
}
