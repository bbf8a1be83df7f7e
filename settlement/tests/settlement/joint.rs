//! Several claims in one proof: each pays its own payee for its own job, once.

use std::{fs, path::Path};

use zkinfer_settlement::{
    Address, Amount, Delivery, Escrow, JobId, JobTerms, MemoryStore, Refusal, ValuesDigest,
};
use zkinfer_verifier::{Openings, ProofFile, VerifiedInference, VerifyingKey};

use crate::common::{BUYER, CHAIN, POLICY, Proof, deposit, refused};

/// One claim of the proof of two that the tests of the prover write.
struct Claim {
    file: ProofFile,
    openings: Openings,
}

fn read(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

impl Claim {
    fn read(index: usize) -> Self {
        Self {
            file: ProofFile::decode(&read(&format!("joint-{index}.zkproof"))).unwrap(),
            openings: Openings::decode(&read(&format!("joint-{index}.zkopening"))).unwrap(),
        }
    }

    fn evidence(&self, key: &VerifyingKey) -> VerifiedInference {
        self.file.proves(key, &self.file.claim, POLICY).unwrap()
    }

    fn job(&self) -> JobId {
        JobId(self.file.claim.binding.job_id)
    }

    fn payee(&self) -> Address {
        Address(self.file.claim.binding.payee)
    }

    fn terms(&self) -> JobTerms {
        let (claim, delivery) = (&self.file.claim, Delivery::Opened);
        let (input, nonce) = (ValuesDigest::of(&claim.input), claim.binding.nonce);
        JobTerms { model: claim.model, input, nonce, delivery, ..Proof::First.terms() }
    }
}

#[test]
fn each_claim_of_a_proof_pays_its_own_payee_for_its_own_job_once() {
    let key = VerifyingKey::decode(&read("joint.zkvk")).unwrap();
    let claims = [0, 1].map(Claim::read);
    let [first, second] = &claims;
    assert_eq!(first.file.proof, second.file.proof);
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    escrow.deposit(deposit(1), BUYER, Amount(1_000)).unwrap();
    for claim in &claims {
        escrow.open(claim.job(), claim.terms(), 0).unwrap();
    }
    let opening = |claim: &Claim| claim.openings.output.clone().unwrap();
    // What one claim hides does not open the other.
    let refusal = refused(&mut escrow, |escrow| {
        escrow.submit_opened(first.evidence(&key), &key, &opening(second), 1)
    });
    assert!(matches!(refusal, Refusal::Opening { .. }), "{refusal:?}");
    for claim in &claims {
        assert_eq!(escrow.balance(claim.payee()).unwrap(), Amount(0));
        let paid = escrow.submit_opened(claim.evidence(&key), &key, &opening(claim), 1).unwrap();
        assert_eq!((paid.payee, paid.job), (claim.payee(), claim.job()));
        assert_eq!(escrow.balance(claim.payee()).unwrap(), Amount(100));
        let refusal = refused(&mut escrow, |escrow| {
            escrow.submit_opened(claim.evidence(&key), &key, &opening(claim), 2)
        });
        assert_eq!(refusal, Refusal::AlreadySettled { at: 1 });
    }
}

/// Another job of the same buyer is not done by a claim that names the first.
#[test]
fn a_claim_of_a_proof_does_no_other_job() {
    let key = VerifyingKey::decode(&read("joint.zkvk")).unwrap();
    let [first, second] = [0, 1].map(Claim::read);
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    escrow.deposit(deposit(1), BUYER, Amount(1_000)).unwrap();
    escrow.open(second.job(), second.terms(), 0).unwrap();
    let opening = first.openings.output.clone().unwrap();
    let refusal = refused(&mut escrow, |escrow| {
        escrow.submit_opened(first.evidence(&key), &key, &opening, 1)
    });
    assert!(matches!(refusal, Refusal::UnknownJob { .. }), "{refusal:?}");
}
