//! Circles among imports: the strongly connected components of more than one file.

use std::collections::{BTreeMap, BTreeSet};

/// The circles, the largest first; each in order.
pub(super) fn of<N: Ord + Copy>(edges: &BTreeSet<(N, N)>) -> Vec<Vec<N>> {
    let mut following: BTreeMap<N, Vec<N>> = BTreeMap::new();
    for (from, to) in edges {
        following.entry(*from).or_default().push(*to);
        following.entry(*to).or_default();
    }
    let mut search = Search {
        following: &following,
        seen: BTreeMap::new(),
        open: Vec::new(),
        is_open: BTreeSet::new(),
        found: Vec::new(),
    };
    for node in following.keys() {
        if !search.seen.contains_key(node) {
            search.visit(*node);
        }
    }
    let mut circles = search.found;
    circles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    circles
}

/// Tarjan's search.
struct Search<'a, N> {
    following: &'a BTreeMap<N, Vec<N>>,
    /// The number of each node that was reached, in that order.
    seen: BTreeMap<N, usize>,
    open: Vec<N>,
    is_open: BTreeSet<N>,
    found: Vec<Vec<N>>,
}

impl<N: Ord + Copy> Search<'_, N> {
    /// Gives the lowest number that can be reached.
    fn visit(&mut self, node: N) -> usize {
        let number = self.seen.len();
        let mut lowest = number;
        self.seen.insert(node, number);
        self.open.push(node);
        self.is_open.insert(node);
        for next in self.following.get(&node).into_iter().flatten() {
            match self.seen.get(next) {
                None => lowest = lowest.min(self.visit(*next)),
                Some(seen) if self.is_open.contains(next) => lowest = lowest.min(*seen),
                Some(_) => {}
            }
        }
        if lowest == number {
            let from = self.open.iter().position(|open| *open == node).unwrap_or_default();
            let mut circle = self.open.split_off(from);
            for node in &circle {
                self.is_open.remove(node);
            }
            if circle.len() > 1 {
                circle.sort();
                self.found.push(circle);
            }
        }
        lowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_that_share_no_file_are_two() {
        let edges = [(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (5, 4), (5, 6)];
        assert_eq!(of(&BTreeSet::from(edges)), [vec![1, 2, 3], vec![4, 5]]);
    }

    #[test]
    fn a_way_that_does_not_come_back_is_no_circle() {
        assert!(of(&BTreeSet::from([(1, 2), (2, 3), (1, 3)])).is_empty());
    }
}
