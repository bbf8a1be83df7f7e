//! The frame that hands out columns, each with what it owes.
//!
//! A unit gets its columns here and nowhere else, and cannot get one without its obligation:
//! [`Frame::limbs`] registers the range lookup of every limb, a [`Copied`] column owes a copy
//! constraint for every cell that is assigned, a [`Frame::source`] is where other units find an
//! element. So the lists of lookups, of ranges, of columns under copy constraints and of cells
//! that tests lie about are not written by hand anywhere.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, ColumnType, ConstraintSystem, Fixed, SecondPhase},
};

use crate::{
    cells::Place,
    interleaving::Interleaving,
    lookup::entry::{KeyTerm, Lookup, Ranges, Tag},
};

/// Rows of the units that hold data in a circuit of `2^k`, of whose columns each holds `stride` of the
/// units'; the last row only ends the running sums.
///
/// The rows at the end of a column are halo2's: blinding values, two more of them than a column is
/// queried at rotations, of which halo2 counts at least three; and the last row of its permutation
/// argument. A unit's column is queried at two rotations at most.
pub(crate) fn usable_rows(k: u32, stride: usize) -> usize {
    let reserved = (2 * stride).max(3) + 3;
    (1usize << k).saturating_sub(reserved) / stride
}

/// Columns whose cells add up to an integer, each cell looked up in a range.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limbs {
    columns: Vec<Column<Advice>>,
    widths: Vec<u32>,
}

impl Limbs {
    /// The columns, lowest limb first.
    pub(crate) fn columns(&self) -> &[Column<Advice>] {
        &self.columns
    }

    /// Bits of each limb.
    pub(crate) fn widths(&self) -> &[u32] {
        &self.widths
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// A column each of whose assigned cells is a copy of a cell elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copied(Column<Advice>);

impl Copied {
    /// The column, to be read.
    pub(crate) fn column(self) -> Column<Advice> {
        self.0
    }
}

/// Where a column comes among all of its kind; those of one order follow each other as they were
/// asked for. Keys depend on it: a format that moves every key may do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    First,
    Second,
    Third,
}

/// Orders that there are.
const ORDERS: usize = 3;

/// What the columns of a circuit owe, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Obligations {
    /// Every lookup, in every row.
    pub(crate) lookups: Vec<Lookup>,
    /// The ranges that some lookup uses.
    pub(crate) ranges: Ranges,
    /// Columns under copy constraints.
    equality: Vec<Column<Advice>>,
    /// Fixed columns.
    pub(crate) fixed_columns: usize,
    /// Advice columns of the first phase, whose indices are the lowest.
    pub(crate) first_phase_columns: usize,
    /// The columns whose cells are copies, by what they are copies of.
    pub(crate) copied: Vec<(Copied, &'static str)>,
    /// The columns in which other units find elements.
    pub(crate) places: Vec<(Place, Column<Advice>)>,
    /// The advice columns, by index.
    advice: Vec<Column<Advice>>,
    /// What each advice column is called, by index.
    pub(crate) names: Vec<&'static str>,
}

impl Obligations {
    /// Puts the columns that are copied, or copied from, under halo2's permutation argument.
    pub(crate) fn enable_copies(
        &self,
        interleaving: &Interleaving,
        meta: &mut ConstraintSystem<Fr>,
    ) {
        for &column in &self.equality {
            meta.enable_equality(interleaving.advice_cell(column, 0).0);
        }
    }

    /// Whether an advice column is under copy constraints.
    pub(crate) fn is_copied(&self, index: usize) -> bool {
        self.equality.iter().any(|column| column.index() == index)
    }

    /// The advice columns, by index.
    pub(crate) fn columns(&self) -> &[Column<Advice>] {
        &self.advice
    }
}

/// Columns of one kind.
struct Supply<C: ColumnType> {
    /// Handed out when columns are only counted.
    spare: Column<C>,
    columns: Vec<Column<C>>,
    /// For each order the next column, or how many were asked for.
    next: [usize; ORDERS],
}

impl<C: ColumnType> Supply<C> {
    fn counting(spare: Column<C>) -> Self {
        Self { spare, columns: Vec::new(), next: [0; ORDERS] }
    }

    /// So many columns as were counted.
    fn filled(counted: &Self, mut column: impl FnMut() -> Column<C>) -> Self {
        let [first, second, third] = counted.next;
        let columns = (0..first + second + third).map(|_| column()).collect();
        Self { spare: counted.spare, columns, next: [0, first, first + second] }
    }

    fn take(&mut self, order: Order) -> Column<C> {
        let next = &mut self.next[order as usize];
        let index = *next;
        *next += 1;
        if self.columns.is_empty() { self.spare } else { self.columns[index] }
    }
}

/// Hands out columns, and keeps what they owe.
pub(crate) struct Frame {
    fixed: Supply<Fixed>,
    first: Supply<Advice>,
    second: Supply<Advice>,
    order: Order,
    /// The place in the list of units of the one that asks.
    unit: u16,
    /// Whether columns are cheap, so that gates are of a lower degree with some more of them.
    pub(crate) is_interleaved: bool,
    owed: Obligations,
}

impl Frame {
    /// A frame that counts: its columns mean nothing.
    fn counting(is_interleaved: bool) -> Self {
        let mut spare = ConstraintSystem::<Fr>::default();
        Self {
            fixed: Supply::counting(spare.fixed_column()),
            first: Supply::counting(spare.advice_column()),
            second: Supply::counting(spare.advice_column_in(SecondPhase)),
            order: Order::default(),
            unit: 0,
            is_interleaved,
            owed: Obligations::default(),
        }
    }

    /// What the columns that `build` asks for owe, without making them: their columns mean nothing.
    pub(crate) fn count<T>(build: impl FnOnce(&mut Self) -> T) -> Obligations {
        let mut frame = Self::counting(false);
        build(&mut frame);
        frame.owed
    }

    /// Makes the columns that `build` asks for: it is called twice, first to count them. They are the
    /// units' own, not yet those of a circuit.
    pub(crate) fn build<T>(
        is_interleaved: bool,
        build: impl Fn(&mut Self) -> T,
    ) -> (T, Obligations) {
        let mut counted = Self::counting(is_interleaved);
        build(&mut counted);
        let mut meta = ConstraintSystem::<Fr>::default();
        let fixed = Supply::filled(&counted.fixed, || meta.fixed_column());
        let first = Supply::filled(&counted.first, || meta.advice_column());
        let second = Supply::filled(&counted.second, || meta.advice_column_in(SecondPhase));
        let advice = [&first.columns[..], &second.columns].concat();
        let owed = Obligations {
            fixed_columns: fixed.columns.len(),
            first_phase_columns: first.columns.len(),
            names: vec![""; advice.len()],
            advice,
            ..Obligations::default()
        };
        let order = Order::default();
        let mut frame = Self { fixed, first, second, order, unit: 0, is_interleaved, owed };
        (build(&mut frame), frame.owed)
    }

    /// Sets the order of the columns that follow.
    pub(crate) fn order(&mut self, order: Order) {
        self.order = order;
    }

    /// Says which unit, by its place in the list of units, asks for the columns that follow.
    pub(crate) fn unit(&mut self, unit: u16) {
        self.unit = unit;
    }

    pub(crate) fn fixed(&mut self) -> Column<Fixed> {
        self.fixed.take(self.order)
    }

    pub(crate) fn fixed_columns(&mut self, count: usize) -> Vec<Column<Fixed>> {
        (0..count).map(|_| self.fixed()).collect()
    }

    /// A column of integers, committed to before any challenge is drawn.
    pub(crate) fn advice(&mut self, name: &'static str) -> Column<Advice> {
        let column = self.first.take(self.order);
        self.name(column, name)
    }

    /// A column that is committed to when the challenges are known.
    pub(crate) fn later(&mut self, name: &'static str) -> Column<Advice> {
        let column = self.second.take(self.order);
        self.name(column, name)
    }

    fn name(&mut self, column: Column<Advice>, name: &'static str) -> Column<Advice> {
        if let Some(place) = self.owed.names.get_mut(column.index()) {
            *place = name;
        }
        column
    }

    /// A column of the first phase whose cells are copies, which is also what `name` says they are.
    pub(crate) fn copied(&mut self, name: &'static str) -> Copied {
        let copied = Copied(self.advice(name));
        self.owed.equality.push(copied.0);
        self.owed.copied.push((copied, name));
        copied
    }

    /// A column of the first phase in which other units find elements.
    pub(crate) fn source(&mut self, name: &'static str, place: Place) -> Column<Advice> {
        self.place(name, place, true)
    }

    /// The same, under copy constraints only if cells of it `is_copied`: others are read where they lie.
    pub(crate) fn place(
        &mut self,
        name: &'static str,
        place: Place,
        is_copied: bool,
    ) -> Column<Advice> {
        let column = self.advice(name);
        self.owed.equality.extend(is_copied.then_some(column));
        self.owed.places.push((place, column));
        column
    }

    /// The column of a unit before in which others find elements at a place.
    pub(crate) fn column_at(&self, place: Place) -> Option<Column<Advice>> {
        let found = self.owed.places.iter().find(|(of, _)| *of == place);
        found.map(|&(_, column)| column)
    }

    /// A column of the first phase in which other units find results of the unit.
    pub(crate) fn result(&mut self, name: &'static str, lane: u32) -> Column<Advice> {
        self.source(name, Place::Result { unit: self.unit, lane })
    }

    /// A column of the second phase some of whose cells the instance shows.
    pub(crate) fn shown(&mut self, name: &'static str) -> Column<Advice> {
        let column = self.later(name);
        self.owed.equality.push(column);
        column
    }

    /// Limbs of the given widths, each in its range by a lookup.
    pub(crate) fn limbs(&mut self, name: &'static str, widths: &[u32]) -> Limbs {
        let columns: Vec<_> = widths.iter().map(|_| self.advice(name)).collect();
        for (&column, &bits) in columns.iter().zip(widths) {
            self.lookup(vec![KeyTerm::Plus(column)], Tag::Range(bits), None);
        }
        Limbs { columns, widths: widths.to_vec() }
    }

    /// Limbs of which the highest is below `size`, the others in their ranges.
    pub(crate) fn limbs_below(&mut self, name: &'static str, widths: &[u32], size: u32) -> Limbs {
        let columns: Vec<_> = widths.iter().map(|_| self.advice(name)).collect();
        for (place, (&column, &bits)) in columns.iter().zip(widths).enumerate() {
            let is_highest = place + 1 == widths.len();
            let tag = if is_highest { Tag::Below(size) } else { Tag::Range(bits) };
            self.lookup(vec![KeyTerm::Plus(column)], tag, None);
        }
        Limbs { columns, widths: widths.to_vec() }
    }

    /// Limbs of which the lowest is looked up where `tag` says, together with the cell of the column
    /// `value`, if there is one; the others are in their ranges.
    pub(crate) fn tabled_limbs(
        &mut self,
        name: &'static str,
        widths: &[u32],
        tag: Tag,
        value: Option<Column<Advice>>,
    ) -> Limbs {
        let columns: Vec<_> = widths.iter().map(|_| self.advice(name)).collect();
        for (place, (&column, &bits)) in columns.iter().zip(widths).enumerate() {
            let (tag, value) = if place == 0 { (tag, value) } else { (Tag::Range(bits), None) };
            self.lookup(vec![KeyTerm::Plus(column)], tag, value);
        }
        Limbs { columns, widths: widths.to_vec() }
    }

    /// Limbs each of which is looked up in the range that its tag of the row says.
    pub(crate) fn tagged_limbs(
        &mut self,
        name: &'static str,
        widths: &[u32],
        tags: &[Column<Fixed>],
    ) -> Limbs {
        let columns: Vec<_> = widths.iter().map(|_| self.advice(name)).collect();
        for (&column, &tag) in columns.iter().zip(tags) {
            self.lookup(vec![KeyTerm::Plus(column)], Tag::Row(tag), None);
        }
        Limbs { columns, widths: widths.to_vec() }
    }

    /// One lookup in every row. Which ranges a tag of the row may name is told by [`Self::range`].
    pub(crate) fn lookup(&mut self, key: Vec<KeyTerm>, tag: Tag, value: Option<Column<Advice>>) {
        match tag {
            Tag::Range(bits) => self.range(bits),
            Tag::Below(size) => {
                let known = *self.owed.ranges.exact.get_or_insert(size);
                assert_eq!(known, size, "a circuit has one range whose size is no power of two");
            }
            Tag::Row(_) => {}
        }
        self.owed.lookups.push(Lookup { key, tag, value });
    }

    /// A range that the tags of some rows name.
    pub(crate) fn range(&mut self, bits: u32) {
        self.owed.ranges.bits.insert(bits);
    }

    /// Lookups so far.
    pub(crate) fn lookups(&self) -> &[Lookup] {
        &self.owed.lookups
    }
}
