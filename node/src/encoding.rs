//! Bytes and large numbers in JSON: each in one spelling.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Value, json};
use thiserror::Error;

use crate::schema::Schema;

/// So many bytes, in JSON as lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// Why a text is not so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {digits} lowercase hexadecimal digits")]
pub struct HexError {
    digits: usize,
}

impl<const N: usize> FromStr for Hex<N> {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let error = HexError { digits: 2 * N };
        let digit = |byte: u8| digit(byte).ok_or(error);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != N || !rest.is_empty() {
            return Err(error);
        }
        let mut bytes = [0; N];
        for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = 16 * digit(high)? + digit(low)?;
        }
        Ok(Self(bytes))
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<const N: usize> Schema for Hex<N> {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", 2 * N) })
    }
}

/// Any number of bytes, in JSON as lowercase hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct HexBytes(pub Vec<u8>);

impl fmt::Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes = pairs.iter().map(|&[high, low]| Some(16 * digit(high)? + digit(low)?));
        let bytes = bytes.collect::<Option<_>>().filter(|_| rest.is_empty());
        bytes
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected pairs of lowercase hexadecimal digits"))
    }
}

impl Schema for HexBytes {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^([0-9a-f]{2})*$" })
    }
}

/// The value of a hexadecimal digit, in its one spelling.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// A number that may be above 2⁵³, in JSON as a string of decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal<T>(pub T);

impl<T: fmt::Display> fmt::Display for Decimal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Display> Serialize for Decimal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr + fmt::Display> Deserialize<'de> for Decimal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.parse::<T>().ok().filter(|number| number.to_string() == text);
        number.map(Self).ok_or_else(|| D::Error::custom("expected a string of decimal digits"))
    }
}

impl<T> Schema for Decimal<T> {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_numbers_have_one_spelling() {
        let hex: Hex<2> = serde_json::from_str("\"0aff\"").unwrap();
        assert_eq!((hex, hex.to_string()), (Hex([10, 255]), "0aff".to_owned()));
        for wrong in ["\"0AFF\"", "\"0af\"", "\"0afff\"", "\"0aff00\"", "\"0xff\"", "\"zz00\"", "7"]
        {
            assert!(serde_json::from_str::<Hex<2>>(wrong).is_err(), "{wrong}");
        }
        let bytes: HexBytes = serde_json::from_str("\"0aff00\"").unwrap();
        assert_eq!((&bytes.0[..], bytes.to_string()), (&[10, 255, 0][..], "0aff00".to_owned()));
        for wrong in ["\"0AFF\"", "\"0af\"", "\"zz\"", "7"] {
            assert!(serde_json::from_str::<HexBytes>(wrong).is_err(), "{wrong}");
        }
        let number: Decimal<u64> = serde_json::from_str("\"18446744073709551615\"").unwrap();
        assert_eq!(number, Decimal(u64::MAX));
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"18446744073709551615\"");
        for wrong in
            ["\"\"", "\"01\"", "\"+1\"", "\"-1\"", "\"1.0\"", "\"18446744073709551616\"", "1"]
        {
            assert!(serde_json::from_str::<Decimal<u64>>(wrong).is_err(), "{wrong}");
        }
    }
}
