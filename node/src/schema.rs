//! Types that are read strictly, written and described for others: one declaration gives all three.

use serde_json::{Map, Value, json};

/// A type with a JSON schema.
pub trait Schema {
    /// Whether a field of this type may be left out.
    const OPTIONAL: bool = false;

    /// The schema: a reference, where it is a type with a name.
    fn schema() -> Value;

    /// Adds the schemas of types with names, this one's and those that it uses.
    fn define(_: &mut Map<String, Value>) {}
}

/// Declares types that are read strictly, written, and described.
macro_rules! wire {
    ($(
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])+ pub $field:ident: $type:ty, )*
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: $type, )*
        }

        impl crate::schema::Schema for $name {
            fn schema() -> serde_json::Value {
                serde_json::json!({ "$ref": concat!("#/components/schemas/", stringify!($name)) })
            }

            fn define(all: &mut serde_json::Map<String, serde_json::Value>) {
                if all.contains_key(stringify!($name)) {
                    return;
                }
                let fields = [$((
                    stringify!($field),
                    concat!($($field_doc),+).trim(),
                    <$type as crate::schema::Schema>::schema(),
                    <$type as crate::schema::Schema>::OPTIONAL,
                )),*];
                let schema = crate::schema::object(concat!($($doc),+).trim(), &fields);
                all.insert(stringify!($name).to_owned(), schema);
                $( <$type as crate::schema::Schema>::define(all); )*
            }
        }
    )+};
}
pub(crate) use wire;

/// The schema of an object of fields: name, description, schema, whether it may be left out.
pub(crate) fn object(description: &str, fields: &[(&str, &str, Value, bool)]) -> Value {
    let property = |(name, description, schema, _): &(&str, &str, Value, bool)| {
        let name = name.trim_start_matches("r#").to_owned();
        (name, json!({ "description": description, "allOf": [schema] }))
    };
    let required = fields.iter().filter(|(.., optional)| !optional);
    json!({
        "type": "object",
        "description": description,
        "properties": fields.iter().map(property).collect::<Map<_, _>>(),
        "required": required.map(|(name, ..)| name.trim_start_matches("r#")).collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}

impl<T: Schema> Schema for Option<T> {
    const OPTIONAL: bool = true;

    fn schema() -> Value {
        json!({ "anyOf": [T::schema(), { "type": "null" }] })
    }

    fn define(all: &mut Map<String, Value>) {
        T::define(all);
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }

    fn define(all: &mut Map<String, Value>) {
        T::define(all);
    }
}

macro_rules! plain {
    ($($type:ty => $schema:tt),+ $(,)?) => {$(
        impl Schema for $type {
            fn schema() -> Value {
                json!($schema)
            }
        }
    )+};
}

plain! {
    bool => { "type": "boolean" },
    String => { "type": "string" },
    u32 => { "type": "integer", "minimum": 0 },
    u64 => { "type": "integer", "minimum": 0 },
    i64 => { "type": "integer" },
    f64 => { "type": "number" },
}
