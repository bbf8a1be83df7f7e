//! The rows of the forest unit: ranked elements, numbered nodes, walks beside each other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use zkinfer_models::{
    QuantizedGraph,
    quantized::{Branch, Forest, Next, QuantizedOp, TensorId, Tree},
};

use super::{ForestShape, ForestUnit};
use crate::{
    cells::FixedCells,
    integers::{bits, index},
    lookup::ValueTables,
    units::relation::ResultCell,
};

/// Most walks beside each other.
pub(super) const LANES: usize = 16;

/// An element that trees compare, with all thresholds that they compare it with.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    element: (TensorId, u32),
    /// One less than its smallest value.
    pub(super) low: i64,
    hi: i64,
    pub(super) thresholds: Vec<i64>,
}

impl Ranked {
    /// How many thresholds are below a value.
    pub(super) fn rank(&self, value: i64) -> usize {
        self.thresholds.partition_point(|&threshold| threshold < value)
    }

    /// The bounds of a rank, counted from `low`.
    pub(super) fn around(&self, rank: usize) -> [i64; 2] {
        let bounds: Vec<i64> = self.bounds().skip(rank).take(2).collect();
        bounds.try_into().unwrap_or_default()
    }

    /// The bounds between which the ranks are, counted from `low`.
    fn bounds(&self) -> impl Iterator<Item = i64> {
        let ends = [self.low, self.hi];
        let inner = self.thresholds.iter().copied();
        let [first, last] = ends.map(|end| end - self.low);
        std::iter::once(first).chain(inner.map(|t| t - self.low)).chain(std::iter::once(last))
    }
}

/// The forests of a graph, each with its output.
fn forests(graph: &QuantizedGraph) -> impl Iterator<Item = (TensorId, &Forest<i64>)> {
    graph.nodes.iter().filter_map(|node| match &node.op {
        QuantizedOp::Forest(forest) => Some((node.output, forest)),
        _ => None,
    })
}

/// The elements that the forests of a graph compare.
fn ranked(graph: &QuantizedGraph) -> Vec<Ranked> {
    let mut thresholds: BTreeMap<(TensorId, usize), BTreeSet<i64>> = BTreeMap::new();
    for (_, forest) in forests(graph) {
        for branch in forest.trees.iter().flat_map(|tree| &tree.branches) {
            let found = thresholds.entry((forest.input, branch.element)).or_default();
            found.insert(branch.threshold);
        }
    }
    if thresholds.is_empty() {
        // Walks compare something, even where no tree has a branch.
        thresholds.extend(forests(graph).map(|(_, f)| ((f.input, 0), BTreeSet::new())).take(1));
    }
    let ranked = thresholds.into_iter().map(|((input, element), thresholds)| {
        let tensor = &graph.tensors[input.0];
        let (low, hi) = (tensor.lo - 1, tensor.hi);
        let thresholds = thresholds.into_iter().collect();
        Ranked { element: (input, index(element)), low, hi, thresholds }
    });
    ranked.collect()
}

/// What limb widths follow from.
pub(super) struct Sizes {
    pub(super) rank_bits: u32,
    pub(super) element_bits: u32,
    elements: usize,
    nodes: usize,
}

impl Sizes {
    pub(super) fn of(graph: &QuantizedGraph) -> Option<Self> {
        forests(graph).next()?;
        let ranked = ranked(graph);
        let most = ranked.iter().map(|ranked| ranked.thresholds.len()).max().unwrap_or(0);
        let widest = ranked.iter().map(|ranked| ranked.hi - ranked.low).max().unwrap_or(1);
        let trees = || forests(graph).flat_map(|(_, forest)| &forest.trees);
        let widths: BTreeSet<usize> = trees().map(Tree::width).collect();
        let nodes = trees().map(|tree| 2 * tree.branches.len().max(1) + 1).sum::<usize>();
        let nodes = nodes + LANES * widths.len();
        Some(Self {
            rank_bits: bits(i64::from(index(most))).max(1),
            element_bits: bits(widest),
            elements: ranked.len(),
            nodes,
        })
    }

    /// Bits of a compared rank: of the element's number, then of the rank in twice its range.
    pub(super) fn value_bits(&self) -> u32 {
        bits(i64::from(index(self.elements))) + self.rank_bits + 2
    }

    /// How many nodes there are.
    pub(super) fn node_count(&self) -> i64 {
        i64::from(index(self.nodes))
    }
}

/// A tree of the graph.
#[derive(Clone, Debug)]
struct Walk {
    output: TensorId,
    /// The place of its first value in the output.
    first: usize,
    width: usize,
    depth: usize,
    /// Its place among the trees of the graph.
    tree: usize,
    /// The node that it begins with.
    root: usize,
}

/// Trees with as many values, walked side by side.
#[derive(Clone, Debug)]
struct Band {
    /// The places of the trees.
    walks: Range<usize>,
    row: usize,
    depth: usize,
    width: usize,
}

/// The rows of the unit.
#[derive(Clone, Debug)]
pub(crate) struct ForestRows {
    pub(super) ranked: Vec<Ranked>,
    pub(super) rank_bits: u32,
    pub(super) value_bits: u32,
    element_bits: u32,
    /// The entry of each node.
    pub(super) entries: Vec<i64>,
    /// For each place of a value in a leaf, the values of all nodes that are leaves.
    pub(super) values: Vec<Vec<i64>>,
    /// Tags of the tables: bounds, entries, values.
    bounds_tag: i64,
    entries_tag: i64,
    values_tags: Vec<i64>,
    walks: Vec<Walk>,
    bands: Vec<Band>,
    lanes: usize,
    rows: usize,
}

/// How many rows the forests of a graph take, by the number of walks beside each other.
pub(super) fn counts(graph: &QuantizedGraph) -> impl Fn(usize) -> usize + use<> {
    let (walks, ranked) = (walks(graph), ranked(graph).len());
    move |lanes| bands(&walks, lanes).1.max(ranked)
}

impl ForestRows {
    /// The rows for the forests of a graph, if it has any, with so many walks beside each other.
    pub(super) fn of(
        graph: &QuantizedGraph,
        lanes: usize,
        tables: &mut ValueTables,
    ) -> Option<Self> {
        let sizes = Sizes::of(graph)?;
        let ranked = ranked(graph);
        let numbered = Numbered::of(graph, &ranked, &sizes);
        let Numbered { entries, values, walks } = numbered;
        let bounds: Vec<i64> = ranked.iter().flat_map(Ranked::bounds).collect();
        let bounds_tag = tables.tag(bounds);
        let entries_tag = tables.tag(entries.clone());
        let values_tags = values.iter().map(|values| tables.tag(values.clone())).collect();
        let (bands, walked) = bands(&walks, lanes);
        Some(Self {
            rows: walked.max(ranked.len()),
            ranked,
            rank_bits: sizes.rank_bits,
            value_bits: sizes.value_bits(),
            element_bits: sizes.element_bits,
            entries,
            values,
            bounds_tag,
            entries_tag,
            values_tags,
            walks,
            bands,
            lanes,
        })
    }

    /// Rows.
    pub(super) fn row_count(&self) -> usize {
        self.rows
    }

    pub(super) fn shape(&self) -> ForestShape {
        ForestShape {
            lanes: self.lanes,
            value_bits: self.value_bits,
            rank_limbs: vec![self.rank_bits],
            element_limbs: vec![self.element_bits],
        }
    }

    /// The elements that are ranked, row by row.
    pub(super) fn elements(&self) -> impl Iterator<Item = (TensorId, u32)> {
        self.ranked.iter().map(|ranked| ranked.element)
    }

    /// Where the values of the leaves are.
    pub(super) fn results(&self) -> Vec<ResultCell> {
        let of_band = |band: &Band| {
            let (walks, first_row) = (&self.walks[band.walks.clone()], band.row + band.depth);
            let of_walk = move |(lane, walk): (u32, &Walk)| {
                let (tensor, first) = (walk.output, walk.first);
                (0..walk.width).map(move |value| {
                    let [element, row] = [first + value, first_row + value].map(index);
                    ResultCell { tensor, element, lane, row }
                })
            };
            (0..).zip(walks).flat_map(of_walk).collect::<Vec<_>>()
        };
        self.bands.iter().flat_map(of_band).collect()
    }

    /// `f·F` of an element's number.
    pub(super) fn number(&self, element: usize) -> i64 {
        i64::from(index(element)) << (self.rank_bits + 1)
    }

    /// First row, steps and values of each band, with the node that each of its lanes begins at.
    pub(super) fn walks(&self) -> impl Iterator<Item = (usize, usize, usize, i64)> {
        self.bands.iter().map(|band| {
            let start = i64::from(index(self.walks[band.walks.start].root));
            (band.row, band.depth, band.width, start)
        })
    }

    pub(super) fn fixed(&self, unit: &ForestUnit, cells: &mut FixedCells) {
        let ranking = &unit.ranking;
        let mut start = 0;
        for (row, ranked) in self.ranked.iter().enumerate() {
            let size = i64::from(index(ranked.thresholds.len()));
            cells.set(ranking.q_row, row, 1);
            cells.set(ranking.tag, row, self.bounds_tag);
            cells.set(ranking.starts[0], row, -start);
            cells.set(ranking.starts[1], row, -start - 1);
            cells.set(ranking.low, row, ranked.low);
            cells.set(ranking.size, row, size);
            cells.set(ranking.number, row, self.number(row));
            start += size + 2;
        }
        for (first, depth, width, start) in self.walks() {
            cells.set(unit.q_start, first, 1);
            cells.set(unit.start, first, start);
            for row in first..first + depth {
                cells.set(unit.q_step, row, 1);
                cells.set(unit.tag, row, self.entries_tag);
            }
            for (value, &tag) in self.values_tags[..width].iter().enumerate() {
                let row = first + depth + value;
                cells.set(unit.tag, row, tag);
                cells.set(unit.q_hold, row, (value + 1 < width).into());
            }
        }
    }
}

/// The trees of a graph, those with as many values next to each other, by depth.
fn walks(graph: &QuantizedGraph) -> Vec<Walk> {
    let mut walks = Vec::new();
    for (output, forest) in forests(graph) {
        let mut first = 0;
        for tree in &forest.trees {
            let (width, depth) = (tree.width(), depth(tree));
            walks.push(Walk { output, first, width, depth, tree: walks.len(), root: 0 });
            first += width;
        }
    }
    walks.sort_by_key(|walk| (walk.width, walk.depth));
    walks
}

/// Walks side by side, and the rows that they take.
fn bands(walks: &[Walk], lanes: usize) -> (Vec<Band>, usize) {
    let (mut bands, mut row, mut first) = (Vec::new(), 0, 0);
    for group in walks.chunk_by(|a, b| a.width == b.width) {
        for beside in group.chunks(lanes) {
            let [.., deepest] = beside else { continue };
            let Walk { depth, width, .. } = *deepest;
            let walks = first..first + beside.len();
            first = walks.end;
            bands.push(Band { walks, row, depth, width });
            row += depth + width;
        }
    }
    (bands, row)
}

/// Nodes by number: two for each branch, where its ways lead, then the roots.
struct Numbered {
    entries: Vec<i64>,
    values: Vec<Vec<i64>>,
    walks: Vec<Walk>,
}

/// A branch of some tree, or what stands for one in a tree without: both ways lead to its leaf.
type Pair<'a> = (&'a Tree<i64>, [Next; 2]);

impl Numbered {
    fn of(graph: &QuantizedGraph, ranked: &[Ranked], sizes: &Sizes) -> Self {
        let mut walks = walks(graph);
        let trees: Vec<_> = forests(graph)
            .flat_map(|(_, forest)| forest.trees.iter().map(move |tree| (forest.input, tree)))
            .collect();
        let pairs = pairs(&trees);
        let coder = Coder::new(&trees, &pairs, ranked, sizes);
        let mut entries = Vec::with_capacity(sizes.nodes);
        for &(tree, _, (_, ways)) in &pairs {
            for way in ways {
                entries.push(match way {
                    Next::Leaf(_) => coder.leaf(entries.len()),
                    Next::Branch(at) => coder.branch(tree, at),
                });
            }
        }
        // Lanes beside the last trees with as many values walk to a leaf of the first pair.
        let leaf = pairs.first().map_or(0, |(_, _, (_, ways))| usize::from(!is_leaf(&ways[0])));
        for group in walks.chunk_by_mut(|a, b| a.width == b.width) {
            for walk in group {
                let at = match trees[walk.tree].1.root {
                    Next::Branch(at) => at,
                    Next::Leaf(_) => 0,
                };
                walk.root = entries.len();
                entries.push(coder.branch(walk.tree, at));
            }
            entries.resize(entries.len() + LANES, coder.leaf(leaf));
        }
        Self { values: values(&pairs), entries, walks }
    }
}

fn is_leaf(next: &Next) -> bool {
    matches!(next, Next::Leaf(_))
}

/// Where the ways of every branch lead, with its tree and its place there; those with a leaf come
/// first, so that lists of values end there.
fn pairs<'a>(trees: &[(TensorId, &'a Tree<i64>)]) -> Vec<(usize, usize, Pair<'a>)> {
    let mut pairs: Vec<(usize, usize, Pair<'a>)> = Vec::new();
    for (number, &(_, tree)) in trees.iter().enumerate() {
        if tree.branches.is_empty() {
            pairs.push((number, 0, (tree, [tree.root; 2])));
        }
        let of_tree = tree.branches.iter().enumerate();
        pairs.extend(of_tree.map(|(at, b)| (number, at, (tree, [b.low, b.high]))));
    }
    pairs.sort_by_key(|(_, _, (_, ways))| !ways.iter().any(is_leaf));
    pairs
}

/// The entries of nodes.
struct Coder<'a> {
    trees: &'a [(TensorId, &'a Tree<i64>)],
    /// Where each branch leads, by its tree and its place there.
    children: HashMap<(usize, usize), usize>,
    /// The number of each compared element.
    places: HashMap<(TensorId, u32), usize>,
    ranked: &'a [Ranked],
    rank_bits: u32,
    value_bits: u32,
}

impl<'a> Coder<'a> {
    fn new(
        trees: &'a [(TensorId, &'a Tree<i64>)],
        pairs: &[(usize, usize, Pair<'_>)],
        ranked: &'a [Ranked],
        sizes: &Sizes,
    ) -> Self {
        let numbered = pairs.iter().enumerate();
        Self {
            trees,
            children: numbered.map(|(pair, &(tree, at, _))| ((tree, at), 2 * pair)).collect(),
            places: ranked.iter().enumerate().map(|(at, r)| (r.element, at)).collect(),
            ranked,
            rank_bits: sizes.rank_bits,
            value_bits: sizes.value_bits(),
        }
    }

    fn entry(&self, low: i64, child: usize) -> i64 {
        low + (i64::from(index(child)) << self.value_bits)
    }

    /// A comparison that always holds, and leads to `child`.
    fn leaf(&self, child: usize) -> i64 {
        self.entry((1 << self.rank_bits) - 1, child)
    }

    /// The comparison of a branch.
    fn branch(&self, tree: usize, at: usize) -> i64 {
        let (input, of) = self.trees[tree];
        let child = self.children[&(tree, at)];
        let Some(branch) = of.branches.get(at) else { return self.leaf(child) };
        let Branch { element, threshold, .. } = *branch;
        let place = self.places[&(input, index(element))];
        let rank = self.ranked[place].rank(threshold);
        let low = (i64::from(index(place)) << (self.rank_bits + 1)) + i64::from(index(rank));
        self.entry(low, child)
    }
}

/// For each place of a value in a leaf, the values of all nodes up to the last leaf.
fn values(pairs: &[(usize, usize, Pair<'_>)]) -> Vec<Vec<i64>> {
    let with_leaf = pairs.partition_point(|(_, _, (_, ways))| ways.iter().any(is_leaf));
    let width = pairs.iter().map(|(_, _, (tree, _))| tree.width()).max().unwrap_or(0);
    let value = |place: usize, tree: &Tree<i64>, way: Next| match way {
        Next::Leaf(leaf) => tree.leaves[leaf].get(place).copied().unwrap_or(0),
        Next::Branch(_) => 0,
    };
    (0..width)
        .map(|place| {
            let ways = pairs[..with_leaf].iter();
            ways.flat_map(|(_, _, (tree, ways))| ways.map(|way| value(place, tree, way))).collect()
        })
        .collect()
}

/// The most branches on a way from the root to a leaf, and 1 for a tree that is a leaf.
fn depth(tree: &Tree<i64>) -> usize {
    // Branches may be shared, so depths are found from below: each is looked at twice.
    let mut depths: Vec<Option<usize>> = vec![None; tree.branches.len()];
    let mut pending: Vec<usize> = match tree.root {
        Next::Branch(root) => vec![root],
        Next::Leaf(_) => return 1,
    };
    while let Some(&at) = pending.last() {
        let ways = [tree.branches[at].low, tree.branches[at].high];
        let below = |way: &Next| match way {
            Next::Branch(next) => depths[*next].ok_or(*next),
            Next::Leaf(_) => Ok(0),
        };
        let found: Result<Vec<usize>, usize> = ways.iter().map(below).collect();
        match found {
            Ok(found) => {
                depths[at] = Some(1 + found.into_iter().max().unwrap_or(0));
                pending.pop();
            }
            Err(missing) => pending.push(missing),
        }
    }
    match tree.root {
        Next::Branch(root) => depths[root].unwrap_or(1),
        Next::Leaf(_) => 1,
    }
}
