//! The circuit as the verifier sees it: columns, queries, gates, copy constraints, degree.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    error::KeyError,
    expression::{Expression, Instruction, MAX_INSTRUCTIONS},
};

/// Most columns of a kind.
pub(crate) const MAX_COLUMNS: usize = 1 << 13;
/// Most queries of a kind.
pub(crate) const MAX_QUERIES: usize = 1 << 14;
/// Most rotations of one instance column; each costs time linear in the column.
pub(crate) const MAX_INSTANCE_ROTATIONS: usize = 16;
/// Most challenges of a circuit.
pub const MAX_CHALLENGES: usize = 256;
/// Most gate polynomials.
pub(crate) const MAX_GATES: usize = 1 << 13;
/// Largest degree of the constraint system.
pub(crate) const MAX_DEGREE: u8 = 33;
/// Last advice phase of halo2.
pub(crate) const LAST_PHASE: u8 = 2;
/// The permutation argument has constraints of this degree whatever the gates are.
const PERMUTATION_DEGREE: usize = 3;

/// A column under copy constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The advice column with this index.
    Advice(u16),
    /// The fixed column with this index.
    Fixed(u16),
    /// The instance column with this index.
    Instance(u16),
}

/// A column opened at `ω^rotation · x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query {
    /// Index among the columns of its kind.
    pub column: u16,
    /// Rows relative to the current one.
    pub rotation: i32,
}

/// Columns, queries, gates and copy constraints of a circuit without lookup arguments (zkinfer
/// writes its lookups as gates). Where the public values lie in the instance columns is said by the
/// [`InstanceLayout`](crate::InstanceLayout).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintSystem {
    /// The phase (0, 1 or 2) of every advice column.
    pub advice_phases: Vec<u8>,
    /// The phase after which every challenge is drawn.
    pub challenge_phases: Vec<u8>,
    /// Advice queries, in the order of their evaluations in a proof.
    pub advice_queries: Vec<Query>,
    /// Fixed queries, in the order of their evaluations in a proof.
    pub fixed_queries: Vec<Query>,
    /// Instance queries; the verifier computes their evaluations, no proof has them.
    pub instance_queries: Vec<Query>,
    /// Every polynomial of every gate, in order.
    pub gates: Vec<Expression>,
    /// Columns under copy constraints, in the order of their sigma commitments.
    pub permutation: Vec<Column>,
    /// Degree of the whole system: one more than the number of quotient pieces in a proof.
    pub degree: u8,
}

/// Where the evaluation of a column at the current row is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentRow {
    /// Index into the advice queries.
    Advice(usize),
    /// Index into the fixed queries.
    Fixed(usize),
    /// Index into the instance queries.
    Instance(usize),
}

impl ConstraintSystem {
    /// Rows at the end of each column that hold blinding values, as halo2 counts them: one per
    /// opening of the most opened column, the permutation products being opened three times.
    #[must_use]
    pub fn blinding_factors(&self) -> usize {
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        for query in &self.advice_queries {
            let count = counts.entry(query.column).or_default();
            *count = count.saturating_add(1);
        }
        counts.into_values().fold(3, usize::max).saturating_add(2)
    }

    /// How many columns one permutation product covers.
    #[must_use]
    pub fn permutation_chunk_len(&self) -> usize {
        usize::from(self.degree).saturating_sub(2).max(1)
    }

    /// Number of permutation products in a proof.
    #[must_use]
    pub fn permutation_product_count(&self) -> usize {
        self.permutation.len().div_ceil(self.permutation_chunk_len())
    }

    /// Number of quotient pieces in a proof.
    #[must_use]
    pub fn quotient_piece_count(&self) -> usize {
        usize::from(self.degree).saturating_sub(1)
    }

    /// The phases that occur, in order.
    pub(crate) fn phases(&self) -> core::ops::RangeInclusive<u8> {
        0..=self.advice_phases.iter().copied().fold(0, u8::max)
    }

    /// Checks limits, indexes, phases and degree against the numbers of rows and columns.
    pub(crate) fn check(
        &self,
        row_count: u64,
        fixed_columns: usize,
        instance_columns: usize,
    ) -> Result<(), KeyError> {
        self.check_limits()?;
        self.check_phases()?;
        let advice = self.advice_phases.len();
        check_queries("advice queries", &self.advice_queries, advice, row_count)?;
        check_queries("fixed queries", &self.fixed_queries, fixed_columns, row_count)?;
        let queries = &self.instance_queries;
        check_queries("instance queries", queries, instance_columns, row_count)?;
        self.check_instance_rotations()?;
        self.check_gates()?;
        self.check_permutation()
    }

    fn check_limits(&self) -> Result<(), KeyError> {
        let lists = [
            ("advice phases", self.advice_phases.len(), MAX_COLUMNS),
            ("challenge phases", self.challenge_phases.len(), MAX_CHALLENGES),
            ("advice queries", self.advice_queries.len(), MAX_QUERIES),
            ("fixed queries", self.fixed_queries.len(), MAX_QUERIES),
            ("instance queries", self.instance_queries.len(), MAX_QUERIES),
            ("gates", self.gates.len(), MAX_GATES),
            ("permutation", self.permutation.len(), MAX_COLUMNS),
            ("instructions", self.instruction_count(), MAX_INSTRUCTIONS),
        ];
        match lists.into_iter().find(|(_, got, limit)| got > limit) {
            Some((list, got, limit)) => Err(KeyError::Limit { list, limit, got }),
            None => Ok(()),
        }
    }

    fn instruction_count(&self) -> usize {
        let lengths = self.gates.iter().map(|gate| gate.instructions().len());
        lengths.fold(0, usize::saturating_add)
    }

    fn check_instance_rotations(&self) -> Result<(), KeyError> {
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        for query in &self.instance_queries {
            let count = counts.entry(query.column).or_default();
            *count = count.saturating_add(1);
        }
        match counts.into_values().find(|&count| count > MAX_INSTANCE_ROTATIONS) {
            Some(got) => {
                let (list, limit) = ("rotations of an instance column", MAX_INSTANCE_ROTATIONS);
                Err(KeyError::Limit { list, limit, got })
            }
            None => Ok(()),
        }
    }

    fn check_phases(&self) -> Result<(), KeyError> {
        let last = *self.phases().end();
        let advice = self.advice_phases.iter().find(|&&phase| phase > LAST_PHASE);
        let challenge = self.challenge_phases.iter().find(|&&phase| phase > last);
        match advice.or(challenge) {
            Some(&got) => Err(KeyError::Phase { got }),
            None => Ok(()),
        }
    }

    fn check_gates(&self) -> Result<(), KeyError> {
        for (gate, expression) in self.gates.iter().enumerate() {
            let bad = expression.instructions().iter().position(|instruction| {
                let (index, len) = match *instruction {
                    Instruction::Advice(index) => (index, self.advice_queries.len()),
                    Instruction::Fixed(index) => (index, self.fixed_queries.len()),
                    Instruction::Instance(index) => (index, self.instance_queries.len()),
                    Instruction::Challenge(index) => (index, self.challenge_phases.len()),
                    Instruction::Constant(_)
                    | Instruction::Negate
                    | Instruction::Add
                    | Instruction::Multiply
                    | Instruction::Scale(_) => return false,
                };
                usize::from(index) >= len
            });
            if let Some(instruction) = bad {
                return Err(KeyError::GateIndex { gate, instruction });
            }
        }
        let gates = self.gates.iter().map(Expression::degree);
        let required = gates.fold(PERMUTATION_DEGREE, usize::max);
        if usize::from(self.degree) < required || self.degree > MAX_DEGREE {
            return Err(KeyError::Degree { required, limit: MAX_DEGREE, got: self.degree });
        }
        Ok(())
    }

    fn check_permutation(&self) -> Result<(), KeyError> {
        let mut seen = alloc::collections::BTreeSet::new();
        for (position, &column) in self.permutation.iter().enumerate() {
            if !seen.insert(column) {
                return Err(KeyError::DuplicatePermutationColumn { position });
            }
            if self.current_row(column).is_none() {
                return Err(KeyError::PermutationQuery { position });
            }
        }
        Ok(())
    }

    /// The query of `column` at the current row.
    pub(crate) fn current_row(&self, column: Column) -> Option<CurrentRow> {
        let find = |queries: &[Query], column: u16| {
            queries.iter().position(|query| *query == Query { column, rotation: 0 })
        };
        match column {
            Column::Advice(index) => find(&self.advice_queries, index).map(CurrentRow::Advice),
            Column::Fixed(index) => find(&self.fixed_queries, index).map(CurrentRow::Fixed),
            Column::Instance(index) => {
                find(&self.instance_queries, index).map(CurrentRow::Instance)
            }
        }
    }
}

/// `rotation` modulo the number of rows; `None` for a rotation of a whole turn or more.
pub(crate) fn wrapped(rotation: i32, row_count: u64) -> Option<i32> {
    let rows = i32::try_from(row_count).ok()?;
    if rotation.checked_abs()? >= rows {
        return None;
    }
    rotation.checked_rem_euclid(rows)
}

/// Indexes in range and, of each column, no two queries at the same row: a second evaluation of
/// one commitment at one point is the hole that the 2025 halo2 query-collision finding was about.
fn check_queries(
    list: &'static str,
    queries: &[Query],
    columns: usize,
    row_count: u64,
) -> Result<(), KeyError> {
    let mut seen = alloc::collections::BTreeSet::new();
    for (index, query) in queries.iter().enumerate() {
        if usize::from(query.column) >= columns {
            return Err(KeyError::QueryColumn { list, index });
        }
        let row =
            wrapped(query.rotation, row_count).ok_or(KeyError::QueryRotation { list, index })?;
        if !seen.insert((query.column, row)) {
            return Err(KeyError::DuplicateQuery { list, index });
        }
    }
    Ok(())
}
