//! The fuzz targets over their corpus and a few thousand mutations of it: no panic, one spelling.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/lib.rs"]
pub mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
};

use targets::{TARGETS, TOY_KEY, TOY_PROOF, claim_bytes, verification_bytes};
use zkinfer_verifier::ProofFile;

/// Mutations of every file of the corpus.
const MUTATIONS: usize = 60;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

/// The saved files of a target, by name.
fn saved(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(corpus(target)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

const OPENING: &[u8] = include_bytes!("../vectors/digits_mlp_hidden-1.zkopening");

fn honest(target: &str) -> Vec<u8> {
    let file = ProofFile::decode(TOY_PROOF).unwrap();
    match target {
        "claim" => claim_bytes(&file.claim),
        "key" => TOY_KEY.to_vec(),
        "opening" => OPENING.to_vec(),
        "proof" => file.proof.as_bytes().to_vec(),
        "proof_file" => TOY_PROOF.to_vec(),
        "verification" => verification_bytes(TOY_KEY, TOY_PROOF),
        other => panic!("{other} has no honest input"),
    }
}

/// xorshift64*: the same mutations on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// Values at which lengths and numbers break.
const NASTY: [&[u8]; 8] = [
    &[0xff; 4],
    &[0; 4],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0; 32],
    &[0xff; 32],
    b"1e400",
    b"\"\"",
    b"[[[[[[[[",
];

fn mutated(original: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let to = at + random.below(bytes.len() - at);
        match random.below(7) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 if !bytes.is_empty() => bytes[at] = random.next().to_be_bytes()[0],
            3 => drop(bytes.drain(at..to)),
            4 => bytes.extend_from_within(at..to),
            5 => {
                let nasty = NASTY[random.below(NASTY.len())];
                bytes.splice(at..bytes.len().min(at + nasty.len()), nasty.iter().copied());
            }
            _ => drop(bytes.splice(at..to, other.iter().copied().skip(at).take(to - at))),
        }
    }
    bytes
}

#[test]
fn every_target_keeps_its_promises() {
    let mut total = 0;
    for (name, target) in TARGETS {
        let honest = honest(name);
        assert!(target(&honest), "{name}: the honest input is refused");
        let mut inputs = saved(name);
        assert!(inputs.len() >= 5, "{name}: {} files in the corpus", inputs.len());
        inputs.push(honest);
        let mut random = Random(0x5eed);
        let mut refused = 0;
        for (index, input) in inputs.iter().enumerate() {
            target(input);
            let other = &inputs[(index + 1) % inputs.len()];
            for _ in 0..MUTATIONS {
                refused += usize::from(!target(&mutated(input, other, &mut random)));
                total += 1;
            }
        }
        assert!(refused > inputs.len() * MUTATIONS / 2, "{name}: {refused} refused");
    }
    assert!(total > 2_000, "{total} mutations");
}

#[test]
#[ignore = "writes the seeds of the corpus, after a change of a format"]
fn write_the_seeds() {
    for (target, _) in TARGETS {
        fs::create_dir_all(corpus(target)).unwrap();
        for (name, bytes) in seeds(target) {
            fs::write(corpus(target).join(name), bytes).unwrap();
        }
    }
}

/// The honest input, and what breaks decoders.
fn seeds(target: &str) -> Vec<(&'static str, Vec<u8>)> {
    let honest = honest(target);
    let half = honest[..honest.len() / 2].to_vec();
    let trailing = [&honest[..], &[0]].concat();
    let mut seeds = vec![
        ("honest", honest.clone()),
        ("empty", Vec::new()),
        ("half", half),
        ("trailing", trailing),
        ("ones", vec![0xff; honest.len()]),
    ];
    let text = String::from_utf8(TOY_PROOF.to_vec()).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    };
    match target {
        "key" => seeds.extend(nasty_keys(&honest)),
        "proof" => {
            let with = |element: usize, value: [u8; 32]| {
                let mut bytes = honest.clone();
                bytes[element * 32..][..32].copy_from_slice(&value);
                bytes
            };
            let mut infinity = [0; 32];
            infinity[31] = 0x80;
            seeds.push(("infinite_point", with(0, infinity)));
            seeds.push(("zero_scalar", with(20, [0; 32])));
            seeds.push(("repeated_opening", with(47, honest[48 * 32..].try_into().unwrap())));
        }
        "proof_file" => seeds.extend(nasty_proof_files(edited)),
        "claim" => {
            let mut other_model = honest.clone();
            other_model[0] = 1;
            let mut many = honest;
            many[1] = 254;
            let mut committed = many.clone();
            committed[1] = 255;
            seeds.extend([
                ("other_model", other_model),
                ("many_elements", many),
                ("committed_input", committed),
            ]);
        }
        "opening" => {
            let text = String::from_utf8(honest).unwrap();
            let edited = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
            seeds.extend([
                ("large_blinding", edited("blinding\":\"", "blinding\":\"ffff")),
                ("no_output", edited("\"output\"", "\"nothing\"")),
            ]);
        }
        _ => seeds.push((
            "stolen_job",
            verification_bytes(TOY_KEY, &edited(&"03".repeat(20), &"ff".repeat(20))),
        )),
    }
    seeds
}

/// Numbers, keys and nesting at which JSON decoders break.
fn nasty_proof_files(edited: impl Fn(&str, &str) -> Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("huge_number", edited("\"nonce\":1", "\"nonce\":1e400")),
        ("negative_zero", edited("[-3,", "[-0,")),
        ("nan", edited("[-3,", "[NaN,")),
        ("repeated_key", edited("{\"format\":1", "{\"format\":1,\"format\":1")),
        ("unknown_key", edited("{\"format\":1", "{\"format\":1,\"x\":1")),
        ("escaped_key", edited("format", "\\u0066ormat")),
        ("deep", "[".repeat(5_000).into_bytes()),
        ("deep_inside", edited("[-3,", &format!("{}-3,", "[".repeat(2_000)))),
        ("long_list", edited("[-3,", &format!("[{}", "0,".repeat(5_000)))),
    ]
}

/// Lengths that ask for gigabytes, a newer version, a rotation that meets another one.
fn nasty_keys(honest: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let with = |at: usize, value: &[u8]| {
        let mut bytes = honest.to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    vec![
        ("next_version", with(8, &[0xff, 0xff])),
        ("gigabytes_of_columns", with(12, &[0x7f, 0xff, 0xff, 0xff])),
        ("too_many_columns", with(12, &[0, 0, 0x20, 0x01])),
        ("most_rows", with(10, &[28])),
        ("no_rows", with(10, &[0])),
    ]
}
