//! The constraints of an argument by how many cosets they need.
//!
//! Every constraint vanishes on H by itself. Where it has degree below `(m + 1)·n`, its quotient by
//! `X^n - 1` has degree below `m·n`, and m cosets determine it. So constraints are added up in
//! *parts* by degree: a column that only linear gates read is transformed to one coset, whatever
//! the degree of the others, and those gates are computed on that one only.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use halo2_proofs::halo2curves::bn256::Fr;

use super::{
    build::ProgramBuilder,
    factor::Uses,
    graph::{Graph, Linear, Node, NodeId, Source},
    groups::{self, Switched},
    plan::{self, Program},
    uniform::Uniform,
};

/// What a transform of a column costs, in products of two values in all rows.
const TRANSFORM: usize = 8;

/// What is computed on the cosets.
#[derive(Clone, Debug)]
pub(crate) struct Quotient {
    /// How many cosets each part needs, the fewest first; the last has all.
    pub(crate) parts: Vec<usize>,
    /// What is added up: one after the other, so that the columns of one group only are on a coset
    /// at once.
    pub(crate) groups: Vec<Group>,
    /// The combinations that [`Source::Combined`] names: coefficients and fixed columns.
    pub(crate) combined: Vec<Vec<(Uniform, usize)>>,
}

/// Some terms of the parts.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// What is computed on each coset: an output for each of the parts that have it, in order.
    pub(crate) programs: Vec<Program>,
}

/// How much may be on a coset at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Fixed columns that are needed for a linear combination only are combined where there are at
    /// least so many.
    pub(crate) combination_min: usize,
    /// Columns that a group reads.
    pub(crate) columns: usize,
}

impl Group {
    /// The columns that are read, and on how many cosets, which are the first.
    pub(crate) fn sources(&self) -> Vec<(Source, usize)> {
        let Some(first) = self.programs.first() else { return Vec::new() };
        let cosets = |source: &Source| {
            let reads = |program: &&Program| program.sources.contains(source);
            self.programs.iter().take_while(reads).count()
        };
        first.sources.iter().map(|source| (*source, cosets(source))).collect()
    }
}

impl Quotient {
    /// The value of every uniform, given the parameters of the proof.
    pub(crate) fn uniforms(&self, parameters: &[Fr]) -> Vec<Fr> {
        let mut programs = self.groups.iter().flat_map(|group| &group.programs);
        programs.next().map_or_else(Vec::new, |program| program.uniforms(parameters))
    }

    /// The columns of the key that are read, and on how many cosets: those first that save the most
    /// transforms for each coset on which they are kept.
    pub(crate) fn keyed_sources(&self) -> Vec<(Source, usize)> {
        let mut keyed: BTreeMap<Source, (usize, usize)> = BTreeMap::new();
        let sources = self.groups.iter().flat_map(Group::sources);
        for (source, cosets) in sources.filter(|(source, _)| source.is_keyed()) {
            let (kept, saved) = keyed.entry(source).or_insert((0, 0));
            (*kept, *saved) = (cosets.max(*kept), *saved + 1 + cosets);
        }
        let mut keyed: Vec<_> = keyed.into_iter().collect();
        keyed.sort_by(|(_, (kept, saved)), (_, (other_kept, other_saved))| {
            (other_saved * kept).cmp(&(saved * other_kept))
        });
        keyed.into_iter().map(|(source, (kept, _))| (source, kept)).collect()
    }
}

impl ProgramBuilder {
    /// `Σ y^(count - 1 - i) · constraint_i`, where `y` is parameter `number`, in parts, for so many
    /// cosets.
    ///
    /// Constraints that are multiplied by the same switch are added up first.
    pub(crate) fn fold(mut self, number: usize, limits: Limits, cosets: usize) -> Quotient {
        let y = self.graph.uniforms.parameter(number);
        let uses = Uses::count(&self.graph, &self.constraints);
        let needs = needs(&self.graph, &self.constraints, cosets);
        let parts = choose_parts(&self.graph, &self.constraints, &needs, cosets);
        let mut weight = Uniform::ONE;
        let mut switched: Vec<Switched> = vec![BTreeMap::new(); parts.len()];
        let constraints = std::mem::take(&mut self.constraints);
        for (constraint, need) in constraints.into_iter().zip(needs).rev() {
            let sums = &mut switched[parts.partition_point(|&part| part < need)];
            for (switch, part) in self.by_switch(&constraint) {
                let part = self.graph.factor(&part, &uses);
                let sum = sums.remove(&switch).unwrap_or(Linear::uniform(Uniform::ZERO));
                let sum = self.graph.add_weighted(sum, &part, weight);
                sums.insert(switch, sum);
            }
            weight = self.graph.uniforms.product(weight, y);
        }
        let groups = groups::deal(&mut self.graph, switched, limits.columns).into_iter();
        let totals = groups
            .map(|parts| parts.into_iter().map(|sums| self.total(sums)).collect::<Vec<Linear>>());
        let totals = totals.collect::<Vec<_>>();
        compile(self.graph, &totals, parts, limits.combination_min)
    }

    /// The sum of what each switch multiplies.
    fn total(&mut self, switched: Switched) -> Linear {
        let mut total = Linear::uniform(Uniform::ZERO);
        for (switch, sum) in switched {
            let term = match switch {
                Some(switch) => self.graph.multiply(&Linear::of(switch), &sum),
                None => sum,
            };
            total = self.graph.add(total, &term);
        }
        total
    }
}

/// The programs of groups with a total for each part.
fn compile(
    mut graph: Graph,
    groups: &[Vec<Linear>],
    parts: Vec<usize>,
    combination_min: usize,
) -> Quotient {
    let mut roots = |totals: &Vec<Linear>| {
        totals.iter().map(|total| graph.node(total)).collect::<Vec<NodeId>>()
    };
    let roots: Vec<Vec<NodeId>> = groups.iter().map(&mut roots).collect();
    let combined = plan::combine_fixed(&mut graph, &roots.concat(), combination_min);
    let uniforms = Arc::new(graph.uniforms.clone());
    let cosets = parts.last().copied().unwrap_or(0);
    let group = |roots: Vec<NodeId>| {
        let program = |coset: usize| {
            let first = parts.partition_point(|&part| part <= coset);
            plan::compile(&graph, &roots[first..], &uniforms)
        };
        Group { programs: (0..cosets).map(program).collect() }
    };
    let groups = roots.into_iter().map(group).collect();
    Quotient { parts, groups, combined }
}

/// How many cosets each constraint needs: one less than its degree, and one at least.
fn needs(graph: &Graph, constraints: &[Linear], cosets: usize) -> Vec<usize> {
    // The children of a node come before it.
    let mut degrees: Vec<usize> = Vec::with_capacity(graph.nodes.len());
    let largest = |degrees: &[usize], linear: &Linear| {
        linear.terms.keys().map(|node| degrees[node.index()]).max().unwrap_or(0)
    };
    for node in &graph.nodes {
        degrees.push(match node {
            Node::Query(..) => 1,
            Node::Product(a, b) => degrees[a.index()] + degrees[b.index()],
            Node::Linear(linear) => largest(&degrees, linear),
        });
    }
    let need = |constraint: &Linear| (largest(&degrees, constraint).max(2) - 1).min(cosets);
    constraints.iter().map(need).collect()
}

/// The numbers of cosets of the parts that cost the least transforms and products: a part more is
/// a transform more on each of its cosets.
fn choose_parts(
    graph: &Graph,
    constraints: &[Linear],
    needs: &[usize],
    cosets: usize,
) -> Vec<usize> {
    let costs = costs(graph, constraints, needs);
    let kinds: Vec<usize> = costs.keys().copied().filter(|&need| need < cosets).collect();
    let choice = |bits: usize| {
        let chosen = kinds.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
        chosen.map(|(_, &need)| need).chain([cosets]).collect::<Vec<_>>()
    };
    let cost = |parts: &Vec<usize>| {
        let of_need = |(need, cost): (&usize, &usize)| {
            cost * parts[parts.partition_point(|part| part < need)]
        };
        let read: usize = costs.iter().map(of_need).sum();
        read + TRANSFORM * parts.iter().sum::<usize>()
    };
    // Degrees are few: expressions have as many factors.
    let choices = (0..1_usize << kinds.len().min(10)).map(choice);
    choices.min_by_key(cost).unwrap_or_else(|| vec![cosets])
}

/// What it costs to have on a coset what constraints need of so many cosets and no others do.
fn costs(graph: &Graph, constraints: &[Linear], needs: &[usize]) -> BTreeMap<usize, usize> {
    let mut order: Vec<usize> = (0..constraints.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(needs[i]));
    let mut costs = BTreeMap::new();
    let (mut seen, mut columns) = (vec![false; graph.nodes.len()], HashMap::new());
    for constraint in order {
        let cost = costs.entry(needs[constraint]).or_insert(0);
        let mut open: Vec<NodeId> = constraints[constraint].terms.keys().copied().collect();
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node.index()], true) {
                continue;
            }
            let node = &graph.nodes[node.index()];
            *cost += match node {
                Node::Query(source, _) if source.is_keyed() => 0,
                Node::Query(source, _) => match columns.insert(*source, ()) {
                    None => TRANSFORM,
                    Some(()) => 0,
                },
                Node::Product(..) => 1,
                Node::Linear(_) => 0,
            };
            open.extend(node.children());
        }
    }
    costs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A gate `switch·(product of columns)` for each list of columns, in groups of so many columns.
    fn grouped(gates: &[&[usize]], cosets: usize, columns: usize) -> Quotient {
        let mut builder = ProgramBuilder::new();
        for (gate, columns) in gates.iter().enumerate() {
            let switch = builder.query(Source::Fixed(gate), 0);
            let constraint = columns.iter().fold(switch, |product, &column| {
                let column = builder.query(Source::Advice(column), 0);
                builder.multiply(&product, &column)
            });
            builder.constrain(constraint);
        }
        builder.fold(0, Limits { combination_min: 2, columns }, cosets)
    }

    fn quotient(gates: &[&[usize]], cosets: usize) -> Quotient {
        grouped(gates, cosets, usize::MAX)
    }

    #[test]
    fn columns_are_read_on_the_cosets_that_their_gates_need() {
        let gates: [&[usize]; 5] = [&[0, 0, 0, 0], &[1], &[2], &[3], &[0, 0]];
        let quotient = quotient(&gates, 4);
        // The last gate, with two products and no column, does not pay for a part of two cosets.
        assert_eq!(quotient.parts, [1, 4]);
        let [group] = &quotient.groups[..] else { panic!("one group") };
        let outputs: Vec<usize> = group.programs.iter().map(|p| p.outputs.len()).collect();
        assert_eq!(outputs, [2, 1, 1, 1]);
        let cosets: HashMap<Source, usize> = group.sources().into_iter().collect();
        let advice = |i| cosets[&Source::Advice(i)];
        assert_eq!([0, 1, 2, 3].map(advice), [4, 1, 1, 1]);
        assert_eq!([0, 1, 4].map(|i| cosets[&Source::Fixed(i)]), [4, 1, 4]);
    }

    #[test]
    fn the_last_part_has_all_cosets() {
        assert_eq!(quotient(&[&[0, 1, 2]], 3).parts, [3]);
        assert_eq!(quotient(&[&[0]], 3).groups[0].programs.len(), 3);
        assert_eq!(quotient(&[], 2).parts, [2]);
    }

    #[test]
    fn groups_read_few_columns_and_all_of_them() {
        let gates: [&[usize]; 5] = [&[0, 1], &[2, 3], &[1, 0, 0], &[4], &[3, 2]];
        let quotient = grouped(&gates, 4, 2);
        let advice = |group: &Group| {
            let sources = group.sources().into_iter();
            let columns = sources.filter_map(|(source, _)| match source {
                Source::Advice(column) => Some(column),
                _ => None,
            });
            columns.collect::<BTreeSet<usize>>()
        };
        let columns: BTreeSet<BTreeSet<usize>> = quotient.groups.iter().map(advice).collect();
        assert_eq!(quotient.groups.len(), 3);
        let expected = [&[0, 1][..], &[2, 3], &[4]].map(|set| set.iter().copied().collect());
        assert_eq!(columns, BTreeSet::from(expected));
        // Each has an output for each part on each coset.
        for group in &quotient.groups {
            assert_eq!(group.programs.len(), 4);
            for (coset, program) in group.programs.iter().enumerate() {
                let parts = quotient.parts.iter().filter(|&&part| part > coset);
                assert_eq!(program.outputs.len(), parts.count());
            }
        }
        let keyed = quotient.keyed_sources().into_iter().map(|(source, _)| source);
        assert_eq!(keyed.collect::<BTreeSet<_>>().len(), gates.len());
    }

    #[test]
    fn a_combination_is_made_once_with_either_sign() {
        let mut builder = ProgramBuilder::new();
        let challenge = builder.parameter(0);
        let zero = builder.constant(Fr::zero());
        let sum = (0..3).fold(zero.clone(), |sum, column| {
            let shifted = builder.multiply(&sum, &challenge);
            let column = builder.query(Source::Fixed(column), 0);
            builder.add(&shifted, &column)
        });
        let negative = builder.subtract(&zero, &sum);
        for (column, sum) in [&sum, &negative, &sum].into_iter().enumerate() {
            let column = builder.query(Source::Advice(column), 0);
            let product = builder.multiply(&column, sum);
            builder.constrain(product);
        }
        let quotient = builder.fold(1, Limits { combination_min: 2, columns: usize::MAX }, 2);
        assert_eq!(quotient.combined.len(), 1);
        let sources = quotient.groups[0].sources().into_iter().map(|(source, _)| source);
        let expected = [0, 1, 2].map(Source::Advice).into_iter().chain([Source::Combined(0)]);
        assert_eq!(sources.collect::<BTreeSet<_>>(), expected.collect());
    }

    #[test]
    fn a_constraint_without_a_factor_needs_one_coset() {
        let mut builder = ProgramBuilder::new();
        let column = builder.query(Source::Advice(0), 0);
        builder.constrain(column);
        assert_eq!(needs(&builder.graph, &builder.constraints, 3), [1]);
    }
}
