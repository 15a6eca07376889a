//! The wall: one tile for each recipient, by kind and nation, and how many stand how.

use std::collections::BTreeMap;

use askama::Template;

use super::{
    View,
    part::{self, Tile, WindowWords},
};
use crate::{
    model::{Standing, Tally},
    page::{
        fragment::{Count, Fragment},
        words,
    },
};

/// The order in which kinds stand on the wall; others follow.
const ORDER: [&str; 12] = [
    "regulator",
    "government",
    "devolved-government",
    "police",
    "police-territorial",
    "police-special",
    "fire",
    "ambulance",
    "coastguard",
    "operator",
    "communications-provider",
    "coordination-body",
];

/// How many windows are told.
const WINDOWS_TOLD: usize = 4;

#[derive(Template)]
#[template(path = "incident/wall.html")]
struct Wall {
    groups: Vec<WallGroup>,
}

struct WallGroup {
    head: Head,
    tiles: Vec<Tile>,
}

#[derive(Template)]
#[template(path = "incident/head.html")]
struct Head {
    key: String,
    name: String,
    words: String,
}

#[derive(Template)]
#[template(path = "incident/summary.html")]
struct Summary {
    announce: String,
    totals: Vec<Total>,
    windows: Vec<WindowWords>,
    more_windows: usize,
    by_kind: Vec<String>,
    /// Where the call list is, once somebody is silent or its mail has failed.
    calls: Option<String>,
}

struct Total {
    figure: String,
    words: &'static str,
    class: &'static str,
}

/// Those of one kind in one nation.
struct Group<'a> {
    kind: String,
    nation: String,
    tally: Tally,
    changed: u64,
    members: Vec<&'a Standing>,
}

impl Group<'_> {
    fn key(&self) -> String {
        let plain = |text: &str| -> String {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
                .collect()
        };
        format!("g-{}-{}", plain(&self.kind), plain(&self.nation))
    }

    fn head(&self) -> Head {
        let tally = &self.tally;
        let words = if tally.asked > 0 {
            format!("{} of {} acknowledged", tally.acknowledged, tally.asked)
        } else {
            format!("{} of {} hold the notice, none has to acknowledge", tally.delivered, tally.told)
        };
        let kind = words::kinds(&self.kind);
        let name = if self.nation.is_empty() { kind } else { format!("{kind}, {}", self.nation) };
        Head { key: self.key(), name, words }
    }
}

fn groups<'a>(view: &View<'a>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(usize, String, String), Group<'a>> = BTreeMap::new();
    for standing in &view.incident.standings {
        let entry = view.names.recipient(&standing.recipient);
        let kind = entry.map_or("others", |entry| entry.kind.as_str()).to_owned();
        let nation = entry.and_then(|entry| entry.nation.clone()).unwrap_or_default();
        let rank = ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len());
        let group = groups.entry((rank, kind.clone(), nation.clone())).or_insert_with(|| Group {
            kind,
            nation,
            tally: Tally::default(),
            changed: 0,
            members: Vec::new(),
        });
        group.tally.add(&view.incident.glance(standing));
        group.changed = group.changed.max(standing.changed);
        group.members.push(standing);
    }
    groups.into_values().collect()
}

/// What of the wall has changed after `since`: the whole of it when somebody came to be on it.
pub(super) fn fragments(view: &View<'_>, since: u64, into: &mut Vec<Fragment>) {
    let groups = groups(view);
    into.push(summary(view, &groups));
    if view.incident.roster_changed > since {
        into.push(wall(view, groups));
        return;
    }
    for group in groups.iter().filter(|group| group.changed > since) {
        let head = group.head();
        into.push(Fragment::new(head.key.clone(), group.changed, &head));
        for standing in group.members.iter().filter(|standing| standing.changed > since) {
            let tile = part::tile(view, standing);
            into.push(Fragment::new(part::tile_key(standing), standing.changed, &tile));
        }
    }
}

fn wall(view: &View<'_>, groups: Vec<Group<'_>>) -> Fragment {
    let groups = groups
        .into_iter()
        .map(|group| {
            let mut tiles: Vec<_> = group.members.iter().map(|standing| part::tile(view, standing)).collect();
            tiles.sort_by(|a, b| a.name.cmp(&b.name));
            WallGroup { head: group.head(), tiles }
        })
        .collect();
    // It holds all that is known now, whenever its tiles changed.
    Fragment { whole: true, ..Fragment::new("wall", view.revision, &Wall { groups }) }
}

fn summary(view: &View<'_>, groups: &[Group<'_>]) -> Fragment {
    let tally = &view.incident.tally;
    let of = |part: u32, whole: u32| format!("{part} of {whole}");
    let class = |bad: bool, class: &'static str| if bad { class } else { "" };
    let mut totals = Vec::new();
    let mut total = |figure: String, words, class| totals.push(Total { figure, words, class });
    if tally.asked > 0 {
        let done = tally.missing() == 0;
        total(of(tally.acknowledged, tally.asked), "acknowledged", if done { "good" } else { "warn" });
        total(of(tally.silent, tally.asked), "silent after the window", class(tally.silent > 0, "bad"));
        total(of(tally.late, tally.asked), "acknowledged late", class(tally.late > 0, "warn"));
    }
    total(of(tally.delivered, tally.told), "hold the notice", "");
    if tally.escalated > 0 {
        total(of(tally.mail_accepted, tally.escalated), "escalated, mail accepted", "");
        total(
            of(tally.mail_failed, tally.escalated),
            "escalated, mail failed",
            class(tally.mail_failed > 0, "bad"),
        );
    }
    if tally.lifted > 0 {
        total(of(tally.lifted, tally.told), "no longer need to", "");
    }
    let open = view.incident.open_windows();
    let windows = open
        .iter()
        .take(WINDOWS_TOLD)
        .map(|(event, step)| WindowWords {
            words: format!("Window {} of event {event} ({}) closes at", step.step, step.policy),
            at: step.due_at.to_string(),
            clock: view.zone.second(step.due_at, view.now),
            count: Count::closing(step.due_at, view.now),
        })
        .collect();
    let mut kinds: Vec<(&str, Tally)> = Vec::new();
    for group in groups.iter().filter(|group| group.tally.asked > 0) {
        match kinds.iter_mut().find(|(kind, _)| *kind == group.kind) {
            Some((_, tally)) => {
                tally.asked += group.tally.asked;
                tally.acknowledged += group.tally.acknowledged;
            }
            None => kinds.push((&group.kind, group.tally)),
        }
    }
    let by_kind = kinds
        .iter()
        .map(|(kind, tally)| {
            format!("{} of {} {}", tally.acknowledged, tally.asked, words::kinds_within(kind))
        })
        .collect();
    let piece = Summary {
        announce: format!("{} of {} acknowledged, {} silent", tally.acknowledged, tally.asked, tally.silent),
        totals,
        windows,
        more_windows: open.len().saturating_sub(WINDOWS_TOLD),
        by_kind,
        calls: (tally.silent > 0 || tally.mail_failed > 0)
            .then(|| format!("/audit/{}/calls.html", view.incident.id)),
    };
    Fragment::new("summary", view.incident.changed, &piece)
}
