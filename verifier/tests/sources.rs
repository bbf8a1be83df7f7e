//! What the sources of the workspace may not do: read the environment, draw predictable
//! randomness, or narrow an integer silently.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

const CRATES: [&str; 8] =
    ["verifier", "models", "circuits", "engine", "prover", "settlement", "zkinfer", "cli"];

/// Every Rust file in these folders of the crates: its path from the root, and its text.
fn files(folders: &[&str]) -> Vec<(String, String)> {
    let files = files_of(&CRATES, folders);
    assert!(files.len() > 100, "{} files", files.len());
    files
}

/// The same of any crates.
fn files_of(crates: &[&str], folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders_of = |name: &str| folders.iter().map(|one| root.join(name).join(one)).collect();
    let mut folders: Vec<PathBuf> =
        crates.iter().flat_map(|name| -> Vec<_> { folders_of(name) }).collect();
    // Not every crate has tests beside its sources.
    folders.retain(|folder| folder.exists());
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files
}

/// The sources, each up to its own tests, without comments and the examples in them.
fn sources() -> Vec<(String, String)> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let production = |text: String| -> String {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        code.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect()
    };
    files(&["src"]).into_iter().map(|(name, text)| (name, production(text))).collect()
}

/// The files in which one of the words occurs, sorted.
fn files_with(words: &[&str]) -> Vec<String> {
    let sources = sources().into_iter();
    let found = sources.filter(|(_, text)| words.iter().any(|word| text.contains(word)));
    let mut names: Vec<String> = found.map(|(name, _)| name).collect();
    names.sort();
    names
}

/// The environment says where files, libraries and compiled kernels lie, which compiler the tests of
/// the GPU's kernels use, and is asked whether halo2 would be misled by it. It never changes a
/// statement.
#[test]
fn the_environment_is_read_in_known_places_only() {
    let readers = files_with(&["env::var", "use std::env", "option_env!", "getenv"]);
    let libraries = ["engine/src/cuda/compiler.rs", "engine/src/icicle/library.rs"];
    let tests = ["cli/src/command/prove/tests.rs", "engine/src/cuda/emulator.rs"];
    let files = ["prover/src/files.rs", "prover/src/setup.rs"];
    let mut known = [&libraries[..], &tests[..], &files[..]].concat();
    known.sort_unstable();
    assert_eq!(readers, known);
}

/// Seeded randomness is reachable only through a function whose name warns.
#[test]
fn predictable_randomness_says_so() {
    let words = ["from_seed", "seed_from_u64", "SmallRng", "thread_rng", "StepRng", "mock::"];
    let files = files_with(&words).into_iter();
    let shipped: Vec<_> = files.filter(|name| !name.ends_with("tests.rs")).collect();
    assert_eq!(shipped, ["prover/src/prove.rs"]);
    let sources = sources();
    let (_, prove) = sources.iter().find(|(name, _)| name == "prover/src/prove.rs").unwrap();
    assert_eq!(prove.matches("from_seed").count(), 1);
    let before = prove.split("from_seed").next().unwrap();
    let function = before.rsplit("pub fn ").next().unwrap();
    assert!(function.starts_with("prove_with_insecure_seed"), "{function}");
}

/// The verifier draws no randomness and reads no clock or file; a 32-bit machine gives the same
/// answers, because no 64-bit length becomes a `usize` but by `try_from`.
#[test]
fn the_verifier_is_a_function_of_its_arguments() {
    let words = ["OsRng", "std::time", "std::fs", "std::io", "std::env", "Instant", " as usize"];
    let verifier = files_with(&words).into_iter().filter(|name| name.starts_with("verifier/"));
    assert_eq!(verifier.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The escrow is told the time, and pays by what its store holds.
#[test]
fn settlement_reads_no_clock_and_draws_nothing() {
    let words = ["OsRng", "std::time", "Instant", "SystemTime", "rand", " as usize", " as u64"];
    let settlement = files_with(&words).into_iter().filter(|name| name.starts_with("settlement/"));
    assert_eq!(settlement.collect::<Vec<_>>(), Vec::<String>::new());
}

/// A file is read in one go: whatever grows beyond is two things.
#[test]
fn no_file_has_more_than_500_lines() {
    let others = ["bindings/python", "bindings/wasm", "contracts", "node", "report"];
    let crates = [&CRATES[..], &others].concat();
    let all = files_of(&crates, &["src", "tests", "examples", "evm/src", "evm/tests"]);
    let benches = files_of(&["."], &["benches", "examples"]);
    let long = all.into_iter().chain(benches).filter_map(|(name, text)| {
        let lines = text.lines().count();
        (lines > 500).then(|| format!("{name}: {lines} lines"))
    });
    assert_eq!(long.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The table of lies in `docs` names tests that exist.
#[test]
fn the_documented_tests_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let table = fs::read_to_string(root.join("docs/soundness-tests.md")).unwrap();
    let crates = [&CRATES[..], &["contracts", "node", "report"]].concat();
    let files = files_of(&crates, &["src", "tests", "evm/tests"]);
    let is_name = |word: &&str| word.matches('_').count() >= 2 && !word.contains(['/', ' ', ':']);
    let names: Vec<&str> = table.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(names.len() > 50, "{} tests in the table", names.len());
    for name in names {
        let definition = format!("fn {name}(");
        assert!(files.iter().any(|(_, text)| text.contains(&definition)), "{name} does not exist");
    }
}
