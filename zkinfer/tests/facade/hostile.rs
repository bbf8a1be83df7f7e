//! Mutants of every file that the library reads: each is used or refused, soon and in little memory.

use std::{
    fs,
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use zkinfer::{
    Device, Expectation, Inference, InputData, Keys, Model, Recipe, SrsPolicy, read,
    verifier::JobBinding,
};

use crate::support::Place;

/// Far above what any case takes.
const LONGEST: Duration = Duration::from_secs(20);
/// Most memory of the whole process, in kilobytes.
const LARGEST: u64 = 3 << 20;

/// The files of a model that was set up and proven once.
struct Originals {
    place: Place,
    files: Vec<(&'static str, Vec<u8>)>,
}

/// What is mutated.
const FILES: [&str; 7] = [
    "model.onnx",
    "samples.csv",
    "input.json",
    "model.zkinfer.json",
    "model.accuracy.json",
    "model.zkvk",
    "model.zkproof",
];

fn originals() -> &'static Originals {
    static ORIGINALS: OnceLock<Originals> = OnceLock::new();
    ORIGINALS.get_or_init(|| {
        let place = Place::new();
        place.set_up();
        fs::write(place.path("input.json"), "{\"input_data\": [[0.5, -0.25, 1.0]]}").unwrap();
        prove(&place).unwrap();
        let files = FILES.map(|name| (name, fs::read(place.path(name)).unwrap()));
        Originals { files: files.to_vec(), place }
    })
}

/// Everything from the files to a proof that is checked.
fn prove(place: &Place) -> Result<(), zkinfer::Error> {
    let model = Model::open(&place.path("model.onnx"))?;
    let input = model.read_input(&place.path("input.json"))?;
    let inputs = std::slice::from_ref(&input);
    let quantized = model.quantize(&Recipe::default(), &place.files().settings, inputs)?;
    let run = model.run(&quantized, &input)?;
    // Large circuits are not proved here, only planned.
    if zkinfer::plan(&model, &quantized)?.k() > 9 {
        return Ok(());
    }
    let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ())?;
    let proven = keys.prove(Inference::new(&run.execution, JobBinding::NONE), &|_| ())?;
    zkinfer::write_proof(&proven, &place.path("model.zkproof"), &place.path("model.zkopening"))
}

/// Reads every file for itself, and what a verifier does with them.
fn check(place: &Place) -> Result<(), zkinfer::Error> {
    let _ = read::accuracy_report(&place.path("model.accuracy.json"));
    let (key, proof) =
        (read::key(&place.path("model.zkvk")), read::proof(&place.path("model.zkproof")));
    if let (Ok(key), Ok(proof)) = (key, proof) {
        let _ = zkinfer::KeyDescription::new(&key);
        let expectation = Expectation::new(&key, SrsPolicy::AllowInsecureDev);
        let _ = expectation.check(&proof);
    }
    let samples = InputData::read_samples(&place.path("samples.csv"))?;
    let model = Model::open(&place.path("model.onnx"))?;
    let recipe = Recipe { samples: Some(samples), ..Recipe::default() };
    let quantized = model.quantize(&recipe, &PathBuf::new(), &[])?;
    zkinfer::plan(&model, &quantized).map(|_| ())
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<prop::sample::Index>;
    let words = prop_oneof![
        Just(b"1e308".to_vec()),
        Just(b"-1".to_vec()),
        Just(b"99999999999999999999".to_vec()),
        Just(b"null".to_vec()),
        Just(b"\x1b[31m".to_vec()),
        Just(vec![0xff; 10]),
        Just(b"[[[[[[[[[[[[[[[[".to_vec()),
    ];
    prop_oneof![
        6 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => place().prop_map(Change::Cut),
        2 => (place(), place(), 1u8..64).prop_map(|(a, b, times)| Change::Repeat(a, b, times)),
        3 => (place(), words).prop_map(|(at, word)| Change::Insert(at, word)),
    ]
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Set(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Change::Repeat(a, b, times) => {
                let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
                let part = bytes[a.min(b)..a.max(b)].to_vec();
                let part = part.repeat(usize::from(*times).min(100_000 / (part.len() + 1) + 1));
                bytes.splice(a.max(b)..a.max(b), part);
            }
            Change::Insert(at, word) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutants_are_used_or_refused_soon_and_in_little_memory(
        which in 0..FILES.len(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let originals = originals();
        let place = Place::with(b"", "");
        for (name, bytes) in &originals.files {
            fs::write(place.path(name), bytes).unwrap();
        }
        let (name, bytes) = &originals.files[which];
        fs::write(place.path(name), changed(bytes, &changes)).unwrap();
        let start = Instant::now();
        let (proved, checked) = (prove(&place), check(&place));
        prop_assert!(start.elapsed() < LONGEST, "{name}: {:?}", start.elapsed());
        for error in [proved.err(), checked.err()].into_iter().flatten() {
            prop_assert!(!error.to_string().contains('\u{1b}'), "{name}: {error}");
        }
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak: u64 = peak.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
            prop_assert!(peak < LARGEST, "{name}: {peak} kB");
        }
        // The originals are never touched.
        prop_assert_eq!(&fs::read(originals.place.path(name)).unwrap(), bytes);
    }
}
