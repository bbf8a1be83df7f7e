//! Ensembles of decision trees: the three operators that write them, and what is made of the values
//! of the leaves that are reached.
//!
//! Elements are compared exactly as in single precision. Every mode of a branch becomes comparisons
//! `x ≤ t` with the largest single-precision number that makes it true.

mod apart;
mod attributes;
mod build;
mod by_nodes;

use std::collections::BTreeSet;

use super::compose::{Lowered, count};
use super::constant::Constant;
use super::element::Stored;
use super::error::ImportError;
use super::importer::Importer;
use super::labels::class_labels;
use super::machine_learning::DOMAIN;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;
use crate::graph::{Forest, MaxPool, Op, Tree};
use crate::view::Groups;
use attributes::{Aggregate, Ensemble, Transform};

pub(super) const OPERATORS: &[Operator] = &[
    operator("TreeEnsemble", &[5], attributes::ENSEMBLE, ensemble)
        .of_domain(DOMAIN)
        .folded_by_running(),
    operator("TreeEnsembleClassifier", &[1, 3, 5], attributes::CLASSIFIER, classifier)
        .of_domain(DOMAIN)
        .folded_by_running(),
    operator("TreeEnsembleRegressor", &[1, 3, 5], attributes::REGRESSOR, regressor)
        .of_domain(DOMAIN)
        .folded_by_running(),
];

/// Most classes whose label is decided on exact sums: there is a comparison for each pair.
const MOST_EXACT_CLASSES: usize = 64;

/// The values of the leaves that are reached, a row for each sample.
struct Reached {
    values: Value,
    /// For each tree its targets.
    targets: Vec<Vec<usize>>,
}

impl Reached {
    /// Adds the forest to the graph, with all values times `sign`.
    fn new(
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        ensemble: &Ensemble,
        sign: f64,
    ) -> Result<Self, ImportError> {
        let input = node.tensor(0)?;
        let (rows, width) = match *importer.shape(input) {
            [width] => (1, width),
            [rows, width] => (rows, width),
            _ => return Err(node.wrong_operand(0, "of one or two dimensions")),
        };
        let branches = ensemble.branches.len() + ensemble.leaves.len();
        importer.budget.elements(&node.name, &[rows, branches])?;
        let is_double = importer.stored(node, 0) == Stored::Double;
        if is_double && ensemble.branches.iter().any(|branch| !is_single(branch.value)) {
            return Err(node.unsupported(
                "double-precision inputs and thresholds: inputs are read in single precision, which \
                 can be on the other side of a threshold; export the model with float ones",
            ));
        }
        let (trees, targets): (Vec<_>, Vec<_>) =
            build::trees(node, ensemble, width)?.into_iter().unzip();
        let of_row = |row: usize| trees.iter().map(move |tree| shifted(tree, row * width, sign));
        let forest = Forest { input, trees: (0..rows).flat_map(of_row).collect() };
        let shape = vec![rows, targets.iter().map(Vec::len).sum()];
        importer.reserve(node, &shape)?;
        let values = importer.emit(node, shape, Op::Forest(forest))?;
        Ok(Self { values, targets })
    }

    /// For each value its target.
    fn flat(&self) -> Vec<usize> {
        self.targets.iter().flatten().copied().collect()
    }

    /// Sums of the values, each with the weight that an output gives its target, plus `bias`.
    fn sums(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        weights: &[Vec<f64>],
        bias: Vec<f64>,
    ) -> Result<Value, ImportError> {
        let targets = self.flat();
        importer.budget.elements(&node.name, &[targets.len(), weights.len()])?;
        let matrix =
            targets.iter().flat_map(|&target| weights.iter().map(move |weights| weights[target]));
        let matrix = Constant::reals(vec![targets.len(), weights.len()], matrix.collect());
        let sums = importer.matrix_product(node, &self.values, &matrix.into())?;
        let bias = Constant::reals(vec![bias.len()], bias);
        importer.add(node, &sums, &bias.into())
    }

    /// One number for each target.
    fn aggregated(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        aggregate: Aggregate,
        base: Vec<f64>,
    ) -> Result<Value, ImportError> {
        let weight = match aggregate {
            Aggregate::Sum => 1.0,
            Aggregate::Average => 1.0 / count(self.targets.len()),
            Aggregate::Min => return self.largest(node, importer, -1.0, base),
            Aggregate::Max => return self.largest(node, importer, 1.0, base),
        };
        let weights: Vec<Vec<f64>> = (0..base.len())
            .map(|output| {
                (0..base.len()).map(|target| if target == output { weight } else { 0.0 }).collect()
            })
            .collect();
        self.sums(node, importer, &weights, base)
    }

    /// For each target the largest of its values, or of their negatives where the sign is −1.
    fn largest(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        sign: f64,
        base: Vec<f64>,
    ) -> Result<Value, ImportError> {
        let Value::Tensor(Tensor { id: input, .. }) = self.values else {
            return Err(node.unsupported("constant leaves"));
        };
        let (targets, rows) = (self.flat(), importer.shape(input)[0]);
        importer.budget.lists(&node.name, rows * base.len(), targets.len())?;
        let window = |row: usize, target: usize| -> Vec<usize> {
            let places = (0..targets.len()).filter(|&place| targets[place] == target);
            places.map(|place| row * targets.len() + place).collect()
        };
        let windows = (0..rows).flat_map(|row| (0..base.len()).map(move |target| (row, target)));
        let windows: Vec<_> = windows.map(|(row, target)| window(row, target)).collect();
        let windows = Groups::try_from(windows)
            .map_err(|_| node.unsupported("a target that no leaf has a value for"))?;
        let shape = vec![rows, base.len()];
        importer.reserve(node, &shape)?;
        let largest = importer.emit(node, shape, Op::MaxPool(MaxPool { input, windows }))?;
        let result = importer.scaled(node, &largest, sign, 0.0)?;
        let base = Constant::reals(vec![base.len()], base);
        importer.add(node, &result, &base.into())
    }
}

/// Whether single precision holds a number.
fn is_single(value: f64) -> bool {
    value.is_nan() || f64::from(crate::numbers::narrow(value)) == value
}

/// The tree for a sample whose elements begin at `first`, with its values times `sign`.
fn shifted(tree: &Tree<f64>, first: usize, sign: f64) -> Tree<f64> {
    let mut tree = tree.clone();
    tree.leaves.iter_mut().flatten().for_each(|value| *value *= sign);
    tree.branches.iter_mut().for_each(|branch| branch.element += first);
    tree
}

/// `TreeEnsembleRegressor`, and `TreeEnsemble`, which differ in their attributes only.
fn regressor(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let ensemble = by_nodes::regressor(node, importer)?;
    targets(node, importer, &ensemble)
}

fn ensemble(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let ensemble = apart::ensemble(node, importer)?;
    targets(node, importer, &ensemble)
}

fn targets(node: &OnnxNode<'_>, importer: &mut Importer, ensemble: &Ensemble) -> Lowered {
    let aggregate = attributes::aggregate(node)?;
    // The smallest is the largest of the negatives.
    let sign = if aggregate == Aggregate::Min { -1.0 } else { 1.0 };
    let reached = Reached::new(node, importer, ensemble, sign)?;
    let base = ensemble.base_or_zero(node)?;
    let scores = reached.aggregated(node, importer, aggregate, base)?;
    Ok(vec![ensemble.transform.apply(node, importer, scores)?])
}

/// `TreeEnsembleClassifier`: the label of the largest sum, and the sums.
fn classifier(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let labels = class_labels(node, importer, ["classlabels_int64s", "classlabels_strings"])?;
    let ensemble = by_nodes::classifier(node, importer, labels.names.len())?;
    let classes: BTreeSet<usize> = ensemble.weights.iter().map(|weight| weight.target).collect();
    let reached = Reached::new(node, importer, &ensemble, 1.0)?;
    let is_margin = labels.names.len() == 2 && classes == BTreeSet::from([0]);
    let (label, scores) = if is_margin {
        two_classes(node, importer, &ensemble, &reached, &labels.numbers)?
    } else {
        let base = ensemble.base_or_zero(node)?;
        let place = winner(node, importer, &reached, &base)?;
        let label = importer.number_of_place(node, &place, 1, labels.numbers)?;
        let sums = reached.aggregated(node, importer, Aggregate::Sum, base)?;
        (label, ensemble.transform.apply(node, importer, sums)?)
    };
    let rows = importer.shape_of(&label)[0];
    let label = importer.reshaped(node, &label, vec![rows])?.with_element(labels.kind);
    importer.name_columns(node, 1, labels.names);
    Ok(vec![label, scores])
}

/// Two classes and one sum: the second class has it where it is above one half by more than single
/// precision's rounding, or above 0 where some weight is negative.
fn two_classes(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    ensemble: &Ensemble,
    reached: &Reached,
    labels: &[f64],
) -> Result<(Value, Value), ImportError> {
    let base = match ensemble.base[..] {
        [] => 0.0,
        [base] => base,
        _ => return Err(node.unsupported("several base values for one score of two classes")),
    };
    let is_probability = ensemble.weights.iter().all(|weight| weight.value >= 0.0);
    // Runtimes add up in single precision: a sum that is one half but for that rounding is a tie,
    // and ties have the first class.
    let limit = if is_probability { 0.5 + rounding_of_a_half(ensemble.roots.len()) } else { 0.0 };
    let margin = reached.sums(node, importer, &[vec![1.0; 2]], vec![base - limit])?;
    let above = importer.apply(node, &margin, Activation::Function(Function::IsAbove))?;
    let label = importer.scaled(node, &above, labels[1] - labels[0], labels[0])?;
    let rest = if is_probability && ensemble.transform == Transform::None { 1.0 } else { 0.0 };
    let weights = [vec![-1.0; 2], vec![1.0; 2]];
    let both = reached.sums(node, importer, &weights, vec![rest - base, base])?;
    let scores = match ensemble.transform {
        Transform::None => both,
        Transform::Logistic => importer.apply(node, &both, Activation::Sigmoid)?,
        Transform::Softmax => {
            return Err(node.unsupported("SOFTMAX over one score of two classes"));
        }
    };
    Ok((label, scores))
}

/// How far single precision may be from one half after so many additions.
fn rounding_of_a_half(trees: usize) -> f64 {
    libm::scalbn(u32::try_from(trees).map_or(f64::INFINITY, f64::from), -25)
}

/// 1 at the first of the largest sums, 0 elsewhere: decided on exact sums, by pairs.
fn winner(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    reached: &Reached,
    base: &[f64],
) -> Result<Value, ImportError> {
    let classes = base.len();
    if classes > MOST_EXACT_CLASSES {
        let sums = reached.aggregated(node, importer, Aggregate::Sum, base.to_vec())?;
        return importer.largest_place(node, &sums, 1, false);
    }
    let pairs: Vec<[usize; 2]> = (0..classes).flat_map(|b| (0..b).map(move |a| [a, b])).collect();
    let weights: Vec<Vec<f64>> = pairs
        .iter()
        .map(|&[a, b]| (0..classes).map(|c| sign(c == b) - sign(c == a)).collect())
        .collect();
    let bias = pairs.iter().map(|&[a, b]| base[b] - base[a]).collect();
    let margins = reached.sums(node, importer, &weights, bias)?;
    // Whether the later class of each pair has more.
    let later = importer.apply(node, &margins, Activation::Function(Function::IsAbove))?;
    // How many pairs each class loses.
    let losses = pairs
        .iter()
        .flat_map(|&[a, b]| (0..classes).map(move |class| sign(class == a) - sign(class == b)));
    let losses = Constant::reals(vec![pairs.len(), classes], losses.collect());
    let lost = importer.matrix_product(node, &later, &losses.into())?;
    let before = Constant::reals(vec![classes], (0..classes).map(count).collect());
    let lost = importer.add(node, &lost, &before.into())?;
    importer.apply(node, &lost, Activation::Function(Function::IsZero))
}

fn sign(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}
