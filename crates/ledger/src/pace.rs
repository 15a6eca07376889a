//! When a desk looks at its durable, and how.
//!
//! What a durable gives out and is told costs the broker four disk syncs: ten thousand desks that settled within seconds
//! of one dispatch would hold up the next. So what came by its wake is settled at leisure, and until then a look asks
//! only whether a wake was lost, which costs the broker no write.

use std::time::Duration;

use tokio::time::Instant;

/// Where many desks share a connection, each looks less often.
const LOOK_EACH: Duration = Duration::from_millis(5);
/// A look waits until nothing has come for this long, though not for longer than it would have been from one to the
/// next.
const CALM: Duration = Duration::from_secs(2);
/// After a new connection a desk looks within this time. Spread, so that not all desks look at once.
const AFTER_RECONNECT: Duration = Duration::from_millis(200);
/// So many that came by their wakes alone are settled at the next look.
const MANY: usize = 100;

/// How often a desk looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// At least this often, even when nothing wakes it, in case a wake was lost; mostly sooner.
    pub(crate) look: Duration,
    /// What came by its wake alone is settled at the first look after a time between these. Spread, so that not all desks
    /// settle at once.
    pub(crate) settle: (Duration, Duration),
    /// How long it is waited to be told the newest notice. Without an answer it is asked again at the next look.
    pub(crate) glance: Duration,
}

impl Times {
    /// Those of every desk.
    pub(crate) const USUAL: Self = Self {
        look: Duration::from_secs(10),
        settle: (Duration::from_secs(20), Duration::from_mins(1)),
        glance: Duration::from_secs(1),
    };
}

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Whether a notice stands there that has not come.
    Glance,
    /// What the durable holds is taken in, and what has come is settled there.
    Pull,
}

/// The pace of one desk.
#[derive(Debug)]
pub(crate) struct Pace {
    times: Times,
    /// From 0 to 999; differs between desks.
    spread: u32,
    look_at: Instant,
    /// No wake puts the look off beyond this.
    look_by: Instant,
    /// When what has come by its wake alone is to be settled; none when nothing has.
    settle_at: Option<Instant>,
    /// Something may have been missed: no glance will do.
    doubt: bool,
}

impl Pace {
    /// Of a desk that begins now, and looks at once.
    pub(crate) fn new(times: Times, spread: u32, now: Instant) -> Self {
        Self { times, spread, look_at: now, look_by: now, settle_at: None, doubt: true }
    }

    /// When it looks next.
    pub(crate) fn next(&self) -> Instant {
        self.look_at
    }

    /// How it looks now, if it does, where so many notices have come by their wakes alone.
    pub(crate) fn due(&self, now: Instant, by_wake: usize) -> Option<Look> {
        if now < self.look_at {
            return None;
        }
        let settle = by_wake >= MANY || self.settle_at.is_none_or(|at| at <= now);
        Some(if self.doubt || settle { Look::Pull } else { Look::Glance })
    }

    /// How long it waits to be told the newest notice.
    pub(crate) fn glance(&self) -> Duration {
        self.times.glance
    }

    /// Whether something may have been missed since it last pulled.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt
    }

    /// A wake came.
    pub(crate) fn woken(&mut self, now: Instant) {
        self.look_at = self.look_at.max(now + CALM).min(self.look_by);
        let (least, most) = self.times.settle;
        let settle_at = now + self.within(least, most);
        self.settle_at.get_or_insert(settle_at);
    }

    /// The connection was made anew, or what was asked was forgotten: wakes may have been missed, and none that comes now
    /// puts the look off.
    pub(crate) fn missed(&mut self, now: Instant) {
        self.look_at = now + self.after_reconnect();
        self.look_by = self.look_at;
        self.doubt = true;
    }

    /// A glance found a notice that has not come: its wake was lost.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.look_at = now;
        self.look_by = now;
        self.doubt = true;
    }

    /// It has looked so. `desks` is how many share its connection.
    pub(crate) fn looked(&mut self, look: Look, now: Instant, desks: usize) {
        let look_each = LOOK_EACH.saturating_mul(u32::try_from(desks).unwrap_or(u32::MAX));
        let most = self.times.look.max(look_each);
        let pause = self.within(most / 2, most);
        self.look_at = now + pause;
        self.look_by = self.look_at + pause;
        if look == Look::Pull {
            self.settle_at = None;
            self.doubt = false;
        }
    }

    /// Within which time of a new connection this desk does what all do then.
    pub(crate) fn after_reconnect(&self) -> Duration {
        self.within(Duration::ZERO, AFTER_RECONNECT)
    }

    fn within(&self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least) * self.spread / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A desk in the middle of the spread that has begun, and looked, at this time.
    fn begun(start: Instant) -> Pace {
        let mut pace = Pace::new(Times::USUAL, 500, start);
        assert_eq!(pace.due(start, 0), Some(Look::Pull), "what waited is taken in first");
        pace.looked(Look::Pull, start, 1);
        pace
    }

    #[test]
    fn a_desk_that_has_nothing_to_settle_pulls_at_each_look() {
        let start = Instant::now();
        let mut pace = begun(start);
        for look in 1..=3_u32 {
            let at = start + Duration::from_millis(7500) * look;
            assert_eq!(pace.due(at - Duration::from_millis(1), 0), None);
            assert_eq!(pace.due(at, 0), Some(Look::Pull));
            pace.looked(Look::Pull, at, 1);
        }
    }

    #[test]
    fn what_came_by_its_wake_is_settled_within_a_minute_and_a_look_and_only_glanced_at_before() {
        let start = Instant::now();
        for spread in [0, 250, 500, 999] {
            let mut pace = Pace::new(Times::USUAL, spread, start);
            pace.looked(Look::Pull, start, 1);
            pace.woken(start);
            let (mut at, mut glances) = (start, 0);
            while at < start + seconds(90) && pace.settle_at.is_some() {
                at = pace.next();
                let look = pace.due(at, 1).expect("it is time");
                glances += u32::from(look == Look::Glance);
                pace.looked(look, at, 1);
            }
            assert_eq!(pace.settle_at, None, "{spread}");
            let took = at - start;
            assert!(took >= seconds(20) && took <= seconds(70), "{spread}: {took:?}");
            assert!(glances >= 3, "{spread}: a lost wake is found meanwhile, by {glances} looks");
        }
    }

    #[test]
    fn many_that_came_by_their_wakes_are_settled_at_the_next_look() {
        let start = Instant::now();
        let mut pace = begun(start);
        pace.woken(start);
        let next = pace.next();
        assert_eq!(pace.due(next, MANY - 1), Some(Look::Glance));
        assert_eq!(pace.due(next, MANY), Some(Look::Pull));
    }

    #[test]
    fn wakes_put_a_look_off_and_not_for_ever() {
        let start = Instant::now();
        let mut pace = begun(start);
        for second in 1..60 {
            let now = start + seconds(second);
            pace.woken(now);
            let next = pace.next();
            assert!(next >= (now + CALM).min(start + seconds(15)), "{second}");
            assert!(next <= start + seconds(15), "{second}");
        }
    }

    #[test]
    fn whatever_makes_a_lost_wake_likely_makes_the_desk_pull_at_once() {
        let start = Instant::now();
        let later = start + seconds(3);
        for (broken, after) in [(true, Duration::from_millis(100)), (false, Duration::ZERO)] {
            let mut pace = begun(start);
            pace.woken(start);
            if broken {
                pace.missed(later);
            } else {
                pace.lost(later);
            }
            pace.woken(later);
            assert_eq!(pace.next(), later + after, "no wake puts it off");
            assert_eq!(pace.due(later + after, 1), Some(Look::Pull));
            pace.looked(Look::Pull, later + after, 1);
            assert_eq!(pace.due(pace.next(), 0), Some(Look::Pull));
            pace.woken(later + seconds(1));
            assert_eq!(pace.due(pace.next(), 1), Some(Look::Glance), "the doubt is over");
        }
    }

    #[test]
    fn desks_that_share_a_connection_look_less_often() {
        let start = Instant::now();
        let mut pace = begun(start);
        pace.looked(Look::Pull, start, 10_000);
        assert_eq!(pace.next(), start + Duration::from_millis(37_500));
    }

    #[test]
    fn ten_thousand_desks_settle_one_dispatch_at_no_more_than_some_hundreds_a_second() {
        let start = Instant::now();
        let mut a_second = [0_u32; 90];
        for desk in 0..10_000 {
            let mut pace = Pace::new(Times::USUAL, desk % 1000, start);
            pace.looked(Look::Pull, start, 1);
            // The dispatch meets each desk at a place of its own between two looks.
            let woken = start + Duration::from_millis(u64::from(desk) * 7919 % 5000);
            pace.woken(woken);
            loop {
                let at = pace.next();
                let look = pace.due(at, 1).expect("it is time");
                pace.looked(look, at, 1);
                if look == Look::Pull {
                    a_second[usize::try_from((at - start).as_secs()).unwrap()] += 1;
                    break;
                }
            }
        }
        let most = a_second.iter().max().copied().unwrap_or_default();
        assert!(most <= 500, "{most} in one second: {a_second:?}");
    }
}
