//! Names of classes in a key: bound by its digest, bounded, and in a format of their own.

use zkinfer_verifier::{Classes, KeyError, KeyFormat, KeyParts, Placement, VerifyingKey};

use crate::common;

/// A key of a model that names the classes of an output, and those that its columns are about.
pub(crate) fn named() -> KeyParts {
    let mut parts = common::parts();
    let names = |names: [&str; 3]| names.map(String::from).to_vec();
    let mut columns = parts.layout.outputs[0].clone();
    columns.classes = Some(Classes::Columns(names(["setosa", "", "größte"])));
    parts.layout.outputs[0].classes = Some(Classes::Values(names(["no", "yes", "no"])));
    parts.layout.outputs.push(columns);
    parts.layout.placement = Placement::one_column(parts.layout.instance_len());
    parts.format = KeyFormat::V5;
    parts
}

#[test]
fn keys_that_name_classes_have_a_format_of_their_own() {
    let key = VerifyingKey::new(named()).unwrap();
    assert_eq!(VerifyingKey::decode(&key.encode()), Ok(key.clone()));
    let mut swapped = named();
    swapped.layout.outputs[0].classes = Some(Classes::Values(vec!["yes".into(), "no".into()]));
    assert_ne!(VerifyingKey::new(swapped).unwrap().digest(), key.digest());
    let plain = VerifyingKey::new(named().in_format(KeyFormat::V4)).unwrap();
    assert!(!plain.parts().layout.names_classes());
    let in_format = |parts: KeyParts, format| VerifyingKey::new(KeyParts { format, ..parts });
    for format in [KeyFormat::V3, KeyFormat::V4] {
        assert_eq!(in_format(named(), format), Err(KeyError::ClassesFormat));
    }
    assert_eq!(in_format(common::parts(), KeyFormat::V5), Err(KeyError::ClassesFormat));
}

#[test]
fn names_of_classes_that_make_no_sense_are_refused() {
    let refused = |output: usize, classes: Classes| {
        let mut parts = named();
        parts.layout.outputs[output].classes = Some(classes);
        VerifyingKey::new(parts).unwrap_err()
    };
    let count = |tensor, got| KeyError::ClassCount { tensor, columns: 3, got };
    assert_eq!(refused(0, Classes::Values(vec![])), count(2, 0));
    assert_eq!(refused(1, Classes::Columns(vec!["a".into(); 2])), count(3, 2));
    let hidden = Classes::Values(vec!["a\u{202e}".into()]);
    assert_eq!(refused(0, hidden), KeyError::ControlCharacter);
    let limit = KeyError::Limit { list: "name", limit: 256, got: 257 };
    assert_eq!(refused(0, Classes::Values(vec!["a".repeat(257)])), limit);
    let (list, limit) = ("names of classes", 1 << 16);
    let many = Classes::Values(vec![String::new(); limit + 1]);
    assert_eq!(refused(0, many), KeyError::Limit { list, limit, got: limit + 1 });
}
