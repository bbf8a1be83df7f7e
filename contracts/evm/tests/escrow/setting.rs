//! A chain with an escrow whose verifier takes the proof `good`.

use std::collections::BTreeMap;

use k256::ecdsa::SigningKey;
use revm::primitives::Address;
use zkinfer_contracts_evm::{
    Called, Chain, Fork,
    abi::words,
    account,
    escrow::{Binding, ETHER, Escrow, Job, Terms},
};
use zkinfer_verifier::keccak256;

pub const CHAIN: u64 = 1;
pub const BUYER: Address = Address::repeat_byte(0x0b);
pub const ALICE: Address = Address::repeat_byte(0xa1);
pub const BOB: Address = Address::repeat_byte(0xb2);
pub const INPUT: &[u8] = b"the input";
pub const OUTPUT: &[u8] = b"the output";
pub const GOOD: [&[u8]; 3] = [INPUT, OUTPUT, b"good"];
/// Indices of `State`.
pub const OPEN: u8 = 1;
pub const STAKED: u8 = 2;
pub const ANSWERED: u8 = 3;
pub const CHALLENGED: u8 = 4;
pub const SETTLED: u8 = 5;
pub const REFUNDED: u8 = 6;
pub const SLASHED: u8 = 7;

pub struct Setting {
    pub chain: Chain,
    pub escrow: Escrow,
    pub signers: BTreeMap<Address, SigningKey>,
}

impl Setting {
    /// Buyer, Alice and Bob have 1,000 each outside.
    pub fn new() -> Self {
        let mut chain = Chain::new(Fork::Osaka, CHAIN);
        let (verifier, _) = chain.deploy("test/MockVerifier", &[]);
        let escrow = Escrow::deploy(&mut chain, verifier);
        for account in [BUYER, ALICE, BOB] {
            chain.fund(account, 1_000);
        }
        chain.set_time(100);
        Self { chain, escrow, signers: BTreeMap::new() }
    }

    /// An account that can sign, with 1,000 outside.
    pub fn signer(&mut self, byte: u8) -> Address {
        let key = SigningKey::from_bytes(&[byte; 32].into()).unwrap();
        let point = key.verifying_key().to_encoded_point(false);
        let digest = keccak256(&[&point.as_bytes()[1..]]);
        let account = Address::from_slice(&digest[12..]);
        self.chain.fund(account, 1_000);
        self.signers.insert(account, key);
        account
    }

    /// The signature of an answer.
    pub fn sign(&self, signer: Address, chain_id: u64, job: [u8; 32], output: &[u8]) -> Vec<u8> {
        let text = |text: &str| keccak256(&[text.as_bytes()]);
        let domain = keccak256(&[&words(&[
            &text(
                "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
            ),
            &text("zkinfer escrow"),
            &text("1"),
            &u128::from(chain_id),
            &self.escrow.at,
        ])]);
        let kind = text("Answer(bytes32 job,bytes32 output)");
        let answer = keccak256(&[&words(&[&kind, &job, &keccak256(&[output])])]);
        let digest = keccak256(&[b"\x19\x01", &domain, &answer]);
        let (signature, recovery) =
            self.signers[&signer].sign_prehash_recoverable(&digest).unwrap();
        [&signature.to_bytes()[..], &[27 + recovery.to_byte()]].concat()
    }

    pub fn id(&self, job: &Job) -> [u8; 32] {
        self.escrow.id(CHAIN, job.terms.buyer, job.terms.salt)
    }

    pub fn state(&mut self, job: &Job) -> u8 {
        let id = self.id(job);
        self.escrow.state(&mut self.chain, id)
    }

    /// What a proof for `payee` is bound to.
    pub fn binding(&self, job: &Job, payee: Address) -> Binding {
        let Terms { nonce, .. } = job.terms;
        Binding { chain_id: CHAIN, job: self.id(job), payee, expiry: 0, nonce }
    }

    pub fn open(&mut self, terms: Terms) -> Job {
        self.escrow.open(&mut self.chain, terms.buyer, terms.price, &terms).unwrap();
        Job::new(terms)
    }

    /// The job after `prover` has staked.
    pub fn staked(&mut self, mut job: Job, prover: Address) -> Job {
        let stake = job.terms.stake;
        self.escrow.act(&mut self.chain, "stake", prover, stake, &job).unwrap();
        job.progress.prover = prover;
        job
    }

    /// The job after its prover has answered.
    pub fn answered(&mut self, mut job: Job, output: &[u8]) -> Job {
        let prover = job.progress.prover;
        self.escrow.answer(&mut self.chain, prover, &job, output, &[]).unwrap();
        job.progress.output = keccak256(&[output]);
        job.progress.time = self.chain.time() + job.terms.window;
        job
    }

    /// The job after `challenger` has challenged the answer.
    pub fn challenged(&mut self, mut job: Job, challenger: Address) -> Job {
        let bond = job.terms.bond;
        self.escrow.act(&mut self.chain, "challenge", challenger, bond, &job).unwrap();
        job.progress.challenger = challenger;
        job.progress.time = self.chain.time() + job.terms.proof_time;
        job
    }

    pub fn act(&mut self, what: &str, from: Address, job: &Job) -> Called {
        self.escrow.act(&mut self.chain, what, from, 0, job)
    }

    pub fn submit(&mut self, job: &Job, payee: Address) -> Called {
        let binding = self.binding(job, payee);
        self.escrow.submit(&mut self.chain, account(0x55), job, &binding, GOOD)
    }

    pub fn credit(&mut self, account: Address) -> u128 {
        self.escrow.balance(&mut self.chain, ETHER, account)
    }

    /// What the escrow holds in ether.
    pub fn held(&mut self) -> u128 {
        let at = self.escrow.at;
        self.chain.ether(at)
    }
}

/// A bounty of 100 until 1,000.
pub fn terms() -> Terms {
    Terms {
        buyer: BUYER,
        salt: [1; 32],
        payee: Address::ZERO,
        key: [9; 32],
        input: keccak256(&[INPUT]),
        nonce: 7,
        token: ETHER,
        price: 100,
        stake: 0,
        deadline: 1_000,
        window: 0,
        proof_time: 0,
        bond: 0,
    }
}

/// A job that is answered first, and proven if somebody asks.
pub fn optimistic() -> Terms {
    Terms { stake: 20, window: 50, proof_time: 60, bond: 5, ..terms() }
}

/// The name of the error; nothing may have changed.
pub fn refused(
    setting: &mut Setting,
    job: &Job,
    call: impl FnOnce(&mut Setting) -> Called,
) -> String {
    let accounts = [BUYER, ALICE, BOB];
    let seen = |setting: &mut Setting| {
        let credits = accounts.map(|account| setting.credit(account));
        let outside = accounts.map(|account| setting.chain.ether(account));
        (setting.state(job), setting.held(), credits, outside)
    };
    let before = seen(setting);
    let reverted = call(setting).unwrap_err();
    assert_eq!(seen(setting), before, "{reverted:?}");
    reverted.name().to_owned()
}
