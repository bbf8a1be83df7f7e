//! Lists of texts, in which a text is its place.

use std::collections::HashMap;

/// Longest text, in bytes, as keys have it.
const LONGEST: usize = 256;

/// Different texts, each at its first place.
#[derive(Debug, Default)]
pub(super) struct TextList {
    texts: Vec<String>,
    places: HashMap<String, usize>,
}

impl TextList {
    /// The place of a text, which comes last where it is new.
    pub(super) fn place(&mut self, text: &str) -> usize {
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        self.places.insert(text.to_owned(), self.texts.len());
        self.texts.push(text.to_owned());
        self.texts.len() - 1
    }

    /// The texts, in the order of their places.
    pub(super) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

/// Texts of an attribute or tensor; `None` where one is no UTF-8 or too long for a key.
pub(super) fn texts(bytes: &[Vec<u8>]) -> Option<Vec<&str>> {
    let read = bytes.iter().map(|bytes| std::str::from_utf8(bytes).ok());
    read.collect::<Option<Vec<_>>>().filter(|all| all.iter().all(|text| text.len() <= LONGEST))
}
