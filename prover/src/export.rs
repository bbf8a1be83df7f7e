//! From halo2's verifying key to the self-contained key of `zkinfer-verifier`.

use halo2_proofs::{
    halo2curves::{
        CurveAffine,
        bn256::{Bn256, Fq, Fr, G1Affine, G2Affine},
        ff::PrimeField,
        group::{GroupEncoding, prime::PrimeCurveAffine},
    },
    plonk::{self, Any, ConstraintSystem, Expression},
    poly::{Rotation, commitment::ParamsProver, kzg::commitment::ParamsKZG},
};
use thiserror::Error;
use zkinfer_engine::KeyCommitments;
use zkinfer_verifier as verifier;
use zkinfer_verifier::{
    Column, ExpressionError, Instruction, KeyError, KeyFormat, KeyParts, Query, SrsId, VerifyingKey,
};

/// What a verifying key says besides the circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyMetadata {
    /// The trusted setup; see [`export_srs`].
    pub srs: SrsId,
    /// Names, shapes, scales and bounds of the public tensors.
    pub layout: verifier::InstanceLayout,
    /// Columns that are shared with neighbouring parts; none for a whole model.
    pub boundaries: Vec<verifier::Boundary>,
    /// The version of the integer semantics that the circuit was compiled for.
    pub semantics: u16,
    /// A name for reports, where there is one.
    pub model_name: Option<String>,
    /// Digest of the ONNX file.
    pub model_digest: verifier::Digest,
    /// Digest of the model's graph; all zeros for none.
    pub graph_digest: verifier::Digest,
    /// Digest of the accuracy report; all zeros for none.
    pub accuracy_digest: verifier::Digest,
}

/// Why a halo2 key has no zkinfer form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The circuit uses halo2's lookup argument; zkinfer writes lookups as gates.
    #[error("the circuit has {count} halo2 lookup arguments")]
    Lookups {
        /// How many.
        count: usize,
    },
    /// The circuit has not the instance columns in which the layout places the public values.
    #[error("the circuit has {got} instance columns, the layout {expected}")]
    InstanceColumns {
        /// Columns of the layout.
        expected: usize,
        /// Columns of the circuit.
        got: usize,
    },
    /// A gate holds a selector that was not turned into a fixed column.
    #[error("gate polynomial {gate} holds a virtual selector")]
    Selector {
        /// Index among all gate polynomials.
        gate: usize,
    },
    /// A gate reads a cell that no query list has.
    #[error("gate polynomial {gate} reads a column that is not queried")]
    MissingQuery {
        /// Index among all gate polynomials.
        gate: usize,
    },
    /// A gate polynomial is larger than a key may hold.
    #[error("gate polynomial {gate}: {source}")]
    Gate {
        /// Index among all gate polynomials.
        gate: usize,
        /// Which limit it breaks.
        source: ExpressionError,
    },
    /// halo2 lowered the degree to its `MAX_DEGREE` environment variable: no proof would exist.
    #[error("the gates have degree {required}, halo2 made a key of degree {got}")]
    Degree {
        /// What the gates need.
        required: usize,
        /// What the key was made for.
        got: usize,
    },
    /// The verifier would count other blinding rows than halo2.
    #[error("halo2 has {expected} blinding rows, the key {got}")]
    BlindingFactors {
        /// halo2's count.
        expected: usize,
        /// The key's count.
        got: usize,
    },
    /// An index, rotation or degree does not fit its field.
    #[error("{field} does not fit")]
    Width {
        /// Which field.
        field: &'static str,
    },
    /// A point or scalar of halo2 has no canonical form.
    #[error("{field} is not canonical")]
    NotCanonical {
        /// Which field.
        field: &'static str,
    },
    /// The SRS does not use the standard generators of BN254.
    #[error("the SRS does not use the standard generators")]
    Generators,
    /// The verifier refuses the key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The identity of `params`: a known ceremony by its own name, anything else by `fallback_name`.
///
/// # Errors
/// [`ExportError::Generators`] or [`ExportError::NotCanonical`].
pub fn export_srs(params: &ParamsKZG<Bn256>, fallback_name: &str) -> Result<SrsId, ExportError> {
    let standard = params.get_g().first() == Some(&G1Affine::generator())
        && params.g2() == G2Affine::generator();
    if !standard {
        return Err(ExportError::Generators);
    }
    let g2_tau = g2(&params.s_g2()).ok_or(ExportError::NotCanonical { field: "[tau]_2" })?;
    Ok(SrsId::label(g2_tau, fallback_name))
}

/// The zkinfer form of halo2's `key`.
///
/// # Errors
/// [`ExportError`], for a circuit that the key format does not cover.
pub fn export_key(
    key: &plonk::VerifyingKey<G1Affine>,
    metadata: KeyMetadata,
) -> Result<VerifyingKey, ExportError> {
    let fixed = points("fixed commitment", key.fixed_commitments())?;
    let sigma = points("sigma commitment", key.permutation().commitments())?;
    Ok(VerifyingKey::new(parts(key, metadata, (fixed, sigma))?)?)
}

/// Whether `known` is the zkinfer form of halo2's `key`, which has its commitments.
pub(crate) fn is_exported_as(
    key: &plonk::VerifyingKey<G1Affine>,
    metadata: KeyMetadata,
    known: &VerifyingKey,
) -> Result<bool, ExportError> {
    let KeyParts { fixed_commitments, sigma_commitments, .. } = known.parts();
    let commitments = (fixed_commitments.clone(), sigma_commitments.clone());
    Ok(parts(key, metadata, commitments)? == *known.parts())
}

/// The commitments of a zkinfer key in halo2's form; `None` where one has none.
pub(crate) fn commitments(key: &VerifyingKey) -> Option<KeyCommitments> {
    let point = |point: &verifier::G1Affine| {
        let (x, y) = verifier::coordinates(point);
        if (x, y) == ([0; 32], [0; 32]) {
            return Some(G1Affine::identity());
        }
        let coordinate = |bytes| Option::<Fq>::from(Fq::from_repr(bytes));
        Option::<G1Affine>::from(G1Affine::from_xy(coordinate(x)?, coordinate(y)?))
    };
    let points =
        |points: &[verifier::G1Affine]| points.iter().map(point).collect::<Option<Vec<_>>>();
    let KeyParts { fixed_commitments, sigma_commitments, .. } = key.parts();
    Some(KeyCommitments {
        fixed: points(fixed_commitments)?,
        permutation: points(sigma_commitments)?,
    })
}

fn parts(
    key: &plonk::VerifyingKey<G1Affine>,
    metadata: KeyMetadata,
    (fixed_commitments, sigma_commitments): (Vec<verifier::G1Affine>, Vec<verifier::G1Affine>),
) -> Result<KeyParts, ExportError> {
    let KeyMetadata {
        srs,
        layout,
        boundaries,
        semantics,
        model_name,
        model_digest,
        graph_digest,
        accuracy_digest,
    } = metadata;
    let degree = key.get_domain().get_quotient_poly_degree() + 1;
    let (expected, got) =
        (layout.placement.column_lengths().len(), key.cs().num_instance_columns());
    if expected != got {
        return Err(ExportError::InstanceColumns { expected, got });
    }
    Ok(KeyParts {
        format: KeyFormat::of(&layout),
        semantics,
        k: narrow("k", key.get_domain().k())?,
        constraint_system: constraint_system(key.cs(), degree)?,
        fixed_commitments,
        sigma_commitments,
        transcript_repr: scalar("transcript_repr", &key.transcript_repr())?,
        srs,
        layout,
        boundaries,
        model_name,
        model_digest,
        graph_digest,
        accuracy_digest,
    })
}

fn constraint_system(
    system: &ConstraintSystem<Fr>,
    degree: usize,
) -> Result<verifier::ConstraintSystem, ExportError> {
    if !system.lookups().is_empty() {
        return Err(ExportError::Lookups { count: system.lookups().len() });
    }
    let required = required_degree(system);
    if required != degree {
        return Err(ExportError::Degree { required, got: degree });
    }
    let queries = Queries::new(system)?;
    let polynomials = system.gates().iter().flat_map(|gate| gate.polynomials());
    let gates = polynomials.enumerate().map(|(gate, polynomial)| queries.gate(gate, polynomial));
    let gates = gates.collect::<Result<_, _>>()?;
    let exported = verifier::ConstraintSystem {
        advice_phases: system.advice_column_phase(),
        challenge_phases: system.challenge_phase(),
        gates,
        permutation: permutation(system)?,
        advice_queries: queries.advice,
        fixed_queries: queries.fixed,
        instance_queries: queries.instance,
        degree: narrow("degree", degree)?,
    };
    let (expected, got) = (system.blinding_factors(), exported.blinding_factors());
    if expected != got {
        return Err(ExportError::BlindingFactors { expected, got });
    }
    Ok(exported)
}

/// halo2's `degree()` without its silent cap by an environment variable.
fn required_degree(system: &ConstraintSystem<Fr>) -> usize {
    const PERMUTATION_DEGREE: usize = 3;
    let polynomials = system.gates().iter().flat_map(|gate| gate.polynomials());
    polynomials
        .map(Expression::degree)
        .chain(system.minimum_degree())
        .fold(PERMUTATION_DEGREE, usize::max)
}

fn permutation(system: &ConstraintSystem<Fr>) -> Result<Vec<Column>, ExportError> {
    let columns = system.permutation().get_columns();
    let column = |column: &plonk::Column<Any>| {
        let index = || narrow("column index", column.index());
        Ok(match column.column_type() {
            Any::Advice(_) => Column::Advice(index()?),
            Any::Fixed => Column::Fixed(index()?),
            Any::Instance => Column::Instance(index()?),
        })
    };
    columns.iter().map(column).collect()
}

/// The query lists; gates refer to them by position.
struct Queries {
    advice: Vec<Query>,
    fixed: Vec<Query>,
    instance: Vec<Query>,
}

impl Queries {
    fn new(system: &ConstraintSystem<Fr>) -> Result<Self, ExportError> {
        let advice = system.advice_queries().iter();
        let fixed = system.fixed_queries().iter();
        let instance = system.instance_queries().iter();
        Ok(Self {
            advice: advice
                .map(|(column, rotation)| query(column.index(), *rotation))
                .collect::<Result<_, _>>()?,
            fixed: fixed
                .map(|(column, rotation)| query(column.index(), *rotation))
                .collect::<Result<_, _>>()?,
            instance: instance
                .map(|(column, rotation)| query(column.index(), *rotation))
                .collect::<Result<_, _>>()?,
        })
    }

    fn gate(
        &self,
        gate: usize,
        polynomial: &Expression<Fr>,
    ) -> Result<verifier::Expression, ExportError> {
        let mut program = Vec::new();
        self.append(gate, polynomial, &mut program)?;
        verifier::Expression::new(program).map_err(|source| ExportError::Gate { gate, source })
    }

    /// Appends the postfix form of `expression`.
    fn append(
        &self,
        gate: usize,
        expression: &Expression<Fr>,
        program: &mut Vec<Instruction>,
    ) -> Result<(), ExportError> {
        let missing = ExportError::MissingQuery { gate };
        let instruction = match expression {
            Expression::Constant(value) => Instruction::Constant(scalar("gate constant", value)?),
            Expression::Selector(_) => return Err(ExportError::Selector { gate }),
            Expression::Fixed(cell) => {
                let wanted = query(cell.column_index(), cell.rotation())?;
                Instruction::Fixed(position(&self.fixed, &wanted).ok_or(missing)?)
            }
            Expression::Advice(cell) => {
                let wanted = query(cell.column_index(), cell.rotation())?;
                Instruction::Advice(position(&self.advice, &wanted).ok_or(missing)?)
            }
            Expression::Instance(cell) => {
                let wanted = query(cell.column_index(), cell.rotation())?;
                Instruction::Instance(position(&self.instance, &wanted).ok_or(missing)?)
            }
            Expression::Challenge(challenge) => {
                Instruction::Challenge(narrow("challenge index", challenge.index())?)
            }
            Expression::Negated(inner) => {
                self.append(gate, inner, program)?;
                Instruction::Negate
            }
            Expression::Sum(left, right) => {
                self.append(gate, left, program)?;
                self.append(gate, right, program)?;
                Instruction::Add
            }
            Expression::Product(left, right) => {
                self.append(gate, left, program)?;
                self.append(gate, right, program)?;
                Instruction::Multiply
            }
            Expression::Scaled(inner, factor) => {
                self.append(gate, inner, program)?;
                Instruction::Scale(scalar("gate constant", factor)?)
            }
        };
        program.push(instruction);
        Ok(())
    }
}

fn position<T: PartialEq>(list: &[T], wanted: &T) -> Option<u16> {
    list.iter().position(|item| item == wanted).and_then(|index| u16::try_from(index).ok())
}

fn query(column: usize, rotation: Rotation) -> Result<Query, ExportError> {
    Ok(Query { column: narrow("column index", column)?, rotation: rotation.0 })
}

fn narrow<T: TryFrom<U>, U>(field: &'static str, value: U) -> Result<T, ExportError> {
    T::try_from(value).map_err(|_| ExportError::Width { field })
}

pub(crate) fn points(
    field: &'static str,
    points: &[G1Affine],
) -> Result<Vec<verifier::G1Affine>, ExportError> {
    let point = |point: &G1Affine| {
        let bytes = <[u8; 32]>::try_from(point.to_bytes().as_ref()).ok()?;
        verifier::decode_point(&bytes)
    };
    let points = points.iter().map(|value| point(value).ok_or(ExportError::NotCanonical { field }));
    points.collect()
}

fn scalar(field: &'static str, value: &Fr) -> Result<verifier::Fr, ExportError> {
    verifier::decode_scalar(&value.to_repr()).ok_or(ExportError::NotCanonical { field })
}

/// The verifier's form of a G2 point.
fn g2(point: &G2Affine) -> Option<verifier::G2Affine> {
    let mut bytes = Vec::with_capacity(128);
    for coordinate in [point.x.c0, point.x.c1, point.y.c0, point.y.c1] {
        let mut little_endian = coordinate.to_repr();
        little_endian.as_mut().reverse();
        bytes.extend_from_slice(little_endian.as_ref());
    }
    verifier::decode_g2(&<[u8; 128]>::try_from(bytes).ok()?)
}
