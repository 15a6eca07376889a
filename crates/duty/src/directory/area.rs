//! The tree of areas, numbered so that "part of" is a comparison of two ranges.

use std::collections::BTreeMap;

use tocsin_protocol::{Area, AreaId};

/// The areas of a directory. Each has the range of numbers of itself and all within it; of two areas the ranges are
/// apart, or one holds the other.
#[derive(Debug, Clone)]
pub(super) struct AreaTree {
    places: BTreeMap<AreaId, usize>,
    ranges: Vec<Range>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    first: usize,
    last: usize,
}

impl Range {
    fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// Where an incident is: the largest of its areas, in order and apart from each other.
pub(super) struct Extent(Vec<Range>);

impl AreaTree {
    /// Numbers areas whose identifiers are unique, whose parents exist, and none of which is within itself. An area in
    /// a circle, if there is one, stands by itself.
    pub(super) fn new(areas: &[Area]) -> Self {
        let places: BTreeMap<_, _> =
            areas.iter().enumerate().map(|(place, area)| (area.id.clone(), place)).collect();
        let mut within: Vec<Vec<usize>> = vec![Vec::new(); areas.len()];
        let mut roots = Vec::new();
        for (place, area) in areas.iter().enumerate() {
            match area.within.as_ref().and_then(|parent| places.get(parent)) {
                Some(&parent) => within[parent].push(place),
                None => roots.push(place),
            }
        }
        // Walked with a stack of our own: a tree may be as deep as the file is long.
        let mut ranges = vec![Range { first: usize::MAX, last: 0 }; areas.len()];
        let mut next = 0;
        let mut walk: Vec<_> = roots.into_iter().rev().map(Step::Enter).collect();
        while let Some(step) = walk.pop() {
            match step {
                Step::Enter(place) => {
                    ranges[place].first = next;
                    next += 1;
                    walk.push(Step::Leave(place));
                    walk.extend(within[place].iter().rev().copied().map(Step::Enter));
                }
                Step::Leave(place) => ranges[place].last = next - 1,
            }
        }
        for range in ranges.iter_mut().filter(|range| range.first > range.last) {
            *range = Range { first: next, last: next };
            next += 1;
        }
        Self { places, ranges }
    }

    /// Where an area stands in the directory.
    pub(super) fn place(&self, id: &AreaId) -> Option<usize> {
        self.places.get(id).copied()
    }

    fn range(&self, id: &AreaId) -> Option<Range> {
        self.place(id).map(|place| self.ranges[place])
    }

    /// Whether an area is another or part of it.
    pub(super) fn contains(&self, outer: &AreaId, inner: &AreaId) -> bool {
        matches!((self.range(outer), self.range(inner)), (Some(outer), Some(inner)) if outer.holds(inner))
    }

    /// Where an incident in these areas is.
    pub(super) fn extent(&self, areas: &[AreaId]) -> Extent {
        let mut ranges: Vec<_> = areas.iter().filter_map(|area| self.range(area)).collect();
        // By first number, and the larger first: what an earlier range holds follows it and adds nothing.
        ranges.sort_unstable_by_key(|range| (range.first, std::cmp::Reverse(range.last)));
        ranges.dedup_by(|inner, outer| outer.holds(*inner));
        Extent(ranges)
    }
}

enum Step {
    Enter(usize),
    Leave(usize),
}

impl Extent {
    /// Whether the incident is in, around, or part of an area.
    pub(super) fn touches(&self, tree: &AreaTree, area: &AreaId) -> bool {
        let Some(served) = tree.range(area) else {
            return false;
        };
        // Ranges are apart or one holds the other, so two touch when they have a number in common.
        let after = self.0.partition_point(|range| range.first <= served.last);
        after.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|range| served.first <= range.last)
    }
}
