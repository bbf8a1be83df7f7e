//! Programs, block by block.

use halo2_proofs::halo2curves::bn256::Fr;

use super::columns::{rotated, rotation};
use crate::{
    kernels::{
        arithmetic::Arithmetic,
        batch,
        pack::{Pack, SUM_TERMS},
        parallel,
    },
    program::{Operand, Program, Step, Term},
};

/// Relaxed values, below 2p, that are added to another before the sum, below 16p, is relaxed.
const LAZY_TERMS: usize = 6;
/// Packs per register: few enough that all registers stay in the cache.
const BLOCK: usize = 4;
/// Blocks that one task works on.
const TASK: usize = 16;

/// The outputs of `program` in every row, as packs: added to those in `totals`, if there are some.
/// `sources` are the columns that it names.
pub(super) fn run<A: Arithmetic>(
    arithmetic: A,
    program: &Program,
    uniforms: &[Fr],
    sources: &[&[A::Fr]],
    totals: &mut Vec<Vec<A::Fr>>,
) {
    let Some(packs) = sources.first().map(|source| source.len()) else { return };
    let uniforms = batch::uniforms(arithmetic, uniforms);
    let machine = Machine::<A> {
        steps: resolve(&program.steps, packs * A::Fr::WIDTH),
        outputs: program.outputs.iter().map(|&o| place(o, packs * A::Fr::WIDTH)).collect(),
        registers: program.registers,
        uniforms: &uniforms,
        sources,
    };
    let tasks = parallel::map(packs.div_ceil(BLOCK * TASK), |task| {
        let first = task * BLOCK * TASK;
        machine.run(arithmetic, first..packs.min(first + BLOCK * TASK))
    });
    let outputs = 0..program.outputs.len();
    if totals.is_empty() {
        let of_tasks = |i: usize| tasks.iter().flat_map(move |outputs| outputs[i].iter().copied());
        return totals.extend(outputs.map(|i| of_tasks(i).collect()));
    }
    for (i, total) in totals.iter_mut().enumerate() {
        parallel::chunks(total, BLOCK * TASK, |task, total| {
            arithmetic.vectorize(
                #[inline(always)]
                || {
                    for (total, output) in total.iter_mut().zip(&tasks[task][i]) {
                        *total = total.add(*output);
                    }
                },
            );
        });
    }
}

/// An operand with its rotation as a number of rows.
#[derive(Clone, Copy)]
enum Place {
    Register(usize),
    Source(usize, usize),
    Uniform(usize),
}

fn place(operand: Operand, rows: usize) -> Place {
    match operand {
        Operand::Register(register) => Place::Register(register),
        Operand::Source { source, rotation: by } => Place::Source(source, rotation(by, rows)),
        Operand::Uniform(uniform) => Place::Uniform(uniform.index()),
    }
}

/// A [`Step`] with places for operands.
struct Work {
    register: usize,
    terms: Vec<Signed<Place>>,
    products: Vec<Signed<(Place, Place)>>,
}

/// Something that is added or subtracted.
#[derive(Clone, Copy)]
struct Signed<T> {
    value: T,
    minus: bool,
}

fn resolve(steps: &[Step], rows: usize) -> Vec<Work> {
    let terms = |operands: &[Operand], minus| {
        let term = |&operand: &Operand| Signed { value: place(operand, rows), minus };
        operands.iter().map(term).collect::<Vec<_>>()
    };
    let products = |terms: &[Term], minus| {
        let factors = |term: &Term| (place(term.a, rows), place(term.b, rows));
        terms.iter().map(|term| Signed { value: factors(term), minus }).collect::<Vec<_>>()
    };
    let work = |step: &Step| Work {
        register: step.register,
        terms: [terms(&step.plus, false), terms(&step.minus, true)].concat(),
        products: [products(&step.products, false), products(&step.minus_products, true)].concat(),
    };
    steps.iter().map(work).collect()
}

struct Machine<'a, A: Arithmetic> {
    steps: Vec<Work>,
    outputs: Vec<Place>,
    registers: usize,
    uniforms: &'a [batch::Uniform<A>],
    sources: &'a [&'a [A::Fr]],
}

/// Says that these packs of the sources will be read.
#[inline(always)]
fn prefetch<A: Arithmetic>(sources: &[&[A::Fr]], packs: std::ops::Range<usize>) {
    for source in sources {
        for i in packs.start..packs.end {
            source[i].prefetch_far();
        }
    }
}

impl<A: Arithmetic> Machine<'_, A> {
    /// The outputs for a range of packs.
    fn run(&self, arithmetic: A, packs: std::ops::Range<usize>) -> Vec<Vec<A::Fr>> {
        let mut outputs = vec![Vec::with_capacity(packs.len()); self.outputs.len()];
        arithmetic.vectorize(
            #[inline(always)]
            || {
                let mut registers = vec![[A::Fr::zero(); BLOCK]; self.registers];
                let mut first = packs.start;
                while first < packs.end {
                    let count = BLOCK.min(packs.end - first);
                    let (mut sources, fair) = (self.sources, self.sources_to_a_step());
                    for work in &self.steps {
                        let soon;
                        (soon, sources) = sources.split_at(fair.min(sources.len()));
                        prefetch::<A>(soon, first + BLOCK..packs.end.min(first + 2 * BLOCK));
                        self.step(work, &mut registers, first, count);
                    }
                    for (output, place) in outputs.iter_mut().zip(&self.outputs) {
                        for i in 0..count {
                            output.push(self.fetch(*place, &registers, first, i));
                        }
                    }
                    first += count;
                }
            },
        );
        outputs
    }

    /// Sources whose next block is asked for before each step: they are more than the processor
    /// would notice by itself, and too many to be asked for at once.
    fn sources_to_a_step(&self) -> usize {
        self.sources.len().div_ceil(self.steps.len().max(1))
    }

    #[inline(always)]
    fn fetch(&self, at: Place, registers: &[[A::Fr; BLOCK]], first: usize, i: usize) -> A::Fr {
        match at {
            Place::Register(register) => registers[register][i],
            Place::Source(source, by) => {
                rotated::<A>(self.sources[source], (first + i) * A::Fr::WIDTH + by)
            }
            Place::Uniform(uniform) => A::Fr::broadcast(&self.uniforms[uniform]),
        }
    }

    #[inline(always)]
    fn step(&self, work: &Work, registers: &mut [[A::Fr; BLOCK]], first: usize, count: usize) {
        for i in 0..count {
            let mut value = self.sum(&work.products, registers, first, i);
            for terms in work.terms.chunks(LAZY_TERMS) {
                for term in terms {
                    let term_value = self.fetch(term.value, registers, first, i);
                    value = if term.minus {
                        value.sub_lazy_by::<2>(term_value)
                    } else {
                        value.add_lazy(term_value)
                    };
                }
                value = value.relax();
            }
            registers[work.register][i] = value;
        }
    }

    /// A sum of products, reduced once.
    #[inline(always)]
    fn sum(
        &self,
        products: &[Signed<(Place, Place)>],
        registers: &[[A::Fr; BLOCK]],
        first: usize,
        i: usize,
    ) -> A::Fr {
        if let [product] = products {
            if let Place::Uniform(uniform) = product.value.1 {
                let a = self.fetch(product.value.0, registers, first, i);
                let a = if product.minus { A::Fr::zero().sub(a) } else { a };
                return a.mul_uniform(&self.uniforms[uniform]);
            }
            let (a, b) = self.factors(product, registers, first, i);
            return a.mul(b);
        }
        let mut total = A::Fr::zero();
        for (chunk, products) in products.chunks(SUM_TERMS).enumerate() {
            let mut sum = A::Fr::empty_sum();
            for product in products {
                let (a, b) = self.factors(product, registers, first, i);
                A::Fr::add_product(&mut sum, a, b);
            }
            let sum = A::Fr::reduce_sum(sum);
            total = if chunk == 0 { sum } else { total.add(sum) };
        }
        total
    }

    /// The factors of a product; the first has its sign.
    #[inline(always)]
    fn factors(
        &self,
        product: &Signed<(Place, Place)>,
        registers: &[[A::Fr; BLOCK]],
        first: usize,
        i: usize,
    ) -> (A::Fr, A::Fr) {
        let a = self.fetch(product.value.0, registers, first, i);
        let a = if product.minus { A::Fr::zero().sub(a) } else { a };
        (a, self.fetch(product.value.1, registers, first, i))
    }
}
