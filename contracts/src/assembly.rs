//! Programs for the EVM that compute field values: input by calldata, output by return, no state.
//!
//! The modulus stays at the bottom of the stack. A value that the next instruction takes stays on the
//! stack too; all others go to memory, which begins with the output.

use std::collections::HashMap;

use ark_ff::{One, Zero};
use zkinfer_verifier::Fr;

use crate::{
    abi::scalar_word,
    error::ContractError,
    program::{Builder, Id, Node},
};

mod op {
    pub(super) const SUB: u8 = 0x03;
    pub(super) const ADDMOD: u8 = 0x08;
    pub(super) const MULMOD: u8 = 0x09;
    pub(super) const CALLDATALOAD: u8 = 0x35;
    pub(super) const MLOAD: u8 = 0x51;
    pub(super) const MSTORE: u8 = 0x52;
    pub(super) const PUSH0: u8 = 0x5f;
    pub(super) const DUP1: u8 = 0x80;
    pub(super) const DUP2: u8 = 0x81;
    pub(super) const DUP3: u8 = 0x82;
    pub(super) const SWAP1: u8 = 0x90;
    pub(super) const RETURN: u8 = 0xf3;
}

/// Constants that take more bytes, and stand more than once, are put into memory.
const SHORT: usize = 8;

/// The group's order, as a word.
fn modulus() -> [u8; 32] {
    let mut word = scalar_word(&-Fr::one());
    word[31] += 1;
    word
}

/// The code that computes `outputs` by `instructions`, from inputs at these places of the calldata.
pub(crate) fn assemble(
    builder: &Builder,
    instructions: &[Id],
    inputs: &HashMap<Id, usize>,
    outputs: &[Id],
) -> Result<Vec<u8>, ContractError> {
    let mut assembler = Assembler::new(builder, inputs, outputs, instructions);
    assembler.push(&modulus());
    assembler.keep_constants();
    for (index, &id) in instructions.iter().enumerate() {
        assembler.instruction(id, instructions.get(index + 1).copied())?;
    }
    assembler.finish(outputs)
}

/// `PUSH` of a word without its leading zeros.
pub(crate) fn push(code: &mut Vec<u8>, word: &[u8]) {
    let zeros = word.iter().take_while(|&&byte| byte == 0).count();
    let bytes = &word[zeros..];
    code.push(op::PUSH0 + u8::try_from(bytes.len()).unwrap_or(32));
    code.extend(bytes);
}

/// What an instruction computes.
enum Form {
    Product(Id, Id),
    Sum(Id, Id),
    /// The first less the second.
    Difference(Id, Id),
    Negation(Id),
    /// The product of the first two, and the third.
    Full(Id, Id, Id),
}

struct Assembler<'a> {
    builder: &'a Builder,
    inputs: &'a HashMap<Id, usize>,
    /// How often each value is still an operand.
    uses: HashMap<Id, usize>,
    /// Where in memory a value is.
    places: HashMap<Id, usize>,
    /// Outputs stay where they are.
    output_bytes: usize,
    free: Vec<usize>,
    memory: usize,
    /// The value on the stack above the modulus.
    top: Option<Id>,
    code: Vec<u8>,
}

impl<'a> Assembler<'a> {
    fn new(
        builder: &'a Builder,
        inputs: &'a HashMap<Id, usize>,
        outputs: &[Id],
        instructions: &[Id],
    ) -> Self {
        let mut uses = HashMap::new();
        for &id in instructions {
            operands(builder, id).iter().for_each(|&id| *uses.entry(id).or_insert(0) += 1);
        }
        let mut places = HashMap::new();
        for (index, &id) in outputs.iter().enumerate() {
            if matches!(builder.node(id), Node::MultiplyAdd(..)) && !inputs.contains_key(&id) {
                places.entry(id).or_insert(32 * index);
            }
        }
        let output_bytes = 32 * outputs.len();
        let (free, code) = (Vec::new(), Vec::new());
        let memory = output_bytes;
        Self { builder, inputs, uses, places, output_bytes, free, memory, top: None, code }
    }

    fn push(&mut self, word: &[u8]) {
        push(&mut self.code, word);
    }

    fn push_number(&mut self, number: usize) {
        self.push(&(number as u64).to_be_bytes());
    }

    fn emit(&mut self, opcodes: &[u8]) {
        self.code.extend(opcodes);
    }

    /// Puts long constants that stand more than once into memory.
    fn keep_constants(&mut self) {
        let mut constants: Vec<(Id, [u8; 32])> = Vec::new();
        for (&id, &uses) in &self.uses {
            if let (Node::Constant(value), 2..) = (self.builder.node(id), uses) {
                let word = scalar_word(&value);
                if word[..32 - SHORT].iter().any(|&byte| byte != 0) && !self.is_unit(id) {
                    constants.push((id, word));
                }
            }
        }
        constants.sort_unstable();
        for (id, word) in constants {
            self.push(&word);
            let place = self.take();
            self.places.insert(id, place);
            // Never given back.
            self.uses.remove(&id);
            self.store(place);
        }
    }

    /// Whether a value is 1, 0 or −1: as an operand it changes the form.
    fn is_unit(&self, id: Id) -> bool {
        self.known(id).is_some_and(|value| value.is_zero() || value.is_one() || (-value).is_one())
    }

    fn known(&self, id: Id) -> Option<Fr> {
        match self.builder.node(id) {
            Node::Constant(value) => Some(value),
            Node::Input(_) | Node::MultiplyAdd(..) => None,
        }
    }

    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            let place = self.memory;
            self.memory += 32;
            place
        })
    }

    /// Stores the top of the stack.
    fn store(&mut self, place: usize) {
        self.push_number(place);
        self.emit(&[op::MSTORE]);
    }

    fn form(&self, (a, b, c): (Id, Id, Id)) -> Form {
        let is = |id, wanted: Fr| self.known(id) == Some(wanted);
        let (one, minus_one) = (Fr::one(), -Fr::one());
        let alone = is(c, Fr::zero());
        match () {
            () if is(a, minus_one) && alone => Form::Negation(b),
            () if is(b, minus_one) && alone => Form::Negation(a),
            () if alone => Form::Product(a, b),
            () if is(a, one) => Form::Sum(b, c),
            () if is(b, one) => Form::Sum(a, c),
            () if is(a, minus_one) => Form::Difference(c, b),
            () if is(b, minus_one) => Form::Difference(c, a),
            () => Form::Full(a, b, c),
        }
    }

    fn instruction(&mut self, id: Id, next: Option<Id>) -> Result<(), ContractError> {
        let Node::MultiplyAdd(a, b, c) = self.builder.node(id) else {
            return Err(ContractError::Key);
        };
        match self.form((a, b, c)) {
            Form::Product(a, b) => self.product(a, b)?,
            Form::Sum(a, b) => {
                self.pair(a, b)?;
                self.emit(&[op::ADDMOD]);
            }
            Form::Negation(a) => {
                self.operand(a)?;
                self.emit(&[op::DUP2, op::SUB]);
            }
            Form::Difference(a, b) => self.difference(a, b)?,
            Form::Full(a, b, c) => self.full(a, b, c)?,
        }
        self.release([a, b, c]);
        self.place(id, next);
        Ok(())
    }

    /// The modulus and the two values, of which one may be on the stack.
    fn pair(&mut self, a: Id, b: Id) -> Result<(), ContractError> {
        match self.top.take() {
            Some(top) if a == b => {
                self.expect(top, a)?;
                self.emit(&[op::DUP2, op::SWAP1, op::DUP1]);
            }
            Some(top) => {
                let other = if top == a { b } else { a };
                self.expect(top, if top == a { a } else { b })?;
                self.emit(&[op::DUP2, op::SWAP1]);
                self.load(other)?;
            }
            None => {
                self.emit(&[op::DUP1]);
                self.load(b)?;
                self.load(a)?;
            }
        }
        Ok(())
    }

    fn product(&mut self, a: Id, b: Id) -> Result<(), ContractError> {
        self.pair(a, b)?;
        self.emit(&[op::MULMOD]);
        Ok(())
    }

    /// `a − b`; a value may be the modulus itself, which is 0 to all instructions.
    fn difference(&mut self, a: Id, b: Id) -> Result<(), ContractError> {
        match self.top.take() {
            Some(top) if top == b => {
                self.emit(&[op::DUP2, op::SUB, op::DUP2, op::SWAP1]);
                self.load(a)?;
            }
            Some(top) => {
                self.expect(top, a)?;
                self.emit(&[op::DUP2, op::SWAP1]);
                self.load(b)?;
                self.emit(&[op::DUP3, op::SUB]);
            }
            None => {
                self.emit(&[op::DUP1]);
                self.load(a)?;
                self.load(b)?;
                self.emit(&[op::DUP3, op::SUB]);
            }
        }
        self.emit(&[op::ADDMOD]);
        Ok(())
    }

    fn full(&mut self, a: Id, b: Id, c: Id) -> Result<(), ContractError> {
        match self.top {
            Some(top) if top == c && top != a && top != b => {
                self.top = None;
                self.emit(&[op::DUP2, op::SWAP1, op::DUP2]);
                self.load(b)?;
                self.load(a)?;
                self.emit(&[op::MULMOD]);
            }
            Some(_) => {
                self.product(a, b)?;
                self.emit(&[op::DUP2, op::SWAP1]);
                self.load(c)?;
            }
            None => {
                self.emit(&[op::DUP1]);
                self.load(c)?;
                self.emit(&[op::DUP2]);
                self.load(b)?;
                self.load(a)?;
                self.emit(&[op::MULMOD]);
            }
        }
        self.emit(&[op::ADDMOD]);
        Ok(())
    }

    /// A value that may be on the stack.
    fn operand(&mut self, id: Id) -> Result<(), ContractError> {
        match self.top.take() {
            Some(top) => self.expect(top, id),
            None => self.load(id),
        }
    }

    fn expect(&self, top: Id, wanted: Id) -> Result<(), ContractError> {
        if top == wanted { Ok(()) } else { Err(ContractError::Key) }
    }

    fn load(&mut self, id: Id) -> Result<(), ContractError> {
        if let Some(&place) = self.places.get(&id) {
            self.push_number(place);
            self.emit(&[op::MLOAD]);
        } else if let Some(&offset) = self.inputs.get(&id) {
            self.push_number(offset);
            self.emit(&[op::CALLDATALOAD]);
        } else {
            let value = self.known(id).ok_or(ContractError::Key)?;
            self.push(&scalar_word(&value));
        }
        Ok(())
    }

    /// Counts operands as used, and gives memory back that nobody reads again.
    fn release(&mut self, operands: [Id; 3]) {
        for id in operands {
            let Some(uses) = self.uses.get_mut(&id) else { continue };
            *uses = uses.saturating_sub(1);
            if *uses > 0 {
                continue;
            }
            self.uses.remove(&id);
            let temporary = self.places.get(&id).copied().filter(|&at| at >= self.output_bytes);
            if let Some(place) = temporary {
                self.places.remove(&id);
                self.free.push(place);
            }
        }
    }

    /// Keeps the value at the top of the stack for the next instruction, or stores it, or both.
    fn place(&mut self, id: Id, next: Option<Id>) {
        let (taken, wanted) = next.map_or((0, 0), |next| self.taken(id, next));
        let uses = self.uses.get(&id).copied().unwrap_or(0);
        let stored = self.places.contains_key(&id) || uses > taken || wanted == 0;
        if stored {
            let place = self.places.get(&id).copied().unwrap_or_else(|| self.take());
            self.places.insert(id, place);
            if wanted > 0 {
                self.emit(&[op::DUP1]);
            }
            self.store(place);
        }
        self.top = (wanted > 0).then_some(id);
    }

    /// How many operands of `next` the top of the stack serves, and how many it is.
    fn taken(&self, id: Id, next: Id) -> (usize, usize) {
        let Node::MultiplyAdd(a, b, c) = self.builder.node(next) else { return (0, 0) };
        let wanted = [a, b, c].iter().filter(|&&operand| operand == id).count();
        let squared = match self.form((a, b, c)) {
            Form::Product(a, b) | Form::Sum(a, b) | Form::Full(a, b, _) => a == id && b == id,
            Form::Difference(..) | Form::Negation(_) => false,
        };
        (if squared { 2 } else { wanted.min(1) }, wanted)
    }

    fn finish(mut self, outputs: &[Id]) -> Result<Vec<u8>, ContractError> {
        for (index, &id) in outputs.iter().enumerate() {
            let there = self.places.get(&id) == Some(&(32 * index));
            if there || self.known(id).is_some_and(|value| value.is_zero()) {
                continue;
            }
            self.load(id)?;
            self.store(32 * index);
        }
        self.push_number(self.output_bytes);
        self.emit(&[op::PUSH0, op::RETURN]);
        Ok(self.code)
    }
}

fn operands(builder: &Builder, id: Id) -> Vec<Id> {
    match builder.node(id) {
        Node::MultiplyAdd(a, b, c) => vec![a, b, c],
        Node::Constant(_) | Node::Input(_) => Vec::new(),
    }
}
