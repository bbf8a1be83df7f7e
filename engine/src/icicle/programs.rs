//! Programs over rows, one operation on whole columns after the other.

use std::sync::Arc;

use halo2_proofs::halo2curves::bn256::Fr;

use super::{
    columns::{Turned, copied, pairwise, pairwise_into, scaled},
    memory::{Machine, Pairwise, Part, Vector},
};
use crate::{
    error::DeviceError,
    program::{Operand, Program, Step, Uniform},
};

/// The outputs of `program` in every row; `sources` are the columns that it names, `one` is one in
/// every row.
pub(super) fn run(
    machine: &Arc<Machine>,
    program: &Program,
    uniforms: &[Fr],
    sources: &[&Vector],
    one: &Vector,
) -> Result<Vec<Vector>, DeviceError> {
    let negatives: Vec<Fr> = uniforms.iter().map(|uniform| -uniform).collect();
    let signed = [uniforms, &negatives].concat();
    let interpreter =
        Interpreter { machine, uniforms: machine.upload(&signed)?, values: uniforms, sources, one };
    let mut registers: Vec<Option<Vector>> = (0..program.registers).map(|_| None).collect();
    for step in &program.steps {
        let value = interpreter.step(step, &registers)?;
        registers[step.register] = Some(value);
    }
    let outputs =
        program.outputs.iter().map(|&output| match interpreter.place(output, &registers) {
            Place::Column(column) => copied(machine, column),
            Place::Uniform(uniform) => interpreter.constant(uniform, false),
        });
    outputs.collect()
}

/// Where an operand is.
#[derive(Clone, Copy)]
enum Place<'a> {
    Column(Turned<'a>),
    Uniform(Uniform),
}

struct Interpreter<'a> {
    machine: &'a Arc<Machine>,
    /// The uniform values, then their negatives.
    uniforms: Vector,
    values: &'a [Fr],
    sources: &'a [&'a Vector],
    one: &'a Vector,
}

impl Interpreter<'_> {
    fn place<'a>(&'a self, operand: Operand, registers: &'a [Option<Vector>]) -> Place<'a> {
        match operand {
            Operand::Register(register) => {
                let value = registers[register].as_ref();
                Place::Column(value.expect("a step reads what an earlier one wrote").into())
            }
            Operand::Source { source, rotation } => {
                Place::Column(Turned::new(self.sources[source], rotation))
            }
            Operand::Uniform(uniform) => Place::Uniform(uniform),
        }
    }

    /// A uniform value or its negative.
    fn scalar(&self, uniform: Uniform, minus: bool) -> Part<'_> {
        self.uniforms.from(uniform.index() + if minus { self.values.len() } else { 0 })
    }

    /// A uniform value or its negative in every row.
    fn constant(&self, uniform: Uniform, minus: bool) -> Result<Vector, DeviceError> {
        scaled(self.machine, self.scalar(uniform, minus), self.one.into())
    }

    fn step(&self, step: &Step, registers: &[Option<Vector>]) -> Result<Vector, DeviceError> {
        let mut sum = None;
        for (terms, minus) in [(&step.products, false), (&step.minus_products, true)] {
            for term in terms {
                let a = self.place(term.a, registers);
                let b = self.place(term.b, registers);
                self.add_product(&mut sum, a, b, minus)?;
            }
        }
        for (terms, minus) in [(&step.plus, false), (&step.minus, true)] {
            for &term in terms {
                match self.place(term, registers) {
                    Place::Column(column) => self.add(&mut sum, column, minus)?,
                    Place::Uniform(uniform) => self.add_uniform(&mut sum, uniform, minus)?,
                }
            }
        }
        sum.map_or_else(|| self.constant(Uniform::ZERO, false), Ok)
    }

    fn add_product(
        &self,
        sum: &mut Option<Vector>,
        a: Place<'_>,
        b: Place<'_>,
        minus: bool,
    ) -> Result<(), DeviceError> {
        let (product, minus) = match (a, b) {
            (Place::Column(a), Place::Column(b)) => {
                (pairwise(self.machine, Pairwise::Multiply, a, b)?, minus)
            }
            (Place::Column(a), Place::Uniform(b)) | (Place::Uniform(b), Place::Column(a)) => {
                (scaled(self.machine, self.scalar(b, minus), a)?, false)
            }
            (Place::Uniform(a), Place::Uniform(b)) => {
                let product = self.values[a.index()] * self.values[b.index()];
                let scalar = self.machine.upload(&[product])?;
                (scaled(self.machine, scalar.all(), self.one.into())?, minus)
            }
        };
        if sum.is_none() && !minus {
            *sum = Some(product);
            return Ok(());
        }
        self.add(sum, (&product).into(), minus)
    }

    /// Adds a column to the sum, or subtracts it.
    fn add(
        &self,
        sum: &mut Option<Vector>,
        column: Turned<'_>,
        minus: bool,
    ) -> Result<(), DeviceError> {
        match sum {
            Some(sum) => {
                let operation = if minus { Pairwise::Subtract } else { Pairwise::Add };
                pairwise_into(self.machine, operation, (&*sum).into(), column, sum)
            }
            None => {
                *sum = Some(match minus {
                    true => scaled(self.machine, self.scalar(Uniform::MINUS_ONE, false), column)?,
                    false => copied(self.machine, column)?,
                });
                Ok(())
            }
        }
    }

    fn add_uniform(
        &self,
        sum: &mut Option<Vector>,
        uniform: Uniform,
        minus: bool,
    ) -> Result<(), DeviceError> {
        let Some(sum) = sum else {
            *sum = Some(self.constant(uniform, minus)?);
            return Ok(());
        };
        let scalar = self.scalar(uniform, minus);
        self.machine.with_scalar(false, scalar, sum.all(), sum, 0, sum.len())
    }
}
