//! A proof that names no payee: what it earned would be lost.

use std::{fs, path::Path};

use zkinfer_settlement::{
    Address, Amount, AnyJob, Escrow, JobId, JobTerms, MemoryStore, Refusal, ValuesDigest,
};
use zkinfer_verifier::{ProofFile, VerifyingKey, verify};

use crate::common::{BUYER, CHAIN, POLICY, Proof, deposit, refused};

#[test]
fn a_proof_for_nobody_is_not_paid_and_the_buyer_gets_the_price_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let key = VerifyingKey::decode(&read("nobody.zkvk")).unwrap();
    let ProofFile { claim, proof, .. } = ProofFile::decode(&read("nobody.zkproof")).unwrap();
    assert_eq!(Address(claim.binding.payee), Address::NOBODY);
    let job = JobId(claim.binding.job_id);
    // For anybody, or for nobody by name.
    for payee in [None, Some(Address::NOBODY)] {
        let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
        escrow.deposit(deposit(1), BUYER, Amount(100)).unwrap();
        let (model, input, nonce) =
            (claim.model, ValuesDigest::of(&claim.input), claim.binding.nonce);
        let terms = JobTerms { payee, model, input, nonce, ..Proof::First.terms() };
        escrow.open(job, terms, 0).unwrap();
        let evidence = || verify(&key, &claim, &proof, POLICY).unwrap();
        let refusal = refused(&mut escrow, |escrow| escrow.submit(evidence(), 1));
        assert_eq!(refusal, Refusal::ZeroPayee);
        assert!(matches!(escrow.job(job).unwrap(), Some(AnyJob::Open(_))));
        escrow.refund(job, terms.deadline + 1).unwrap();
        assert_eq!(escrow.balance(BUYER).unwrap(), Amount(100));
        assert_eq!(escrow.balance(Address::NOBODY).unwrap(), Amount(0));
    }
}
