//! Calls of the escrow.

use revm::primitives::{Address, U256};
use zkinfer_verifier::{JobBinding, keccak256};

use crate::{
    Called, Chain,
    abi::{call, call_with_bytes, words},
    account,
};

const TERMS: &str = "(address,bytes32,address,bytes32,bytes32,uint64,address,uint128,uint128,uint64,\
                     uint64,uint64,uint128)";
const PROGRESS: &str = "(address,bytes32,uint64,address)";
const BINDING: &str = "(uint64,bytes32,address,uint64,uint64)";

/// Ether, among tokens.
pub const ETHER: Address = Address::ZERO;

/// As `Terms` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub buyer: Address,
    pub salt: [u8; 32],
    pub payee: Address,
    pub key: [u8; 32],
    pub input: [u8; 32],
    pub nonce: u64,
    pub token: Address,
    pub price: u128,
    pub stake: u128,
    pub deadline: u64,
    pub window: u64,
    pub proof_time: u64,
    pub bond: u128,
}

/// As `Progress` of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub prover: Address,
    pub output: [u8; 32],
    pub time: u64,
    pub challenger: Address,
}

/// As `Job` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    pub terms: Terms,
    pub progress: Progress,
}

/// As `Binding` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    pub chain_id: u64,
    pub job: [u8; 32],
    pub payee: Address,
    pub expiry: u64,
    pub nonce: u64,
}

impl Terms {
    fn encode(&self) -> Vec<u8> {
        let small = [self.nonce, self.deadline, self.window, self.proof_time].map(u128::from);
        let [nonce, deadline, window, proof_time] = small;
        words(&[
            &self.buyer,
            &self.salt,
            &self.payee,
            &self.key,
            &self.input,
            &nonce,
            &self.token,
            &self.price,
            &self.stake,
            &deadline,
            &window,
            &proof_time,
            &self.bond,
        ])
    }
}

impl Job {
    pub fn new(terms: Terms) -> Self {
        Self { terms, progress: Progress::default() }
    }

    pub fn encode(&self) -> Vec<u8> {
        let Progress { prover, output, time, challenger } = self.progress;
        let progress = words(&[&prover, &output, &u128::from(time), &challenger]);
        [self.terms.encode(), progress].concat()
    }
}

impl Binding {
    /// What a proof is bound to.
    pub fn digest(&self) -> [u8; 32] {
        let Self { chain_id, job, payee, expiry, nonce } = *self;
        JobBinding { chain_id, job_id: job, payee: payee.into(), expiry, nonce }.digest()
    }

    fn encode(&self) -> Vec<u8> {
        let Self { chain_id, job, payee, expiry, nonce } = self;
        let [chain_id, expiry, nonce] = [*chain_id, *expiry, *nonce].map(u128::from);
        words(&[&chain_id, job, payee, &expiry, &nonce])
    }
}

/// The escrow on a chain.
#[derive(Clone, Copy, Debug)]
pub struct Escrow {
    pub at: Address,
    /// What opens commitments.
    pub opening: Address,
}

impl Escrow {
    pub fn deploy(chain: &mut Chain, verifier: Address) -> Self {
        let (opening, _) = chain.deploy_opening();
        let (at, _) = chain.deploy("ZkinferEscrow", &words(&[&verifier, &opening]));
        Self { at, opening }
    }

    /// The name of a job.
    pub fn id(&self, chain_id: u64, buyer: Address, salt: [u8; 32]) -> [u8; 32] {
        keccak256(&[&words(&[&u128::from(chain_id), &self.at, &buyer, &salt])])
    }

    pub fn open(&self, chain: &mut Chain, from: Address, wei: u128, terms: &Terms) -> Called {
        let data = call_with_bytes(&format!("open({TERMS})"), &terms.encode(), &[]);
        chain.send(from, self.at, wei, data)
    }

    /// `stake`, `challenge`, `finalize`, `refund` or `slash`.
    pub fn act(
        &self,
        chain: &mut Chain,
        what: &str,
        from: Address,
        wei: u128,
        job: &Job,
    ) -> Called {
        chain.send(from, self.at, wei, Self::act_data(what, job))
    }

    pub fn act_data(what: &str, job: &Job) -> Vec<u8> {
        call_with_bytes(&format!("{what}(({TERMS},{PROGRESS}))"), &job.encode(), &[])
    }

    pub fn submit(
        &self,
        chain: &mut Chain,
        from: Address,
        job: &Job,
        binding: &Binding,
        claim: [&[u8]; 3],
    ) -> Called {
        chain.send(from, self.at, 0, Self::submit_data(job, binding, claim))
    }

    /// `claim`: input, output and proof.
    pub fn submit_data(job: &Job, binding: &Binding, claim: [&[u8]; 3]) -> Vec<u8> {
        Self::submitted("submit", job, binding, claim)
    }

    /// `claim`: input, opening of the output, and proof.
    pub fn submit_opened(
        &self,
        chain: &mut Chain,
        from: Address,
        job: &Job,
        binding: &Binding,
        claim: [&[u8]; 3],
    ) -> Called {
        let data = Self::submitted("submitOpened", job, binding, claim);
        chain.send(from, self.at, 0, data)
    }

    pub fn prove_joint(
        &self,
        chain: &mut Chain,
        key: [u8; 32],
        root: [u8; 32],
        proof: &[u8],
    ) -> Called {
        let head = [key, root].concat();
        let data = call_with_bytes("proveJoint(bytes32,bytes32,bytes)", &head, &[proof]);
        chain.send(account(0x77), self.at, 0, data)
    }

    /// `claim`: input, opening of the output, and path.
    pub fn submit_leaf(
        &self,
        chain: &mut Chain,
        job: &Job,
        binding: &Binding,
        index: u128,
        claim: [&[u8]; 3],
    ) -> Called {
        let head = [job.encode(), binding.encode(), words(&[&index])].concat();
        let signature =
            format!("submitLeaf(({TERMS},{PROGRESS}),{BINDING},uint256,bytes,bytes,bytes)");
        chain.send(account(0x77), self.at, 0, call_with_bytes(&signature, &head, &claim))
    }

    fn submitted(name: &str, job: &Job, binding: &Binding, claim: [&[u8]; 3]) -> Vec<u8> {
        let head = [job.encode(), binding.encode()].concat();
        let signature = format!("{name}(({TERMS},{PROGRESS}),{BINDING},bytes,bytes,bytes)");
        call_with_bytes(&signature, &head, &claim)
    }

    pub fn answer(
        &self,
        chain: &mut Chain,
        from: Address,
        job: &Job,
        output: &[u8],
        signature: &[u8],
    ) -> Called {
        let name = format!("answer(({TERMS},{PROGRESS}),bytes,bytes)");
        let data = call_with_bytes(&name, &job.encode(), &[output, signature]);
        chain.send(from, self.at, 0, data)
    }

    /// `claim`: input, output and proof.
    pub fn contradict(
        &self,
        chain: &mut Chain,
        job: &Job,
        binding: [u8; 32],
        claim: [&[u8]; 3],
    ) -> Called {
        let name = format!("contradict(({TERMS},{PROGRESS}),bytes32,bytes,bytes,bytes)");
        let head = [job.encode(), binding.to_vec()].concat();
        chain.send(job.terms.buyer, self.at, 0, call_with_bytes(&name, &head, &claim))
    }

    pub fn equivocate(
        &self,
        chain: &mut Chain,
        job: &Job,
        output: [u8; 32],
        signature: &[u8],
    ) -> Called {
        let name = format!("equivocate(({TERMS},{PROGRESS}),bytes32,bytes)");
        let head = [job.encode(), output.to_vec()].concat();
        let data = call_with_bytes(&name, &head, &[signature]);
        chain.send(job.terms.buyer, self.at, 0, data)
    }

    pub fn deposit(
        &self,
        chain: &mut Chain,
        from: Address,
        wei: u128,
        token: Address,
        amount: u128,
    ) -> Called {
        chain.send(from, self.at, wei, call("deposit(address,uint256)", &[&token, &amount]))
    }

    pub fn withdraw(
        &self,
        chain: &mut Chain,
        from: Address,
        token: Address,
        to: Address,
        amount: u128,
    ) -> Called {
        let data = call("withdraw(address,address,uint256)", &[&token, &to, &amount]);
        chain.send(from, self.at, 0, data)
    }

    pub fn balance(&self, chain: &mut Chain, token: Address, account: Address) -> u128 {
        let data = call("balanceOf(address,address)", &[&token, &account]);
        U256::from_be_slice(&chain.call(self.at, data).unwrap().output).to()
    }

    /// The state of a job, as a number.
    pub fn state(&self, chain: &mut Chain, job: [u8; 32]) -> u8 {
        chain.call(self.at, call("stateOf(bytes32)", &[&job])).unwrap().output[31]
    }
}
