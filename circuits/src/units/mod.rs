//! The units of the circuit, one folder or file each.
//!
//! Arrows run one way: `circuit` → `plan` → `units` → `lookup`, `chain`, `frame`, `cells`, `algebra`,
//! `integers`. A new unit is a folder here, a line in the list below, and rows from the planner.

pub(crate) mod commitment;
pub(crate) mod forest;
pub(crate) mod linear;
pub(crate) mod normalize;
pub(crate) mod pool;
pub(crate) mod product;
pub(crate) mod slots;
pub(crate) mod softmax;
mod unit;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};

pub(crate) use self::unit::{Drawn, Unit};
use crate::{
    algebra::{Gates, Row, sum},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    frame::Frame,
};

/// The list of units: everything that is asked of all of them goes through it.
macro_rules! units {
    ($($(#[$doc:meta])* $unit:ident: $type:ty, $shape:ty;)*) => {
        /// Column counts, limb widths and lattice steps: all that the gates depend on.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Shape {
            /// log2 of the number of rows.
            pub k: u32,
            /// Entries of the lookup table to a row.
            pub table_lanes: usize,
            /// Columns that the public values are dealt to row by row; 0 is one, too.
            pub instance_columns: usize,
            $($(#[$doc])* pub $unit: $shape,)*
        }

        /// The columns of every unit.
        #[derive(Clone, Debug)]
        pub(crate) struct Units {
            $(pub(crate) $unit: $type,)*
        }

        /// The rows of every unit.
        #[derive(Clone, Debug)]
        pub(crate) struct Rows {
            $(pub(crate) $unit: <$type as Unit>::Rows,)*
        }

        impl Units {
            pub(crate) fn allocate(shape: &Shape, frame: &mut Frame) -> Self {
                Self { $($unit: Unit::allocate(&shape.$unit, frame),)* }
            }

            pub(crate) fn gates(&self, gates: &mut Gates<'_>) {
                $(self.$unit.gates(gates);)*
            }

            pub(crate) fn fixed(&self, rows: &Rows, cells: &mut FixedCells) {
                $(self.$unit.fixed(&rows.$unit, cells);)*
            }

            pub(crate) fn constants(
                &self,
                rows: &Rows,
                set: &mut dyn FnMut(Column<Fixed>, usize, Fr),
            ) {
                $(self.$unit.constants(&rows.$unit, set);)*
            }

            pub(crate) fn assign(&self, rows: &Rows, run: Run<'_>, cells: &mut IntegerCells) {
                $(self.$unit.assign(&rows.$unit, run, cells);)*
            }

            pub(crate) fn copies(&self, rows: &Rows, copies: &mut Copies<'_>) {
                $(self.$unit.copies(&rows.$unit, copies);)*
            }

            /// The columns of the second phase whose first cell is 0.
            pub(crate) fn chains(&self) -> Vec<Column<Advice>> {
                [$(self.$unit.chains(),)*].concat()
            }

            /// What a row of all units adds to the total.
            pub(crate) fn addends(&self, row: &mut Row<'_, '_>) -> Expression<Fr> {
                sum([$(self.$unit.addend(row),)*].into_iter().flatten())
            }

            /// The cells of the second phase; for each unit what its rows add to the total.
            pub(crate) fn finish(
                &self,
                rows: &Rows,
                drawn: Drawn<'_>,
                cells: &mut FieldCells,
            ) -> Vec<Vec<Fr>> {
                vec![$(self.$unit.finish(&rows.$unit, drawn, cells),)*]
            }
        }
    };
}

units! {
    /// Requantized values, several to a row.
    slots: slots::SlotUnit, slots::SlotShape;
    /// Reads and weights: the check of every linear layer.
    linear: linear::LinearUnit, linear::LinearShape;
    /// Matrix products of two tensors.
    product: Option<product::ProductUnit>, Option<product::ProductShape>;
    /// Normalization of groups, several elements to a row.
    normalize: Option<normalize::NormalizeUnit>, Option<normalize::NormalizeShape>;
    /// Maxima of four elements, several to a row.
    pool: pool::PoolUnit, pool::PoolShape;
    /// Softmax, elements of a group side by side.
    softmax: Option<softmax::SoftmaxUnit>, Option<softmax::SoftmaxShape>;
    /// Walks down decision trees, several to a row.
    forest: Option<forest::ForestUnit>, Option<forest::ForestShape>;
    /// Hidden inputs and outputs: packed, then hashed.
    commitment: Option<commitment::CommitmentUnit>, Option<commitment::CommitmentShape>;
}
