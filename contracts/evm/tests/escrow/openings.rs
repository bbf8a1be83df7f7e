//! Outputs that proofs hide: opened on chain as the library does, and paid for only when opened.

use std::{fs, path::Path};

use revm::primitives::Address;
use zkinfer_contracts::{Call, KeyData, opening_bytes};
use zkinfer_contracts_evm::{
    Called, Chain, Fork,
    abi::call_with_bytes,
    account,
    escrow::{Binding, Escrow, Job, Terms},
};
use zkinfer_verifier::{
    Blinding, Fr, Opening, Openings, ProofFile, TensorLayout, VerifyingKey, keccak256,
};

use crate::setting::*;

fn commitment(chain: &mut Chain, at: Address, opening: &[u8]) -> Called {
    chain.call(at, call_with_bytes("commitment(bytes)", &[], &[opening]))
}

/// As many values as there are, from the lowest to the highest that there can be.
fn values(tensors: &[TensorLayout], seed: u64) -> Vec<i64> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i128::from(state)
    };
    let of_tensor = |tensor: &TensorLayout| {
        let span = i128::from(tensor.hi) - i128::from(tensor.lo) + 1;
        let value = |index: u32| match index {
            0 => tensor.hi,
            1 => tensor.lo,
            _ => i64::try_from(i128::from(tensor.lo) + next() % span).unwrap(),
        };
        (0..tensor.shape[0]).map(value).collect::<Vec<_>>()
    };
    tensors.iter().flat_map(of_tensor).collect()
}

#[test]
fn commitments_are_those_of_the_library() {
    let mut chain = Chain::new(Fork::Osaka, CHAIN);
    let (at, _) = chain.deploy_opening();
    let bounds = [(0, 1), (-128, 127), (-3, 509), (-(1 << 40), 1 << 33), (i64::MIN, i64::MAX)];
    for (index, (lo, hi)) in (0u64..).zip(bounds) {
        for count in [1, 2, 3, 5, 30, 31, 32, 62, 63, 64, 95] {
            let tensor = |count, lo, hi| TensorLayout {
                name: "x".into(),
                shape: vec![count],
                scales: vec![1.0],
                lo,
                hi,
                classes: None,
            };
            let tensors = [tensor(count, lo, hi), tensor(2, -1, 5)];
            let blinding = Blinding::from_scalar(-Fr::from(1 + index));
            let opening = Opening { values: values(&tensors, index), blinding };
            let expected = opening.commitment(&tensors).unwrap();
            let bytes = opening_bytes(&tensors, &opening).unwrap();
            let got = commitment(&mut chain, at, &bytes).unwrap().output;
            assert_eq!(got, expected.to_bytes(), "{count} values from {lo} to {hi}");
        }
    }
}

#[test]
fn an_opening_has_one_form() {
    let mut chain = Chain::new(Fork::Osaka, CHAIN);
    let (at, _) = chain.deploy_opening();
    // Two values of 8 bits.
    let good = [&[0; 7][..], &[2], &[0, 0, 0, 8], &[7; 32], &[0; 29], &[1, 2]].concat();
    let mut name = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        commitment(&mut chain, at, &bytes).map(|_| ()).map_err(|e| e.name().to_owned())
    };
    let refused = Err("MalformedOpening".to_owned());
    assert_eq!(name(&|_| {}), Ok(()));
    assert_eq!(name(&|bytes| bytes[7] = 0), refused);
    assert_eq!(name(&|bytes| bytes[7] = 32), refused);
    assert_eq!(name(&|bytes| bytes[..8].fill(0xff)), refused);
    assert_eq!(name(&|bytes| bytes[11] = 7), refused);
    assert_eq!(name(&|bytes| bytes[11] = 65), refused);
    assert_eq!(name(&|bytes| bytes[8] = 1), refused);
    assert_eq!(name(&|bytes| bytes[12..44].fill(0xff)), refused);
    assert_eq!(name(&|bytes| bytes.push(0)), refused);
    assert_eq!(name(&|bytes| bytes.truncate(74)), refused);
    assert_eq!(name(&|bytes| bytes.truncate(43)), refused);
    assert_eq!(name(&|bytes| bytes.clear()), refused);
}

/// A job whose key hides the output, of the mock.
fn hidden() -> Terms {
    Terms { key: [0; 32], ..terms() }
}

/// Two values of 8 bits.
const OPENED: [u8; 75] = {
    let mut bytes = [0; 75];
    bytes[7] = 2;
    bytes[11] = 8;
    bytes
};

#[test]
fn a_hidden_output_is_paid_for_when_it_is_opened() {
    let mut setting = Setting::new();
    let job = setting.open(hidden());
    let binding = setting.binding(&job, ALICE);
    let opened = |opening: &'static [u8]| {
        move |s: &mut Setting| {
            let claim = [INPUT, opening, b"good"];
            s.escrow.submit_opened(&mut s.chain, ALICE, &job, &binding, claim)
        }
    };
    // The commitment alone is what nobody pays for.
    assert_eq!(refused(&mut setting, &job, |s| s.submit(&job, ALICE)), "HiddenOutput");
    assert_eq!(refused(&mut setting, &job, opened(&OPENED[..74])), "MalformedOpening");
    let bad = |s: &mut Setting| {
        let claim = [INPUT, &OPENED[..], b"bad"];
        s.escrow.submit_opened(&mut s.chain, ALICE, &job, &binding, claim)
    };
    assert_eq!(refused(&mut setting, &job, bad), "Pairing");
    opened(&OPENED)(&mut setting).unwrap();
    assert_eq!((setting.state(&job), setting.credit(ALICE)), (SETTLED, 100));
    assert_eq!(refused(&mut setting, &job, opened(&OPENED)), "AlreadySettled");
}

#[test]
fn a_staked_job_still_hides_its_output() {
    let mut setting = Setting::new();
    let job = setting.open(Terms { stake: 30, ..hidden() });
    let job = setting.staked(job, ALICE);
    assert_eq!(refused(&mut setting, &job, |s| s.submit(&job, ALICE)), "HiddenOutput");
    let binding = setting.binding(&job, ALICE);
    let claim = [INPUT, &OPENED[..], b"good"];
    setting.escrow.submit_opened(&mut setting.chain, BOB, &job, &binding, claim).unwrap();
    assert_eq!((setting.state(&job), setting.credit(ALICE)), (SETTLED, 130));
}

#[test]
fn a_shown_output_is_not_opened() {
    let mut setting = Setting::new();
    let job = setting.open(terms());
    let binding = setting.binding(&job, ALICE);
    let opened = |s: &mut Setting| {
        let claim = [INPUT, &OPENED[..], b"good"];
        s.escrow.submit_opened(&mut s.chain, ALICE, &job, &binding, claim)
    };
    assert_eq!(refused(&mut setting, &job, opened), "ShownOutput");
}

/// A real proof: bound to a job elsewhere, it is contradicted by nothing but its own opening.
#[test]
fn the_output_of_a_real_proof_is_opened() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../settlement/tests/vectors");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let key = VerifyingKey::decode(&read("hidden.zkvk")).unwrap();
    let file = ProofFile::decode(&read("hidden.zkproof")).unwrap();
    let opening = Openings::decode(&read("hidden.zkopening")).unwrap().output.unwrap();
    let data = KeyData::new(&key).unwrap();
    let call = Call::new(&key, &data, &file.claim, &file.proof).unwrap();
    let bytes = opening_bytes(&key.parts().layout.outputs, &opening).unwrap();
    let mut chain = Chain::new(Fork::Osaka, CHAIN);
    let (at, _) = chain.deploy_opening();
    assert_eq!(commitment(&mut chain, at, &bytes).unwrap().output, call.output);
    let (verifier, _) = chain.deploy("ZkinferVerifier", &key.srs_digest().0.0);
    chain.send(account(1), verifier, 0, data.register_calldata()).unwrap();
    chain.call(verifier, call.verify_calldata()).unwrap();
    // The escrow gives the verifier the commitment that it computed: with another value, or another
    // blinding, it is another claim. The proof is bound to another job, too, so no escrow pays it.
    let escrow = Escrow::deploy(&mut chain, verifier);
    chain.fund(BUYER, 1_000);
    let terms = Terms { key: data.id().0.0, input: keccak256(&[&call.input]), ..terms() };
    escrow.open(&mut chain, BUYER, 100, &terms).unwrap();
    let job = Job::new(terms);
    let id = escrow.id(CHAIN, BUYER, terms.salt);
    let binding = Binding { chain_id: CHAIN, job: id, payee: ALICE, expiry: 0, nonce: 7 };
    let claim = [&call.input[..], &bytes, &call.proof];
    let reverted = escrow.submit_opened(&mut chain, ALICE, &job, &binding, claim).unwrap_err();
    assert_eq!(reverted.name(), "Pairing");
}
