//! `TfIdfVectorizer` of whole numbers: how often each run of tokens occurs.

use std::collections::BTreeMap;

use super::compose::{Lowered, Reduction};
use super::constant::{Constant, real};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::labels::matches;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;
use crate::view::View;

pub(super) const OPERATORS: &[Operator] = &[operator(
    "TfIdfVectorizer",
    &[9],
    &[
        "max_gram_length",
        "max_skip_count",
        "min_gram_length",
        "mode",
        "ngram_counts",
        "ngram_indexes",
        "pool_int64s",
        "pool_strings",
        "weights",
    ],
    vectorize,
)];

/// Most tokens of a run, and most that a run leaves out between two.
const LONGEST: usize = 64;

/// What is counted.
struct Pool {
    /// The runs of each length, from 1 on.
    runs: Vec<Vec<Vec<i64>>>,
    /// The place in the output of each run, in the order of the pool.
    places: Vec<usize>,
    /// The number for each of them.
    weights: Vec<f64>,
    /// The fewest and the most tokens of a run that counts, and the most that are left out.
    lengths: [usize; 2],
    skips: usize,
}

impl Pool {
    fn read(node: &OnnxNode<'_>) -> Result<Self, ImportError> {
        let size = |name: &'static str| {
            let size = usize::try_from(node.int(name)?.unwrap_or(-1)).ok();
            let size = size.filter(|&size| size <= LONGEST);
            size.ok_or_else(|| node.wrong_attribute(name, "0 to 64"))
        };
        let lengths = [size("min_gram_length")?, size("max_gram_length")?];
        let skips = size("max_skip_count")?;
        let list = |name: &'static str| -> Result<Vec<usize>, ImportError> {
            let sizes = node.ints(name)?.unwrap_or_default().iter();
            let sizes = sizes.map(|&size| usize::try_from(size)).collect::<Result<_, _>>();
            sizes.map_err(|_| node.wrong_attribute(name, "numbers from 0 on"))
        };
        let (starts, places) = (list("ngram_counts")?, list("ngram_indexes")?);
        let pool = node.ints("pool_int64s")?.unwrap_or_default();
        if pool.is_empty() {
            return Err(node.unsupported("a pool of texts; give the model the numbers of tokens"));
        }
        let mut runs = Vec::new();
        for (index, &start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).copied().unwrap_or(pool.len());
            let part = pool.get(start..end).filter(|part| part.len().is_multiple_of(index + 1));
            let part = part.ok_or_else(|| {
                node.wrong_attribute("ngram_counts", "where the runs of each length begin")
            })?;
            runs.push(part.chunks(index + 1).map(<[i64]>::to_vec).collect::<Vec<_>>());
        }
        let count = runs.iter().map(Vec::len).sum::<usize>();
        let weights = super::machine_learning::numbers(node, "weights")?;
        let weights = if weights.is_empty() { vec![1.0; count] } else { weights };
        if places.len() != count || weights.len() != count {
            return Err(node.wrong_attribute("ngram_indexes", "one for each run of the pool"));
        }
        let are_in_order = places.iter().enumerate().all(|(index, &place)| place == index);
        if weights.iter().any(|&weight| weight != 1.0) && !are_in_order {
            return Err(node.unsupported("weights of runs whose places are not in their order"));
        }
        if lengths[0] == 0 || lengths[0] > lengths[1] || lengths[1] > runs.len() {
            return Err(node.wrong_attribute("max_gram_length", "a length that the pool has"));
        }
        Ok(Self { runs, places, weights, lengths, skips })
    }

    /// Every token of the pool, with its place among them.
    fn tokens(&self) -> BTreeMap<i64, usize> {
        let tokens = self.runs.iter().flatten().flatten().map(|&token| (token, 0));
        let mut tokens: BTreeMap<i64, usize> = tokens.collect();
        tokens.values_mut().enumerate().for_each(|(place, token)| *token = place);
        tokens
    }
}

/// How often runs of one length occur with so many tokens left out between two: `[rows, runs]`.
/// `hits` has for each token of each row which of `tokens` it is.
fn counted(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    (hits, [rows, length]): (&Value, [usize; 2]),
    (runs, tokens): (&[Vec<i64>], &BTreeMap<i64, usize>),
    step: usize,
) -> Result<Option<Value>, ImportError> {
    let Some(size) = runs.first().map(Vec::len) else { return Ok(None) };
    let Some(starts) = length.checked_sub((size - 1) * step).filter(|&starts| starts > 0) else {
        return Ok(None);
    };
    let shape = [rows, starts, runs.len()];
    importer.reserve(node, &shape)?;
    let mut all: Option<Value> = None;
    for place in 0..size {
        let element = |index: usize| {
            let (run, rest) = (index % runs.len(), index / runs.len());
            let (start, row) = (rest % starts, rest / starts);
            (row * length + start + place * step) * tokens.len() + tokens[&runs[run][place]]
        };
        let elements: View = (0..shape.iter().product()).map(element).collect();
        let found = importer.select(node, hits, shape.to_vec(), |_| elements)?;
        all = Some(match all {
            None => found,
            Some(before) => importer.product(node, &before, &found)?,
        });
    }
    let Some(all) = all else { return Ok(None) };
    let sum = importer.reduced(node, &all, &[1], Reduction::Sum)?;
    Ok(Some(importer.reshaped(node, &sum, vec![rows, runs.len()])?))
}

fn vectorize(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let pool = Pool::read(node)?;
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let Some((&length, outer)) = shape.split_last().filter(|(_, outer)| outer.len() <= 1) else {
        return Err(node.wrong_shape("one row of tokens, or rows of them", &[&shape]));
    };
    let rows = outer.iter().product();
    if Importer::element_of(value) == Element::Real {
        return Err(node.wrong_operand(0, "of whole numbers"));
    }
    let tokens = pool.tokens();
    let hits = matches(node, importer, value, tokens.keys().copied().map(real).collect())?;
    let width = pool.places.iter().max().map_or(0, |&last| last + 1);
    let mut first = 0;
    let mut sum: Option<Value> = None;
    for (index, runs) in pool.runs.iter().enumerate() {
        let places = &pool.places[first..first + runs.len()];
        first += runs.len();
        if !(pool.lengths[0]..=pool.lengths[1]).contains(&(index + 1)) {
            continue;
        }
        importer.budget.elements(&node.name, &[runs.len(), width])?;
        let mut matrix = vec![0.0; runs.len() * width];
        places.iter().enumerate().for_each(|(run, place)| matrix[run * width + place] = 1.0);
        let matrix: Value = Constant::reals(vec![runs.len(), width], matrix).into();
        // A single token leaves nothing out.
        let steps = if index == 0 { 1 } else { pool.skips + 1 };
        for step in 1..=steps {
            let of = (&hits, [rows, length]);
            let Some(counts) = counted(node, importer, of, (runs, &tokens), step)? else {
                continue;
            };
            let placed = importer.matrix_product(node, &counts, &matrix)?;
            sum = Some(match sum {
                None => placed,
                Some(before) => importer.add(node, &before, &placed)?,
            });
        }
    }
    let sum = sum.ok_or_else(|| node.unsupported("rows that are shorter than every run"))?;
    let weights = |importer: &mut Importer, value: &Value| {
        let mut of_place = vec![1.0; width];
        pool.places.iter().zip(&pool.weights).for_each(|(&place, &w)| of_place[place] = w);
        importer.product(node, value, &Constant::reals(vec![width], of_place).into())
    };
    let result = match node.text("mode")? {
        Some(b"TF") => sum,
        Some(b"TFIDF") => weights(importer, &sum)?,
        Some(b"IDF") => {
            let occurs = importer.apply(node, &sum, Activation::Function(Function::IsPositive))?;
            weights(importer, &occurs)?
        }
        _ => return Err(node.wrong_attribute("mode", "TF, IDF or TFIDF")),
    };
    Ok(vec![importer.reshaped(node, &result, [outer, &[width]].concat())?])
}
