//! The contract and the library give the same verdict, by the same check, on honest and forged proofs.

mod known;

use zkinfer_contracts::{Call, batch_calldata};
use zkinfer_contracts_evm::{Called, Fork, account};
use zkinfer_verifier::{
    ClaimedValues, Commitment, InferenceClaim, Proof, SrsPolicy, VerifyError, VerifyingKey,
    Visibility, verify,
};

use known::{Known, chain, known};

/// The name of the error of the contract that is this one of the library.
fn name_of(error: &VerifyError) -> &'static str {
    match error {
        VerifyError::InputLength { .. } => "InputLength",
        VerifyError::OutputLength { .. } => "OutputLength",
        VerifyError::InputRange { .. } => "InputRange",
        VerifyError::OutputRange { .. } => "OutputRange",
        VerifyError::ProofLength { .. } => "ProofLength",
        VerifyError::Point { .. } => "Point",
        VerifyError::Infinity { .. } => "Infinity",
        VerifyError::Scalar { .. } => "Scalar",
        VerifyError::Challenge => "Challenge",
        VerifyError::Pairing => "Pairing",
        other => panic!("no claim of this test gives {other:?}"),
    }
}

fn assert_same(verdict: Result<(), VerifyError>, called: Called, place: &str) {
    match (verdict, called) {
        (Ok(()), Ok(_)) => {}
        (Err(error), Err(reverted)) => assert_eq!(reverted.name(), name_of(&error), "{place}"),
        (verdict, called) => panic!("{place}: {verdict:?}, but the contract {called:?}"),
    }
}

fn library(key: &VerifyingKey, claim: &InferenceClaim, proof: &[u8]) -> Result<(), VerifyError> {
    let policy = SrsPolicy::AllowSrs(key.srs_digest());
    verify(key, claim, &Proof::new(proof.to_vec()), policy).map(|_| ())
}

#[test]
fn every_honest_proof_is_accepted_on_both_forks() {
    let known = known();
    for fork in Fork::ALL {
        let (mut chain, verifier) = chain(fork, &known);
        for Known { name, key, data, files } in &known {
            let calls: Vec<Call> = files
                .iter()
                .map(|file| Call::new(key, data, &file.claim, &file.proof).unwrap())
                .collect();
            for (call, file) in calls.iter().zip(files) {
                assert_eq!(library(key, &file.claim, file.proof.as_bytes()), Ok(()), "{name}");
                chain
                    .call(verifier, call.verify_calldata())
                    .unwrap_or_else(|e| panic!("{name}: {e:?}"));
            }
            chain
                .call(verifier, batch_calldata(&calls))
                .unwrap_or_else(|e| panic!("{name}: {e:?}"));
        }
        assert!(chain.call(verifier, batch_calldata(&[])).is_ok(), "nothing to refuse");
    }
}

/// A call that allocated memory for each proof wrote over the sums from the sixth proof on.
#[test]
fn many_proofs_in_a_batch_do_not_write_over_their_sums() {
    let known = known();
    for fork in Fork::ALL {
        let (mut chain, verifier) = chain(fork, &known);
        let all: Vec<Call> = known
            .iter()
            .flat_map(|known| {
                known.files.iter().map(|file| {
                    Call::new(&known.key, &known.data, &file.claim, &file.proof).unwrap()
                })
            })
            .collect();
        chain.call(verifier, batch_calldata(&all)).unwrap();
    }
}

/// Elements are replaced by every lie that their kind has: each of small keys, some of large ones.
#[test]
fn forged_elements_are_refused_by_the_same_check() {
    let known = known();
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    for Known { name, key, data, files } in &known {
        let file = &files[0];
        let honest = Call::new(key, data, &file.claim, &file.proof).unwrap();
        let bytes = file.proof.as_bytes();
        let mut at = 0;
        for element in 0..bytes.len() / 32 {
            let width = if is_point(key, element) { 64 } else { 32 };
            let tried = name == "digits_mlp" || element % 9 == 0;
            for lie in (0..3).filter(|_| tried || name == "toy") {
                let Some((ours, theirs)) = forged(bytes, &honest.proof, element, (at, width), lie)
                else {
                    continue;
                };
                let call = Call { proof: theirs, ..honest.clone() };
                let place = format!("{name}, element {element}, lie {lie}");
                let verdict = library(key, &file.claim, &ours);
                assert!(verdict.is_err(), "{place}");
                assert_same(verdict, chain.call(verifier, call.verify_calldata()), &place);
            }
            at += width;
        }
        assert_eq!(at, honest.proof.len());
    }
}

fn is_point(key: &VerifyingKey, element: usize) -> bool {
    use zkinfer_verifier::checks::Step;
    let mut elements = key.checks().steps.iter().flat_map(|step| match *step {
        Step::Point(_) => vec![true],
        Step::Evaluations(count) => vec![false; count],
        _ => Vec::new(),
    });
    elements.nth(element).unwrap()
}

/// Proofs in both spellings with a lie in one element: another element of the kind, no element of the
/// field or curve, zero or infinity.
fn forged(
    ours: &[u8],
    theirs: &[u8],
    element: usize,
    (at, width): (usize, usize),
    lie: usize,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut ours, mut theirs) = (ours.to_vec(), theirs.to_vec());
    let own = &mut ours[32 * element..][..32];
    let word = &mut theirs[at..][..width];
    match (width, lie) {
        (64, 0) => {
            // The negative: the flag of y, and q − y.
            own[31] ^= 0x40;
            let q = revm::primitives::U256::from_str_radix(
                "21888242871839275222246405745257275088696311157297823662689037894645226208583",
                10,
            );
            let y = revm::primitives::U256::from_be_slice(&word[32..]);
            word[32..].copy_from_slice(&(q.unwrap() - y).to_be_bytes::<32>());
        }
        (64, 1) => {
            // x = 4 is of no point; nor is (x, y) with y of another x.
            own.fill(0);
            own[0] = 4;
            word[..31].fill(0);
            word[31] = 4;
        }
        (64, _) => {
            own.fill(0);
            own[31] = 0x80;
            word.fill(0);
        }
        (_, 0) => {
            own[0] ^= 1;
            word[31] ^= 1;
        }
        (_, 1) => {
            own.fill(0xff);
            word.fill(0xff);
        }
        (_, _) => {
            if own.iter().all(|&byte| byte == 0) {
                return None;
            }
            own.fill(0);
            word.fill(0);
        }
    }
    Some((ours, theirs))
}

/// Every field of the claim, and the length of everything.
#[test]
fn forged_claims_are_refused_by_the_same_check() {
    let known = known();
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    for Known { name, key, data, files } in &known {
        let file = &files[0];
        let honest = Call::new(key, data, &file.claim, &file.proof).unwrap();
        let proof = file.proof.as_bytes();
        let mut check = |claim: &InferenceClaim, call: &Call, place: &str| {
            let place = format!("{name}: {place}");
            let verdict = library(key, claim, proof);
            assert!(verdict.is_err(), "{place}");
            assert_same(verdict, chain.call(verifier, call.verify_calldata()), &place);
        };
        for edit in 0..5 {
            let mut claim = file.claim.clone();
            let binding = &mut claim.binding;
            match edit {
                0 => binding.chain_id += 1,
                1 => binding.job_id[0] ^= 1,
                2 => binding.payee[19] ^= 1,
                3 => binding.expiry += 1,
                _ => binding.nonce += 1,
            }
            let call = Call { binding: claim.binding.digest(), ..honest.clone() };
            check(&claim, &call, "binding");
        }
        for side in 0..2 {
            let pick = |claim: &mut InferenceClaim| -> *mut ClaimedValues {
                if side == 0 { &mut claim.input } else { &mut claim.output }
            };
            let mut claim = file.claim.clone();
            let values = if side == 0 { &mut claim.input } else { &mut claim.output };
            let _ = pick;
            match values {
                ClaimedValues::Public(values) => {
                    let layout = &key.parts().layout;
                    let tensors = if side == 0 { &layout.inputs } else { &layout.outputs };
                    let (lo, hi) = (tensors[0].lo, tensors[0].hi);
                    let last = values[0];
                    values[0] = if last == lo { lo + 1 } else { lo };
                    let call = Call::new(key, data, &claim, &file.proof).unwrap();
                    check(&claim, &call, "another value");
                    let values = if side == 0 { &mut claim.input } else { &mut claim.output };
                    let ClaimedValues::Public(values) = values else { unreachable!() };
                    let span = hi.wrapping_sub(lo).cast_unsigned();
                    let bytes = (span.checked_ilog2().unwrap_or(0) / 8 + 1) as usize;
                    if bytes < 8 && span + 1 < 1 << (8 * bytes) {
                        values[0] = hi + 1;
                        let mut call = honest.clone();
                        let own = if side == 0 { &mut call.input } else { &mut call.output };
                        own[..bytes].copy_from_slice(&(span + 1).to_be_bytes()[8 - bytes..]);
                        check(&claim, &call, "a value above the highest");
                    }
                }
                ClaimedValues::Committed(commitment) => {
                    let mut bytes = commitment.to_bytes();
                    bytes[31] ^= 1;
                    *commitment = Commitment::from_bytes(&bytes).unwrap();
                    let call = Call::new(key, data, &claim, &file.proof).unwrap();
                    check(&claim, &call, "another commitment");
                }
            }
        }
    }
}

#[test]
fn lengths_and_spellings_of_calldata_are_checked() {
    let known = known();
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    let Known { key, data, files, .. } = &known[0];
    let honest = Call::new(key, data, &files[0].claim, &files[0].proof).unwrap();
    let mut name = |call: Vec<u8>| chain.call(verifier, call).unwrap_err().name().to_owned();
    let edited = |edit: fn(&mut Call)| {
        let mut call = honest.clone();
        edit(&mut call);
        call.verify_calldata()
    };
    assert_eq!(name(edited(|call| call.input.push(0))), "InputLength");
    assert_eq!(name(edited(|call| call.input.truncate(call.input.len() - 1))), "InputLength");
    assert_eq!(name(edited(|call| call.output.push(0))), "OutputLength");
    assert_eq!(name(edited(|call| call.output.truncate(call.output.len() - 1))), "OutputLength");
    assert_eq!(name(edited(|call| call.proof.push(0))), "ProofLength");
    assert_eq!(name(edited(|call| call.proof.truncate(call.proof.len() - 1))), "ProofLength");
    assert_eq!(name(edited(|call| call.key.0.0[0] ^= 1)), "UnknownKey");
    let good = honest.verify_calldata();
    let mut trailing = good.clone();
    trailing.extend([0; 32]);
    assert_eq!(name(trailing), "MalformedCalldata");
    assert_eq!(name(good[..good.len() - 32].to_vec()), "Reason");
    // Every offset, and a bit behind the end of the outputs.
    for word in [0, 3, 4, 5] {
        let mut moved = good.clone();
        moved[4 + 32 * word + 31] ^= 32;
        let name = name(moved);
        assert!(["MalformedCalldata", "Reason"].contains(&name.as_str()), "{word}: {name}");
    }
    let end = good.len() - honest.proof.len() - 33;
    assert!(honest.output.len() % 32 != 0);
    let mut dirty = good.clone();
    dirty[end] ^= 1;
    assert_eq!(name(dirty), "MalformedCalldata");
}

#[test]
fn data_of_a_key_are_refused_or_are_another_key() {
    let known = known();
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    let Known { key, data, files, .. } = &known[0];
    let honest = data.register_calldata();
    let again = chain.send(account(1), verifier, 0, honest.clone()).unwrap();
    assert!(again.logs.is_empty(), "registering again changes nothing");
    let call = Call::new(key, data, &files[0].claim, &files[0].proof).unwrap();
    let length = data.as_bytes().len();
    let programs = u32::from_be_bytes([0, honest[69], honest[70], honest[71]]) as usize;
    let (mut refused, mut other) = (0, 0);
    // Some of everything, the version, and some of the trusted setup.
    let numbers = (programs..programs + 4).chain(programs + 128..programs + 136);
    for place in (0..length).step_by(61).chain(numbers) {
        let mut data = honest.clone();
        data[68 + place] ^= 1;
        match chain.send(account(1), verifier, 0, data) {
            Ok(answer) => {
                let id: [u8; 32] = answer.output.try_into().unwrap();
                assert_ne!(id, call.key.0.0);
                other += 1;
            }
            Err(reverted) => {
                assert!(
                    ["MalformedKey", "UntrustedSrs"].contains(&reverted.name()),
                    "{reverted:?}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused >= 8 && other >= 8, "{refused} refused, {other} other keys");
    let (elsewhere, _) = chain.deploy("ZkinferVerifier", &[7; 32]);
    let refused = chain.send(account(1), elsewhere, 0, honest).unwrap_err();
    assert_eq!(refused.name(), "UntrustedSrs");
}

/// A lie in one proof of a batch, at any place of it, refuses the batch.
#[test]
fn one_lie_refuses_a_batch() {
    let known: Vec<Known> = known().into_iter().filter(|known| known.key.parts().k < 8).collect();
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    let honest: Vec<Call> = known
        .iter()
        .flat_map(|known| {
            known
                .files
                .iter()
                .map(|f| Call::new(&known.key, &known.data, &f.claim, &f.proof).unwrap())
        })
        .collect();
    for liar in 0..honest.len() {
        let mut calls = honest.clone();
        calls[liar].binding[0] ^= 1;
        let refused = chain.call(verifier, batch_calldata(&calls)).unwrap_err();
        assert_eq!(refused.name(), "Pairing");
    }
    // Two lies that would cancel out without coefficients.
    let mut calls = honest.clone();
    let (first, second) = (calls[0].clone(), calls[1].clone());
    calls[0].proof = second.proof;
    calls[1].proof = first.proof;
    assert!(chain.call(verifier, batch_calldata(&calls)).is_err());
}

/// However little gas there is, a call reverts or halts; it is never taken for an answer.
#[test]
fn a_starved_call_never_returns() {
    let known: Vec<Known> = known().into_iter().take(1).collect();
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    let Known { key, data, files, .. } = &known[0];
    let calldata =
        Call::new(key, data, &files[0].claim, &files[0].proof).unwrap().verify_calldata();
    let needed = chain.call(verifier, calldata.clone()).unwrap().gas;
    let mut returned = false;
    for gas in (260_000..needed + 40_000).step_by(3_001) {
        let answer = chain.send_with(account(1), verifier, calldata.clone(), gas);
        assert!(!returned || answer.is_ok(), "{gas}");
        returned |= answer.is_ok();
        if let Err(reverted) = answer {
            assert!(gas < needed + 20_000, "{reverted:?} at {gas}");
        }
    }
    assert!(returned);
}

#[test]
fn what_a_key_shows_is_told() {
    let known = known();
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    for Known { name, key, data, .. } in &known {
        let call = zkinfer_contracts_evm::abi::call("shows(bytes32)", &[&data.id().0.0]);
        let output = chain.call(verifier, call).unwrap().output;
        let layout = &key.parts().layout;
        let shown = |visibility| u8::from(visibility == Visibility::Public);
        assert_eq!(output[31], shown(layout.input_visibility), "{name}");
        assert_eq!(output[63], shown(layout.output_visibility), "{name}");
    }
    let call = zkinfer_contracts_evm::abi::call("shows(bytes32)", &[&[7; 32]]);
    assert_eq!(chain.call(verifier, call).unwrap_err().name(), "UnknownKey");
}
