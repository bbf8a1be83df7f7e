//! The units of the circuit, one folder or file each.
//!
//! Arrows run one way: `circuit` → `plan` → `units` → `lookup`, `chain`, `frame`, `cells`, `algebra`,
//! `integers`. A new relation is a file or folder here and a line in the list below.

pub(crate) mod boundary;
mod embedding;
mod forest;
pub(crate) mod hash;
pub(crate) mod linear;
mod normalize;
mod pool;
mod product;
mod relation;
pub(crate) mod slots;
mod softmax;
mod unit;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};
use zkinfer_models::{
    QuantizedGraph,
    quantized::{ImageView, QuantizedOp},
};

use self::relation::Relation;
pub(crate) use self::{
    relation::{Proven, ResultCell},
    unit::{Drawn, Unit},
};
use crate::{
    algebra::{Gates, Row, sum},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    error::PlanError,
    frame::{Frame, usable_rows},
    integers::limb_widths,
    lookup::ValueTables,
};

/// What is asked of all units goes through this list.
macro_rules! all_units {
    ($($(#[$doc:meta])* $unit:ident $rows:literal: $type:ty, $shape:ty;)*) => {
        /// Column counts, limb widths and lattice steps: all that the gates depend on.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Shape {
            /// log2 of the number of rows.
            pub k: u32,
            /// Columns of the units that lie in one of the circuit; 0 is one, too.
            pub interleaved: usize,
            /// Entries of the lookup table to a row.
            pub table_lanes: usize,
            /// Columns that the public values are dealt to row by row; 0 is one, too.
            pub instance_columns: usize,
            $($(#[$doc])* pub $unit: $shape,)*
        }

        impl Shape {
            /// Rows of the circuit from one row of the units to the next.
            pub(crate) fn stride(&self) -> usize {
                self.interleaved.max(1)
            }

            /// Rows of the units, usable or not.
            pub(crate) fn row_count(&self) -> usize {
                (1 << self.k) / self.stride()
            }

            /// Rows of the units that hold data; the last one only ends the running sums.
            pub(crate) fn usable_rows(&self) -> usize {
                usable_rows(self.k, self.stride())
            }
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

        /// How many rows each unit of a plan uses.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct UnitRows {
            $($(#[$doc])* pub $unit: usize,)*
            /// The lookup table.
            pub table: usize,
            /// Public values.
            pub instance: usize,
        }

        impl UnitRows {
            /// Of each its name, what its rows are for, and how many there are.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, &'static str, usize)> {
                vec![
                    $((stringify!($unit), $rows, self.$unit),)*
                    ("table", "lookup table", self.table),
                    ("instance", "public values", self.instance),
                ]
            }
        }

        impl Rows {
            /// How many each unit uses, beside so many of the table and of the instance.
            pub(crate) fn counts(&self, table: usize, instance: usize) -> UnitRows {
                UnitRows { $($unit: <$type>::row_count(&self.$unit),)* table, instance }
            }
        }

        /// A place in the list.
        #[expect(non_camel_case_types, reason = "the names are those of the list")]
        #[derive(Clone, Copy)]
        enum Name {
            $($unit,)*
        }

        impl Units {
            pub(crate) fn allocate(shape: &Shape, frame: &mut Frame) -> Self {
                $(
                    frame.unit(Name::$unit as u16);
                    let $unit = Unit::allocate(&shape.$unit, frame);
                )*
                Self { $($unit,)* }
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

/// What the planner asks of all relations goes through this list.
macro_rules! relations {
    ($($unit:ident: $type:ty, $shape:ident;)*) => {
        /// Lanes of each relation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Lanes {
            $($unit: usize,)*
        }

        impl Lanes {
            /// The fewest with which each relation has at most so many rows; `None` where one has more
            /// with all lanes that it may have.
            pub(crate) fn fewest(proven: Proven<'_>, available: usize) -> Option<Self> {
                Some(Self {
                    $($unit: {
                        let count = <$type>::counts(proven);
                        (1..=<$type>::LANES).find(|&lanes| count(lanes) <= available)?
                    },)*
                })
            }
        }

        /// The rows of every relation.
        #[derive(Clone, Debug)]
        pub(crate) struct Relations {
            $($unit: Option<<$type as Unit>::Rows>,)*
        }

        impl Relations {
            /// Checks that the gates are sound for every node of a graph.
            pub(crate) fn check(graph: &QuantizedGraph) -> Result<(), PlanError> {
                $(<$type>::check(graph)?;)*
                Ok(())
            }

            /// How an operation's accumulators lie on the lattice, where a relation says so.
            pub(crate) fn lattice(op: &QuantizedOp, len: usize) -> Option<ImageView> {
                None$(.or_else(|| <$type>::lattice(op, len)))*
            }

            pub(crate) fn new(proven: Proven<'_>, lanes: Lanes, tables: &mut ValueTables) -> Self {
                Self { $($unit: <$type>::rows(proven, lanes.$unit, tables),)* }
            }

            /// Adds the columns that the rows need, limbs of at most `limit` bits.
            pub(crate) fn describe(&self, limit: u32, shape: &mut Shape) {
                $(
                    shape.$unit = self.$unit.as_ref().map(|rows| {
                        let mut shape = <$type>::shape(rows);
                        for widths in <$type>::limbs(&mut shape) {
                            *widths = limb_widths(widths.iter().sum(), limit);
                        }
                        shape
                    });
                )*
            }

            /// Where results are, with the place of the unit in the list.
            pub(crate) fn results(&self) -> Vec<(u16, ResultCell)> {
                let mut found = Vec::new();
                $(
                    if let Some(rows) = &self.$unit {
                        let unit = Name::$unit as u16;
                        found.extend(<$type>::results(rows).into_iter().map(|cell| (unit, cell)));
                    }
                )*
                found
            }

            /// The rows of all units.
            pub(crate) fn with(
                self,
                slots: slots::SlotRows,
                linear: linear::LinearRows,
                hash: Option<hash::HashRows>,
                boundary: Option<boundary::BoundaryRows>,
            ) -> Rows {
                Rows { slots, linear, $($unit: self.$unit,)* hash, boundary }
            }
        }

        /// Shapes of the relations' units.
        pub(crate) mod shapes {
            $(pub use super::$unit::$shape;)*
        }
    };
}

/// The list of units. A relation is the name of its file, what its rows are for, its unit and the
/// unit's shape.
macro_rules! units {
    (
        { $($before:tt)* }
        $($(#[$doc:meta])* $unit:ident $rows:literal: $type:ident, $shape:ident;)*
        { $($after:tt)* }
    ) => {
        all_units! {
            $($before)*
            $($(#[$doc])* $unit $rows: Option<$unit::$type>, Option<$unit::$shape>;)*
            $($after)*
        }
        relations! { $($unit: $unit::$type, $shape;)* }
    };
}

units! {
    {
        /// Requantized values, several to a row.
        slots "requantization": slots::SlotUnit, slots::SlotShape;
        /// Reads and weights: the check of every linear layer.
        linear "linear layers": linear::LinearUnit, linear::LinearShape;
    }
    /// Matrix products of two tensors.
    product "matrix products": ProductUnit, ProductShape;
    /// Normalization of groups, several elements to a row.
    normalize "normalization": NormalizeUnit, NormalizeShape;
    /// Maxima of four elements, several to a row.
    pool "pooling": PoolUnit, PoolShape;
    /// Softmax, elements of a group side by side.
    softmax "softmax": SoftmaxUnit, SoftmaxShape;
    /// Walks down decision trees, several to a row.
    forest "decision trees": ForestUnit, ForestShape;
    /// Rows of tables, chosen by indices.
    embedding "rows of tables": EmbeddingUnit, EmbeddingShape;
    {
        /// Hidden inputs and outputs: packed, then hashed.
        hash "hash of hidden values":
            Option<hash::HashUnit>, Option<hash::HashShape>;
        /// Tensors of neighbouring parts of a model.
        boundary "boundaries of parts":
            Option<boundary::BoundaryUnit>, Option<boundary::BoundaryShape>;
    }
}
