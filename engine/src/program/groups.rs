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

/// The fewest terms of a factor for which its product is split.
const SPLIT_MIN: usize = 8;

/// A term of the constraints: of a part, under a switch.
struct Term {
    place: Place,
    node: NodeId,
    scale: Uniform,
}

/// Where terms are added up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// What the sum becomes a term of, the innermost last.
    path: Vec<Step>,
    part: usize,
    switch: Option<NodeId>,
}

/// What becomes of a sum that is not the whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    /// The node that it is in the constraints, when no term is left out.
    of: NodeId,
    /// What it is multiplied by.
    factor: Option<NodeId>,
    weight: Uniform,
}

/// The sums of each part, dealt to groups that read at most so many columns of the proof each, but
/// for a single term that reads more.
pub(super) fn deal(graph: &mut Graph, parts: Vec<Switched>, most: usize) -> Vec<Vec<Switched>> {
    let roots = parts.iter().flat_map(BTreeMap::values).flat_map(|sum| sum.terms.keys().copied());
    if columns(graph, roots).len() <= most {
        return vec![parts];
    }
    let terms = terms(graph, &parts);
    let read = terms.iter().map(|term| {
        let factors = term.place.path.iter().filter_map(|step| step.factor);
        columns(graph, factors.chain([term.node]))
    });
    let read: Vec<BTreeSet<Source>> = read.collect();
    let mut groups = Vec::new();
    for members in partition(&read, most) {
        groups.push(gather(graph, members.iter().map(|&term| &terms[term]), parts.len()));
    }
    if let Some(first) = groups.first_mut() {
        for (sums, part) in first.iter_mut().zip(&parts) {
            for (&switch, sum) in part {
                let constant = Linear::uniform(sum.constant);
                let entry = sums.entry(switch).or_insert(Linear::uniform(Uniform::ZERO));
                *entry = graph.add(entry.clone(), &constant);
            }
        }
    }
    groups
}

/// The terms of all sums: a term that is a sum itself by its own terms, and a product of a column
/// with a long sum by the products with its terms.
fn terms(graph: &Graph, parts: &[Switched]) -> Vec<Term> {
    let mut terms = Vec::new();
    for (part, switched) in parts.iter().enumerate() {
        for (&switch, sum) in switched {
            for (&node, &scale) in &sum.terms {
                split(
                    graph,
                    Term { place: Place { path: vec![], part, switch }, node, scale },
                    &mut terms,
                );
            }
        }
    }
    terms
}

/// Adds a term to `terms`, or those that it is made of.
fn split(graph: &Graph, term: Term, terms: &mut Vec<Term>) {
    let (inner, factor) = match graph.nodes[term.node.index()] {
        Node::Query(..) | Node::Linear(_) => (term.node, None),
        Node::Product(a, b) => {
            let length = |node: NodeId| match &graph.nodes[node.index()] {
                Node::Linear(sum) => sum.terms.len(),
                _ => 0,
            };
            if length(a) > length(b) { (a, Some(b)) } else { (b, Some(a)) }
        }
    };
    match &graph.nodes[inner.index()] {
        Node::Linear(sum)
            if sum.constant == Uniform::ZERO
                && (factor.is_none() || sum.terms.len() >= SPLIT_MIN) =>
        {
            let mut place = term.place;
            place.path.push(Step { of: term.node, factor, weight: term.scale });
            for (&node, &scale) in &sum.terms {
                let place = place.clone();
                split(graph, Term { place, node, scale }, terms);
            }
        }
        _ => terms.push(term),
    }
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
    let mut sums = Sums::new();
    for Term { place, node, scale } in terms {
        add(graph, &mut sums, place.clone(), &Linear::of(*node), *scale);
    }
    // From the innermost sums to the whole.
    while let Some(((_, mut place), sum)) = sums.pop_last() {
        let Some(Step { factor, weight, .. }) = place.path.pop() else {
            gathered[place.part].insert(place.switch, sum);
            continue;
        };
        let value = match factor {
            Some(factor) => graph.multiply(&Linear::of(factor), &sum),
            None => Linear::of(graph.node(&sum)),
        };
        add(graph, &mut sums, place, &value, weight);
    }
    gathered
}

/// Sums by their place, the innermost last.
type Sums = BTreeMap<(usize, Place), Linear>;

/// Adds `weight · value` to the sum at a place.
fn add(graph: &mut Graph, sums: &mut Sums, place: Place, value: &Linear, weight: Uniform) {
    let place = (place.path.len(), place);
    let sum = sums.remove(&place).unwrap_or(Linear::uniform(Uniform::ZERO));
    sums.insert(place, graph.add_scaled(sum, value, weight));
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::bn256::Fr;

    use super::*;

    /// The value of a sum where column `i` is `i² + 5`.
    fn value(graph: &Graph, uniforms: &[Fr], sum: &Linear) -> Fr {
        let of_node = |node: &NodeId| match &graph.nodes[node.index()] {
            Node::Query(Source::Advice(i) | Source::Fixed(i), _) => Fr::from((i * i + 5) as u64),
            Node::Query(source, _) => unreachable!("{source:?}"),
            Node::Product(a, b) => {
                let [a, b] = [a, b].map(|&node| value(graph, uniforms, &Linear::of(node)));
                a * b
            }
            Node::Linear(sum) => value(graph, uniforms, sum),
        };
        let terms = sum.terms.iter().map(|(node, scale)| uniforms[scale.index()] * of_node(node));
        uniforms[sum.constant.index()] + terms.sum::<Fr>()
    }

    #[test]
    fn groups_add_up_to_the_whole_whatever_they_may_read() {
        let mut graph = Graph::new();
        let challenge = graph.uniforms.parameter(0);
        let one = Linear::uniform(Uniform::ONE);
        let advice = |graph: &mut Graph, i| graph.query(Source::Advice(i), 0);
        // A product with a long sum, some of whose terms are products with long sums.
        let long = |graph: &mut Graph, first: usize| {
            (first..first + SPLIT_MIN + 1).fold(Linear::uniform(Uniform::ZERO), |sum, i| {
                let column = advice(graph, i);
                let sum = graph.scale(&sum, challenge);
                graph.add(sum, &column)
            })
        };
        let (inner, outer) = (long(&mut graph, 1), long(&mut graph, 20));
        let factor = advice(&mut graph, 0);
        let product = graph.multiply(&factor, &inner);
        let sum = graph.add(outer, &product);
        let whole = graph.multiply(&factor, &sum);
        let short = graph.add(factor, &one);
        let node = graph.node(&inner);
        let short = graph.add_scaled(short, &Linear::of(node), challenge);
        let switch = graph.query(Source::Fixed(40), 0);
        let switch = graph.node(&switch);
        let parts = vec![
            Switched::from([(None, whole), (Some(switch), short.clone())]),
            Switched::from([(Some(switch), short)]),
        ];
        let total = |graph: &Graph, part: &Switched| {
            let uniforms = graph.uniforms.evaluate(&[Fr::from(77)]);
            let terms = part.iter().map(|(switch, sum)| {
                let sum = value(graph, &uniforms, sum);
                switch.map_or(sum, |node| sum * value(graph, &uniforms, &Linear::of(node)))
            });
            terms.sum::<Fr>()
        };
        let expected: Vec<Fr> = parts.iter().map(|part| total(&graph, part)).collect();
        for most in [0, 1, 3, 10, 15, 100] {
            let groups = deal(&mut graph, parts.clone(), most);
            assert_eq!(groups.len() > 1, most < 19, "{most}");
            for (part, expected) in expected.iter().enumerate() {
                let sum: Fr = groups.iter().map(|group| total(&graph, &group[part])).sum();
                assert_eq!(sum, *expected, "{most}");
            }
            let read = |group: &Vec<Switched>| {
                let sums = group.iter().flat_map(BTreeMap::values);
                columns(&graph, sums.flat_map(|sum| sum.terms.keys().copied())).len()
            };
            // A term has a column and at most two factors beside it.
            assert!(groups.iter().all(|group| read(group) <= most.max(2)), "{most}");
        }
    }

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
