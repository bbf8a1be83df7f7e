//! JSON values, with nested lists of numbers kept as arrays.
//!
//! Memory stays within a small multiple of the text: a number takes four bytes, and what is not a
//! list of numbers is counted. Duplicate keys are refused, where most readers silently take the
//! last.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::array::{Array, View, single};
use super::error::InputError;

/// Most values that are no numbers in lists of equal lengths.
const VALUES: u32 = 1 << 20;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Number(f64),
    Text(String),
    Null,
    /// Numbers in lists of equal lengths, or an empty list.
    Array(Array),
    /// Any other list.
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A JSON value, or a part of an array.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    View(View<'a>),
    Json(&'a Json),
}

impl Json {
    pub(super) fn field(&self, name: &str) -> Option<&Json> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    pub(super) fn node(&self) -> Node<'_> {
        match self {
            Self::Array(array) => Node::View(array.view()),
            Self::Number(number) => {
                Node::View(View { shape: Vec::new(), data: vec![single(*number)].into() })
            }
            Self::Text(_) | Self::Null | Self::List(_) | Self::Object(_) => Node::Json(self),
        }
    }

    /// A number that is exactly an integer.
    #[expect(clippy::cast_possible_truncation, reason = "whole, and less than 2^53")]
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// The items of a list.
    pub(super) fn items(&self, place: &str) -> Result<Vec<Node<'_>>, InputError> {
        match self {
            Self::List(items) => Ok(items.iter().map(Self::node).collect()),
            Self::Array(array) => Ok(array.view().rows()?.into_iter().map(Node::View).collect()),
            _ => Err(layout(place, "a list")),
        }
    }

    /// A list of objects.
    pub(super) fn objects(&self, place: &str) -> Result<&[Json], InputError> {
        match self {
            Self::List(items) => Ok(items),
            Self::Array(array) if array.shape == [0] => Ok(&[]),
            _ => Err(layout(place, "a list of objects")),
        }
    }

    /// Numbers, in lists of equal lengths.
    pub(super) fn view(&self, place: &str) -> Result<View<'_>, InputError> {
        self.node().view(place)
    }
}

impl<'a> Node<'a> {
    pub(super) fn view(self, place: &str) -> Result<View<'a>, InputError> {
        match self {
            Self::View(view) => Ok(view),
            Self::Json(_) => Err(layout(place, "numbers, in lists of equal lengths")),
        }
    }

    /// The items of a list, as numbers.
    pub(super) fn views(self, place: &str) -> Result<Vec<View<'a>>, InputError> {
        match self {
            Self::Json(json) => {
                json.items(place)?.into_iter().map(|item| item.view(place)).collect()
            }
            Self::View(view) if view.shape.is_empty() => Err(layout(place, "a list")),
            Self::View(view) => view.rows(),
        }
    }
}

pub(super) fn layout(place: &str, expected: &'static str) -> InputError {
    InputError::Layout { place: place.to_owned(), expected }
}

/// The first value of a text, and the others, if there are any.
pub(super) fn parse(text: &str) -> Result<(Json, Option<Vec<Json>>), InputError> {
    let budget = Cell::new(VALUES);
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut values = Vec::new();
    loop {
        values.push(Value { budget: &budget }.deserialize(&mut reader)?);
        spend::<serde_json::Error>(&budget, 1)?;
        if reader.end().is_ok() {
            break;
        }
    }
    let rest = values.split_off(1);
    let first = values.pop().expect("the loop has pushed one value");
    Ok((first, (!rest.is_empty()).then_some(rest)))
}

fn spend<E: serde::de::Error>(budget: &Cell<u32>, count: usize) -> Result<(), E> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let left = budget.get().checked_sub(count).ok_or_else(|| {
        E::custom(format_args!("more than {VALUES} values that are no lists of numbers"))
    })?;
    budget.set(left);
    Ok(())
}

/// One value, whose parts are counted against a budget.
#[derive(Clone, Copy)]
struct Value<'b> {
    budget: &'b Cell<u32>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers in lists, by name")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Number(f64::from(u8::from(value))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are read as real numbers")]
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are read as real numbers")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Items::Numbers(Vec::new());
        while let Some(item) = items.next_element_seed(self)? {
            list = list.with(item, self.budget)?;
        }
        Ok(list.into_json())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut names = HashSet::new();
        let mut fields = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            if !names.insert(name.clone()) {
                let name = crate::shown::Shown(&name);
                return Err(A::Error::custom(format_args!("`{name}` is given twice")));
            }
            spend(self.budget, 1)?;
            fields.push((name, entries.next_value_seed(self)?));
        }
        Ok(Json::Object(fields))
    }
}

/// The items of a list so far.
enum Items {
    Numbers(Vec<f32>),
    /// At least one array, all of one shape, one after the other.
    Arrays(usize, Array),
    Mixed(Vec<Json>),
}

impl Items {
    fn with<E: serde::de::Error>(self, item: Json, budget: &Cell<u32>) -> Result<Self, E> {
        Ok(match (self, item) {
            (Self::Numbers(mut numbers), Json::Number(number)) => {
                numbers.push(single(number));
                Self::Numbers(numbers)
            }
            (Self::Numbers(numbers), Json::Array(first)) if numbers.is_empty() => {
                Self::Arrays(1, first)
            }
            (Self::Arrays(count, mut all), Json::Array(next)) if all.shape == next.shape => {
                all.data.extend(next.data);
                Self::Arrays(count + 1, all)
            }
            (items, item) => {
                let mut mixed = items.into_mixed(budget)?;
                spend(budget, 1)?;
                mixed.push(item);
                Self::Mixed(mixed)
            }
        })
    }

    fn into_mixed<E: serde::de::Error>(self, budget: &Cell<u32>) -> Result<Vec<Json>, E> {
        match self {
            Self::Mixed(items) => Ok(items),
            Self::Numbers(numbers) => {
                spend(budget, numbers.len())?;
                Ok(numbers.into_iter().map(|x| Json::Number(f64::from(x))).collect())
            }
            Self::Arrays(count, all) => {
                spend(budget, count)?;
                let len = all.data.len() / count;
                let part = |part: usize| Array {
                    shape: all.shape.clone(),
                    data: all.data[part * len..][..len].to_vec(),
                };
                Ok((0..count).map(|one| Json::Array(part(one))).collect())
            }
        }
    }

    fn into_json(self) -> Json {
        match self {
            Self::Mixed(items) => Json::List(items),
            Self::Numbers(data) => Json::Array(Array { shape: vec![data.len()], data }),
            Self::Arrays(count, mut all) => {
                all.shape.insert(0, count);
                Json::Array(all)
            }
        }
    }
}
