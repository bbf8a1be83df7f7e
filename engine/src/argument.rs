//! The constraints of the whole argument: gates, permutation and lookups, in halo2's order.

use halo2_proofs::{
    halo2curves::{
        bn256::Fr,
        ff::{Field, PrimeField},
    },
    plonk::{Any, Column, ConstraintSystem, Expression},
};

use crate::program::{Limits, Linear, Program, ProgramBuilder, Quotient, Source};

/// Numbers of the proof's parameters: the circuit's challenges come first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters {
    /// Challenges of the circuit.
    challenges: usize,
}

impl Parameters {
    pub(crate) fn new(constraints: &ConstraintSystem<Fr>) -> Self {
        Self { challenges: constraints.num_challenges() }
    }
    fn theta(self) -> usize {
        self.challenges
    }
    fn beta(self) -> usize {
        self.challenges + 1
    }
    fn gamma(self) -> usize {
        self.challenges + 2
    }
    fn y(self) -> usize {
        self.challenges + 3
    }
    fn beta_inverse(self) -> usize {
        self.challenges + 4
    }
    /// The values in this order.
    pub(crate) fn values(challenges: &[Fr], theta: Fr, beta: Fr, gamma: Fr, y: Fr) -> Vec<Fr> {
        let beta_inverse = beta.invert().unwrap_or(Fr::ZERO);
        [challenges, &[theta, beta, gamma, y, beta_inverse]].concat()
    }
}

/// The sizes that the argument depends on.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// The degree of the whole: one more than the pieces of the quotient.
    pub(crate) degree: usize,
    /// Rows at the end that blind.
    pub(crate) blinding_factors: usize,
    /// Columns of the permutation argument, in order.
    pub(crate) permuted: Vec<Column<Any>>,
}

impl Shape {
    pub(crate) fn new(constraints: &ConstraintSystem<Fr>) -> Self {
        Self {
            degree: constraints.degree(),
            blinding_factors: constraints.blinding_factors(),
            permuted: constraints.permutation().get_columns(),
        }
    }

    /// Columns that share a running product.
    pub(crate) fn set_size(&self) -> usize {
        self.degree - 2
    }

    /// Running products of the permutation argument.
    pub(crate) fn set_count(&self) -> usize {
        self.permuted.len().div_ceil(self.set_size())
    }

    /// The rotation from the first row to the last proper row of a running product.
    pub(crate) fn last_rotation(&self) -> i32 {
        -i32::try_from(self.blinding_factors + 1).expect("a handful of blinding rows")
    }
}

/// The constraint whose quotient by `X^n - 1` is committed.
pub(crate) fn quotient(
    constraints: &ConstraintSystem<Fr>,
    shape: &Shape,
    limits: Limits,
) -> Quotient {
    let parameters = Parameters::new(constraints);
    let mut builder = ProgramBuilder::new();
    for gate in constraints.gates() {
        for polynomial in gate.polynomials() {
            let value = builder.expression(polynomial);
            builder.constrain(value);
        }
    }
    permutation_constraints(&mut builder, shape, parameters);
    for (index, lookup) in constraints.lookups().iter().enumerate() {
        let input = compress(&mut builder, lookup.input_expressions(), parameters);
        let table = compress(&mut builder, lookup.table_expressions(), parameters);
        lookup_constraints(&mut builder, index, &input, &table, parameters);
    }
    builder.fold(parameters.y(), limits, shape.degree - 1)
}

/// Numerator and denominator of every set of the permutation argument.
pub(crate) fn permutation_fractions(constraints: &ConstraintSystem<Fr>, shape: &Shape) -> Program {
    let parameters = Parameters::new(constraints);
    let mut builder = ProgramBuilder::new();
    let mut outputs = Vec::new();
    for set in 0..shape.set_count() {
        let products = set_products(&mut builder, shape, set, parameters);
        outputs.extend([products.numerator, products.denominator]);
    }
    builder.outputs(&outputs)
}

/// Compressed input and table of every lookup.
pub(crate) fn lookup_values(constraints: &ConstraintSystem<Fr>) -> Program {
    let parameters = Parameters::new(constraints);
    let mut builder = ProgramBuilder::new();
    let mut outputs = Vec::new();
    for lookup in constraints.lookups() {
        outputs.push(compress(&mut builder, lookup.input_expressions(), parameters));
        outputs.push(compress(&mut builder, lookup.table_expressions(), parameters));
    }
    builder.outputs(&outputs)
}

/// `(A + β)(S + γ)` for a single lookup, whose columns are input and table 0.
pub(crate) fn lookup_side(constraints: &ConstraintSystem<Fr>) -> Program {
    let parameters = Parameters::new(constraints);
    let mut builder = ProgramBuilder::new();
    let beta = builder.parameter(parameters.beta());
    let gamma = builder.parameter(parameters.gamma());
    let input = builder.query(Source::LookupInput(0), 0);
    let table = builder.query(Source::LookupTable(0), 0);
    let (input, table) = (builder.add(&input, &beta), builder.add(&table, &gamma));
    let both = builder.multiply(&input, &table);
    builder.outputs(&[both])
}

/// The fractions of a set of columns of the permutation argument.
struct SetProducts {
    numerator: Linear,
    denominator: Linear,
    /// What both are to be multiplied by.
    scale: Linear,
}

/// `Π (v + β·δ^i·X + γ)` and `Π (v + β·σ + γ)` over the columns of a set.
///
/// With `t = (v + γ)/(β·δ^i)`, the factors are `β·δ^i` times `t + X` and times `t + σ/δ^i`, which is
/// what the key has ([`Source::Permutation`]): one product by a uniform value for each column
/// instead of one for each factor.
fn set_products(
    builder: &mut ProgramBuilder,
    shape: &Shape,
    set: usize,
    parameters: Parameters,
) -> SetProducts {
    let beta = builder.parameter(parameters.beta());
    let inverse = builder.parameter(parameters.beta_inverse());
    let gamma = builder.parameter(parameters.gamma());
    let point = builder.query(Source::Point, 0);
    let first = set * shape.set_size();
    let columns = shape.permuted.iter().enumerate().skip(first).take(shape.set_size());
    let mut products = [builder.constant(Fr::ONE), builder.constant(Fr::ONE)];
    let mut scale = builder.constant(Fr::ONE);
    for (index, &column) in columns {
        let delta = permutation_scale(index);
        let [delta, undone] = [delta, delta.invert().unwrap_or(Fr::ZERO)];
        let (delta, undone) = (builder.constant(delta), builder.constant(undone));
        let (factor, divisor) =
            (builder.multiply(&beta, &delta), builder.multiply(&inverse, &undone));
        scale = builder.multiply(&scale, &factor);
        let value = builder.column(column);
        let value = builder.add(&value, &gamma);
        let value = builder.multiply(&value, &divisor);
        let value = builder.shared(&value);
        let permuted = builder.query(Source::Permutation(index), 0);
        for (product, label) in products.iter_mut().zip([&point, &permuted]) {
            let factor = builder.add(&value, label);
            *product = builder.multiply(product, &factor);
        }
    }
    let [numerator, denominator] = products;
    SetProducts { numerator, denominator, scale }
}

/// δ^column: what the column of [`Source::Permutation`] is multiplied by to be σ.
pub(crate) fn permutation_scale(column: usize) -> Fr {
    Fr::DELTA.pow_vartime([column as u64])
}

fn permutation_constraints(builder: &mut ProgramBuilder, shape: &Shape, parameters: Parameters) {
    let sets = shape.set_count();
    if sets == 0 {
        return;
    }
    let product = |builder: &mut ProgramBuilder, set, rotation| {
        builder.query(Source::PermutationProduct(set), rotation)
    };
    let (start, end) = (product(builder, 0, 0), product(builder, sets - 1, 0));
    boundary_constraints(builder, &start, &end);
    for set in 1..sets {
        let here = product(builder, set, 0);
        let before = product(builder, set - 1, shape.last_rotation());
        let step = builder.subtract(&here, &before);
        constrain_where(builder, Source::First, &step);
    }
    for set in 0..sets {
        let products = set_products(builder, shape, set, parameters);
        let (here, next) = (product(builder, set, 0), product(builder, set, 1));
        let left = builder.multiply(&next, &products.denominator);
        let right = builder.multiply(&here, &products.numerator);
        let step = builder.subtract(&left, &right);
        let step = builder.multiply(&step, &products.scale);
        constrain_where(builder, Source::Active, &step);
    }
}

fn constrain_where(builder: &mut ProgramBuilder, switch: Source, value: &Linear) {
    let switch = builder.query(switch, 0);
    let constraint = builder.multiply(&switch, value);
    builder.constrain(constraint);
}

/// A running product starts at one and ends at zero or one.
fn boundary_constraints(builder: &mut ProgramBuilder, start: &Linear, end: &Linear) {
    let one = builder.constant(Fr::ONE);
    let at_start = builder.subtract(&one, start);
    constrain_where(builder, Source::First, &at_start);
    let square = builder.multiply(end, end);
    let at_end = builder.subtract(&square, end);
    constrain_where(builder, Source::Last, &at_end);
}

/// `Σ θ^(m - 1 - i)·expression_i`.
fn compress(
    builder: &mut ProgramBuilder,
    expressions: &[Expression<Fr>],
    parameters: Parameters,
) -> Linear {
    let theta = builder.parameter(parameters.theta());
    let zero = builder.constant(Fr::ZERO);
    expressions.iter().fold(zero, |sum, expression| {
        let value = builder.expression(expression);
        let shifted = builder.multiply(&sum, &theta);
        builder.add(&shifted, &value)
    })
}

fn lookup_constraints(
    builder: &mut ProgramBuilder,
    index: usize,
    input: &Linear,
    table: &Linear,
    parameters: Parameters,
) {
    let beta = builder.parameter(parameters.beta());
    let gamma = builder.parameter(parameters.gamma());
    let product = builder.query(Source::LookupProduct(index), 0);
    let next = builder.query(Source::LookupProduct(index), 1);
    let permuted_input = builder.query(Source::LookupInput(index), 0);
    let input_before = builder.query(Source::LookupInput(index), -1);
    let permuted_table = builder.query(Source::LookupTable(index), 0);
    boundary_constraints(builder, &product, &product);

    let mut side = |product: &Linear, input: &Linear, table: &Linear| {
        let (input, table) = (builder.add(input, &beta), builder.add(table, &gamma));
        let both = builder.multiply(&input, &table);
        builder.multiply(product, &both)
    };
    let left = side(&next, &permuted_input, &permuted_table);
    let right = side(&product, input, table);
    let step = builder.subtract(&left, &right);
    constrain_where(builder, Source::Active, &step);

    let difference = builder.subtract(&permuted_input, &permuted_table);
    constrain_where(builder, Source::First, &difference);
    let repeated = builder.subtract(&permuted_input, &input_before);
    let either = builder.multiply(&difference, &repeated);
    constrain_where(builder, Source::Active, &either);
}
