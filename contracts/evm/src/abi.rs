//! Words, calls and names of Solidity's application binary interface.

use revm::primitives::{Address, U256};
use serde_json::Value;
use zkinfer_contracts::selector;

/// A value that takes one word.
pub trait Word {
    fn word(&self) -> [u8; 32];
}

impl Word for u128 {
    fn word(&self) -> [u8; 32] {
        U256::from(*self).to_be_bytes()
    }
}

impl Word for [u8; 32] {
    fn word(&self) -> [u8; 32] {
        *self
    }
}

impl Word for Address {
    fn word(&self) -> [u8; 32] {
        self.into_word().0
    }
}

/// Some words.
pub fn words(values: &[&dyn Word]) -> Vec<u8> {
    values.iter().flat_map(|value| value.word()).collect()
}

/// A call of a function with words only.
pub fn call(signature: &str, values: &[&dyn Word]) -> Vec<u8> {
    [&selector(signature)[..], &words(values)].concat()
}

/// A call with words, and byte strings behind them.
pub fn call_with_bytes(signature: &str, head: &[u8], strings: &[&[u8]]) -> Vec<u8> {
    let mut call = selector(signature).to_vec();
    call.extend(head);
    let mut tails = Vec::new();
    for bytes in strings {
        call.extend(((head.len() + 32 * strings.len() + tails.len()) as u128).word());
        tails.extend((bytes.len() as u128).word());
        tails.extend(*bytes);
        tails.resize(tails.len().next_multiple_of(32), 0);
    }
    call.extend(tails);
    call
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len() / 2).map(|index| digit(2 * index)).collect()
}

/// The custom errors of an interface by selector.
pub fn errors(abi: &Value) -> Vec<([u8; 4], String)> {
    let entries = abi.as_array().unwrap().iter().filter(|entry| entry["type"] == "error");
    let error = |entry: &Value| {
        let name = entry["name"].as_str().unwrap();
        let types = entry["inputs"].as_array().unwrap().iter();
        let types: Vec<_> = types.map(|input| input["type"].as_str().unwrap()).collect();
        (selector(&format!("{name}({})", types.join(","))), name.to_owned())
    };
    entries.map(error).collect()
}
