//! Cells that a circuit may look at again while it is laid out.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Assigned};

/// Cells per block.
const BLOCK: usize = 4096;

/// Keeps assigned values where they are until it is dropped.
///
/// halo2's `Assignment::assign_advice` promises a reference with a lifetime of the caller's choice,
/// to the value of the cell. Values are only ever added, to blocks that never grow, so no value
/// moves or changes.
#[derive(Debug, Default)]
pub(crate) struct CellArena {
    blocks: Vec<Vec<Assigned<Fr>>>,
}

impl CellArena {
    /// Keeps `value`. The reference must not be used after the arena is dropped, which is when
    /// the layout of the circuit is complete: the same promise that halo2's own prover asks of a
    /// circuit.
    #[expect(unsafe_code, reason = "halo2's interface wants a reference of any lifetime")]
    pub(crate) fn keep<'v>(&mut self, value: Assigned<Fr>) -> &'v Assigned<Fr> {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let block = self.blocks.last_mut().expect("a block was just made");
        block.push(value);
        let kept: *const Assigned<Fr> = &raw const block[block.len() - 1];
        // SAFETY: the value was just written; the block has its full capacity, so it does not move
        // when values are added, and nothing is changed or removed before the arena is dropped.
        // No circuit sees the arena, and the layout is over when it is dropped.
        unsafe { &*kept }
    }
}
