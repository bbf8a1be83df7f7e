//! Proofs of several claims: the contracts hash claims to the library's root, and refuse every lie
//! about one of them by the check of the same name.

use std::{fs, path::Path};

use revm::primitives::Address;
use zkinfer_contracts::{Call, ContractError, KeyData, LeafCall, batch_calldata};
use zkinfer_contracts_evm::{Called, Chain, Fork, account};
use zkinfer_verifier::{
    ClaimedValues, Commitment, Digest, Fr, InferenceClaim, JobBinding, KeyDigest, Leaf, Proof,
    ProofFile, SrsPolicy, VerifyError, VerifyingKey,
};

/// A key of two claims, and a proof of both.
struct Joint {
    key: VerifyingKey,
    data: KeyData,
    files: [ProofFile; 2],
}

fn joint() -> Joint {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../settlement/tests/vectors");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let key = VerifyingKey::decode(&read("joint.zkvk")).unwrap();
    let data = KeyData::new(&key).unwrap();
    let file = |index| ProofFile::decode(&read(&format!("joint-{index}.zkproof"))).unwrap();
    Joint { key, data, files: [0, 1].map(file) }
}

/// A key of one claim, and a proof of it.
fn single() -> (VerifyingKey, KeyData, ProofFile) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../verifier/vectors");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let key = VerifyingKey::decode(&read("digits_mlp_hidden.zkvk")).unwrap();
    let data = KeyData::new(&key).unwrap();
    let file = ProofFile::decode(&read("digits_mlp_hidden-1.zkproof")).unwrap();
    (key, data, file)
}

/// A chain with verifier, what hashes claims, and keys.
struct Contracts {
    chain: Chain,
    verifier: Address,
    opening: Address,
}

impl Contracts {
    fn new(fork: Fork, keys: &[(&VerifyingKey, &KeyData)]) -> Self {
        let mut chain = Chain::new(fork, 1);
        let (verifier, _) = chain.deploy("ZkinferVerifier", &keys[0].0.srs_digest().0.0);
        for (_, data) in keys {
            chain.send(account(1), verifier, 0, data.register_calldata()).unwrap();
        }
        let (opening, _) = chain.deploy_opening();
        Self { chain, verifier, opening }
    }

    fn root(&mut self, call: &LeafCall) -> Called {
        self.chain.call(self.opening, call.root_calldata())
    }

    fn verify(&mut self, call: &LeafCall) -> Called {
        self.chain.call(self.verifier, call.verify_calldata())
    }

    /// The claim's root, and a proof of that.
    fn both(&mut self, call: &LeafCall) -> Called {
        let root = self.root(call)?.output.try_into().unwrap();
        self.verify(&LeafCall { root, ..call.clone() })
    }
}

/// Claims that commit to something, each bound to something else.
fn claims(count: u64) -> Vec<InferenceClaim> {
    let committed = |scalar| ClaimedValues::Committed(Commitment::from_scalar(scalar));
    let claim = |index: u64| InferenceClaim {
        model: KeyDigest(Digest([1; 32])),
        input: committed(-Fr::from(1 + index)),
        output: committed(Fr::from(index << 60)),
        binding: JobBinding { nonce: u64::MAX - index, ..JobBinding::NONE },
    };
    (0..count).map(claim).collect()
}

/// The call for a claim without a key or a proof.
fn of_tree(claim: &InferenceClaim, leaf: &Leaf, claims: u32) -> LeafCall {
    let word = |values: &ClaimedValues| match values {
        ClaimedValues::Committed(commitment) => commitment.to_bytes(),
        ClaimedValues::Public(_) => panic!("every claim is committed"),
    };
    let big = |scalar: &Fr| Commitment::from_scalar(*scalar).to_bytes();
    LeafCall {
        key: joint().data.id(),
        root: leaf.root(claim, claims).map_or([0; 32], |root| big(&root)),
        proof: Vec::new(),
        claims,
        index: leaf.index,
        binding: claim.binding.digest(),
        input: word(&claim.input),
        output: word(&claim.output),
        path: leaf.path.iter().flat_map(big).collect(),
    }
}

#[test]
fn claims_are_hashed_to_the_root_of_the_library() {
    let joint = joint();
    let mut contracts = Contracts::new(Fork::Osaka, &[(&joint.key, &joint.data)]);
    for count in [1, 2, 3, 4, 5, 7, 8, 9, 13, 32] {
        let claims = claims(count);
        let claim_count = u32::try_from(count).unwrap();
        let mut roots = Vec::new();
        for (claim, leaf) in claims.iter().zip(Leaf::of_all(&claims).unwrap()) {
            let place = format!("{} of {count}", leaf.index);
            let call = of_tree(claim, &leaf, claim_count);
            let root = contracts.root(&call).unwrap().output;
            assert_eq!(root, call.root, "{place}");
            roots.push(root);
            // At every other place it is no claim under this root, or there is no such path.
            for index in (0..=claim_count).filter(|&index| index != leaf.index) {
                let lie = Leaf { index, ..leaf.clone() };
                let call = of_tree(claim, &lie, claim_count);
                match lie.root(claim, claim_count) {
                    Some(other) => {
                        let got = contracts.root(&call).unwrap().output;
                        assert_eq!(got, Commitment::from_scalar(other).to_bytes(), "{place}");
                        assert_ne!(got, roots[0], "{place}");
                    }
                    None => {
                        assert_eq!(contracts.root(&call).unwrap_err().name(), "Path", "{place}")
                    }
                }
            }
        }
        assert!(roots.iter().all(|root| *root == roots[0]), "{count}");
    }
}

#[test]
fn a_path_and_its_scalars_have_one_form() {
    let joint = joint();
    let mut contracts = Contracts::new(Fork::Osaka, &[(&joint.key, &joint.data)]);
    let honest = LeafCall::new(&joint.key, &joint.data, &joint.files[1]).unwrap();
    assert_eq!(contracts.root(&honest).unwrap().output, honest.root);
    let mut name = |edit: fn(&mut LeafCall)| {
        let mut call = honest.clone();
        edit(&mut call);
        contracts.root(&call).unwrap_err().name().to_owned()
    };
    assert_eq!(name(|call| call.path.push(0)), "Path");
    assert_eq!(name(|call| call.path.extend([0; 32])), "Path");
    assert_eq!(name(|call| call.path.truncate(31)), "Path");
    assert_eq!(name(|call| call.path.clear()), "Path");
    assert_eq!(name(|call| call.index = 2), "Path");
    assert_eq!(name(|call| call.index = u32::MAX), "Path");
    assert_eq!(name(|call| call.claims = 0), "Path");
    assert_eq!(name(|call| call.claims = 1), "Path");
    assert_eq!(name(|call| call.claims = 3), "Path");
    assert_eq!(name(|call| call.claims = u32::MAX), "Path");
    assert_eq!(name(|call| call.path.fill(0xff)), "LeafScalar");
    assert_eq!(name(|call| call.input = [0xff; 32]), "LeafScalar");
    assert_eq!(name(|call| call.output = [0xff; 32]), "LeafScalar");
}

#[test]
fn each_claim_of_a_real_proof_is_accepted_on_both_forks() {
    let Joint { key, data, files } = joint();
    for fork in Fork::ALL {
        let mut contracts = Contracts::new(fork, &[(&key, &data)]);
        let calls = files.each_ref().map(|file| LeafCall::new(&key, &data, file).unwrap());
        for (call, file) in calls.iter().zip(&files) {
            let proven = file.proves(&key, &file.claim, SrsPolicy::AllowInsecureDev).unwrap();
            assert_eq!(*proven.claim(), file.claim);
            contracts.both(call).unwrap();
            assert_eq!(contracts.root(call).unwrap().output, call.root);
        }
        assert_eq!(calls[0].verify_calldata(), calls[1].verify_calldata(), "one proof");
    }
}

/// Every lie about one claim leads to another root, of which there is no proof.
#[test]
fn no_claim_of_a_proof_can_be_another() {
    let Joint { key, data, files } = joint();
    let mut contracts = Contracts::new(Fork::Osaka, &[(&key, &data)]);
    let mut check = |lie: &ProofFile, place: &str| {
        let verdict = lie.proves(&key, &lie.claim, SrsPolicy::AllowInsecureDev).unwrap_err();
        let name = match verdict {
            VerifyError::Pairing => "Pairing",
            VerifyError::Path { .. } => "Path",
            other => panic!("no lie of this test gives {other:?}"),
        };
        match LeafCall::new(&key, &data, lie) {
            Ok(call) => assert_eq!(contracts.both(&call).unwrap_err().name(), name, "{place}"),
            Err(error) => assert_eq!((error, name), (ContractError::Place { claims: 2 }, "Path")),
        }
    };
    let edits: [(&str, fn(&mut ProofFile)); 10] = [
        ("chain", |file| file.claim.binding.chain_id += 1),
        ("job", |file| file.claim.binding.job_id[0] ^= 1),
        ("payee", |file| file.claim.binding.payee[19] ^= 1),
        ("expiry", |file| file.claim.binding.expiry += 1),
        ("nonce", |file| file.claim.binding.nonce += 1),
        ("sides", |file| std::mem::swap(&mut file.claim.input, &mut file.claim.output)),
        ("output", |file| {
            file.claim.output = ClaimedValues::Committed(Commitment::from_scalar(Fr::from(5)));
        }),
        ("place", |file| file.leaf.as_mut().unwrap().index ^= 1),
        ("no place", |file| file.leaf.as_mut().unwrap().index += 2),
        ("sibling", |file| file.leaf.as_mut().unwrap().path[0] += Fr::from(1)),
    ];
    for file in &files {
        for (place, edit) in edits {
            let mut lie = file.clone();
            edit(&mut lie);
            check(&lie, place);
        }
    }
    // The claim of one with the path of the other, and one twice.
    let [first, second] = &files;
    let with_path = ProofFile { leaf: second.leaf.clone(), ..first.clone() };
    check(&with_path, "another's place");
    let twice = Leaf::of_all(&[first.claim.clone(), first.claim.clone()]).unwrap();
    for leaf in twice {
        check(&ProofFile { leaf: Some(leaf), ..first.clone() }, "a claim twice");
    }
    // A node of the tree as a claim: the root as a commitment.
    let root = LeafCall::new(&key, &data, first).unwrap().root;
    let mut node = first.clone();
    node.claim.output = ClaimedValues::Committed(Commitment::from_bytes(&root).unwrap());
    check(&node, "a node as a commitment");
    // A proof with another byte.
    let mut bytes = first.proof.as_bytes().to_vec();
    let last = bytes.len() - 33;
    bytes[last] ^= 1;
    if LeafCall::new(&key, &data, &ProofFile { proof: Proof::new(bytes.clone()), ..first.clone() })
        .is_ok()
    {
        check(&ProofFile { proof: Proof::new(bytes), ..first.clone() }, "another proof");
    }
}

/// A proof of several claims is no proof of one, nor the other way round: what a claim of one is
/// bound to would not be looked at.
#[test]
fn keys_of_one_claim_and_of_several_are_not_taken_for_each_other() {
    let Joint { key, data, files } = joint();
    let (single_key, single_data, single_file) = single();
    let keys = [(&key, &data), (&single_key, &single_data)];
    let mut contracts = Contracts::new(Fork::Osaka, &keys);
    let mut name = |calldata: Vec<u8>| {
        contracts.chain.call(contracts.verifier, calldata).unwrap_err().name().to_owned()
    };
    let joint = LeafCall::new(&key, &data, &files[0]).unwrap();
    let alone = Call::new(&single_key, &single_data, &single_file.claim, &single_file.proof);
    let alone = alone.unwrap();
    let of_joint = Call { key: data.id(), ..alone.clone() };
    assert_eq!(name(of_joint.verify_calldata()), "Joint");
    // The root in the place of an input, whatever the claim is bound to.
    let bare = Call { input: joint.root.into(), output: Vec::new(), ..of_joint };
    let bare = Call { proof: joint.proof.clone(), ..bare };
    assert_eq!(name(bare.verify_calldata()), "Joint");
    assert_eq!(name(batch_calldata(&[bare.clone()])), "Joint");
    assert_eq!(name(batch_calldata(&[alone.clone(), bare])), "Joint");
    let of_single = LeafCall { key: single_data.id(), ..joint.clone() };
    assert_eq!(name(of_single.verify_calldata()), "Single");
    // Calldata of `verifyJoint` have one form, too: nothing is bound beside the root.
    let good = joint.verify_calldata();
    let mut bound = good.clone();
    bound[4 + 32 + 32 + 31] ^= 1;
    assert_eq!(name(bound), "MalformedCalldata");
    let mut longer = good.clone();
    longer.extend([0; 32]);
    assert_eq!(name(longer), "MalformedCalldata");
    let unknown = LeafCall { key: zkinfer_contracts::KeyId(Digest([7; 32])), ..joint.clone() };
    assert_eq!(name(unknown.verify_calldata()), "UnknownKey");
    let outside = LeafCall { root: [0xff; 32], ..joint };
    assert_eq!(name(outside.verify_calldata()), "InputRange");
    let refused = Call::new(&key, &data, &files[0].claim, &files[0].proof);
    assert_eq!(refused, Err(ContractError::Place { claims: 2 }));
    let refused = LeafCall::new(&single_key, &single_data, &single_file);
    assert_eq!(refused, Err(ContractError::Place { claims: 1 }));
    let alone = ProofFile { leaf: None, ..files[0].clone() };
    assert_eq!(LeafCall::new(&key, &data, &alone), Err(ContractError::Place { claims: 2 }));
}

#[test]
fn how_many_claims_a_key_is_about_is_told() {
    let Joint { key, data, .. } = joint();
    let (single_key, single_data, _) = single();
    let keys = [(&key, &data), (&single_key, &single_data)];
    let mut contracts = Contracts::new(Fork::Osaka, &keys);
    for ((key, data), expected) in keys.into_iter().zip([2, 1]) {
        assert_eq!(key.parts().layout.claims, expected);
        let call = zkinfer_contracts_evm::abi::call("claimsOf(bytes32)", &[&data.id().0.0]);
        let output = contracts.chain.call(contracts.verifier, call).unwrap().output;
        assert_eq!(u32::from(output[31]), expected);
    }
    let call = zkinfer_contracts_evm::abi::call("claimsOf(bytes32)", &[&[7; 32]]);
    assert_eq!(contracts.chain.call(contracts.verifier, call).unwrap_err().name(), "UnknownKey");
}
