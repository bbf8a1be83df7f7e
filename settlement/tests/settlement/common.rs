//! Evidence, and jobs that it fits.

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use zkinfer_settlement::{
    Address, Amount, Delivery, DepositId, Escrow, EscrowError, JobId, JobTerms, Refusal, Store,
    ValuesDigest, WithdrawalId,
};
use zkinfer_verifier::{
    InferenceClaim, Opening, Openings, ProofFile, SrsPolicy, VerifiedInference, VerifyingKey,
    verify,
};

pub(crate) const CHAIN: u64 = 1;
pub(crate) const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;
pub(crate) const BUYER: Address = Address([0x0b; 20]);
pub(crate) const ALICE: Address = Address([0xa1; 20]);
pub(crate) const BOB: Address = Address([0xb2; 20]);
/// The deadline of [`Proof::terms`].
pub(crate) const DEADLINE: u64 = 1_000;

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| {
    VerifyingKey::decode(&vector("../../../verifier/tests/vectors/toy.zkvk")).unwrap()
});

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

/// The proofs in `tests/vectors`, all of the toy model of the prover's tests on chain 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Job 1 for Alice, expires at 2,000, nonce 1.
    First,
    /// Job 2 for Bob, expires at 2,000, nonce 1, another input.
    Second,
    /// Job 3 for Alice, expires at 500, nonce 9.
    ShortLived,
    /// Job 1 for Bob, otherwise as the first.
    RivalOfFirst,
}

impl Proof {
    pub(crate) const ALL: [Self; 4] =
        [Self::First, Self::Second, Self::ShortLived, Self::RivalOfFirst];

    pub(crate) fn file(self) -> ProofFile {
        let name = match self {
            Self::First => "first",
            Self::Second => "second",
            Self::ShortLived => "short_lived",
            Self::RivalOfFirst => "rival_of_first",
        };
        ProofFile::decode(&vector(&format!("{name}.zkproof"))).unwrap()
    }

    pub(crate) fn evidence_under(self, policy: SrsPolicy) -> VerifiedInference {
        let file = self.file();
        verify(&KEY, &file.claim, &file.proof, policy).unwrap()
    }

    pub(crate) fn evidence(self) -> VerifiedInference {
        self.evidence_under(POLICY)
    }

    pub(crate) fn job(self) -> JobId {
        JobId(self.file().claim.binding.job_id)
    }

    /// A job that the proof does, for anybody, without a stake.
    pub(crate) fn terms(self) -> JobTerms {
        let claim = self.file().claim;
        JobTerms {
            buyer: BUYER,
            payee: None,
            model: claim.model,
            input: ValuesDigest::of(&claim.input),
            delivery: Delivery::Shown,
            nonce: claim.binding.nonce,
            price: Amount(100),
            stake: Amount(0),
            deadline: DEADLINE,
        }
    }
}

/// A proof that hides its output, and what opens it: of digits_mlp, job 4 for Alice.
pub(crate) struct Hidden {
    pub(crate) key: VerifyingKey,
    pub(crate) file: ProofFile,
    pub(crate) opening: Opening,
}

impl Hidden {
    pub(crate) fn read() -> Self {
        let openings = Openings::decode(&vector("hidden.zkopening")).unwrap();
        Self {
            key: VerifyingKey::decode(&vector("hidden.zkvk")).unwrap(),
            file: ProofFile::decode(&vector("hidden.zkproof")).unwrap(),
            opening: openings.output.unwrap(),
        }
    }

    pub(crate) fn evidence(&self) -> VerifiedInference {
        verify(&self.key, &self.file.claim, &self.file.proof, POLICY).unwrap()
    }

    pub(crate) fn job(&self) -> JobId {
        JobId(self.file.claim.binding.job_id)
    }

    pub(crate) fn terms(&self) -> JobTerms {
        let InferenceClaim { model, input, binding, .. } = &self.file.claim;
        let (model, input, nonce) = (*model, ValuesDigest::of(input), binding.nonce);
        JobTerms { model, input, nonce, ..Proof::First.terms() }
    }
}

pub(crate) fn srs() -> zkinfer_verifier::SrsDigest {
    KEY.srs_digest()
}

/// A payment in, named by a number.
pub(crate) fn deposit(number: u8) -> DepositId {
    DepositId([number; 32])
}

/// A payment out, named by a number.
pub(crate) fn withdrawal(number: u8) -> WithdrawalId {
    WithdrawalId([number; 32])
}

/// Every record of a store.
pub(crate) fn records(store: &impl Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut records = BTreeMap::new();
    store.for_each(&mut |key, value| drop(records.insert(key.into(), value.into()))).unwrap();
    records
}

/// Why the operation was against the rules; it must have changed nothing.
pub(crate) fn refused<S: Store, T: std::fmt::Debug>(
    escrow: &mut Escrow<S>,
    operation: impl FnOnce(&mut Escrow<S>) -> Result<T, EscrowError<S::Error>>,
) -> Refusal {
    let before = records(escrow.store());
    let refusal = refusal(operation(escrow).unwrap_err());
    assert_eq!(records(escrow.store()), before, "{refusal:?} changed something");
    refusal
}

pub(crate) fn refusal<E: std::fmt::Debug>(error: EscrowError<E>) -> Refusal {
    match error {
        EscrowError::Refused(refusal) => refusal,
        other => panic!("not refused, but {other:?}"),
    }
}
