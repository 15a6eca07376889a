//! Which rule of a policy holds for which recipient.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_protocol::{OwedRule, PolicyDocument, Recipient, RecipientId, Requirement, Where};

/// Where a recipient stands to an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// It serves an area that the event touches.
    pub(super) affected: bool,
    /// It is the neighbour of somebody who does, or somebody who does is its neighbour.
    pub(super) neighbour: bool,
    /// It serves an area of whose lost callers more were handed to the police.
    pub(super) handed_over: bool,
}

impl Standing {
    fn fits(self, place: Where) -> bool {
        match place {
            Where::Anywhere => true,
            Where::Affected => self.affected,
            Where::Neighbour => self.neighbour,
            Where::HandedOver => self.handed_over,
        }
    }
}

/// The first rule for each `where`. A later one for the same is never reached.
#[derive(Debug, Clone, Copy, Default)]
struct First {
    anywhere: Option<usize>,
    affected: Option<usize>,
    neighbour: Option<usize>,
    handed_over: Option<usize>,
}

impl First {
    fn note(&mut self, place: Where, rule: usize) {
        let first = match place {
            Where::Anywhere => &mut self.anywhere,
            Where::Affected => &mut self.affected,
            Where::Neighbour => &mut self.neighbour,
            Where::HandedOver => &mut self.handed_over,
        };
        first.get_or_insert(rule);
    }

    fn rules(self) -> impl Iterator<Item = usize> {
        [self.anywhere, self.affected, self.neighbour, self.handed_over].into_iter().flatten()
    }
}

/// A policy's rules by whom they are about, so that a recipient is held against twelve of them at most.
pub(super) struct Rules<'a> {
    owed: &'a [OwedRule],
    about_all: First,
    by_kind: BTreeMap<&'a str, First>,
    by_recipient: BTreeMap<&'a RecipientId, First>,
}

impl<'a> Rules<'a> {
    /// Sorts a policy's rules; `kind_of` tells a listed recipient's kind.
    pub(super) fn new<'k>(
        policy: &'a PolicyDocument,
        kind_of: impl Fn(&RecipientId) -> Option<&'k str>,
    ) -> Self {
        let mut rules = Self {
            owed: &policy.owed,
            about_all: First::default(),
            by_kind: BTreeMap::new(),
            by_recipient: BTreeMap::new(),
        };
        for (number, rule) in policy.owed.iter().enumerate() {
            if !rule.recipients.is_empty() {
                let kinds: BTreeSet<_> = rule.kinds.iter().map(String::as_str).collect();
                for id in &rule.recipients {
                    if kinds.is_empty() || kind_of(id).is_some_and(|kind| kinds.contains(kind)) {
                        rules.by_recipient.entry(id).or_default().note(rule.place, number);
                    }
                }
            } else if rule.kinds.is_empty() {
                rules.about_all.note(rule.place, number);
            } else {
                for kind in &rule.kinds {
                    rules.by_kind.entry(kind).or_default().note(rule.place, number);
                }
            }
        }
        rules
    }

    /// The rules that can be about a recipient, first to last.
    fn about(&self, entry: &Recipient) -> impl Iterator<Item = &'a OwedRule> {
        let by_kind = self.by_kind.get(entry.kind.as_str()).copied().unwrap_or_default();
        let by_recipient = self.by_recipient.get(&entry.id).copied().unwrap_or_default();
        let mut about: Vec<_> =
            self.about_all.rules().chain(by_kind.rules()).chain(by_recipient.rules()).collect();
        about.sort_unstable();
        about.into_iter().map(|number| &self.owed[number])
    }

    /// What the first rule that fits lays on a recipient.
    pub(super) fn requirement(&self, entry: &Recipient, standing: Standing) -> Option<Requirement> {
        self.about(entry).find(|rule| standing.fits(rule.place)).map(|rule| rule.requirement)
    }

    /// Whether any rule can ever be about a recipient.
    pub(super) fn may_hold(&self, entry: &Recipient) -> bool {
        self.about(entry).next().is_some()
    }

    /// Whether a recipient can ever be required to acknowledge. A rule for anywhere ends the search: none after it is
    /// reached.
    pub(super) fn may_require(&self, entry: &Recipient) -> bool {
        let last = self.about(entry).position(|rule| rule.place == Where::Anywhere).unwrap_or(usize::MAX);
        self.about(entry).take(last.saturating_add(1)).any(|rule| rule.requirement == Requirement::Required)
    }
}
