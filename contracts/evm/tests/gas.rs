//! What everything costs, on both forks: `../gas.txt` must say so. `GAS=write` rewrites it.

mod known;

use std::{fmt::Write as _, fs, path::Path};

use revm::primitives::Address;
use zkinfer_contracts::{Call, LeafCall, batch_calldata};
use zkinfer_contracts_evm::{
    Chain, Fork,
    abi::{call_with_bytes, words},
    account,
    escrow::{Binding, ETHER, Escrow, Job, Terms},
};
use zkinfer_verifier::keccak256;

use known::{Known, chain, known, planned, planned_jointly};

const BUYER: Address = Address::repeat_byte(0x0b);
const PAYEE: Address = Address::repeat_byte(0xa1);

struct Table {
    fork: Fork,
    text: String,
}

impl Table {
    fn row(&mut self, name: &str, what: &str, gas: u64) {
        writeln!(self.text, "{} {name} {what} {gas}", self.fork.name()).unwrap();
    }
}

fn calls(known: &Known) -> Vec<Call> {
    let Known { key, data, files, .. } = known;
    files.iter().map(|file| Call::new(key, data, &file.claim, &file.proof).unwrap()).collect()
}

fn of_keys(table: &mut Table, keys: &[Known]) {
    let mut fresh = Chain::new(table.fork, 1);
    let srs = keys[0].key.srs_digest().0.0;
    let (verifier, deployed) = fresh.deploy("ZkinferVerifier", &srs);
    table.row("verifier", "deploy", deployed);
    for known in keys {
        let name = &known.name;
        let registered = fresh.send(account(1), verifier, 0, known.data.register_calldata());
        table.row(name, "register", registered.unwrap().gas);
        let calls = calls(known);
        let mut verify = |data: Vec<u8>| fresh.send(account(1), verifier, 0, data).unwrap().gas;
        let one = verify(calls[0].verify_calldata());
        table.row(name, "verify", one);
        let eight: Vec<Call> = calls.iter().cycle().take(8).cloned().collect();
        let together = verify(batch_calldata(&eight));
        table.row(name, "verify-8", together);
        let apart: u64 = eight.iter().map(|call| verify(call.verify_calldata())).sum();
        let share = 100 * together / apart;
        // Many public values are read and paid for in each claim, whatever the key.
        let values: usize = known.key.parts().layout.placement.column_lengths().iter().sum();
        // At Amsterdam the bytes of large proofs have a floor of their own, which nothing shares.
        let limit = match (values > 100, table.fork) {
            (true, _) => 80,
            (false, Fork::Osaka) => 70,
            (false, Fork::Amsterdam) => 72,
        };
        assert!(share <= limit, "{name}: eight together cost {share} % of eight alone");
    }
}

/// One proof each of eight keys, planned for gas, in a call.
fn of_different_keys(table: &mut Table, keys: &[Known]) {
    let (mut chain, verifier) = chain(table.fork, keys);
    let eight: Vec<Call> = keys.iter().map(|known| calls(known)[0].clone()).collect();
    assert_eq!(eight.len(), 8);
    let mut verify = |data: Vec<u8>| chain.send(account(1), verifier, 0, data).unwrap().gas;
    let together = verify(batch_calldata(&eight));
    let apart: u64 = eight.iter().map(|call| verify(call.verify_calldata())).sum();
    table.row("eight-keys", "verify-8", together);
    table.row("eight-keys", "verify-apart", apart);
    // Base and pairing are shared, points are not.
    assert!(100 * together <= 85 * apart, "{} %", 100 * together / apart);
}

/// Proofs of several claims: the proof, and the way from a claim to their root.
fn of_joint(table: &mut Table, keys: &[Known]) {
    let (mut chain, verifier) = chain(table.fork, keys);
    let (opening, _) = chain.deploy_opening();
    let mut fresh = Chain::new(table.fork, 1);
    let (elsewhere, _) = fresh.deploy("ZkinferVerifier", &keys[0].key.srs_digest().0.0);
    for Known { name, key, data, files } in keys {
        let registered = fresh.send(account(1), elsewhere, 0, data.register_calldata());
        table.row(name, "register", registered.unwrap().gas);
        let call = LeafCall::new(key, data, &files[0]).unwrap();
        let proof = chain.send(account(1), verifier, 0, call.verify_calldata()).unwrap();
        table.row(name, "verify", proof.gas);
        let leaf = chain.send(account(1), opening, 0, call.root_calldata()).unwrap();
        assert_eq!(leaf.output, call.root);
        table.row(name, "root-of-a-claim", leaf.gas);
    }
}

/// A proof of so many claims that costs nothing, and one of its claims.
fn of_joint_escrow(table: &mut Table, (chain, escrow): (&mut Chain, Escrow), terms: Terms) {
    for claims in [8u8, 32] {
        let mut key = [0; 32];
        key[1] = claims;
        let input = [1; 32];
        let terms = Terms { salt: key, key, input: keccak256(&[&input]), ..terms };
        escrow.open(chain, BUYER, 100, &terms).unwrap();
        let job = escrow.id(1, BUYER, terms.salt);
        let binding = Binding { chain_id: 1, job, payee: PAYEE, expiry: 0, nonce: 1 };
        let mut opening = [&1u64.to_be_bytes()[..], &[0, 0, 0, 8], &[7; 32]].concat();
        opening.resize(75, 9);
        let output = call_with_bytes("commitment(bytes)", &[], &[&opening]);
        let output = chain.call(escrow.opening, output).unwrap().output;
        let path = vec![5; 32 * claims.ilog2() as usize];
        let words = [u128::from(claims), 0].map(|number| words(&[&number])).concat();
        let leaf = [&words[..], &binding.digest(), &input, &output].concat();
        let signature = "root((uint256,uint256,bytes32,bytes32,bytes32),bytes)";
        let root = call_with_bytes(signature, &leaf, &[&path]);
        let root: [u8; 32] = chain.call(escrow.opening, root).unwrap().output.try_into().unwrap();
        let proven = escrow.prove_joint(chain, key, root, &keccak256(&[&root])).unwrap();
        table.row("escrow", &format!("prove-joint-{claims}-beside-verify"), proven.gas);
        let claim: [&[u8]; 3] = [&input, &opening, &path];
        let paid = escrow.submit_leaf(chain, &Job::new(terms), &binding, 0, claim).unwrap();
        table.row("escrow", &format!("submit-leaf-of-{claims}"), paid.gas);
    }
}

/// A job of each kind, whose proof costs nothing.
fn of_escrow(table: &mut Table) {
    let mut chain = Chain::new(table.fork, 1);
    let (verifier, _) = chain.deploy("test/MockVerifier", &[]);
    let (opening, deployed) = chain.deploy_opening();
    table.row("opening", "deploy", deployed);
    for elements in [1, 26] {
        let count = 31 * elements as u64;
        let mut bytes = [&count.to_be_bytes()[..], &[0, 0, 0, 8], &[7; 32]].concat();
        bytes.resize(44 + 31 * elements, 9);
        let data = call_with_bytes("commitment(bytes)", &[], &[&bytes]);
        let opened = chain.send(account(1), opening, 0, data).unwrap();
        table.row("opening", &format!("{count}-values"), opened.gas);
    }
    let (at, deployed) = chain.deploy("ZkinferEscrow", &words(&[&verifier, &opening]));
    table.row("escrow", "deploy", deployed);
    let escrow = Escrow { at, opening };
    chain.fund(BUYER, 1_000);
    chain.fund(PAYEE, 1_000);
    let plain = Terms {
        buyer: BUYER,
        salt: [1; 32],
        payee: Address::ZERO,
        key: [9; 32],
        input: keccak256(&[b"input"]),
        nonce: 1,
        token: ETHER,
        price: 100,
        stake: 0,
        deadline: 1_000,
        window: 0,
        proof_time: 0,
        bond: 0,
    };
    let opened = escrow.open(&mut chain, BUYER, 100, &plain).unwrap();
    table.row("escrow", "open", opened.gas);
    let job = Job::new(plain);
    let id = escrow.id(1, BUYER, plain.salt);
    let binding = Binding { chain_id: 1, job: id, payee: PAYEE, expiry: 0, nonce: 1 };
    let claim: [&[u8]; 3] = [b"input", b"output", b"good"];
    let paid = escrow.submit(&mut chain, PAYEE, &job, &binding, claim).unwrap();
    table.row("escrow", "submit-beside-verify", paid.gas);
    let withdrawn = escrow.withdraw(&mut chain, PAYEE, ETHER, PAYEE, 100).unwrap();
    table.row("escrow", "withdraw", withdrawn.gas);
    let terms = Terms { salt: [2; 32], stake: 20, window: 50, proof_time: 50, bond: 5, ..plain };
    escrow.open(&mut chain, BUYER, 100, &terms).unwrap();
    let mut job = Job::new(terms);
    let staked = escrow.act(&mut chain, "stake", PAYEE, 20, &job).unwrap();
    table.row("escrow", "stake", staked.gas);
    job.progress.prover = PAYEE;
    let answered = escrow.answer(&mut chain, PAYEE, &job, b"output", &[]).unwrap();
    table.row("escrow", "answer", answered.gas);
    job.progress.output = keccak256(&[b"output"]);
    job.progress.time = chain.time() + 50;
    chain.set_time(job.progress.time + 1);
    let finished = escrow.act(&mut chain, "finalize", BUYER, 0, &job).unwrap();
    table.row("escrow", "finalize", finished.gas);
    of_joint_escrow(table, (&mut chain, escrow), plain);
}

#[test]
fn gas_is_what_the_snapshot_says() {
    let mut text = String::new();
    for fork in Fork::ALL {
        let mut table = Table { fork, text: String::new() };
        of_different_keys(&mut table, &planned());
        let mut keys = known();
        keys.retain(|known| !known.name.starts_with("format3"));
        keys.extend(planned());
        of_keys(&mut table, &keys);
        of_joint(&mut table, &planned_jointly());
        of_escrow(&mut table);
        text += &table.text;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gas.txt");
    if std::env::var("GAS").is_ok_and(|value| value == "write") {
        fs::write(path, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap();
    for (got, expected) in text.lines().zip(expected.lines()) {
        assert_eq!(got, expected, "GAS=write rewrites the snapshot");
    }
    assert_eq!(text.lines().count(), expected.lines().count());
}
