//! A key as the contract stores it.
//!
//! The data lie in memory from [`BASE`] on, and what is computed behind them; all addresses in
//! them are those of memory. They begin with 32 numbers of four bytes, \[τ\]₂, the first bytes of
//! every transcript and the digest of the key, and go on with constants, points, segments of the
//! public values, steps, lists and programs.

use std::collections::HashMap;

use zkinfer_verifier::{
    Digest, Fr, G1Affine, InstanceLayout, Placement, TensorLayout, VerifyingKey, Visibility,
    checks::{Challenge, ProofPoint, Step},
    encode_g2, encode_scalar, keccak256, scalar_from_digest,
};

use crate::{
    abi::{Member, point_words, scalar_word, selector, tuple, word},
    compile::{Compiled, compile},
    error::ContractError,
    program::{Builder, Id, Input, Node},
};

/// Version of the data.
const VERSION: u32 = 1;
/// Where the contract puts the data.
const BASE: usize = 0x800;
/// Bytes before the first constant.
const HEADER: usize = 384;
/// The largest data that fit a contract behind the byte that stops whoever calls it.
const MAX_BYTES: usize = 24_575;
/// Instructions in a word of a program.
const GROUP: usize = 3;

/// The identifier of a key on chain: a digest of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Digest);

/// What is registered of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyData {
    bytes: Vec<u8>,
}

impl KeyData {
    /// The data of a key.
    ///
    /// # Errors
    /// [`ContractError`], for a key that the contract does not cover.
    pub fn new(key: &VerifyingKey) -> Result<Self, ContractError> {
        let layout = &key.parts().layout;
        if layout.claims != 1 || !key.parts().boundaries.is_empty() {
            return Err(ContractError::Statement);
        }
        if layout.placement != Placement::one_column(layout.instance_len()) {
            return Err(ContractError::Placement);
        }
        let bytes = Layout::new(key, &compile(key)?)?.write(key);
        let got = bytes.len();
        if got > MAX_BYTES {
            return Err(ContractError::Size { limit: MAX_BYTES, got });
        }
        Ok(Self { bytes })
    }

    /// The data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The identifier: Keccak-256 of the code that stores the data.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let length = (self.bytes.len() as u64 + 1).to_be_bytes();
        let code = [&[0x62][..], &length[5..], b"\x80\x60\x0b\x5f\x39\x5f\xf3\x00", &self.bytes];
        KeyId(Digest(keccak256(&code)))
    }

    /// Calldata of `register`.
    #[must_use]
    pub fn register_calldata(&self) -> Vec<u8> {
        let mut calldata = selector("register(bytes)").to_vec();
        calldata.extend(tuple(&[Member::Bytes(&self.bytes)]));
        calldata
    }
}

/// A run of public values of one tensor, or a commitment.
pub(crate) struct Segment {
    pub(crate) lo: Fr,
    /// The largest distance from `lo`.
    pub(crate) span: [u8; 32],
    /// Bytes of each.
    pub(crate) width: usize,
    pub(crate) count: usize,
}

/// The segments of the inputs, then those of the outputs.
pub(crate) fn segments(layout: &InstanceLayout) -> [Vec<Segment>; 2] {
    let side = |visibility, tensors: &[TensorLayout]| match visibility {
        Visibility::Public => tensors.iter().map(Segment::of_tensor).collect(),
        Visibility::Committed => vec![Segment::of_commitment()],
    };
    [side(layout.input_visibility, &layout.inputs), side(layout.output_visibility, &layout.outputs)]
}

impl Segment {
    fn of_tensor(tensor: &TensorLayout) -> Self {
        let span = tensor.hi.wrapping_sub(tensor.lo).cast_unsigned();
        let width = (span.checked_ilog2().unwrap_or(0) / 8 + 1) as usize;
        let mut word = [0; 32];
        word[24..].copy_from_slice(&span.to_be_bytes());
        Self { lo: Fr::from(tensor.lo), span: word, width, count: tensor.element_count() }
    }

    fn of_commitment() -> Self {
        let largest = scalar_word(&-Fr::from(1u64));
        Self { lo: Fr::from(0u64), span: largest, width: 32, count: 1 }
    }

    pub(crate) fn byte_len(segments: &[Self]) -> usize {
        segments.iter().map(|segment| segment.width * segment.count).sum()
    }
}

/// All addresses.
struct Layout<'a> {
    compiled: &'a Compiled,
    constants: Vec<(Id, Fr)>,
    first: Vec<Id>,
    second: Vec<Id>,
    segments: [Vec<Segment>; 2],
    steps: Vec<u8>,
    fields: [u32; 32],
    places: HashMap<Id, usize>,
    points: Vec<G1Affine>,
    zero: usize,
}

impl<'a> Layout<'a> {
    fn new(key: &VerifyingKey, compiled: &'a Compiled) -> Result<Self, ContractError> {
        let builder = &compiled.builder;
        let mut of_first = compiled.denominators.clone();
        of_first.extend(&compiled.instance_points);
        of_first.push(compiled.scale);
        let first = builder.instructions(&of_first, &[]);
        let second = builder.instructions(&compiled.scalars, &first);
        let mut used = of_first;
        used.extend(&compiled.scalars);
        used.push(compiled.omega_inverse);
        let all: Vec<Id> = first.iter().chain(&second).copied().collect();
        let mut constants = builder.constants(&all, &used);
        if !constants.iter().any(|(_, value)| *value == Fr::from(0u64)) {
            return Err(ContractError::Key);
        }
        constants.sort_unstable_by_key(|(id, _)| *id);
        let parts = key.parts();
        let points = parts.fixed_commitments.iter().chain(&parts.sigma_commitments).copied();
        let mut layout = Self {
            compiled,
            constants,
            first,
            second,
            segments: segments(&parts.layout),
            steps: steps(key)?,
            fields: [0; 32],
            places: HashMap::new(),
            points: points.chain([<G1Affine as ark_ec::AffineRepr>::generator()]).collect(),
            zero: 0,
        };
        layout.place(key);
        Ok(layout)
    }

    /// Gives everything its address.
    #[expect(
        clippy::too_many_lines,
        reason = "one address after the other: split up, the order would be harder to see"
    )]
    fn place(&mut self, key: &VerifyingKey) {
        let checks = key.checks();
        let evaluations = checks.evaluations.quotient;
        let queries = self.compiled.instance_points.len();
        let values = key.parts().layout.instance_len();
        let denominators = self.compiled.denominators.len();
        let [inputs, outputs] = [0, 1].map(|side: usize| &self.segments[side]);
        let (input_segments, output_segments) = (inputs.len(), outputs.len());
        let lengths = (Segment::byte_len(inputs), Segment::byte_len(outputs));
        let points_of_proof = self.compiled.scalars.len() - self.points.len();

        let mut next = BASE + HEADER;
        let mut take = |bytes: usize| {
            let start = next;
            next += bytes;
            start
        };
        let constants = take(32 * self.constants.len());
        let points = take(64 * self.points.len());
        let segments = take(96 * (input_segments + output_segments));
        let groups = [self.first.len(), self.second.len()].map(|len| len.div_ceil(GROUP));
        let programs = groups.map(|count| take(32 * count));
        let steps = take(self.steps.len());
        let denominator_list = take(3 * denominators);
        let point_list = take(3 * queries);
        let scalar_list = take(3 * self.compiled.scalars.len());
        // Behind the data, from a whole word on: what is computed.
        next = next.next_multiple_of(32);
        let mut take = |words: usize| {
            let start = next;
            next += 32 * words;
            start
        };
        let evaluation_words = take(evaluations);
        let challenges = take(challenge_count(key));
        let instance = take(queries);
        let registers = take(GROUP * (groups[0] + groups[1]));
        let value_words = take(values);
        let inverted = take(denominators + queries * values);
        let products = take(denominators + queries * values);
        let sums = take(self.points.len());
        let history = take(0);

        for (index, (id, value)) in self.constants.iter().enumerate() {
            self.places.insert(*id, constants + 32 * index);
            if *value == Fr::from(0u64) {
                self.zero = constants + 32 * index;
            }
        }
        let second = registers + 32 * GROUP * groups[0];
        for (start, ids) in [(registers, &self.first), (second, &self.second)] {
            let places = ids.iter().enumerate().map(|(index, &id)| (id, start + 32 * index));
            self.places.extend(places);
        }
        self.place_inputs([evaluation_words, challenges, inverted, instance]);
        let field = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let scale = self.places.get(&self.compiled.scale).copied().unwrap_or_default();
        let omega = self.places.get(&self.compiled.omega_inverse).copied().unwrap_or_default();
        self.fields = [
            VERSION as usize,
            segments,
            steps,
            programs[0],
            groups[0],
            programs[1],
            groups[1],
            points,
            self.points.len() - 1,
            evaluation_words,
            challenges,
            instance,
            registers,
            value_words,
            values,
            inverted,
            products,
            history,
            denominators,
            denominator_list,
            queries,
            point_list,
            scale,
            scalar_list,
            points_of_proof,
            evaluations,
            input_segments,
            output_segments,
            lengths.0,
            lengths.1,
            omega,
            sums,
        ]
        .map(field);
    }

    fn place_inputs(&mut self, [evaluations, challenges, inverted, instance]: [usize; 4]) {
        for (id, input) in self.compiled.builder.inputs() {
            let place = match input {
                Input::Evaluation(index) => evaluations + 32 * index,
                Input::Challenge(index) => challenges + 32 * index,
                Input::Inverse(index) => inverted + 32 * index,
                Input::Instance(index) => instance + 32 * index,
            };
            self.places.insert(id, place);
        }
    }

    fn address(&self, id: Id) -> [u8; 3] {
        address(self.places.get(&id).copied().unwrap_or(self.zero))
    }

    fn write(&self, key: &VerifyingKey) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.fields.iter().flat_map(|field| field.to_be_bytes()).collect();
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
        bytes.resize(HEADER - 32, 0);
        bytes.extend(key.digest().0.0);
        bytes.extend(self.constants.iter().flat_map(|(_, value)| scalar_word(value)));
        bytes.extend(self.points.iter().flat_map(point_words));
        for segment in self.segments.iter().flatten() {
            bytes.extend(scalar_word(&segment.lo));
            bytes.extend(segment.span);
            let mut shape = word(segment.count);
            // The bits to drop, at most 248, in the upper half of the word.
            shape[14..16].copy_from_slice(&word(256 - 8 * segment.width)[30..]);
            bytes.extend(shape);
        }
        bytes.extend(self.program(&self.first));
        bytes.extend(self.program(&self.second));
        bytes.extend(&self.steps);
        let lists =
            [&self.compiled.denominators, &self.compiled.instance_points, &self.compiled.scalars];
        bytes.extend(lists.into_iter().flatten().flat_map(|&id| self.address(id)));
        bytes
    }

    fn program(&self, ids: &[Id]) -> Vec<u8> {
        let nothing = [self.zero; 3].map(address).concat();
        let mut bytes = Vec::new();
        for group in ids.chunks(GROUP) {
            let mut word: Vec<u8> = group.iter().flat_map(|&id| self.instruction(id)).collect();
            (group.len()..GROUP).for_each(|_| word.extend(&nothing));
            word.resize(32, 0);
            bytes.extend(word);
        }
        bytes
    }

    fn instruction(&self, id: Id) -> Vec<u8> {
        match self.compiled.builder.node(id) {
            Node::MultiplyAdd(a, b, c) => [a, b, c].map(|id| self.address(id)).concat(),
            Node::Constant(_) | Node::Input(_) => Vec::new(),
        }
    }
}

fn address(place: usize) -> [u8; 3] {
    let [.., a, b, c] = (place as u64).to_be_bytes();
    [a, b, c]
}

/// The challenges that the contract draws: all but the last, which only batches of the library use.
fn challenge_count(key: &VerifyingKey) -> usize {
    let drawn = |step: &&Step| matches!(step, Step::Challenge(_));
    key.checks().steps.iter().filter(drawn).count() - 1
}

/// The transcript behind the instance, three bytes a run of equal steps.
fn steps(key: &VerifyingKey) -> Result<Vec<u8>, ContractError> {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for step in &key.checks().steps {
        let (kind, count) = match *step {
            // The contract does these by itself.
            Step::KeyDigest | Step::TranscriptRepr | Step::InstanceColumn(_) => continue,
            Step::Challenge(Challenge::Binder) => continue,
            Step::Point(ProofPoint::Quotient(_)) => (2, 1),
            Step::Point(_) => (1, 1),
            Step::Challenge(_) => (3, 1),
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
