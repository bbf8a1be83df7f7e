//! Programs for the interpreter: see `kernels/program.cuh`.

use halo2_proofs::halo2curves::bn256::Fr;

use super::{
    accelerator::{DEVICE, Kernel},
    columns::{self, CudaColumn},
    machine::{Buffer, Machine},
    plain::ELEMENT,
};
use crate::{
    error::DeviceError,
    program::{Operand, Program, Step, Term},
};

/// Bits of an operand's index; its kind is above.
const OPERAND_BITS: u32 = 30;
const REGISTER: u32 = 0;
const SOURCE: u32 = 1;
const UNIFORM: u32 = 2;
/// Threads that run programs: each has registers of its own.
const THREADS: usize = 1 << 16;

/// Bytes of the registers of a program over so many rows.
pub(super) fn register_bytes(program: &Program, rows: usize) -> usize {
    program.registers * threads(rows) * ELEMENT
}

fn threads(rows: usize) -> usize {
    rows.min(THREADS).next_multiple_of(Kernel::RunProgram.threads() as usize)
}

/// A program in words, and the columns at rotations that it reads.
#[derive(Debug, PartialEq, Eq)]
struct Code {
    words: Vec<u32>,
    outputs: Vec<u32>,
    /// Places in [`Program::sources`], with rotations.
    sources: Vec<(usize, i32)>,
}

impl Code {
    fn new(program: &Program) -> Option<Self> {
        let mut code = Self { words: Vec::new(), outputs: Vec::new(), sources: Vec::new() };
        for step in &program.steps {
            code.step(step)?;
        }
        for &output in &program.outputs {
            let word = code.operand(output)?;
            code.outputs.push(word);
        }
        Some(code)
    }

    fn step(&mut self, step: &Step) -> Option<()> {
        let number = |count: usize| u32::try_from(count).ok();
        self.words.push(number(step.register)?);
        let counts = [&step.plus, &step.minus].map(Vec::len).into_iter();
        let counts = counts.chain([&step.products, &step.minus_products].map(Vec::len));
        for count in counts {
            self.words.push(number(count)?);
        }
        let factors = |term: &Term| [term.a, term.b];
        let terms = step.products.iter().chain(&step.minus_products).flat_map(factors);
        for operand in step.plus.iter().chain(&step.minus).copied().chain(terms) {
            let word = self.operand(operand)?;
            self.words.push(word);
        }
        Some(())
    }

    fn operand(&mut self, operand: Operand) -> Option<u32> {
        let (kind, index) = match operand {
            Operand::Register(register) => (REGISTER, register),
            Operand::Uniform(uniform) => (UNIFORM, uniform.index()),
            Operand::Source { source, rotation } => {
                let wanted = (source, rotation);
                let known = self.sources.iter().position(|source| *source == wanted);
                let index = known.unwrap_or_else(|| {
                    self.sources.push(wanted);
                    self.sources.len() - 1
                });
                (SOURCE, index)
            }
        };
        let index = u32::try_from(index).ok().filter(|index| index >> OPERAND_BITS == 0)?;
        Some(kind << OPERAND_BITS | index)
    }
}

/// The outputs of `program` in every row; `sources` are the columns that it names.
pub(super) fn run(
    machine: &Machine,
    program: &Program,
    uniforms: &[Fr],
    sources: &[&CudaColumn],
    rows: usize,
) -> Result<Vec<Buffer>, DeviceError> {
    let too_long = || DeviceError::Failed {
        device: DEVICE,
        operation: "program",
        reason: "the constraints have more than 2^30 operands".to_owned(),
    };
    let code = Code::new(program).ok_or_else(too_long)?;
    let outputs: Vec<Buffer> =
        code.outputs.iter().map(|_| machine.elements(rows)).collect::<Result<_, _>>()?;
    let to: Vec<u64> = outputs.iter().map(Buffer::address).collect();
    let at = |&(source, by): &(usize, i32)| (sources[source], columns::rotation(by, rows));
    let sources = CudaColumn::descriptions(machine, code.sources.iter().map(at))?;
    let (words, places) = (machine.upload(&code.words)?, machine.upload(&code.outputs)?);
    let (uniforms, to) = (machine.upload_elements(uniforms)?, machine.upload(&to)?);
    let registers = machine.buffer(register_bytes(program, rows))?;
    let arguments = [
        words.address(),
        code.words.len() as u64,
        sources.address(),
        uniforms.address(),
        registers.address(),
        places.address(),
        to.address(),
        code.outputs.len() as u64,
        rows as u64,
    ];
    machine.launch(Kernel::RunProgram, threads(rows), 1, &arguments)?;
    Ok(outputs)
}
