//! Reading and writing of the fixed-width, big-endian fields of a key file.

use alloc::{string::String, vec::Vec};

use crate::error::KeyError;

/// Longest name in a key, in bytes.
pub(crate) const MAX_NAME: usize = 256;

/// Takes fields off the front of a byte string; errors name the offset.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let truncated = KeyError::Truncated { offset: self.offset() };
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, KeyError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, KeyError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, KeyError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, KeyError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, KeyError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, KeyError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A list with its 32-bit length in front. A length that the `limit` forbids or that the rest
    /// of the file cannot hold (at `item_bytes` or more an item) is refused before allocation.
    pub(crate) fn list<T>(
        &mut self,
        list: &'static str,
        limit: usize,
        item_bytes: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, KeyError>,
    ) -> Result<Vec<T>, KeyError> {
        let offset = self.offset();
        let got = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if got > limit {
            return Err(KeyError::Limit { list, limit, got });
        }
        if got.saturating_mul(item_bytes) > self.rest.len() {
            return Err(KeyError::Truncated { offset });
        }
        let mut items = Vec::with_capacity(got);
        for _ in 0..got {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A name: 16-bit length, then UTF-8.
    pub(crate) fn name(&mut self) -> Result<String, KeyError> {
        let offset = self.offset();
        let got = usize::from(self.u16()?);
        if got > MAX_NAME {
            return Err(KeyError::Limit { list: "name", limit: MAX_NAME, got });
        }
        let (head, rest) = self.rest.split_at_checked(got).ok_or(KeyError::Truncated { offset })?;
        self.rest = rest;
        let name = core::str::from_utf8(head).map_err(|_| KeyError::Name { offset })?;
        Ok(name.into())
    }

    pub(crate) fn finish(&self) -> Result<(), KeyError> {
        let count = self.rest.len();
        if count == 0 { Ok(()) } else { Err(KeyError::TrailingBytes { count }) }
    }

    pub(crate) fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }
}

/// Appends fields; the mirror of [`Reader`].
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A list with its length; every list of a key is limited far below 2³².
    pub(crate) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
        items.iter().for_each(|value| item(self, value));
    }

    /// A name of at most [`MAX_NAME`] bytes.
    pub(crate) fn name(&mut self, name: &str) {
        self.u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
        self.bytes(name.as_bytes());
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}
