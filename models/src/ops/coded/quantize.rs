//! Coded operations in integers: the program of a rule, exact wherever one of its forms can be.

use super::rule::Rule;
use super::steps::{Line, Steps};
use super::{Coded, Integers, Sums};
use crate::error::QuantizeError;
use crate::numbers::{integer, power_of_two, real, small};
use crate::ops::affine::{Affine, ConvTerm, QuantizedAffine, Term};
use crate::ops::alias::Alias;
use crate::ops::contract::{Contract, QuantizedContract};
use crate::ops::mul::{Mul, QuantizedMul};
use crate::quantizer::form::Role;
use crate::quantizer::{INEXACT, Layer, Quantizer, SUM_BITS};
use crate::requant::Requant;
use crate::tensor::{QuantizedTensor, TensorId};
use crate::view::View;

/// Sums below this are exact in single precision.
const EXACT: i64 = 1 << 24;
/// Most entries of a table whose argument is the sum itself.
const MOST_ENTRIES: i64 = 1 << 14;

impl Quantizer<'_> {
    /// The integer form of a coded operation. What is not the rule everywhere is counted in
    /// [`Self::misplaced`].
    pub(super) fn coded(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        role: Role,
    ) -> Result<Integers, QuantizeError> {
        match &coded.sums {
            Sums::Affine(affine) => match &coded.rule {
                Rule::Nearest { scale } => self.nearest(node, coded, affine, (*scale, role)),
                Rule::Table { .. } => self.entries(node, coded, affine),
                Rule::Added { .. } => self.added(node, coded, affine),
                _ => self.scaled(node, coded, affine),
            },
            Sums::Mul(mul) => self.coded_mul(node, coded, mul),
            Sums::Contract(contract) => self.coded_contract(node, coded, contract),
        }
    }

    /// Codes of real numbers: those of the input itself where it is held in codes already.
    fn nearest(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        affine: &Affine,
        (scale, role): (f32, Role),
    ) -> Result<Integers, QuantizeError> {
        let [term] = &affine.terms[..] else { return Err(overflow(node)) };
        let input = term.input;
        if self.origins[input.0].holds_codes {
            // An output is computed, even from an input that it is equal to.
            if role == Role::Output {
                let line = Line::exact(power_of_two(self.shift));
                return self.layer(node, affine, &Recipe::clamped(coded, vec![line]));
            }
            let elements = View::in_order(self.tensors[input.0].len());
            return Ok(Integers::Elements(Alias { input, elements }));
        }
        let unit = self.tensors[input.0].scale / f64::from(scale);
        let weight = integer((unit * real(power_of_two(self.shift))).round()).max(1);
        self.layer(node, affine, &Recipe::clamped(coded, vec![Line::exact(weight)]))
    }

    /// A table over the codes of the input.
    fn entries(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        affine: &Affine,
    ) -> Result<Integers, QuantizeError> {
        let sums = self.sums_of(node, affine)?;
        let lo = sums.iter().map(|sum| sum[0]).min().unwrap_or(0);
        let hi = sums.iter().map(|sum| sum[1]).max().unwrap_or(0);
        if hi - lo >= MOST_ENTRIES {
            return Err(overflow(node));
        }
        self.layer(node, affine, &self.table(coded, [lo, hi]))
    }

    /// Sums that a line or, where they are few, a table makes codes of.
    fn scaled(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        affine: &Affine,
    ) -> Result<Integers, QuantizeError> {
        let codes = [coded.lo, coded.hi];
        let sums = self.sums_of(node, affine)?;
        if coded.rule.must_fit() {
            return self.fitting_sums(node, coded, (affine, &sums));
        }
        if coded.rule.is_identity() && sums.iter().flatten().all(|sum| sum.abs() < EXACT) {
            let line = Line::exact(power_of_two(self.shift));
            return self.layer(node, affine, &Recipe::clamped(coded, vec![line]));
        }
        let steps = sums.iter().enumerate();
        let steps: Vec<Steps> =
            steps.map(|(channel, &sums)| Steps::of(&coded.rule, channel, sums, codes)).collect();
        let lines: Vec<Line> = steps.iter().map(|steps| steps.line(self.shift, true)).collect();
        let misplaced: usize = lines.iter().map(|line| line.misplaced).sum();
        if misplaced > 0 {
            let is_one = coded.rule.is_one();
            let windows = steps.iter().filter_map(Steps::window);
            let window = windows.reduce(|all, one| [all[0].min(one[0]), all[1].max(one[1])]);
            if let Some(window) = window.filter(|w| is_one && w[1] - w[0] < MOST_ENTRIES)
                && let Ok(layer) = self.layer(node, affine, &self.table(coded, window))
            {
                return Ok(layer);
            }
        }
        self.misplace(misplaced);
        self.layer(node, affine, &Recipe::clamped(coded, lines))
    }

    /// Sums of integers or their quotients, exactly: no input in range may leave the bounds.
    fn fitting_sums(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        (affine, sums): (&Affine, &[[i64; 2]]),
    ) -> Result<Integers, QuantizeError> {
        self.check_whole(node, affine.terms.iter().map(|term| term.input))?;
        let mut lines = Vec::with_capacity(sums.len());
        for (channel, &sums) in sums.iter().enumerate() {
            check_fits(node, coded, sums.map(|sum| coded.rule.of_sum(channel, sum)))?;
            let line = match &coded.rule {
                Rule::Quotient { divisors } => {
                    Line::quotient(divisors[channel % divisors.len()], sums, self.shift)
                }
                _ => Line::exact(power_of_two(self.shift)),
            };
            if line.misplaced > 0 {
                self.misplace(INEXACT);
            }
            lines.push(line);
        }
        self.layer(node, affine, &Recipe::clamped(coded, lines))
    }

    /// Refuses tensors that are not held as the integers that they are.
    fn check_whole(
        &self,
        node: Layer<'_>,
        inputs: impl IntoIterator<Item = TensorId>,
    ) -> Result<(), QuantizeError> {
        let is_whole = |id: TensorId| self.tensors[id.0].scale == 1.0;
        if inputs.into_iter().all(is_whole) {
            return Ok(());
        }
        Err(QuantizeError::LargeIntegers { layer: node.name.to_owned() })
    }

    /// Whole sums, clamped to a window, and the code for each.
    fn table(&self, coded: &Coded, [lo, hi]: [i64; 2]) -> Recipe {
        let code = |sum| small(coded.rule.of_sum(0, sum).clamp(coded.lo, coded.hi));
        Recipe {
            lines: vec![Line::exact(power_of_two(self.shift))],
            lo,
            hi,
            table: Some((lo..=hi).map(code).collect()),
            weights: Vec::new(),
        }
    }

    /// The layer with a line for each channel, or one for all.
    fn layer(
        &self,
        node: Layer<'_>,
        affine: &Affine,
        recipe: &Recipe,
    ) -> Result<Integers, QuantizeError> {
        let line = |channel: usize| recipe.lines[channel % recipe.lines.len()];
        let channels = affine.bias.len();
        let mut terms = Vec::with_capacity(affine.terms.len());
        for (place, term) in affine.terms.iter().enumerate() {
            let per_channel = (term.kernel.len() / channels).max(1);
            let weight = |(position, weight): (usize, &f64)| {
                let factor = match recipe.weights.get(place) {
                    Some(&factor) => factor,
                    None => line(position / per_channel).factor,
                };
                let product = i128::from(integer(*weight)) * i128::from(factor);
                i32::try_from(product).map_err(|_| overflow(node))
            };
            let kernel = term.kernel.iter().enumerate().map(weight);
            terms.push(conv_term(term, kernel.collect::<Result<_, _>>()?));
        }
        let bias = affine.bias.iter().enumerate().map(|(channel, bias)| {
            let Line { factor, offset, .. } = line(channel);
            let bias = i128::from(integer(*bias)) * i128::from(factor) + i128::from(offset);
            i64::try_from(bias)
                .ok()
                .filter(|bias| bias.abs() < power_of_two(SUM_BITS - 1))
                .ok_or_else(|| overflow(node))
        });
        let bias = bias.collect::<Result<Vec<_>, _>>()?;
        let mut layer = QuantizedAffine {
            terms,
            bias,
            shifts: Vec::new(),
            output: affine.output.clone(),
            requant: self.requant([recipe.lo, recipe.hi], recipe.table.clone()),
        };
        let bounds = self.sum_bounds(&layer).ok_or_else(|| overflow(node))?;
        (layer.requant.acc_lo, layer.requant.acc_hi) = bounds;
        Ok(Integers::Affine(layer))
    }

    fn requant(&self, [lo, hi]: [i64; 2], table: Option<Vec<i32>>) -> Requant {
        let (lo, hi) = (small(lo), small(hi));
        let shift = self.shift;
        Requant { scale: 1.0, zero: 0, shift, lo, hi, acc_lo: 0, acc_hi: 0, table }
    }

    /// The smallest and the largest sum of each channel.
    fn sums_of(&self, node: Layer<'_>, affine: &Affine) -> Result<Vec<[i64; 2]>, QuantizeError> {
        let whole = |weight: &f64| i32::try_from(integer(*weight)).map_err(|_| overflow(node));
        let terms = affine.terms.iter().map(|term| {
            let kernel = term.kernel.iter().map(whole).collect::<Result<_, _>>()?;
            Ok(conv_term(term, kernel))
        });
        let terms = terms.collect::<Result<Vec<_>, _>>()?;
        let bias: Vec<i64> = affine.bias.iter().map(|bias| integer(*bias)).collect();
        let sums = self.channel_sums(&bias, &terms, &affine.output);
        let narrow = |sum: i128| {
            i64::try_from(sum).ok().filter(|sum| sum.abs() < power_of_two(SUM_BITS - 1))
        };
        let bounds = sums.iter().map(|sum| Some([narrow(sum[0])?, narrow(sum[1])?]));
        bounds.collect::<Option<_>>().ok_or_else(|| overflow(node))
    }

    /// Two scaled tensors: the weights nearest to the ratios and the offset that serves most pairs.
    fn added(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        affine: &Affine,
    ) -> Result<Integers, QuantizeError> {
        let (Rule::Added { ratios, .. }, [a, b]) = (&coded.rule, &affine.terms[..]) else {
            return Err(overflow(node));
        };
        let one = real(power_of_two(self.shift));
        let weights = ratios.map(|ratio| integer((f64::from(ratio) * one).round()).max(1));
        if weights.iter().any(|weight| i32::try_from(*weight).is_err()) {
            return Err(overflow(node));
        }
        let [a, b] = [a, b].map(|term| &self.tensors[term.input.0]);
        let pairs = Pairs { coded, a, b };
        let line = pairs.line(weights, self.shift);
        if line.misplaced > 0
            && let Some((lo, codes)) = pairs.by_sum(*ratios)
        {
            let hi = lo + i64::try_from(codes.len()).unwrap_or(i64::MAX) - 1;
            let mut table = self.table(coded, [lo, hi]);
            table.table = Some(codes);
            if let Ok(layer) = self.layer(node, affine, &table) {
                return Ok(layer);
            }
        }
        self.misplace(line.misplaced);
        let recipe = Recipe { weights: weights.to_vec(), ..Recipe::clamped(coded, vec![line]) };
        self.layer(node, affine, &recipe)
    }

    /// Products of the elements of two tensors.
    fn coded_mul(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        mul: &Mul,
    ) -> Result<Integers, QuantizeError> {
        let [a, b] = [mul.a, mul.b].map(|id| &self.tensors[id.0]);
        let products = product_bounds(a, b).ok_or_else(|| overflow(node))?;
        let mut recipe = Recipe::clamped(coded, vec![Line::exact(power_of_two(self.shift))]);
        if coded.rule.must_fit() {
            self.check_whole(node, [mul.a, mul.b])?;
            check_fits(node, coded, products)?;
        } else {
            let steps = Steps::of(&coded.rule, 0, products, [coded.lo, coded.hi]);
            let line = steps.line(self.shift, false);
            recipe.lines = vec![line];
            let window = steps.window().filter(|w| w[1] - w[0] < MOST_ENTRIES);
            match window {
                Some(window) if line.misplaced > 0 => recipe = self.table(coded, window),
                _ => self.misplace(line.misplaced),
            }
        }
        let factor = recipe.lines[0].factor;
        let mut requant = self.requant([recipe.lo, recipe.hi], recipe.table);
        [requant.acc_lo, requant.acc_hi] =
            accumulators(products, factor, 0).ok_or_else(|| overflow(node))?;
        let (a_elements, b_elements) = (mul.a_elements.clone(), mul.b_elements.clone());
        let (a, b) = (mul.a, mul.b);
        Ok(Integers::Mul(QuantizedMul { a, b, a_elements, b_elements, factor, requant }))
    }

    /// Products of two stacks of matrices.
    fn coded_contract(
        &self,
        node: Layer<'_>,
        coded: &Coded,
        contract: &Contract,
    ) -> Result<Integers, QuantizeError> {
        let [a, b] = [contract.a, contract.b].map(|id| &self.tensors[id.0]);
        let inner = i64::try_from(contract.sizes.inner).map_err(|_| overflow(node))?;
        let bounds = product_bounds(a, b).ok_or_else(|| overflow(node))?;
        let [lo, hi] = bounds.map(|bound| bound.checked_mul(inner));
        let sums = [lo.ok_or_else(|| overflow(node))?, hi.ok_or_else(|| overflow(node))?];
        let steps = Steps::of(&coded.rule, 0, sums, [coded.lo, coded.hi]);
        let Line { factor, offset, misplaced } = steps.line(self.shift, true);
        self.misplace(misplaced);
        let mut requant = self.requant([coded.lo, coded.hi], None);
        [requant.acc_lo, requant.acc_hi] =
            accumulators(sums, factor, offset).ok_or_else(|| overflow(node))?;
        let bias = if offset == 0 { Vec::new() } else { vec![offset; contract.sizes.len()] };
        let (a, b, sizes) = (contract.a, contract.b, contract.sizes);
        Ok(Integers::Contract(QuantizedContract { a, b, sizes, factor, bias, requant }))
    }
}

/// Refuses results that could be outside the bounds.
fn check_fits(node: Layer<'_>, coded: &Coded, [lo, hi]: [i64; 2]) -> Result<(), QuantizeError> {
    if coded.lo <= lo && hi <= coded.hi {
        return Ok(());
    }
    let (layer, bounds) = (node.name.to_owned(), [coded.lo, coded.hi]);
    Err(QuantizeError::WrapsAround { layer, got: [lo, hi], bounds })
}

/// What makes a layer of whole sums.
struct Recipe {
    lines: Vec<Line>,
    lo: i64,
    hi: i64,
    table: Option<Vec<i32>>,
    /// A factor for each term, in place of the lines'.
    weights: Vec<i64>,
}

impl Recipe {
    /// Codes without a table.
    fn clamped(coded: &Coded, lines: Vec<Line>) -> Self {
        Self { lines, lo: coded.lo, hi: coded.hi, table: None, weights: Vec::new() }
    }
}

impl Line {
    /// No more than a factor.
    fn exact(factor: i64) -> Self {
        Self { factor, offset: 0, misplaced: 0 }
    }
}

/// All pairs of codes of two tensors.
struct Pairs<'a> {
    coded: &'a Coded,
    a: &'a QuantizedTensor,
    b: &'a QuantizedTensor,
}

impl Pairs<'_> {
    fn each(&self) -> impl Iterator<Item = ([i64; 2], i64)> {
        let pairs =
            (self.a.lo..=self.a.hi).flat_map(|a| (self.b.lo..=self.b.hi).map(move |b| [a, b]));
        pairs.map(|pair| (pair, self.coded.rule.of_pair(pair).clamp(self.coded.lo, self.coded.hi)))
    }

    /// The offset that serves most pairs with these weights.
    fn line(&self, weights: [i64; 2], shift: u32) -> Line {
        let half = power_of_two(shift) / 2;
        let intervals = self.each().map(|([a, b], code)| {
            let from = (code << shift) - half - weights[0] * a - weights[1] * b;
            let to = from + power_of_two(shift);
            let is_least = code == self.coded.lo;
            let is_most = code == self.coded.hi;
            (if is_least { i64::MIN } else { from }, if is_most { i64::MAX } else { to })
        });
        super::steps::stabbed(0, intervals.collect(), true)
    }

    /// Where tensors have one scale and the code depends on the sum alone: the smallest sum and the
    /// code for each.
    fn by_sum(&self, ratios: [f32; 2]) -> Option<(i64, Vec<i32>)> {
        if ratios[0].to_bits() != ratios[1].to_bits() {
            return None;
        }
        let (lo, hi) = (self.a.lo + self.b.lo, self.a.hi + self.b.hi);
        let mut codes = vec![None; usize::try_from(hi - lo + 1).ok()?];
        for ([a, b], code) in self.each() {
            let place = usize::try_from(a + b - lo).ok()?;
            if *codes[place].get_or_insert(code) != code {
                return None;
            }
        }
        Some((lo, codes.into_iter().map(|code| code.map(small)).collect::<Option<_>>()?))
    }
}

fn conv_term(term: &Term, kernel: Vec<i32>) -> ConvTerm {
    ConvTerm {
        input: term.input,
        view: term.view.clone(),
        kernel,
        kernel_size: term.window.kernel_size,
        groups: term.window.groups,
        stride: term.window.stride,
        dilation: term.window.dilation,
        padding: term.window.padding,
    }
}

/// The smallest and the largest product of two elements.
fn product_bounds(a: &QuantizedTensor, b: &QuantizedTensor) -> Option<[i64; 2]> {
    let products = [
        a.lo.checked_mul(b.lo)?,
        a.lo.checked_mul(b.hi)?,
        a.hi.checked_mul(b.lo)?,
        a.hi.checked_mul(b.hi)?,
    ];
    Some([products.into_iter().min()?, products.into_iter().max()?])
}

/// The smallest and the largest accumulator, if they are within the limit.
fn accumulators(sums: [i64; 2], factor: i64, offset: i64) -> Option<[i64; 2]> {
    let of = |sum: i64| {
        let accumulator = sum.checked_mul(factor)?.checked_add(offset)?;
        (accumulator.abs() < power_of_two(SUM_BITS - 1)).then_some(accumulator)
    };
    Some([of(sums[0])?, of(sums[1])?])
}

fn overflow(node: Layer<'_>) -> QuantizeError {
    QuantizeError::Overflow { layer: node.name.to_owned() }
}
