//! Values that are the same in every row.

use std::collections::HashMap;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

/// A uniform value, by its place in [`Uniforms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Uniform(u32);

impl Uniform {
    /// Zero, one and minus one are always there.
    pub(crate) const ZERO: Self = Self(0);
    /// One.
    pub(crate) const ONE: Self = Self(1);
    /// Minus one.
    pub(crate) const MINUS_ONE: Self = Self(2);

    /// The place in [`Uniforms::evaluate`]'s values.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Definition {
    Constant(Fr),
    /// A parameter of the proof, by number.
    Parameter(usize),
    Sum(Uniform, Uniform),
    Product(Uniform, Uniform),
}

/// Uniform values and how they follow from constants and parameters; no value twice.
#[derive(Clone, Debug)]
pub(crate) struct Uniforms {
    definitions: Vec<Definition>,
    places: HashMap<Definition, Uniform>,
}

impl Uniforms {
    /// Zero, one and minus one.
    pub(crate) fn new() -> Self {
        let mut uniforms = Self { definitions: Vec::new(), places: HashMap::new() };
        for constant in [Fr::ZERO, Fr::ONE, -Fr::ONE] {
            uniforms.constant(constant);
        }
        uniforms
    }

    fn define(&mut self, definition: Definition) -> Uniform {
        let Self { definitions, places } = self;
        *places.entry(definition).or_insert_with(|| {
            definitions.push(definition);
            Uniform(u32::try_from(definitions.len() - 1).expect("fewer than 2^32 uniforms"))
        })
    }

    fn known(&self, uniform: Uniform) -> Option<Fr> {
        match self.definitions[uniform.index()] {
            Definition::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// A constant.
    pub(crate) fn constant(&mut self, value: Fr) -> Uniform {
        self.define(Definition::Constant(value))
    }

    /// A parameter of the proof: a challenge.
    pub(crate) fn parameter(&mut self, number: usize) -> Uniform {
        self.define(Definition::Parameter(number))
    }

    /// `a + b`.
    pub(crate) fn sum(&mut self, a: Uniform, b: Uniform) -> Uniform {
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => self.constant(x + y),
            _ if a == Uniform::ZERO => b,
            _ if b == Uniform::ZERO => a,
            _ => self.define(Definition::Sum(a.min(b), a.max(b))),
        }
    }

    /// `a · b`.
    pub(crate) fn product(&mut self, a: Uniform, b: Uniform) -> Uniform {
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => self.constant(x * y),
            _ if a == Uniform::ZERO || b == Uniform::ZERO => Uniform::ZERO,
            _ if a == Uniform::ONE => b,
            _ if b == Uniform::ONE => a,
            _ => self.define(Definition::Product(a.min(b), a.max(b))),
        }
    }

    /// The value of every uniform, given the parameters.
    pub(crate) fn evaluate(&self, parameters: &[Fr]) -> Vec<Fr> {
        let mut values: Vec<Fr> = Vec::with_capacity(self.definitions.len());
        for definition in &self.definitions {
            values.push(match *definition {
                Definition::Constant(value) => value,
                Definition::Parameter(number) => parameters[number],
                Definition::Sum(a, b) => values[a.index()] + values[b.index()],
                Definition::Product(a, b) => values[a.index()] * values[b.index()],
            });
        }
        values
    }
}
