//! Which terms of the constraints are computed together.
//!
//! A constraint is a sum, and so are all of them: terms may be computed in any order, and what is
//! added up may lie in memory while other columns come and go. Terms are dealt to *groups* of not
//! too many columns, so that only those of one group are on a coset at once. Terms that read the
//! same go together, as a column is transformed anew for each group that reads it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    graph::{Graph, Linear, Node, NodeId, Source},
    uniform::Uniform,
};

/// Sums by the switch that multiplies them.
pub(super) type Switched = BTreeMap<Option<NodeId>, Linear>;

/// A term of the constraints.
struct Term {
    part: usize,
    switch: Option<NodeId>,
    /// The sum that it is a term of, with the weight of that sum; none where it stands by itself.
    sum: Option<(NodeId, Uniform)>,
    node: NodeId,
    scale: Uniform,
}

/// The sums of each part, dealt to groups that read at most so many columns of the proof each, but
/// for a single term that reads more.
pub(super) fn deal(graph: &mut Graph, parts: Vec<Switched>, most: usize) -> Vec<Vec<Switched>> {
    let roots = parts.iter().flat_map(BTreeMap::values).flat_map(|sum| sum.terms.keys().copied());
    if columns(graph, roots).len() <= most {
        return vec![parts];
    }
    let terms = terms(graph, &parts);
    let read = terms.iter().map(|term| columns(graph, [term.node].into_iter())).collect::<Vec<_>>();
    let mut groups = Vec::new();
    for members in partition(&read, most) {
        groups.push(gather(graph, members.iter().map(|&term| &terms[term]), parts.len()));
    }
    let constants = parts.into_iter().map(|part| {
        part.into_iter().map(|(switch, sum)| (switch, Linear::uniform(sum.constant))).collect()
    });
    if let Some(first) = groups.first_mut() {
        for (part, constants) in first.iter_mut().zip(constants.collect::<Vec<Switched>>()) {
            for (switch, constant) in constants {
                add(graph, part, switch, &constant, Uniform::ONE);
            }
        }
    }
    groups
}

/// The terms of all sums; a term that is a sum itself, by its own terms.
fn terms(graph: &Graph, parts: &[Switched]) -> Vec<Term> {
    let mut terms = Vec::new();
    for (part, switched) in parts.iter().enumerate() {
        for (&switch, sum) in switched {
            for (&node, &scale) in &sum.terms {
                match &graph.nodes[node.index()] {
                    Node::Linear(inner) if inner.constant == Uniform::ZERO => {
                        let sum = Some((node, scale));
                        terms.extend(inner.terms.iter().map(|(&node, &scale)| Term {
                            part,
                            switch,
                            sum,
                            node,
                            scale,
                        }));
                    }
                    _ => terms.push(Term { part, switch, sum: None, node, scale }),
                }
            }
        }
    }
    terms
}

/// The columns of the proof, and those of the permutation argument, that nodes read.
fn columns(graph: &Graph, roots: impl Iterator<Item = NodeId>) -> BTreeSet<Source> {
    let mut seen = BTreeSet::new();
    let mut columns = BTreeSet::new();
    let mut open: Vec<NodeId> = roots.collect();
    while let Some(node) = open.pop() {
        if !seen.insert(node) {
            continue;
        }
        match &graph.nodes[node.index()] {
            Node::Query(source, _) => {
                if !source.is_keyed() || matches!(source, Source::Permutation(_)) {
                    columns.insert(*source);
                }
            }
            node => open.extend(node.children()),
        }
    }
    columns
}

/// Groups of sets, by their places: each time the set of which the least is missing joins, as long
/// as the union has at most so many elements.
fn partition<T: Ord + Copy>(sets: &[BTreeSet<T>], most: usize) -> Vec<Vec<usize>> {
    let mut readers: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    for (place, set) in sets.iter().enumerate() {
        set.iter().for_each(|&element| readers.entry(element).or_default().push(place));
    }
    let mut left: BTreeSet<usize> = (0..sets.len()).collect();
    let mut groups = Vec::new();
    while !left.is_empty() {
        let mut missing: Vec<usize> = sets.iter().map(BTreeSet::len).collect();
        let (mut group, mut union) = (Vec::new(), BTreeSet::new());
        loop {
            let room = most.saturating_sub(union.len());
            let fits = |place: &usize| union.is_empty() || missing[*place] <= room;
            // In relation to all that it has; the first of equals.
            let share = |place: usize| (missing[place], sets[place].len().max(1));
            let less = |&a: &usize, &b: &usize| {
                let ((a, of_a), (b, of_b)) = (share(a), share(b));
                (a * of_b).cmp(&(b * of_a))
            };
            let Some(next) = left.iter().copied().filter(fits).min_by(less) else { break };
            left.remove(&next);
            group.push(next);
            for element in &sets[next] {
                if union.insert(*element) {
                    readers[element].iter().for_each(|&reader| missing[reader] -= 1);
                }
            }
        }
        groups.push(group);
    }
    groups
}

/// The sums that terms make.
fn gather<'a>(
    graph: &mut Graph,
    terms: impl Iterator<Item = &'a Term>,
    parts: usize,
) -> Vec<Switched> {
    let mut gathered = vec![Switched::new(); parts];
    let mut inner: BTreeMap<(usize, Option<NodeId>, NodeId, Uniform), Linear> = BTreeMap::new();
    for &Term { part, switch, sum, node, scale } in terms {
        match sum {
            None => add(graph, &mut gathered[part], switch, &Linear::of(node), scale),
            Some((of, weight)) => {
                let place = inner.entry((part, switch, of, weight));
                let sum = place.or_insert(Linear::uniform(Uniform::ZERO));
                sum.terms.insert(node, scale);
            }
        }
    }
    for ((part, switch, _, weight), sum) in inner {
        let node = graph.node(&sum);
        add(graph, &mut gathered[part], switch, &Linear::of(node), weight);
    }
    gathered
}

/// Adds `weight · value` to what a switch multiplies.
fn add(
    graph: &mut Graph,
    sums: &mut Switched,
    switch: Option<NodeId>,
    value: &Linear,
    weight: Uniform,
) {
    let sum = sums.remove(&switch).unwrap_or(Linear::uniform(Uniform::ZERO));
    sums.insert(switch, graph.add_scaled(sum, value, weight));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_share_elements_are_in_one_group() {
        let sets = [&[1, 2][..], &[7, 8], &[2, 3], &[8, 9], &[3, 1], &[]];
        let sets: Vec<BTreeSet<usize>> = sets.map(|set| set.iter().copied().collect()).to_vec();
        assert_eq!(partition(&sets, 3), [vec![5, 0, 2, 4], vec![1, 3]]);
        assert_eq!(partition(&sets, 6), [vec![5, 0, 2, 4, 1, 3]]);
        // A set that is too large by itself is alone, but for what it holds.
        assert_eq!(partition(&sets, 1), [vec![5, 0], vec![1], vec![2], vec![3], vec![4]]);
    }
}
