//! A national figure split by population. Illustrative: nobody has published where the calls of 2023 were lost.

use std::collections::BTreeMap;

/// Splits a total in proportion to the weights, in whole calls, by largest remainder: the parts add up to the total.
/// What weighs nothing gets nothing; of equal remainders the first key wins. Without any weight there is no split.
pub(crate) fn split<K: Ord + Clone>(total: u64, weights: &BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    let all: u128 = weights.values().map(|weight| u128::from(*weight)).sum();
    if all == 0 {
        return BTreeMap::new();
    }
    let mut parts = BTreeMap::new();
    let mut remainders = Vec::with_capacity(weights.len());
    for (key, weight) in weights {
        let exact = u128::from(total) * u128::from(*weight);
        // A part of a u64 is a u64.
        parts.insert(key.clone(), u64::try_from(exact / all).unwrap_or(u64::MAX));
        remainders.push((exact % all, key));
    }
    let given: u64 = parts.values().sum();
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let left = usize::try_from(total - given).unwrap_or(usize::MAX);
    for (_, key) in remainders.into_iter().take(left) {
        if let Some(part) = parts.get_mut(key) {
            *part += 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_figure_is_split_by_weight_and_the_largest_remainders_get_what_is_left() {
        let weights = BTreeMap::from([("a", 1), ("b", 1), ("c", 1), ("nobody", 0)]);
        assert_eq!(split(10, &weights), BTreeMap::from([("a", 4), ("b", 3), ("c", 3), ("nobody", 0)]));
        assert_eq!(split(10, &BTreeMap::from([("a", 0)])), BTreeMap::new());
    }

    proptest! {
        #[test]
        fn the_parts_add_up_and_each_is_within_one_of_its_share(
            total in any::<u32>(),
            weights in proptest::collection::btree_map(0u8..50, 0u64..70_000_000, 1..50),
        ) {
            let all: u64 = weights.values().sum();
            let parts = split(u64::from(total), &weights);
            prop_assert_eq!(parts.values().sum::<u64>(), if all == 0 { 0 } else { u64::from(total) });
            for (key, part) in parts {
                let exact = u128::from(total) * u128::from(weights[&key]);
                let (part, all) = (u128::from(part), u128::from(all));
                prop_assert!(part * all < exact + all && exact < (part + 1) * all);
            }
        }
    }
}
