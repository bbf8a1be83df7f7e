//! Where everything of a key lies: programs and data in the code of its contract, and the memory that
//! the verifier works in.
//!
//! The code begins with the two programs. The data behind them lie in the verifier's memory from
//! [`BASE`] on, and what is computed lies behind them; all addresses are those of memory. The data
//! begin with 32 numbers of four bytes, \[τ\]₂, the first bytes of every transcript and the digest of
//! the key, and go on with points, pieces of the public values, steps and queries.

use std::collections::{BTreeSet, HashMap};

use zkinfer_verifier::{
    Fr, G1Affine, VerifyingKey, Visibility,
    checks::{Challenge, ProofPoint, Step},
    encode_g2, encode_scalar, scalar_from_digest,
};

use crate::{
    abi::{point_words, scalar_word, word},
    assembly::assemble,
    compile::Compiled,
    error::ContractError,
    pieces::{Piece, Segment, pieces, segments},
    program::{Builder, Id, Input, Node},
};

/// Version of the data.
const VERSION: usize = 2;
/// Where the contract puts the data.
const BASE: usize = 0x800;
/// Bytes before the first point.
const HEADER: usize = 384;
/// Bytes of code before the programs.
const PROLOGUE: usize = 15;

/// The programs, and the addresses of everything.
pub(crate) struct Layout {
    programs: Vec<u8>,
    fields: [usize; 32],
    points: Vec<G1Affine>,
    pieces: Vec<Piece>,
    steps: Vec<u8>,
    /// Of each instance query, first cell and number of cells.
    queries: Vec<(usize, usize)>,
    omega_inverse: Fr,
}

impl Layout {
    pub(crate) fn new(key: &VerifyingKey, compiled: &Compiled) -> Result<Self, ContractError> {
        let parts = key.parts();
        let points = parts.fixed_commitments.iter().chain(&parts.sigma_commitments).copied();
        let points = points.chain([<G1Affine as ark_ec::AffineRepr>::generator()]).collect();
        let programs = Programs::new(key, compiled);
        let (pieces, columns) = pieces(&parts.layout);
        let query = |column: u16| columns.get(usize::from(column)).copied();
        let queries = parts.constraint_system.instance_queries.iter();
        let queries = queries.map(|asked| query(asked.column).ok_or(ContractError::Key));
        let mut layout = Self {
            programs: programs.code()?,
            fields: [0; 32],
            points,
            pieces,
            steps: steps(key, |index| programs.draws(index))?,
            queries: queries.collect::<Result<_, _>>()?,
            omega_inverse: compiled.omega_inverse,
        };
        let cells = columns.iter().map(|&(_, rows)| rows).sum();
        layout.place(key, &programs, cells);
        Ok(layout)
    }

    /// Gives everything its address.
    #[expect(
        clippy::too_many_lines,
        reason = "one address after the other: split up, the order would be harder to see"
    )]
    fn place(&mut self, key: &VerifyingKey, programs: &Programs<'_>, cells: usize) {
        let layout = &key.parts().layout;
        let [inputs, outputs] = segments(layout);
        // One claim is a zero: its keys are older than proofs of several.
        let claims = if layout.claims == 1 { 0 } else { layout.claims as usize };
        let counts = &programs.counts;
        let scalars = programs.compiled.scalars.len();
        let mut next = BASE + HEADER;
        let mut take = |bytes: usize| {
            let start = next;
            next += bytes;
            start
        };
        let points = take(64 * self.points.len());
        let step_of_rows = take(32);
        let pieces = take(Piece::BYTES * self.pieces.len());
        let steps = take(self.steps.len());
        let query_list = take(8 * self.queries.len());
        // Behind the data, from a whole word on: what is computed.
        next = next.next_multiple_of(32);
        let mut take = |words: usize| {
            let start = next;
            next += 32 * words;
            start
        };
        // The input of the programs, all of it in a row.
        let challenges = take(counts.challenges);
        let evaluations = take(counts.evaluations);
        let results = take(counts.queries);
        let first_output = take(programs.first_output().len());
        let program_input = next_of(&mut take) - challenges;
        let scalar_words = take(scalars);
        let sums = take(self.points.len());
        let products = take(counts.queries + counts.denominators);
        let cell_words = take(cells);
        let history = take(0);
        for query in &mut self.queries {
            query.0 = cell_words + 32 * query.0;
        }
        let shown = |visibility| usize::from(visibility == Visibility::Public);
        let query_points = first_output + 32 * counts.denominators;
        self.fields = [
            VERSION,
            pieces,
            self.pieces.len(),
            steps,
            points,
            self.points.len(),
            challenges,
            evaluations,
            results,
            first_output,
            counts.denominators,
            query_list,
            counts.queries,
            cell_words,
            query_points + 32 * counts.queries,
            step_of_rows,
            query_points,
            history,
            products,
            scalars - self.points.len(),
            counts.evaluations,
            scalar_words,
            sums,
            32 * counts.challenges,
            32 * programs.first_output().len(),
            program_input,
            32 * scalars,
            shown(layout.input_visibility) + 2 * shown(layout.output_visibility),
            Segment::byte_len(&inputs),
            Segment::byte_len(&outputs),
            claims,
            0,
        ];
    }

    /// The code of the key's contract.
    pub(crate) fn write(&self, key: &VerifyingKey) -> Result<Vec<u8>, ContractError> {
        let mut bytes = self.programs.clone();
        let start = bytes.len();
        let four = |value: usize| u32::try_from(value).map_err(|_| ContractError::Key);
        for &field in &self.fields {
            bytes.extend(four(field)?.to_be_bytes());
        }
        let tau = encode_g2(&key.parts().srs.g2_tau);
        let (coordinates, _) = tau.as_chunks::<32>();
        if let [x0, x1, y0, y1] = coordinates {
            bytes.extend([x1, x0, y1, y0].into_iter().flatten());
        }
        bytes.extend(b"Halo2-Transcript");
        for scalar in [scalar_from_digest(&key.digest().0.0), key.parts().transcript_repr] {
            bytes.push(2);
            bytes.extend(encode_scalar(&scalar));
        }
        bytes.resize(start + HEADER - 32, 0);
        bytes.extend(key.digest().0.0);
        bytes.extend(self.points.iter().flat_map(point_words));
        bytes.extend(scalar_word(&self.omega_inverse));
        bytes.extend(self.pieces.iter().flat_map(Piece::as_bytes));
        bytes.extend(&self.steps);
        for &(cell, count) in &self.queries {
            bytes.extend(four(cell)?.to_be_bytes());
            bytes.extend(four(count)?.to_be_bytes());
        }
        Ok(bytes)
    }
}

/// The next address.
fn next_of(take: &mut impl FnMut(usize) -> usize) -> usize {
    take(0)
}

struct Counts {
    challenges: usize,
    evaluations: usize,
    queries: usize,
    denominators: usize,
}

/// Both programs. The first computes from the challenges what is inverted, the points of instance
/// queries and `(x^n − 1)/n`; the second, from all there is, the scalar of every point.
struct Programs<'a> {
    compiled: &'a Compiled,
    counts: Counts,
    first: Vec<Id>,
    second: Vec<Id>,
    /// What the second program has from the first, besides its results.
    shared: Vec<Id>,
}

impl<'a> Programs<'a> {
    fn new(key: &VerifyingKey, compiled: &'a Compiled) -> Self {
        let builder = &compiled.builder;
        let mut results = compiled.denominators.clone();
        results.extend(&compiled.instance_points);
        results.push(compiled.scale);
        let first = builder.instructions(&results, &[]);
        let second = builder.instructions(&compiled.scalars, &first);
        let made: BTreeSet<Id> = first.iter().copied().collect();
        let mut read = operands(builder, &second);
        read.extend(&compiled.scalars);
        // It stays in its place; denominators and points do not.
        read.remove(&compiled.scale);
        let shared = read.intersection(&made).copied().collect();
        let counts = Counts {
            challenges: challenge_count(key),
            evaluations: key.checks().evaluations.quotient,
            queries: compiled.instance_points.len(),
            denominators: compiled.denominators.len(),
        };
        Self { compiled, counts, first, second, shared }
    }

    /// What the first program returns.
    fn first_output(&self) -> Vec<Id> {
        let Compiled { denominators, instance_points, scale, .. } = self.compiled;
        let results = denominators.iter().chain(instance_points).chain([scale]);
        results.chain(&self.shared).copied().collect()
    }

    /// Whether a program reads a challenge, by the order in which they are drawn.
    fn draws(&self, index: usize) -> bool {
        let builder = &self.compiled.builder;
        let read = [&self.first, &self.second].map(|ids| operands(builder, ids));
        let given = self.first_output().into_iter().chain(self.compiled.scalars.iter().copied());
        let mut all = read.into_iter().flatten().chain(given);
        all.any(|id| builder.node(id) == Node::Input(Input::Challenge(index)))
    }

    /// Where the inputs of the second program are, which begin with those of the first.
    fn inputs(&self) -> HashMap<Id, usize> {
        let Counts { challenges, evaluations, queries, denominators } = self.counts;
        let (results, inverses) = (challenges + evaluations, challenges + evaluations + queries);
        let place = |input| match input {
            Input::Challenge(index) => index,
            Input::Evaluation(index) => challenges + index,
            Input::Instance(index) => results + index,
            Input::Inverse(index) => inverses + index,
        };
        let inputs = self.compiled.builder.inputs();
        let mut places: HashMap<Id, usize> =
            inputs.map(|(id, input)| (id, 32 * place(input))).collect();
        // Denominators are inverted, and points replaced, in their places.
        let kept = inverses + denominators + queries;
        let given = [self.compiled.scale].into_iter().chain(self.shared.iter().copied());
        places.extend(given.enumerate().map(|(index, id)| (id, 32 * (kept + index))));
        places
    }

    fn code(&self) -> Result<Vec<u8>, ContractError> {
        let builder = &self.compiled.builder;
        let inputs = self.inputs();
        let of_first: HashMap<Id, usize> = builder
            .inputs()
            .filter(|(_, input)| matches!(input, Input::Challenge(_)))
            .filter_map(|(id, _)| Some((id, *inputs.get(&id)?)))
            .collect();
        let first = assemble(builder, &self.first, &of_first, &self.first_output())?;
        let second = assemble(builder, &self.second, &inputs, &self.compiled.scalars)?;
        let target = PROLOGUE + second.len();
        let length = target + 1 + first.len();
        let three = |value: usize| word(value)[29..].to_vec();
        // PUSH3 length, POP; PUSH2 bytes, CALLDATASIZE, EQ, PUSH3 target, JUMPI
        let mut code = [&[0x62], &three(length)[..], &[0x50, 0x61]].concat();
        code.extend(&word(32 * self.counts.challenges)[30..]);
        code.extend([0x36, 0x14, 0x62]);
        code.extend(three(target));
        code.push(0x57);
        code.extend(second);
        code.push(0x5b);
        code.extend(first);
        Ok(code)
    }
}

fn operands(builder: &Builder, ids: &[Id]) -> BTreeSet<Id> {
    let of = |&id: &Id| match builder.node(id) {
        Node::MultiplyAdd(a, b, c) => vec![a, b, c],
        Node::Constant(_) | Node::Input(_) => Vec::new(),
    };
    ids.iter().flat_map(of).collect()
}

/// The challenges that the contract draws: all but the last, which only batches of the library use.
fn challenge_count(key: &VerifyingKey) -> usize {
    let drawn = |step: &&Step| matches!(step, Step::Challenge(_));
    key.checks().steps.iter().filter(drawn).count() - 1
}

/// The transcript behind the instance, three bytes a run of equal steps.
fn steps(key: &VerifyingKey, draws: impl Fn(usize) -> bool) -> Result<Vec<u8>, ContractError> {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    let mut drawn = 0;
    for step in &key.checks().steps {
        let (kind, count) = match *step {
            // The contract does these by itself.
            Step::KeyDigest | Step::TranscriptRepr | Step::InstanceColumn(_) => continue,
            Step::Challenge(Challenge::Binder) => continue,
            Step::Point(ProofPoint::Quotient(_)) => (2, 1),
            Step::Point(_) => (1, 1),
            Step::Challenge(_) => {
                drawn += 1;
                (if draws(drawn - 1) { 3 } else { 5 }, 1)
            }
            Step::Evaluations(count) => (4, count),
        };
        match runs.last_mut() {
            Some((last, total)) if *last == kind => *total += count,
            _ => runs.push((kind, count)),
        }
    }
    let end = [(0, 0)];
    let mut steps = Vec::new();
    for (kind, count) in runs.into_iter().chain(end) {
        steps.push(kind);
        steps.extend(u16::try_from(count).map_err(|_| ContractError::Key)?.to_be_bytes());
    }
    Ok(steps)
}

impl Builder {
    /// The values that come from elsewhere.
    fn inputs(&self) -> impl Iterator<Item = (Id, Input)> {
        self.all().filter_map(|(id, node)| match node {
            Node::Input(input) => Some((id, input)),
            Node::Constant(_) | Node::MultiplyAdd(..) => None,
        })
    }
}
