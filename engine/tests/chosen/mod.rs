//! Randomness of which a test chooses a part.

use std::collections::HashMap;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

/// A source of randomness in which some words of 64 bits are chosen.
pub(crate) struct Chosen {
    pub(crate) source: ChaCha20Rng,
    /// By their places.
    pub(crate) words: HashMap<usize, u64>,
    pub(crate) drawn: usize,
}

impl RngCore for Chosen {
    fn next_u64(&mut self) -> u64 {
        let word = self.source.next_u64();
        let chosen = self.words.get(&self.drawn).copied();
        self.drawn += 1;
        chosen.unwrap_or(word)
    }

    fn next_u32(&mut self) -> u32 {
        unreachable!("field elements are drawn by words of 64 bits")
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for bytes in bytes.chunks_mut(8) {
            bytes.copy_from_slice(&self.next_u64().to_le_bytes()[..bytes.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}
