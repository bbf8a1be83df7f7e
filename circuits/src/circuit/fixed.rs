//! The fixed cells of a plan.

use crate::{cells::FixedCells, config::Config, frame::usable_rows, plan::CircuitPlan};

/// Every fixed cell that is a small integer; the other ones are the units' constants.
pub(super) fn fixed_cells(plan: &CircuitPlan, config: &Config) -> FixedCells {
    let last = usable_rows(plan.k()) - 1;
    let mut cells = FixedCells::new(1 << plan.k(), last);
    cells.fill(config.selectors.on, last, 1);
    cells.set(config.selectors.first, 0, 1);
    cells.set(config.selectors.last, last, 1);
    config.units.fixed(plan.rows(), &mut cells);
    config.lookups.fixed(plan.table(), &mut cells);
    cells
}
