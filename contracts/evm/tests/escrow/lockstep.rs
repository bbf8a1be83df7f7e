//! The contract and `zkinfer-settlement` go through the same operations side by side: the same refusals by
//! name, the same balances.

use std::{fs, path::Path};

use revm::primitives::Address;
use zkinfer_contracts_evm::{
    Called,
    escrow::{Binding, ETHER, Job, Terms},
};
use zkinfer_settlement::{
    Address as Account, Amount, Delivery, DepositId, Escrow, EscrowError, JobId, JobTerms,
    MemoryStore, Refusal, ValuesDigest, WithdrawalId,
};
use zkinfer_verifier::{ClaimedValues, ProofFile, SrsPolicy, VerifyingKey, keccak256, verify};

use crate::{random::Random, setting::*};

/// Known proofs of the library: two of one job, one of another, one that expires early.
const PROOFS: [&str; 4] = ["first", "second", "short_lived", "rival_of_first"];

struct Both {
    key: VerifyingKey,
    files: Vec<ProofFile>,
    setting: Setting,
    library: Escrow<MemoryStore>,
    /// Of each job that was opened, what the contract must be shown.
    jobs: Vec<([u8; 32], Job)>,
    names: u8,
}

fn account(address: Address) -> Account {
    Account(address.0.0)
}

/// The bytes of a claim's input on chain do not matter here; that they are the same or not does.
fn input_bytes(values: &ClaimedValues) -> Vec<u8> {
    ValuesDigest::of(values).0.0.to_vec()
}

fn name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Chain { .. } => "OtherChain",
        Refusal::UnknownJob { .. } => "UnknownJob",
        Refusal::JobExists { .. } => "JobExists",
        Refusal::AlreadySettled { .. } => "AlreadySettled",
        Refusal::AlreadyRefunded { .. } => "AlreadyRefunded",
        Refusal::AlreadySlashed { .. } => "AlreadySlashed",
        Refusal::AlreadyStaked { .. } => "AlreadyStaked",
        Refusal::NotStaked { .. } => "NotStaked",
        Refusal::RefundOfStaked { .. } => "RefundOfStaked",
        Refusal::NothingToSlash => "NothingToSlash",
        Refusal::DeadlinePassed { .. } => "DeadlinePassed",
        Refusal::DeadlineTooFar { .. } => "DeadlineTooFar",
        Refusal::DeadlineAhead { .. } => "DeadlineAhead",
        Refusal::ZeroPrice => "ZeroPrice",
        Refusal::ZeroAmount => "ZeroAmount",
        Refusal::NoStakeAsked => "NoStakeAsked",
        Refusal::Prover { .. } => "OtherProver",
        Refusal::Expired { .. } => "Expired",
        Refusal::Nonce { .. } => "OtherNonce",
        Refusal::ZeroPayee => "ZeroPayee",
        Refusal::Payee { .. } => "OtherPayee",
        Refusal::Input { .. } => "OtherInput",
        Refusal::InsufficientFunds { .. } => "InsufficientFunds",
        other => panic!("the contract has no {other:?}"),
    }
}

impl Both {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let key = fs::read(folder.join("verifier/tests/vectors/toy.zkvk")).unwrap();
        let key = VerifyingKey::decode(&key).unwrap();
        let file = |name: &&str| {
            let path = folder.join(format!("settlement/tests/vectors/{name}.zkproof"));
            ProofFile::decode(&fs::read(path).unwrap()).unwrap()
        };
        let files = PROOFS.iter().map(file).collect();
        let policy = SrsPolicy::AllowInsecureDev;
        let library = Escrow::new(MemoryStore::default(), CHAIN, policy).unwrap();
        let setting = Setting::new();
        Self { key, files, setting, library, jobs: Vec::new(), names: 0 }
    }

    fn same<T: std::fmt::Debug, E: std::fmt::Debug>(
        &mut self,
        place: &str,
        library: Result<T, EscrowError<E>>,
        contract: Called,
    ) -> bool {
        match (&library, &contract) {
            (Ok(_), Ok(_)) => {}
            (Err(EscrowError::Refused(refusal)), Err(reverted)) => {
                assert_eq!(reverted.name(), name(refusal), "{place}");
            }
            _ => panic!("{place}: {library:?}, but the contract {contract:?}"),
        }
        for address in [BUYER, ALICE, BOB] {
            let balance = self.library.balance(account(address)).unwrap().0;
            assert_eq!(self.setting.credit(address), balance, "{place}");
        }
        library.is_ok()
    }

    fn fresh(&mut self) -> [u8; 32] {
        self.names += 1;
        [self.names; 32]
    }

    fn step(&mut self, random: &mut Random) {
        let now = self.setting.chain.time() + random.below(60);
        self.setting.chain.set_time(now);
        let who = random.one_of(&[BUYER, ALICE, BOB]);
        let amount = u128::from(random.below(120));
        match random.below(9) {
            0 if self.names < 250 => {
                let name = self.fresh();
                let library = self.library.deposit(DepositId(name), account(who), Amount(amount));
                let (chain, escrow) = (&mut self.setting.chain, self.setting.escrow);
                let contract = escrow.deposit(chain, who, amount, ETHER, amount);
                self.same("deposit", library, contract);
            }
            1 if self.names < 250 => {
                let name = WithdrawalId(self.fresh());
                let library = self.library.withdraw(name, account(who), Amount(amount));
                let (chain, escrow) = (&mut self.setting.chain, self.setting.escrow);
                let contract = escrow.withdraw(chain, who, ETHER, who, amount);
                self.same("withdraw", library, contract);
            }
            2 | 3 => self.open(random, now),
            4 => self.act(random, "stake", who, now),
            5 => self.act(random, "refund", who, now),
            6 => self.act(random, "slash", who, now),
            _ => self.submit(random, now),
        }
    }

    fn open(&mut self, random: &mut Random, now: u64) {
        let claim = random.one_of(&[0, 1, 2, 3]);
        let claim = self.files[claim].claim.clone();
        let other = random.below(8) == 0;
        let input = if other { vec![1].into() } else { claim.input };
        let nonce = claim.binding.nonce + u64::from(random.below(8) == 0);
        let payee = random.one_of(&[None, None, Some(ALICE), Some(BOB)]);
        let price = random.one_of(&[0, 10, 20, 50]);
        let stake = random.one_of(&[0, 0, 5]);
        let deadline = random.one_of(&[now - 1, now, now + 100, now + 900, now + 367 * 86_400]);
        let salt = claim.binding.job_id;
        let of_library = JobTerms {
            buyer: account(BUYER),
            payee: payee.map(account),
            model: claim.model,
            input: ValuesDigest::of(&input),
            delivery: Delivery::Shown,
            nonce,
            price: Amount(price),
            stake: Amount(stake),
            deadline,
        };
        let payee = payee.unwrap_or_default();
        let input = keccak256(&[&input_bytes(&input)]);
        let terms = Terms { salt, payee, input, nonce, price, stake, deadline, ..terms() };
        let library = self.library.open(JobId(salt), of_library, now);
        let contract = self.setting.escrow.open(&mut self.setting.chain, BUYER, 0, &terms);
        if self.same("open", library, contract) {
            self.jobs.push((salt, Job::new(terms)));
        }
    }

    /// The job as it was opened, or one that never was.
    fn job(&self, salt: [u8; 32]) -> Job {
        let known = self.jobs.iter().find(|(known, _)| *known == salt);
        known.map_or(Job::new(Terms { salt, ..terms() }), |&(_, job)| job)
    }

    fn act(&mut self, random: &mut Random, what: &str, who: Address, now: u64) {
        let salt = self.files[random.one_of(&[0, 1, 2, 3])].claim.binding.job_id;
        let (id, job) = (JobId(salt), self.job(salt));
        let library = match what {
            "stake" => self.library.stake(id, account(who), now),
            "refund" => self.library.refund(id, now),
            _ => self.library.slash(id, now),
        };
        let contract = self.setting.act(what, who, &job);
        if self.same(what, library, contract) && what == "stake" {
            let known = self.jobs.iter_mut().find(|(known, _)| *known == salt);
            known.unwrap().1.progress.prover = who;
        }
    }

    fn submit(&mut self, random: &mut Random, now: u64) {
        let file = &self.files[random.one_of(&[0, 1, 2, 3])];
        let policy = SrsPolicy::AllowInsecureDev;
        let evidence = verify(&self.key, &file.claim, &file.proof, policy).unwrap();
        let bound = file.claim.binding;
        let input = input_bytes(&file.claim.input);
        let job = self.job(bound.job_id);
        let id = self.setting.escrow.id(CHAIN, BUYER, bound.job_id);
        let binding = Binding {
            chain_id: bound.chain_id,
            job: id,
            payee: Address::from(bound.payee),
            expiry: bound.expiry,
            nonce: bound.nonce,
        };
        let library = self.library.submit(evidence, now);
        let claim = [&input[..], OUTPUT, b"good"];
        let (chain, escrow) = (&mut self.setting.chain, self.setting.escrow);
        let contract = escrow.submit(chain, BOB, &job, &binding, claim);
        self.same("submit", library, contract);
    }
}

#[test]
fn contract_and_library_agree_on_every_operation() {
    for seed in 1..=60 {
        let mut random = Random(seed * 7_919);
        let mut both = Both::new();
        both.setting.chain.set_time(1 + random.below(900));
        for _ in 0..150 {
            both.step(&mut random);
        }
        both.library.audit().unwrap();
    }
}
