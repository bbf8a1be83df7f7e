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
    /// What is computed on each coset: the parts that have it, in order.
    pub(crate) programs: Vec<Program>,
    /// The combinations that [`Source::Combined`] names: coefficients and fixed columns.
    pub(crate) combined: Vec<Vec<(Uniform, usize)>>,
}

impl Quotient {
    /// The value of every uniform, given the parameters of the proof.
    pub(crate) fn uniforms(&self, parameters: &[Fr]) -> Vec<Fr> {
        self.programs.first().map_or_else(Vec::new, |program| program.uniforms(parameters))
    }

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

impl ProgramBuilder {
    /// `Σ y^(count - 1 - i) · constraint_i`, where `y` is parameter `number`, in parts, for so many
    /// cosets.
    ///
    /// Constraints that are multiplied by the same switch are added up first.
    pub(crate) fn fold(mut self, number: usize, combination_min: usize, cosets: usize) -> Quotient {
        let y = self.graph.uniforms.parameter(number);
        let uses = Uses::count(&self.graph, &self.constraints);
        let needs = needs(&self.graph, &self.constraints, cosets);
        let parts = choose_parts(&self.graph, &self.constraints, &needs, cosets);
        let mut weight = Uniform::ONE;
        let mut switched: Vec<BTreeMap<Option<NodeId>, Linear>> =
            vec![BTreeMap::new(); parts.len()];
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
        let totals = switched.into_iter().map(|sums| self.total(sums));
        let totals = totals.collect::<Vec<_>>();
        compile(self.graph, &totals, parts, combination_min)
    }

    /// The sum of what each switch multiplies.
    fn total(&mut self, switched: BTreeMap<Option<NodeId>, Linear>) -> Linear {
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

fn compile(
    mut graph: Graph,
    totals: &[Linear],
    parts: Vec<usize>,
    combination_min: usize,
) -> Quotient {
    let roots: Vec<NodeId> = totals.iter().map(|total| graph.node(total)).collect();
    let combined = plan::combine_fixed(&mut graph, &roots, combination_min);
    let uniforms = Arc::new(graph.uniforms.clone());
    let cosets = parts.last().copied().unwrap_or(0);
    let program = |coset: usize| {
        let first = parts.partition_point(|&part| part <= coset);
        plan::compile(&graph, &roots[first..], &uniforms)
    };
    let programs = (0..cosets).map(program).collect();
    Quotient { parts, programs, combined }
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
    use super::*;

    /// A gate `switch·(product of columns)` for each list of columns.
    fn quotient(gates: &[&[usize]], cosets: usize) -> Quotient {
        let mut builder = ProgramBuilder::new();
        for (gate, columns) in gates.iter().enumerate() {
            let switch = builder.query(Source::Fixed(gate), 0);
            let constraint = columns.iter().fold(switch, |product, &column| {
                let column = builder.query(Source::Advice(column), 0);
                builder.multiply(&product, &column)
            });
            builder.constrain(constraint);
        }
        builder.fold(0, 2, cosets)
    }

    #[test]
    fn columns_are_read_on_the_cosets_that_their_gates_need() {
        let gates: [&[usize]; 5] = [&[0, 0, 0, 0], &[1], &[2], &[3], &[0, 0]];
        let quotient = quotient(&gates, 4);
        // The last gate, with two products and no column, does not pay for a part of two cosets.
        assert_eq!(quotient.parts, [1, 4]);
        let outputs: Vec<usize> = quotient.programs.iter().map(|p| p.outputs.len()).collect();
        assert_eq!(outputs, [2, 1, 1, 1]);
        let cosets: HashMap<Source, usize> = quotient.sources().into_iter().collect();
        let advice = |i| cosets[&Source::Advice(i)];
        assert_eq!([0, 1, 2, 3].map(advice), [4, 1, 1, 1]);
        assert_eq!([0, 1, 4].map(|i| cosets[&Source::Fixed(i)]), [4, 1, 4]);
    }

    #[test]
    fn the_last_part_has_all_cosets() {
        assert_eq!(quotient(&[&[0, 1, 2]], 3).parts, [3]);
        assert_eq!(quotient(&[&[0]], 3).programs.len(), 3);
        assert_eq!(quotient(&[], 2).parts, [2]);
    }

    #[test]
    fn a_constraint_without_a_factor_needs_one_coset() {
        let mut builder = ProgramBuilder::new();
        let column = builder.query(Source::Advice(0), 0);
        builder.constrain(column);
        assert_eq!(needs(&builder.graph, &builder.constraints, 3), [1]);
    }
}
