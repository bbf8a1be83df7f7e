//! Proofs of several claims: the proof is taken once, and each claim pays its own payee for its own
//! job, once.

use revm::primitives::Address;
use zkinfer_contracts::{LeafCall, opening_bytes};
use zkinfer_contracts_evm::{
    Called, Chain,
    abi::{Word, call},
    escrow::{Binding, Job, Terms},
};
use zkinfer_verifier::{
    Blinding, ClaimedValues, Commitment, Digest, Fr, InferenceClaim, JobBinding, KeyDigest, Leaf,
    Opening, TensorLayout, keccak256,
};

use crate::setting::*;

/// A key of three claims, of the mock.
const KEY: [u8; 32] = {
    let mut key = [0; 32];
    key[1] = 3;
    key
};
const INPUTS: u64 = 1_000;

/// Three jobs under one root: the first and the last are Alice's, the second is Bob's.
struct Joint {
    setting: Setting,
    jobs: Vec<Job>,
    bindings: Vec<Binding>,
    openings: Vec<Vec<u8>>,
    leaves: Vec<Leaf>,
    root: [u8; 32],
}

fn input(index: u64) -> Commitment {
    Commitment::from_scalar(Fr::from(INPUTS + index))
}

fn output(index: u64) -> (Commitment, Vec<u8>) {
    let (name, shape, scales) = ("y".into(), vec![2], vec![1.0]);
    let tensor = TensorLayout { name, shape, scales, lo: -8, hi: 119, classes: None };
    let values = vec![i64::try_from(index).unwrap(), -8];
    let opening = Opening { values, blinding: Blinding::from_scalar(Fr::from(77 + index)) };
    let tensors = [tensor];
    (opening.commitment(&tensors).unwrap(), opening_bytes(&tensors, &opening).unwrap())
}

impl Joint {
    fn new() -> Self {
        let mut setting = Setting::new();
        let terms = |index: u64| Terms {
            salt: [u8::try_from(index).unwrap(); 32],
            key: KEY,
            input: keccak256(&[&input(index).to_bytes()]),
            nonce: index,
            ..terms()
        };
        let jobs: Vec<Job> = (0..3).map(|index| setting.open(terms(index))).collect();
        let payees = [ALICE, BOB, ALICE];
        let bindings = jobs.iter().zip(payees).map(|(job, payee)| setting.binding(job, payee));
        let bindings: Vec<Binding> = bindings.collect();
        let (outputs, openings): (Vec<_>, Vec<_>) = (0..3).map(output).unzip();
        let claims: Vec<_> = (0..)
            .zip(&bindings)
            .zip(outputs)
            .map(|((index, binding), output)| claim(binding, input(index), output))
            .collect();
        let leaves = Leaf::of_all(&claims).unwrap();
        let root = leaves[0].root(&claims[0], 3).unwrap();
        let root = Commitment::from_scalar(root).to_bytes();
        Self { setting, jobs, bindings, openings, leaves, root }
    }

    fn prove(&mut self) -> Called {
        let proof = keccak256(&[&self.root]);
        self.setting.escrow.prove_joint(&mut self.setting.chain, KEY, self.root, &proof)
    }

    /// Claim `index` as it is.
    fn leaf(&self, index: usize) -> Submitted {
        let siblings = &self.leaves[index].path;
        Submitted {
            job: self.jobs[index],
            binding: self.bindings[index],
            index: index as u128,
            input: input(index as u64).to_bytes().to_vec(),
            opening: self.openings[index].clone(),
            path: siblings.iter().flat_map(|s| Commitment::from_scalar(*s).to_bytes()).collect(),
        }
    }

    /// The name of the error of a claim that is not paid.
    fn refused(&mut self, submitted: &Submitted) -> String {
        refused(&mut self.setting, &submitted.job, |setting| submitted.to(setting))
    }
}

/// What the library says of the claim.
fn claim(binding: &Binding, input: Commitment, output: Commitment) -> InferenceClaim {
    let Binding { chain_id, job, payee, expiry, nonce } = *binding;
    InferenceClaim {
        model: KeyDigest(Digest(KEY)),
        input: ClaimedValues::Committed(input),
        output: ClaimedValues::Committed(output),
        binding: JobBinding { chain_id, job_id: job, payee: payee.into(), expiry, nonce },
    }
}

/// A call of `submitLeaf`.
#[derive(Clone)]
struct Submitted {
    job: Job,
    binding: Binding,
    index: u128,
    input: Vec<u8>,
    opening: Vec<u8>,
    path: Vec<u8>,
}

impl Submitted {
    fn to(&self, setting: &mut Setting) -> Called {
        let claim = [&self.input[..], &self.opening, &self.path];
        let Self { job, binding, index, .. } = self;
        setting.escrow.submit_leaf(&mut setting.chain, job, binding, *index, claim)
    }
}

#[test]
fn each_claim_pays_its_own_payee_for_its_own_job_once() {
    let mut joint = Joint::new();
    let first = joint.leaf(0);
    assert_eq!(joint.refused(&first), "NotProven");
    let logs = joint.prove().unwrap().logs;
    assert_eq!(logs[0].0[1..], [KEY, joint.root]);
    assert_eq!(joint.setting.credit(ALICE), 0, "a proof alone pays nobody");
    for (index, [alice, bob]) in [[100, 0], [100, 100], [200, 100]].into_iter().enumerate() {
        let leaf = joint.leaf(index);
        leaf.to(&mut joint.setting).unwrap();
        let credits = [ALICE, BOB].map(|account| joint.setting.credit(account));
        assert_eq!((joint.setting.state(&leaf.job), credits), (SETTLED, [alice, bob]));
        assert_eq!(joint.refused(&leaf), "AlreadySettled");
        // The proof may come again; it pays nobody twice.
        joint.prove().unwrap();
        assert_eq!(joint.refused(&leaf), "AlreadySettled");
    }
}

#[test]
fn no_lie_about_a_claim_is_paid() {
    let mut joint = Joint::new();
    joint.prove().unwrap();
    let edits: [(&str, &str, fn(&mut Submitted, &Joint)); 16] = [
        ("another payee", "NotProven", |leaf, _| leaf.binding.payee = BOB),
        ("another expiry", "NotProven", |leaf, _| leaf.binding.expiry = 5_000),
        ("another nonce", "OtherNonce", |leaf, _| leaf.binding.nonce += 1),
        ("another chain", "OtherChain", |leaf, _| leaf.binding.chain_id += 1),
        ("another job", "UnknownJob", |leaf, joint| leaf.binding.job = joint.bindings[1].job),
        ("another's job", "OtherInput", |leaf, joint| {
            leaf.job = joint.jobs[1];
            leaf.binding = Binding { payee: ALICE, ..joint.bindings[1] };
        }),
        ("another's job and input", "NotProven", |leaf, joint| {
            let input = joint.leaf(1).input;
            leaf.job = joint.jobs[1];
            leaf.binding = Binding { payee: ALICE, ..joint.bindings[1] };
            leaf.input = input;
        }),
        ("another input", "OtherInput", |leaf, joint| leaf.input = joint.leaf(1).input),
        ("a longer input", "OtherInput", |leaf, _| leaf.input.push(0)),
        ("another output", "NotProven", |leaf, joint| leaf.opening = joint.leaf(1).opening),
        ("no opening", "MalformedOpening", |leaf, _| leaf.opening.clear()),
        ("another place", "NotProven", |leaf, _| leaf.index = 1),
        ("no such place", "Path", |leaf, _| leaf.index = 3),
        ("a place far out", "Path", |leaf, _| leaf.index = u128::MAX),
        ("another path", "NotProven", |leaf, joint| {
            leaf.index = 1;
            leaf.path = joint.leaf(1).path;
        }),
        ("a shorter path", "Path", |leaf, _| leaf.path.truncate(32)),
    ];
    for (what, name, edit) in edits {
        let mut leaf = joint.leaf(0);
        edit(&mut leaf, &joint);
        assert_eq!(joint.refused(&leaf), name, "{what}");
    }
    let honest = joint.leaf(0);
    honest.to(&mut joint.setting).unwrap();
}

#[test]
fn a_root_counts_under_its_key_only_and_with_a_proof() {
    let mut joint = Joint::new();
    let root = joint.root;
    let proof = keccak256(&[&root]);
    let Setting { chain, escrow, .. } = &mut joint.setting;
    let mut prove = |key, root, proof: &[u8]| {
        let called = escrow.prove_joint(chain, key, root, proof);
        called.map(|_| ()).map_err(|reverted| reverted.name().to_owned())
    };
    let mut other = KEY;
    other[31] = 1;
    assert_eq!(prove(KEY, root, b"bad"), Err("Pairing".to_owned()));
    assert_eq!(prove([0; 32], root, &proof), Err("Single".to_owned()));
    assert_eq!(prove([9; 32], root, &proof), Err("Single".to_owned()));
    assert_eq!(prove(other, root, &proof), Ok(()));
    let is_proven = |chain: &mut Chain, at: Address, key: [u8; 32]| {
        let data = call("isProven(bytes32,bytes32)", &[&key, &root]);
        chain.call(at, data).unwrap().output == 1u128.word()
    };
    let at = escrow.at;
    assert!(is_proven(&mut *chain, at, other));
    assert!(!is_proven(&mut *chain, at, KEY));
    let leaf = joint.leaf(0);
    assert_eq!(joint.refused(&leaf), "NotProven");
}

/// A key of several claims has no proof of one, and a key of one has no claims of several.
#[test]
fn jobs_of_one_claim_and_of_several_are_not_taken_for_each_other() {
    let mut joint = Joint::new();
    joint.prove().unwrap();
    let Submitted { job, binding, input, opening, .. } = joint.leaf(0);
    let alone = refused(&mut joint.setting, &job, |s| {
        let claim = [&input[..], &opening, b"good"];
        s.escrow.submit_opened(&mut s.chain, ALICE, &job, &binding, claim)
    });
    assert_eq!(alone, "Joint");
    let terms = Terms { salt: [7; 32], key: [0; 32], ..job.terms };
    let single = joint.setting.open(terms);
    let mut leaf = joint.leaf(0);
    leaf.job = single;
    leaf.binding = joint.setting.binding(&single, ALICE);
    leaf.index = 0;
    assert_eq!(joint.refused(&leaf), "Path");
    leaf.path.clear();
    assert_eq!(joint.refused(&leaf), "NotProven");
}

/// What `zkinfer contract` prints is what the escrow takes.
#[test]
fn the_calldata_of_the_library_is_what_the_escrow_takes() {
    let mut joint = Joint::new();
    let call = LeafCall {
        key: zkinfer_contracts::KeyId(Digest(KEY)),
        root: joint.root,
        proof: keccak256(&[&joint.root]).to_vec(),
        claims: 3,
        index: 0,
        binding: [0; 32],
        input: [0; 32],
        output: [0; 32],
        path: Vec::new(),
    };
    let Setting { chain, escrow, .. } = &mut joint.setting;
    chain.send(ALICE, escrow.at, 0, call.prove_calldata()).unwrap();
    let leaf = joint.leaf(2);
    leaf.to(&mut joint.setting).unwrap();
    assert_eq!(joint.setting.credit(ALICE), 100);
}
