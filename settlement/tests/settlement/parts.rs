//! A model in parts: all are paid at once, each to its own prover, or none.

use std::{fs, path::Path};

use zkinfer_settlement::{
    Address, Amount, Escrow, JobId, JobTerms, MemoryStore, Refusal, ValuesDigest,
};
use zkinfer_verifier::{
    JobBinding, Manifest, PartProof, ProofFile, SrsPolicy, VerifiedParts, VerifyingKey,
};

use crate::common::{BUYER, CHAIN, DEADLINE, POLICY, Proof, deposit, refused};

/// The parts of a model that the tests of the prover write, for job 8…8.
struct Parts {
    manifest: Manifest,
    keys: Vec<VerifyingKey>,
    proofs: Vec<ProofFile>,
}

fn read(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

const JOB: [u8; 32] = [8; 32];

impl Parts {
    fn read() -> Self {
        let manifest = Manifest::decode(&read("parts.zkparts")).unwrap();
        let parts = 0..manifest.parts.len();
        let key = |part| VerifyingKey::decode(&read(&format!("part-{part}.zkvk"))).unwrap();
        let proof = |part| ProofFile::decode(&read(&format!("part-{part}.zkproof"))).unwrap();
        let (keys, proofs) = (parts.clone().map(key).collect(), parts.map(proof).collect());
        Self { manifest, keys, proofs }
    }

    fn payees(&self) -> Vec<[u8; 20]> {
        self.proofs.iter().map(|file| file.claim.binding.payee).collect()
    }

    fn evidence(&self) -> VerifiedParts {
        let keys: Vec<_> = self.keys.iter().collect();
        let job = JobBinding { job_id: JOB, ..self.proofs[0].claim.binding };
        let proof = |file| {
            let ProofFile { claim, proof, .. }: &ProofFile = file;
            PartProof { claim, proof }
        };
        let proofs: Vec<_> = self.proofs.iter().map(proof).collect();
        self.manifest.verify(&keys, &job, &self.payees(), &proofs, POLICY).unwrap()
    }

    fn job(&self, part: usize) -> JobId {
        JobId(self.manifest.part_job(part, &JOB))
    }

    fn terms(&self, part: usize) -> JobTerms {
        let claim = &self.proofs[part].claim;
        let price = Amount(100 * (1 + u128::try_from(part).unwrap()));
        let (model, input) = (claim.model, ValuesDigest::of(&claim.input));
        JobTerms { model, input, nonce: claim.binding.nonce, price, ..Proof::First.terms() }
    }

    /// An escrow with the jobs of all parts but these.
    fn escrow(&self, without: &[usize]) -> Escrow<MemoryStore> {
        let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
        escrow.deposit(deposit(1), BUYER, Amount(1_000)).unwrap();
        for part in (0..self.keys.len()).filter(|part| !without.contains(part)) {
            escrow.open(self.job(part), self.terms(part), 0).unwrap();
        }
        escrow
    }
}

#[test]
fn parts_are_paid_together_each_to_its_own_prover() {
    let parts = Parts::read();
    let payees: Vec<Address> = parts.payees().into_iter().map(Address).collect();
    let mut escrow = parts.escrow(&[]);
    assert_eq!(escrow.balance(BUYER).unwrap(), Amount(400));
    let receipts = escrow.submit_parts(parts.evidence(), 1).unwrap();
    for (part, (receipt, payee)) in receipts.iter().zip(&payees).enumerate() {
        assert_eq!((receipt.job, receipt.payee), (parts.job(part), *payee));
        assert_eq!(escrow.receipt(receipt.job).unwrap(), Some(*receipt));
    }
    // The first and the last part have one prover.
    assert_eq!(payees[0], payees[2]);
    assert_eq!(escrow.balance(payees[0]).unwrap(), Amount(100 + 300));
    assert_eq!(escrow.balance(payees[1]).unwrap(), Amount(200));
    let refusal = refused(&mut escrow, |escrow| escrow.submit_parts(parts.evidence(), 2));
    assert_eq!(refusal, Refusal::AlreadySettled { at: 1 });
    assert_eq!(escrow.audit().unwrap().total, Amount(1_000));
}

/// A job that is missing, late, for another payee, model or input keeps all parts from being paid.
#[test]
fn no_part_is_paid_where_another_is_refused() {
    let parts = Parts::read();
    let mut escrow = parts.escrow(&[1]);
    let refusal = refused(&mut escrow, |escrow| escrow.submit_parts(parts.evidence(), 1));
    assert_eq!(refusal, Refusal::UnknownJob { job: parts.job(1) });
    let other = Address([0x77; 20]);
    let edits: [fn(&mut JobTerms); 4] = [
        |terms| terms.payee = Some(Address([0x77; 20])),
        |terms| terms.model.0.0[0] ^= 1,
        |terms| terms.input = ValuesDigest::of(&vec![1].into()),
        |terms| terms.nonce += 1,
    ];
    let mut refusals = Vec::new();
    for edit in edits {
        let mut escrow = parts.escrow(&[2]);
        let mut terms = parts.terms(2);
        edit(&mut terms);
        escrow.open(parts.job(2), terms, 0).unwrap();
        refusals.push(refused(&mut escrow, |escrow| escrow.submit_parts(parts.evidence(), 1)));
    }
    let got = Address(parts.payees()[2]);
    assert_eq!(refusals[0], Refusal::Payee { expected: other, got });
    assert!(matches!(refusals[1], Refusal::Model { .. }), "{refusals:?}");
    assert!(matches!(refusals[2], Refusal::Input { .. }), "{refusals:?}");
    assert!(matches!(refusals[3], Refusal::Nonce { .. }), "{refusals:?}");
    let mut escrow = parts.escrow(&[]);
    let late = DEADLINE + 1;
    let refusal = refused(&mut escrow, |escrow| escrow.submit_parts(parts.evidence(), late));
    assert_eq!(refusal, Refusal::DeadlinePassed { deadline: DEADLINE, now: late });
    // A setup that the escrow does not accept, and another chain.
    let strict = Escrow::new(MemoryStore::default(), CHAIN, SrsPolicy::CeremonyOnly);
    let refusal = refused(&mut strict.unwrap(), |escrow| escrow.submit_parts(parts.evidence(), 1));
    assert!(matches!(refusal, Refusal::UntrustedSrs { .. }), "{refusal:?}");
    let mut elsewhere = Escrow::new(MemoryStore::default(), CHAIN + 1, POLICY).unwrap();
    let refusal = refused(&mut elsewhere, |escrow| escrow.submit_parts(parts.evidence(), 1));
    assert_eq!(refusal, Refusal::Chain { expected: CHAIN + 1, got: CHAIN });
}

/// Stakes go back to where they came from, the bond of a prover of two parts among them.
#[test]
fn stakes_of_parts_go_back_with_their_price() {
    let parts = Parts::read();
    let [alice, bob] = [0, 1].map(|part| Address(parts.payees()[part]));
    let mut escrow = parts.escrow(&[0, 1, 2]);
    escrow.deposit(deposit(2), alice, Amount(50)).unwrap();
    escrow.deposit(deposit(3), bob, Amount(50)).unwrap();
    escrow.post_bond(alice, Amount(50)).unwrap();
    for part in 0..3 {
        let terms = JobTerms { stake: Amount(20), ..parts.terms(part) };
        escrow.open(parts.job(part), terms, 0).unwrap();
    }
    escrow.assign(parts.job(0), alice, 10, 0).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.submit_parts(parts.evidence(), 1));
    assert_eq!(refusal, Refusal::NotStaked { stake: Amount(20) });
    escrow.stake(parts.job(1), bob, 0).unwrap();
    // The lease of a prover who is gone lapses, and another proves its part.
    escrow.deposit(deposit(4), BUYER, Amount(50)).unwrap();
    escrow.post_bond(BUYER, Amount(50)).unwrap();
    escrow.assign(parts.job(2), BUYER, 5, 0).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.submit_parts(parts.evidence(), 6));
    assert_eq!(refusal, Refusal::Payee { expected: BUYER, got: alice });
    escrow.lapse(parts.job(2), 6).unwrap();
    escrow.assign(parts.job(2), alice, 10, 6).unwrap();
    assert_eq!(escrow.bond(alice).unwrap(), Amount(10));
    let receipts = escrow.submit_parts(parts.evidence(), 7).unwrap();
    assert!(receipts.iter().all(|receipt| receipt.stake == Amount(20)));
    assert_eq!(escrow.balance(alice).unwrap(), Amount(400));
    assert_eq!(escrow.bond(alice).unwrap(), Amount(50));
    assert_eq!(escrow.balance(bob).unwrap(), Amount(200 + 50));
    assert_eq!(escrow.audit().unwrap().total, Amount(1_150));
}
