//! Rows of a table, chosen by indices: embedded words.

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Runs};
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::numbers::{integer, real};
use crate::quantizer::form::{Form, Role};
use crate::quantizer::{Format, Layer, Quantizer};
use crate::tensor::{QuantizedTensor, TensorId};

/// `output[e·width + c] = table[input[e]·width + c]`; negative indices count from the end, and those
/// out of range choose zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct Embed {
    /// The indices: elements of a model input.
    pub input: TensorId,
    /// Elements of a row, at least one.
    pub width: usize,
    /// The rows, one after the other.
    pub table: Vec<f64>,
}

/// `output[e·width + c] = table[(input[e] − first)·width + c]`, with a row for every integer that an
/// element of the input can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedEmbed {
    /// The indices.
    pub input: TensorId,
    /// The smallest index, which is that of the first row.
    pub first: i64,
    /// Elements of a row, at least one.
    pub width: usize,
    /// The rows, one after the other.
    pub table: Vec<i32>,
}

impl Embed {
    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.table.len() / self.width
    }

    /// The row of an index; `None` where it is out of range.
    fn row(&self, index: f64) -> Option<&[f64]> {
        let rows = real(count(self.rows()));
        let index = if index < 0.0 { index + rows } else { index };
        let place = (0.0..rows).contains(&index).then(|| integer(index))?;
        self.table.chunks(self.width).nth(usize::try_from(place).ok()?)
    }

    /// The rows of these indices, one after the other.
    fn chosen(&self, indices: impl Iterator<Item = f64>) -> Vec<f64> {
        let zeros = vec![0.0; self.width];
        indices.flat_map(|index| self.row(index).unwrap_or(&zeros).to_vec()).collect()
    }
}

impl Reads for Embed {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        vec![&mut self.input]
    }
}

impl RealForm for Embed {
    fn run(&self, values: &[Vec<f64>], _: usize) -> Computed<f64> {
        Computed::plain(self.chosen(values[self.input.0].iter().map(|index| index.round())))
    }

    fn range(&self, _: &[Range]) -> Range {
        Range::of(self.table.iter().copied()).union(Range { lo: 0.0, hi: 0.0 })
    }
}

impl Quantizes for Embed {
    type Integer = QuantizedEmbed;

    /// Indices are integers with the scale 1: see `quantize/input.rs`.
    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        _: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        let input = quantizer.format(self.input);
        let reach = Range::of(self.table.iter().copied()).magnitude();
        let Form { scale, lo, hi, .. } = Form::signed(quantizer.bits_of(layer.output), reach);
        let unit = |value: f64| {
            let units = integer((value / scale).round()).clamp(lo, hi);
            i32::try_from(units)
                .map_err(|_| QuantizeError::Overflow { layer: layer.name.to_owned() })
        };
        let rows = self.chosen((input.lo..=input.hi).map(real));
        let table = rows.into_iter().map(unit).collect::<Result<_, _>>()?;
        let op = QuantizedEmbed { input: self.input, first: input.lo, width: self.width, table };
        Ok((op, Format { scale, lo, hi }))
    }
}

impl QuantizedEmbed {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.table.len() / self.width
    }

    /// The elements of a row, by its place.
    #[must_use]
    pub fn row(&self, place: usize) -> &[i32] {
        &self.table[place * self.width..][..self.width]
    }
}

impl IntegerForm for QuantizedEmbed {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        let place = |index: &i64| {
            usize::try_from(index - self.first).expect("an index in range is not below the first")
        };
        let rows = values[self.input.0].iter().flat_map(|index| self.row(place(index)));
        Computed::plain(rows.copied().map(i64::from).collect())
    }

    /// The rows chosen follow each other as their indices do.
    fn repeat(&mut self, _: Runs<'_>) {}
}

/// A size as an integer; limits keep sizes far below 2^53.
fn count(size: usize) -> i64 {
    i64::try_from(size).expect("limits keep sizes far below 2^53")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_count_from_both_ends_and_choose_nothing_beyond() {
        let table = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let embed = Embed { input: TensorId(0), width: 2, table };
        let indices = vec![0.0, 2.0, -1.0, -3.0, 3.0, -4.0];
        let rows = embed.run(&[indices], 12).values;
        assert_eq!(rows, [1.0, 2.0, 5.0, 6.0, 5.0, 6.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
