//! The fixed cells of a plan.

use crate::{cells::FixedCells, config::Config, plan::CircuitPlan};

/// Every fixed cell that is a small integer; the other ones are the units' constants.
pub(super) fn fixed_cells(plan: &CircuitPlan, config: &Config) -> FixedCells {
    let last = plan.shape().usable_rows() - 1;
    let mut cells = FixedCells::new(plan.shape().row_count(), last);
    cells.fill(config.selectors.on, last, 1);
    if let Some([first, of_last]) = config.selectors.ends {
        cells.set(first, 0, 1);
        cells.set(of_last, last, 1);
    }
    config.units.fixed(plan.rows(), &mut cells);
    config.lookups.fixed(plan.table(), &mut cells);
    cells
}
