//! Every field of claim, key and proof file, each with a lie. A field without one does not compile.

use zkinfer_verifier::{
    ClaimedValues, Classes, InferenceClaim, JobBinding, KeyFormat, KeyParts, Leaf, Proof,
    ProofFile, SrsPolicy, VerifyError, VerifyingKey, verify,
};

use crate::{
    common,
    key_edits::{Edit, manifest, of_key, of_layout, of_system},
};

fn honest() -> (VerifyingKey, ProofFile) {
    let key = VerifyingKey::decode(include_bytes!("../vectors/toy.zkvk")).unwrap();
    let file = ProofFile::decode(include_bytes!("../vectors/toy.zkproof")).unwrap();
    (key, file)
}

/// The key after `edit` is refused, or is another key under which neither the honest claim nor the
/// same claim about the new key is proven.
fn key_edit_is_noticed(place: &str, edit: impl FnOnce(&mut KeyParts)) {
    let (honest_key, file) = honest();
    let mut parts = honest_key.parts().clone();
    edit(&mut parts);
    assert!(&parts != honest_key.parts(), "{place}: the edit changes nothing");
    let Ok(key) = VerifyingKey::new(parts) else {
        return;
    };
    assert_ne!(key.digest(), honest_key.digest(), "{place}");
    assert_ne!(key.encode(), honest_key.encode(), "{place}");
    let policy = SrsPolicy::AllowSrs(key.srs_digest());
    let (expected, got) = (file.claim.model, key.digest());
    let wrong = match key.parts().boundaries[..] {
        [] => VerifyError::Model { expected, got },
        [..] => VerifyError::Part,
    };
    assert_eq!(verify(&key, &file.claim, &file.proof, policy), Err(wrong), "{place}");
    let claim = InferenceClaim { model: key.digest(), ..file.claim };
    let error = verify(&key, &claim, &file.proof, policy).unwrap_err();
    let fits = matches!(
        error,
        VerifyError::Pairing
            | VerifyError::ProofLength { .. }
            | VerifyError::Scalar { .. }
            | VerifyError::Point { .. }
            | VerifyError::InputLength { .. }
            | VerifyError::OutputLength { .. }
            | VerifyError::InputRange { .. }
            | VerifyError::InputVisibility { .. }
            | VerifyError::OutputVisibility { .. }
            | VerifyError::Part
    );
    assert!(fits, "{place}: {error:?}");
}

/// The integers of a claim that shows them.
fn shown(values: &mut ClaimedValues) -> &mut Vec<i64> {
    let ClaimedValues::Public(values) = values else { panic!("the claim shows {values:?}") };
    values
}

fn key_edits_are_noticed(edits: Vec<(&str, Edit)>) {
    edits.into_iter().for_each(|(field, edit)| key_edit_is_noticed(field, edit));
}

#[test]
fn every_field_of_a_key_is_bound() {
    key_edits_are_noticed(of_key());
}

#[test]
fn every_field_of_a_constraint_system_is_bound() {
    key_edits_are_noticed(of_system());
}

#[test]
fn every_field_of_setup_and_layout_is_bound() {
    key_edits_are_noticed(of_layout());
}

#[test]
fn names_of_classes_are_bound() {
    key_edit_is_noticed("classes", |key| {
        key.format = KeyFormat::V5;
        key.layout.outputs[0].classes = Some(Classes::Values(vec!["cat".into(), "dog".into()]));
    });
}

#[test]
fn every_field_of_a_claim_is_bound() {
    let (key, file) = honest();
    let refused = |field: &str, claim: &InferenceClaim| {
        assert_ne!(claim, &file.claim, "{field}: the edit changes nothing");
        let error = verify(&key, claim, &file.proof, SrsPolicy::AllowInsecureDev).unwrap_err();
        let expected = if field == "model" {
            VerifyError::Model { expected: claim.model, got: key.digest() }
        } else {
            VerifyError::Pairing
        };
        assert_eq!(error, expected, "{field}");
    };
    let edits = manifest!(InferenceClaim {
        model => |claim| claim.model.0.0[0] ^= 1,
        input => |claim| shown(&mut claim.input)[0] += 1,
        output => |claim| shown(&mut claim.output)[1] += 1,
        binding => |claim| claim.binding.nonce ^= 1,
    });
    for (field, edit) in edits {
        let mut claim = file.claim.clone();
        edit(&mut claim);
        refused(field, &claim);
    }
    let edits = manifest!(JobBinding {
        chain_id => |binding| binding.chain_id += 1,
        job_id => |binding| binding.job_id[0] ^= 1,
        payee => |binding| binding.payee[19] ^= 1,
        expiry => |binding| binding.expiry += 1,
        nonce => |binding| binding.nonce += 1,
    });
    for (field, edit) in edits {
        let mut claim = file.claim.clone();
        edit(&mut claim.binding);
        refused(field, &claim);
    }
}

#[test]
fn every_field_of_a_proof_file_is_bound() {
    let (key, honest_file) = honest();
    let edits = manifest!(ProofFile {
        srs_name => |file| file.srs_name.push('x'),
        srs => |file| file.srs.0.0[0] ^= 1,
        claim => |file| shown(&mut file.claim.output)[0] += 1,
        leaf => |file| file.leaf = Some(Leaf { index: 0, path: Vec::new() }),
        proof => |file| {
            let mut bytes = file.proof.as_bytes().to_vec();
            bytes[700] ^= 1;
            file.proof = Proof::new(bytes);
        },
    });
    for (field, edit) in edits {
        let mut file = honest_file.clone();
        edit(&mut file);
        assert_ne!(file.encode(), honest_file.encode(), "{field}");
        let verified = file.proves(&key, &file.claim, SrsPolicy::AllowInsecureDev);
        let refused = file.check_key(&key).is_err() || verified.is_err();
        assert!(refused, "{field}");
    }
}

/// Lengths are part of what is hashed: text moved from one field to its neighbour is another key,
/// and a value moved from one field of a binding to the next is another job.
#[test]
fn hashing_is_separated_by_length() {
    let digest = |edit: &dyn Fn(&mut KeyParts)| {
        let mut parts = common::parts();
        edit(&mut parts);
        VerifyingKey::new(parts).unwrap().digest()
    };
    let names = |first: &'static str, second: &'static str| {
        digest(&move |parts| {
            parts.layout.inputs[0].name = first.into();
            parts.layout.inputs[1].name = second.into();
        })
    };
    assert_ne!(names("ab", "c"), names("a", "bc"));
    let from_inputs = digest(&|parts| {
        let moved = parts.layout.inputs.pop().unwrap();
        parts.layout.outputs.insert(0, moved);
    });
    assert_ne!(from_inputs, digest(&|_| {}));

    let binding = JobBinding { chain_id: 0, job_id: [0; 32], payee: [0; 20], expiry: 0, nonce: 0 };
    let mut job_id = [0; 32];
    job_id[0] = 1;
    let mut payee = [0; 20];
    payee[19] = 1;
    let neighbours = [
        JobBinding { chain_id: 1, ..binding },
        JobBinding { job_id, ..binding },
        JobBinding { payee, ..binding },
        JobBinding { expiry: 1, ..binding },
        JobBinding { expiry: 1 << 56, ..binding },
        JobBinding { nonce: 1, ..binding },
        JobBinding { nonce: 1 << 56, ..binding },
    ];
    let digests: std::collections::BTreeSet<_> =
        neighbours.iter().map(JobBinding::digest).collect();
    assert_eq!(digests.len(), neighbours.len());
    assert!(neighbours.iter().all(|binding| binding.encode().len() == 92));
}
