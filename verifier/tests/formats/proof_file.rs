//! The `.zkproof` format: one spelling, nothing trusted.

use proptest::prelude::*;
use serde_json::{Value, json};
use zkinfer_verifier::{
    Digest, Proof, ProofFile, ProofFileError, SrsDigest, SrsPolicy, VerifyingKey, verify,
};

use crate::common;

const TOY_KEY: &[u8] = include_bytes!("../vectors/toy.zkvk");
const TOY: &str = include_str!("../vectors/toy.zkproof");

fn file() -> ProofFile {
    let key = common::key();
    let mut claim = common::claim(&key);
    claim.input = vec![i64::MIN, -1, 0, 7, 3].into();
    claim.binding.nonce = u64::MAX;
    ProofFile::new(&key, claim, common::shaped_proof())
}

#[test]
fn files_round_trip() {
    let file = file();
    assert_eq!(ProofFile::decode(file.encode().as_bytes()), Ok(file.clone()));
    assert_eq!(file.check_key(&common::key()), Ok(()));
}

#[test]
fn an_honest_file_verifies() {
    let key = VerifyingKey::decode(TOY_KEY).unwrap();
    let file = ProofFile::decode(TOY.as_bytes()).unwrap();
    file.check_key(&key).unwrap();
    let evidence = verify(&key, &file.claim, &file.proof, SrsPolicy::AllowInsecureDev).unwrap();
    assert_eq!(evidence.claim(), &file.claim);
}

fn json_error(text: &str) {
    let error = ProofFile::decode(text.as_bytes()).unwrap_err();
    assert!(matches!(error, ProofFileError::Json { .. }), "{error:?} for {text}");
}

/// `from` occurs, and is replaced once.
fn edited(from: &str, to: &str) -> String {
    let text = file().encode();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

#[test]
fn unknown_missing_and_repeated_fields_are_refused() {
    json_error(&edited(r#""format":1"#, r#""format":1,"note":"hi""#));
    json_error(&edited(r#""chain_id":1"#, r#""chain_id":1,"extra":0"#));
    json_error(&edited(r#""format":1"#, r#""format":1,"format":1"#));
    json_error(&edited(r#""nonce":"#, r#""nonce":5,"nonce":"#));
    json_error(&edited(r#""chain_id":1,"#, ""));
}

#[test]
fn numbers_that_are_no_integers_of_the_width_are_refused() {
    for number in ["1e400", "1.0", "1e0", "-1", "18446744073709551616", "NaN", "\"1\"", "null"] {
        json_error(&edited(r#""expiry":4"#, &format!(r#""expiry":{number}"#)));
    }
    for number in ["9223372036854775808", "1e400", "0.5", "true", "[]"] {
        json_error(&edited(r#""output":[1,"#, &format!(r#""output":[{number},"#)));
    }
}

#[test]
fn other_spellings_are_refused() {
    let canonical = file().encode();
    let not_canonical = |text: &str| {
        assert_eq!(ProofFile::decode(text.as_bytes()), Err(ProofFileError::NotCanonical), "{text}");
    };
    not_canonical(canonical.trim_end());
    not_canonical(&format!("{canonical}\n"));
    not_canonical(&format!(" {canonical}"));
    not_canonical(&edited(r#""format":1"#, r#""format": 1"#));
    not_canonical(&edited(r#""format""#, r#""\u0066ormat""#));
    // serde_json reads −0 as a float, so it is no integer at all.
    json_error(&edited(r#""output":[1,"#, r#""output":[-0,"#));
    let reordered =
        edited(r#""chain_id":1,"#, "").replace(r#""expiry""#, r#""chain_id":1,"expiry""#);
    not_canonical(&reordered);
    json_error(&format!("{canonical}{canonical}"));
    json_error(&format!("{canonical}x"));
}

/// Whoever saved the file through an editor or a JSON tool is told how to get it back.
#[test]
fn a_reformatted_file_is_refused_with_the_cure() {
    let value: Value = serde_json::from_str(TOY).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let error = ProofFile::decode(pretty.as_bytes()).unwrap_err();
    assert_eq!(error, ProofFileError::NotCanonical);
    let text = error.to_string();
    assert!(text.contains("reformatted") && text.contains("json.tool --compact"), "{text}");
}

#[test]
fn hexadecimal_is_lowercase_and_of_the_right_length() {
    let hex_error = |text: &str, field| {
        assert_eq!(ProofFile::decode(text.as_bytes()), Err(ProofFileError::Hex { field }));
    };
    let payee = "03".repeat(20);
    hex_error(&edited(&payee, &"0g".repeat(20)), "claim.binding.payee");
    hex_error(&edited(&payee, &"0A".repeat(20)), "claim.binding.payee");
    hex_error(&edited(&payee, &"03".repeat(21)), "claim.binding.payee");
    hex_error(&edited(&payee, &"03".repeat(20)[1..]), "claim.binding.payee");
    hex_error(&edited(&"02".repeat(32), ""), "claim.binding.job_id");
    hex_error(&edited(r#""proof":""#, r#""proof":"0"#), "proof");
}

#[test]
fn large_deep_and_foreign_files_are_refused() {
    let huge = vec![b' '; (1 << 26) + 1];
    let (limit, got) = (1 << 26, (1 << 26) + 1);
    assert_eq!(ProofFile::decode(&huge), Err(ProofFileError::TooLarge { limit, got }));
    json_error(&"[".repeat(100_000));
    // Deep in the place of a field, where a parser that recurses would overflow its stack.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    json_error(&edited(r#""output":[1,"#, &format!(r#""output":[{deep},"#)));
    json_error(&edited(r#""nonce":"#, &format!(r#""nonce":{deep},"x":"#)));
    json_error(&edited(r#""format":1"#, &format!(r#""format":1,"x":{deep}"#)));
    json_error(&r#"{"format":"#.repeat(1_000));
    json_error("");
    assert!(matches!(ProofFile::decode(&[0xff; 9]), Err(ProofFileError::Json { .. })));
    let text = edited(r#""format":1"#, r#""format":3"#);
    assert_eq!(ProofFile::decode(text.as_bytes()), Err(ProofFileError::Version { got: 3 }));
    // Format 2 is of a claim with a place, and only of one.
    for text in [
        edited(r#""format":1"#, r#""format":2"#),
        edited(r#""proof":""#, r#""leaf":{"index":0,"path":[]},"proof":""#),
    ] {
        assert_eq!(ProofFile::decode(text.as_bytes()), Err(ProofFileError::NotCanonical));
    }
}

#[test]
fn a_file_of_another_key_or_setup_is_noticed() {
    let key = common::key();
    let mut other = file();
    other.claim.model.0.0[0] ^= 1;
    let (expected, got) = (key.digest(), other.claim.model);
    assert_eq!(other.check_key(&key), Err(ProofFileError::Key { expected, got }));
    let got = SrsDigest(Digest([0; 32]));
    let other = ProofFile { srs: got, ..file() };
    let expected = key.srs_digest();
    assert_eq!(other.check_key(&key), Err(ProofFileError::Srs { expected, got }));
    let other = ProofFile { srs_name: "hermez".into(), ..file() };
    assert_eq!(other.check_key(&key), Err(ProofFileError::SrsName));
}

/// A file either is refused or says something else than the honest one.
#[test]
fn every_flipped_bit_is_refused_or_another_file() {
    let honest = ProofFile::decode(TOY.as_bytes()).unwrap();
    let mut bytes = TOY.as_bytes().to_vec();
    let (mut other_files, mut refused) = (0, 0);
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        match ProofFile::decode(&bytes) {
            Ok(file) => {
                assert_ne!(file, honest, "bit {bit}");
                assert_eq!(file.encode().as_bytes(), bytes, "bit {bit}");
                other_files += 1;
            }
            Err(_) => refused += 1,
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(other_files > 1_000 && refused > 10_000, "{other_files} {refused}");
}

#[test]
fn every_truncation_of_a_file_is_refused() {
    for length in 0..TOY.len() - 1 {
        json_error(&TOY[..length]);
    }
    let without_newline = TOY.trim_end();
    assert_eq!(without_newline.len(), TOY.len() - 1);
    let refused = ProofFile::decode(without_newline.as_bytes());
    assert_eq!(refused, Err(ProofFileError::NotCanonical));
}

/// Every field of the JSON text: missing, given twice, of another type, and with a stranger beside
/// it.
#[test]
fn every_field_of_the_text_is_needed_once_and_typed() {
    let value: Value = serde_json::from_str(TOY).unwrap();
    let mut paths = Vec::new();
    leaves(&value, String::new(), &mut paths);
    let expected = [
        "/claim/binding/chain_id",
        "/claim/binding/expiry",
        "/claim/binding/job_id",
        "/claim/binding/nonce",
        "/claim/binding/payee",
        "/claim/input/0",
        "/claim/input/1",
        "/claim/input/2",
        "/claim/output/0",
        "/claim/output/1",
        "/format",
        "/key",
        "/proof",
        "/srs/digest",
        "/srs/name",
    ];
    paths.sort();
    assert_eq!(paths, expected, "a new field needs its tests");
    let others = [json!(null), json!(true), json!(1.5), json!([]), json!({}), json!([[1]])];
    for path in paths {
        for other in &others {
            let mut value = value.clone();
            *value.pointer_mut(&path).unwrap() = other.clone();
            json_error(&value.to_string());
        }
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut missing = value.clone();
        let parent = missing.pointer_mut(parent).unwrap();
        if let Some(object) = parent.as_object_mut() {
            let removed = object.remove(name).unwrap();
            let mut twice = value.to_string();
            let field = format!("{}:{removed}", json!(name));
            assert!(twice.contains(&field));
            twice = twice.replacen(&field, &format!("{field},{field}"), 1);
            json_error(&twice);
            json_error(&twice.replacen(&field, "\"stranger\":0", 1));
            json_error(&missing.to_string());
        }
    }
}

fn leaves(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, format!("{path}/{name}"), paths));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, value)| leaves(value, format!("{path}/{index}"), paths));
        }
        _ => paths.push(path),
    }
}

proptest! {
    #[test]
    fn decoding_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(ProofFile::decode(&bytes).is_err());
    }

    #[test]
    fn decoding_damaged_files_is_total(
        damage in proptest::collection::vec((0..TOY.len(), any::<u8>()), 1..5)
    ) {
        let mut bytes = TOY.as_bytes().to_vec();
        for (index, byte) in damage {
            bytes[index] = byte;
        }
        if let Ok(file) = ProofFile::decode(&bytes) {
            prop_assert_eq!(file.encode().into_bytes(), bytes);
        }
    }

    /// Whatever the bytes of a proof are, `verify` answers.
    #[test]
    fn verifying_is_total(
        damage in proptest::collection::vec((0usize..28, any::<[u8; 32]>()), 0..4)
    ) {
        let key = common::key();
        let mut bytes = common::shaped_proof().as_bytes().to_vec();
        prop_assert_eq!(bytes.len(), key.proof_len());
        for (element, value) in damage {
            bytes[element * 32..][..32].copy_from_slice(&value);
        }
        let (claim, proof) = (common::claim(&key), Proof::new(bytes));
        prop_assert!(verify(&key, &claim, &proof, SrsPolicy::AllowInsecureDev).is_err());
    }
}
