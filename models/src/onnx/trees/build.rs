//! Trees whose branches all compare with `≤`, from branches of any mode.

use super::super::error::ImportError;
use super::super::node::OnnxNode;
use super::attributes::{Child, Ensemble, FileBranch, Mode};
use crate::graph::{Branch, Next, Tree};
use crate::numbers::narrow;

/// A tree with its targets: which the values of its leaves are of.
pub(super) type Targeted = (Tree<f64>, Vec<usize>);

/// The trees of an ensemble over so many features.
pub(super) fn trees(
    node: &OnnxNode<'_>,
    ensemble: &Ensemble,
    width: usize,
) -> Result<Vec<Targeted>, ImportError> {
    let mut taken = vec![false; ensemble.branches.len()];
    let mut trees = Vec::with_capacity(ensemble.roots.len());
    for &root in &ensemble.roots {
        let mut builder = Builder::new(ensemble);
        builder.collect(node, root, &mut taken)?;
        trees.push(builder.tree(node, root, width)?);
    }
    if taken.iter().all(|&taken| taken) {
        return Ok(trees);
    }
    Err(node.wrong_attribute("nodes_nodeids", "one root in each tree, above all its nodes"))
}

/// One tree.
struct Builder<'a> {
    ensemble: &'a Ensemble,
    /// Its branches and leaves, those above first.
    branches: Vec<usize>,
    leaves: Vec<usize>,
    /// Where each is in the lists.
    branch_places: std::collections::HashMap<usize, usize>,
    leaf_places: std::collections::HashMap<usize, usize>,
}

impl<'a> Builder<'a> {
    fn new(ensemble: &'a Ensemble) -> Self {
        Self {
            ensemble,
            branches: Vec::new(),
            leaves: Vec::new(),
            branch_places: std::collections::HashMap::new(),
            leaf_places: std::collections::HashMap::new(),
        }
    }

    /// Walks the tree; no branch may be below two others, so no walk is without an end.
    fn collect(
        &mut self,
        node: &OnnxNode<'_>,
        root: Child,
        taken: &mut [bool],
    ) -> Result<(), ImportError> {
        let mut pending = vec![root];
        while let Some(child) = pending.pop() {
            match child {
                Child::Leaf(leaf) => {
                    let place = self.leaves.len();
                    if *self.leaf_places.entry(leaf).or_insert(place) == place {
                        self.leaves.push(leaf);
                    }
                }
                Child::Branch(branch) => {
                    if std::mem::replace(&mut taken[branch], true) {
                        return Err(node.wrong_attribute(
                            "nodes_truenodeids",
                            "trees: no node below two others, or below itself",
                        ));
                    }
                    self.branch_places.insert(branch, self.branches.len());
                    self.branches.push(branch);
                    let branch = &self.ensemble.branches[branch];
                    pending.extend([branch.when_false, branch.when_true]);
                }
            }
        }
        Ok(())
    }

    fn tree(self, node: &OnnxNode<'_>, root: Child, width: usize) -> Result<Targeted, ImportError> {
        let of_leaf = |leaf: usize| &self.ensemble.weights[self.ensemble.leaves[leaf].clone()];
        let weights = self.leaves.iter().flat_map(|&leaf| of_leaf(leaf));
        let targets: std::collections::BTreeSet<usize> =
            weights.map(|weight| weight.target).collect();
        let targets: Vec<usize> = targets.into_iter().collect();
        let value = |leaf: usize, target: usize| {
            of_leaf(leaf).iter().filter(|weight| weight.target == target).map(|w| w.value).sum()
        };
        let leaves = self
            .leaves
            .iter()
            .map(|&leaf| targets.iter().map(|&target| value(leaf, target)).collect::<Vec<f64>>());
        let leaves = leaves.collect();
        // A branch of the file becomes several where its mode takes more than one comparison; the
        // first of them has its place.
        let mut branches = Vec::new();
        let mut rest = Vec::new();
        for &index in &self.branches {
            let branch = &self.ensemble.branches[index];
            let element = usize::try_from(branch.feature).ok().filter(|&element| element < width);
            let element = element
                .ok_or_else(|| node.wrong_attribute("nodes_featureids", "features of the input"))?;
            let steps = comparisons(node, branch)?;
            let [when_true, when_false] =
                [branch.when_true, branch.when_false].map(|c| self.next(c));
            let pick = |holds: bool| if holds { when_true } else { when_false };
            let first = self.branches.len() + rest.len();
            for (at, step) in steps.iter().enumerate() {
                let high = match step.high {
                    Some(holds) => pick(holds),
                    None => Next::Branch(first + at),
                };
                let (low, threshold) = (pick(step.low), step.threshold);
                let built = Branch { element, threshold, low, high };
                if at == 0 { branches.push(built) } else { rest.push(built) }
            }
        }
        branches.extend(rest);
        Ok((Tree { root: self.next(root), branches, leaves }, targets))
    }

    fn next(&self, child: Child) -> Next {
        match child {
            Child::Branch(branch) => Next::Branch(self.branch_places[&branch]),
            Child::Leaf(leaf) => Next::Leaf(self.leaf_places[&leaf]),
        }
    }
}

/// A comparison `x ≤ threshold` of several in a row.
struct Step {
    threshold: f64,
    /// What the condition is where it holds.
    low: bool,
    /// And where it does not; nothing where the next one decides.
    high: Option<bool>,
}

/// What a condition is in comparisons `x ≤ t` of single-precision `x`.
fn comparisons(node: &OnnxNode<'_>, branch: &FileBranch) -> Result<Vec<Step>, ImportError> {
    let value = branch.value;
    let one = |threshold, low| vec![Step { threshold, low, high: Some(!low) }];
    let is_number = !value.is_nan() || matches!(branch.mode, Mode::Member(_));
    if !is_number {
        return Err(node.wrong_attribute("nodes_values", "numbers"));
    }
    Ok(match &branch.mode {
        Mode::AtMost => one(at_most(value), true),
        Mode::Below => one(below(value), true),
        Mode::AtLeast => one(below(value), false),
        Mode::Above => one(at_most(value), false),
        Mode::Equal => among(&[value], true),
        Mode::Unequal => among(&[value], false),
        Mode::Member(members) => among(members, true),
    })
}

/// Whether `x` is one of `members`: `holds` where it is.
fn among(members: &[f64], holds: bool) -> Vec<Step> {
    // Numbers that no single-precision one is equal to are no member of anything.
    let mut members: Vec<f64> =
        members.iter().copied().filter(|&m| at_most(m).to_bits() == (m + 0.0).to_bits()).collect();
    members.sort_by(f64::total_cmp);
    members.dedup();
    let mut steps: Vec<Step> = members
        .iter()
        .flat_map(|&member| {
            [(below(member), !holds), (member, holds)].map(|(threshold, low)| Step {
                threshold,
                low,
                high: None,
            })
        })
        .collect();
    match steps.last_mut() {
        Some(last) => last.high = Some(!holds),
        None => steps.push(Step { threshold: 0.0, low: !holds, high: Some(!holds) }),
    }
    steps
}

/// The largest single-precision number that is not above `value`.
fn at_most(value: f64) -> f64 {
    let nearest = narrow(value);
    let number = if f64::from(nearest) > value { nearest.next_down() } else { nearest };
    f64::from(number) + 0.0
}

/// The largest single-precision number below `value`.
fn below(value: f64) -> f64 {
    let number = at_most(value);
    if number < value { number } else { f64::from(narrow(number).next_down()) }
}
