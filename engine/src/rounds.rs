//! The rounds of a proof, in halo2's order.

use std::collections::HashMap;

use halo2_proofs::{
    halo2curves::{
        bn256::{Fr, G1Affine},
        ff::Field,
        group::Curve,
    },
    plonk::Error,
    transcript::{Challenge255, Keccak256Write, Transcript, TranscriptWrite},
};
use rand_core::RngCore;

use crate::{
    argument::Parameters,
    column::Column,
    cosets::powers_of,
    error::EngineError,
    key::{Key, upload_one},
    lookup::permute,
    opening::{self, Polynomial, Query},
    operations::{ColumnDevice, Extension, Fractions},
    program::{Source, Uniform},
    witness::{PhaseEnd, Witness},
};

/// The transcript of a proof.
pub type ProofTranscript = Keccak256Write<Vec<u8>, G1Affine, Challenge255<G1Affine>>;

/// A part of a proof, as progress and profiles name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The circuit computes its witness.
    Witness,
    /// Commitments to advice columns.
    Advice,
    /// Permuted columns of halo2's lookup argument.
    Lookups,
    /// Running products of the permutation argument and of lookups.
    Products,
    /// The quotient and the commitments to its pieces.
    Quotient,
    /// The values of all polynomials.
    Evaluations,
    /// The opening.
    Opening,
}

impl Stage {
    /// For progress bars and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Advice => "advice commitments",
            Self::Lookups => "lookups",
            Self::Products => "permutation products",
            Self::Quotient => "quotient",
            Self::Evaluations => "evaluations",
            Self::Opening => "opening",
        }
    }
}

/// What is proved, and where the proof goes.
pub(crate) struct Round<'a> {
    /// The circuit with its witness.
    pub(crate) witness: &'a dyn Witness,
    /// The instance columns.
    pub(crate) instance: &'a [&'a [Fr]],
    /// Blinds the witness.
    pub(crate) rng: &'a mut dyn RngCore,
    /// Takes the proof.
    pub(crate) transcript: &'a mut ProofTranscript,
    /// Told what begins.
    pub(crate) progress: &'a dyn Fn(Stage),
}

/// Makes a proof of `round`.
///
/// The commitments, challenges and blinding factors are drawn in the order of halo2's
/// `create_proof`, so that the same `rng` gives the same bytes up to the commitment to the random
/// polynomial, which halo2 draws from another source.
///
/// # Errors
/// If the circuit has no witness, a lookup finds no entry, the transcript cannot be written, or the
/// device fails.
pub(crate) fn prove<D: ColumnDevice>(key: &Key<D>, round: Round<'_>) -> Result<(), EngineError> {
    let Round { witness, instance, rng, transcript, progress } = round;
    let fits = |column: &&[Fr]| column.len() < key.rows() - key.shape.blinding_factors;
    if instance.len() != key.constraints.num_instance_columns() || !instance.iter().all(fits) {
        return Err(Error::InvalidInstances.into());
    }
    key.verifying_key.hash_into(transcript)?;
    let count = key.constraints.num_advice_columns();
    let advice = (0..count).map(|_| None).collect();
    let blinding = chosen_blinding(key, witness)?;
    progress(Stage::Witness);
    let written = Ok(());
    let mut phases = Phases { key, instance, rng, transcript, progress, advice, blinding, written };
    let challenges = witness.collect(key.k, &key.constraints, instance, &mut phases)?;
    let Phases { advice, written, rng, transcript, .. } = phases;
    written?;
    let advice = advice.into_iter().collect::<Option<Vec<_>>>().ok_or(Error::Synthesis)?;
    let instance = instance.iter().map(|column| padded(column, key.rows())).collect();
    let instance = key.device.upload(instance)?;
    let mut round = Rounds {
        key,
        rng,
        transcript,
        columns: ProofColumns { advice, instance, ..ProofColumns::default() },
    };
    progress(Stage::Lookups);
    let theta = round.challenge();
    round.permuted_lookups(&challenges, theta)?;
    progress(Stage::Products);
    let (beta, gamma) = (round.challenge(), round.challenge());
    let before_y = Parameters::values(&challenges, theta, beta, gamma, Fr::ZERO);
    round.products(&before_y)?;
    let random = round.random_polynomial()?;
    progress(Stage::Quotient);
    let y = round.challenge();
    let pieces = round.quotient(&Parameters::values(&challenges, theta, beta, gamma, y))?;
    round.open(&pieces, &random, progress)
}

/// The blinding that the circuit chooses, by column.
fn chosen_blinding<D: ColumnDevice>(
    key: &Key<D>,
    witness: &dyn Witness,
) -> Result<HashMap<usize, Vec<Fr>>, EngineError> {
    let (count, least) = (key.constraints.num_advice_columns(), key.shape.blinding_factors + 1);
    let mut blinding = HashMap::new();
    for (column, values) in witness.chosen_blinding() {
        let fits = column < count && (least..=key.rows()).contains(&values.len());
        if !fits || blinding.insert(column, values).is_some() {
            return Err(EngineError::Blinding);
        }
    }
    Ok(blinding)
}

fn padded(column: &[Fr], rows: usize) -> Column {
    let mut cells = column.to_vec();
    cells.resize(rows, Fr::ZERO);
    Column::Field(cells)
}

/// The first rounds: advice, phase by phase.
struct Phases<'a, D: ColumnDevice> {
    key: &'a Key<D>,
    instance: &'a [&'a [Fr]],
    rng: &'a mut dyn RngCore,
    transcript: &'a mut ProofTranscript,
    progress: &'a dyn Fn(Stage),
    advice: Vec<Option<D::Column>>,
    /// By column, where it is not drawn.
    blinding: HashMap<usize, Vec<Fr>>,
    written: Result<(), EngineError>,
}

impl<D: ColumnDevice> Phases<'_, D> {
    fn absorb_and_commit(
        &mut self,
        phase: u8,
        columns: Vec<(usize, Column)>,
    ) -> Result<(), EngineError> {
        if phase == 0 {
            for &value in self.instance.iter().copied().flatten() {
                self.transcript.common_scalar(value)?;
            }
        }
        let (indices, mut columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        for (index, column) in indices.iter().zip(&mut columns) {
            // Drawn for all, so that what is chosen for one changes no other.
            let drawn = random(self.rng, self.key.shape.blinding_factors + 1);
            column.blind(self.blinding.remove(index).unwrap_or(drawn));
        }
        // The blinds of the commitments, which KZG does not use.
        random(self.rng, indices.len());
        let device = &self.key.device;
        let columns = device.upload(columns)?;
        for point in device.commit(&columns.iter().collect::<Vec<_>>())? {
            self.transcript.write_point(point)?;
        }
        for (index, column) in indices.into_iter().zip(columns) {
            self.advice[index] = Some(column);
        }
        Ok(())
    }
}

impl<D: ColumnDevice> PhaseEnd for Phases<'_, D> {
    fn commit(&mut self, phase: u8, columns: Vec<(usize, Column)>) -> Vec<Fr> {
        (self.progress)(Stage::Advice);
        if self.written.is_ok() {
            self.written = self.absorb_and_commit(phase, columns);
        }
        (self.progress)(Stage::Witness);
        let phases = self.key.constraints.challenge_phase();
        let count = phases.into_iter().filter(|&other| other == phase).count();
        (0..count).map(|_| challenge(self.transcript)).collect()
    }
}

fn random(rng: &mut dyn RngCore, count: usize) -> Vec<Fr> {
    (0..count).map(|_| Fr::random(&mut *rng)).collect()
}

fn challenge(transcript: &mut ProofTranscript) -> Fr {
    *transcript.squeeze_challenge_scalar::<()>()
}

/// The columns of a proof on the device.
#[derive(Debug)]
pub(super) struct ProofColumns<D: ColumnDevice> {
    advice: Vec<D::Column>,
    instance: Vec<D::Column>,
    lookup_inputs: Vec<D::Column>,
    lookup_tables: Vec<D::Column>,
    permutation_products: Vec<D::Column>,
    lookup_products: Vec<D::Column>,
    /// The compressed inputs and tables of lookups, until their products are known.
    compressed: Vec<D::Column>,
}

impl<D: ColumnDevice> Default for ProofColumns<D> {
    fn default() -> Self {
        Self {
            advice: Vec::new(),
            instance: Vec::new(),
            lookup_inputs: Vec::new(),
            lookup_tables: Vec::new(),
            permutation_products: Vec::new(),
            lookup_products: Vec::new(),
            compressed: Vec::new(),
        }
    }
}

impl<D: ColumnDevice> ProofColumns<D> {
    /// A column of the key or of the proof; combinations are not here.
    fn on_rows<'a>(&'a self, key: &'a Key<D>, source: Source) -> &'a D::Column {
        key.columns.column(source).unwrap_or_else(|| self.column(source))
    }

    /// A column of the proof.
    fn column(&self, source: Source) -> &D::Column {
        match source {
            Source::Advice(index) => &self.advice[index],
            Source::Instance(index) => &self.instance[index],
            Source::LookupInput(index) => &self.lookup_inputs[index],
            Source::LookupTable(index) => &self.lookup_tables[index],
            Source::LookupProduct(index) => &self.lookup_products[index],
            Source::PermutationProduct(index) => &self.permutation_products[index],
            _ => unreachable!("{source:?} is not a column of the proof"),
        }
    }
}

/// The rounds after the witness is committed.
struct Rounds<'a, D: ColumnDevice> {
    key: &'a Key<D>,
    rng: &'a mut dyn RngCore,
    transcript: &'a mut ProofTranscript,
    columns: ProofColumns<D>,
}

impl<D: ColumnDevice> Rounds<'_, D> {
    fn challenge(&mut self) -> Fr {
        challenge(self.transcript)
    }

    fn commit(&mut self, columns: &[&D::Column]) -> Result<(), EngineError> {
        for point in self.key.device.commit(columns)? {
            self.transcript.write_point(point)?;
        }
        Ok(())
    }

    /// The permuted inputs and tables of halo2's lookup argument.
    fn permuted_lookups(&mut self, challenges: &[Fr], theta: Fr) -> Result<(), EngineError> {
        let key = self.key;
        if key.constraints.lookups().is_empty() {
            return Ok(());
        }
        let program = &key.programs.lookups;
        let parameters = Parameters::values(challenges, theta, Fr::ZERO, Fr::ZERO, Fr::ZERO);
        let uniforms = program.uniforms(&parameters);
        let columns = &self.columns;
        let column = |source| columns.on_rows(key, source);
        let values = key.device.evaluate_rows(program, &uniforms, &column)?;
        for pair in values.chunks(2) {
            let [input, table] = [&pair[0], &pair[1]].map(|column| key.device.download(column));
            let (input, table) = (input?, table?);
            let usable = key.rows() - key.shape.blinding_factors - 1;
            let (mut input, mut table) = permute(&input[..usable], &table[..usable])
                .ok_or(Error::ConstraintSystemFailure)?;
            input.extend(random(self.rng, key.rows() - usable));
            table.extend(random(self.rng, key.rows() - usable));
            random(self.rng, 2);
            let input = upload_one(&key.device, Column::Field(input))?;
            let table = upload_one(&key.device, Column::Field(table))?;
            self.commit(&[&input, &table])?;
            self.columns.lookup_inputs.push(input);
            self.columns.lookup_tables.push(table);
        }
        self.columns.compressed = values;
        Ok(())
    }

    /// The running products of the permutation argument and of lookups.
    fn products(&mut self, parameters: &[Fr]) -> Result<(), EngineError> {
        let key = self.key;
        let program = &key.programs.permutation;
        let uniforms = program.uniforms(parameters);
        let columns = &self.columns;
        let column = |source| columns.on_rows(key, source);
        let values = key.device.evaluate_rows(program, &uniforms, &column)?;
        let mut fractions = Vec::new();
        let mut values = values.into_iter();
        while let (Some(numerators), Some(denominators)) = (values.next(), values.next()) {
            let continues = !fractions.is_empty();
            let blinding = random(self.rng, key.shape.blinding_factors);
            random(self.rng, 1);
            fractions.push(Fractions { numerators, denominators, continues, blinding });
        }
        let sets = fractions.len();
        fractions.extend(self.lookup_fractions(parameters)?);
        let mut products = key.device.running_products(fractions)?;
        self.commit(&products.iter().collect::<Vec<_>>())?;
        self.columns.lookup_products = products.split_off(sets);
        self.columns.permutation_products = products;
        Ok(())
    }

    /// `(A + β)(S + γ)` over `(A' + β)(S' + γ)` for every lookup.
    fn lookup_fractions(
        &mut self,
        parameters: &[Fr],
    ) -> Result<Vec<Fractions<D::Column>>, EngineError> {
        let key = self.key;
        let compressed = std::mem::take(&mut self.columns.compressed);
        let inputs = self.columns.lookup_inputs.iter().zip(&self.columns.lookup_tables);
        let program = &key.programs.lookup_side;
        let uniforms = program.uniforms(parameters);
        let side = |input: &D::Column, table: &D::Column| {
            let column = |source| match source {
                Source::LookupInput(_) => input,
                _ => table,
            };
            key.device.evaluate_rows(program, &uniforms, &column).map(|mut values| values.pop())
        };
        let mut fractions = Vec::new();
        for (pair, (input, table)) in compressed.chunks(2).zip(inputs) {
            let blinding = random(self.rng, key.shape.blinding_factors);
            random(self.rng, 1);
            let sides = (side(&pair[0], &pair[1])?, side(input, table)?);
            if let (Some(numerators), Some(denominators)) = sides {
                let continues = false;
                fractions.push(Fractions { numerators, denominators, continues, blinding });
            }
        }
        Ok(fractions)
    }

    /// Commits to a random polynomial, which hides the opening of the quotient.
    ///
    /// halo2's has degree `n - 1`. A proof depends on it only through its values at τ and at x,
    /// which are independent and uniform for a random polynomial of degree one already: so this
    /// one hides exactly as much, and its commitment costs two points instead of n.
    fn random_polynomial(&mut self) -> Result<D::Column, EngineError> {
        let key = self.key;
        let coefficients = random(self.rng, 2);
        let [constant, slope] = [coefficients[0], coefficients[1]];
        let commitment = key.powers[0] * constant + key.powers[1] * slope;
        self.transcript.write_point(commitment.to_affine())?;
        Ok(key.device.combine(&[(&key.columns.one, constant), (&key.columns.point, slope)])?)
    }

    /// Commits to the pieces of the quotient.
    fn quotient(&mut self, parameters: &[Fr]) -> Result<Vec<D::Column>, EngineError> {
        let key = self.key;
        let quotient = &key.programs.quotient;
        let uniforms = quotient.uniforms(parameters);
        let combined: Vec<D::Column> = quotient
            .combined
            .iter()
            .map(|terms| {
                let term = |&(scale, column): &(Uniform, usize)| {
                    (&key.columns.fixed[column], uniforms[scale.index()])
                };
                key.device.combine(&terms.iter().map(term).collect::<Vec<_>>())
            })
            .collect::<Result<_, _>>()?;
        let columns = &self.columns;
        let column = |source| match source {
            Source::Combined(index) => Extension::Column(&combined[index]),
            _ => key.extension(source).unwrap_or_else(|| Extension::Column(columns.column(source))),
        };
        let pieces = key.device.quotient(quotient, &uniforms, &column)?;
        self.commit(&pieces.iter().collect::<Vec<_>>())?;
        Ok(pieces)
    }

    /// Evaluates every polynomial and opens all of them.
    fn open(
        mut self,
        pieces: &[D::Column],
        random: &D::Column,
        progress: &dyn Fn(Stage),
    ) -> Result<(), EngineError> {
        progress(Stage::Evaluations);
        let key = self.key;
        let point = self.challenge();
        let step = point.pow_vartime([key.rows() as u64]);
        let terms: Vec<_> = pieces.iter().zip(powers_of(step, pieces.len())).collect();
        let quotient = key.device.combine(&terms)?;
        let columns = &self.columns;
        let column = |polynomial| match polynomial {
            Polynomial::Quotient => &quotient,
            Polynomial::Random => random,
            Polynomial::Of(source) => columns.on_rows(key, source),
        };
        let order = opening::evaluations(&key.constraints, &key.shape);
        let weights = key.device.lagrange_at(point)?;
        let targets: Vec<_> =
            order.iter().map(|query| (column(query.polynomial), query.rotation)).collect();
        let values = key.device.evaluate(&weights, &targets)?;
        let scaled =
            order.iter().zip(values).map(|(query, value)| query.polynomial.scale() * value);
        let values: Vec<Fr> = scaled.collect();
        for &value in &values {
            self.transcript.write_scalar(value)?;
        }
        progress(Stage::Opening);
        let at = key.device.evaluate(&weights, &[(&quotient, 0)])?;
        let opening = opening::Opening {
            device: &key.device,
            omega: key.omega(),
            point,
            queries: opening::order(&key.constraints, &key.shape),
            values: order.into_iter().zip(values).chain([(Query::QUOTIENT, at[0])]).collect(),
            column: &column,
        };
        opening.prove(self.transcript)
    }
}
