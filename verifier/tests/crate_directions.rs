//! The crates depend on each other only as DESIGN.md section 2 says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

/// What each crate of the workspace may depend on. `benches` and `examples` use the public API
/// only, which is that of every crate.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("zkinfer-verifier", &[]),
    ("zkinfer-models", &[]),
    ("zkinfer-engine", &[]),
    ("zkinfer-circuits", &["engine", "models", "verifier"]),
    ("zkinfer-prover", &["circuits", "engine", "models", "verifier"]),
    ("zkinfer-settlement", &["verifier"]),
    ("zkinfer-contracts", &["verifier"]),
    ("zkinfer-wasm", &["verifier"]),
    ("zkinfer", &["circuits", "engine", "models", "prover", "verifier"]),
    ("zkinfer-report", &["zkinfer"]),
    ("zkinfer-cli", &["contracts", "report", "zkinfer"]),
    ("zkinfer-node", &["settlement", "zkinfer"]),
    ("zkinfer-benches", &["circuits", "engine", "models", "prover", "verifier", "zkinfer"]),
    ("zkinfer-examples", &["settlement", "verifier", "zkinfer"]),
];

/// Everything that the verifier may pull in from outside.
const OUTSIDE: [&str; 8] =
    ["ark-bn254", "ark-ec", "ark-ff", "ark-serialize", "serde", "serde_json", "sha3", "thiserror"];

/// Names of the normal and build dependencies of each package.
fn dependencies() -> Vec<(String, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    packages
        .map(|package| {
            let all = package["dependencies"].as_array().unwrap().iter();
            (name(package), all.filter(|one| one["kind"] != "dev").map(name).collect())
        })
        .collect()
}

#[test]
fn no_crate_depends_on_one_above_it() {
    let packages = dependencies();
    let members: BTreeSet<&str> = packages.iter().map(|(name, _)| name.as_str()).collect();
    for (name, dependencies) in &packages {
        let rule = ALLOWED.iter().find(|(member, _)| member == name);
        let (_, allowed) = rule.unwrap_or_else(|| panic!("{name} has no rule"));
        for dependency in dependencies.iter().filter(|one| members.contains(one.as_str())) {
            let short = dependency.trim_start_matches("zkinfer-");
            assert!(allowed.contains(&short), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_verifier_depends_on_little() {
    let packages = dependencies();
    let (_, dependencies) =
        packages.iter().find(|(name, _)| name == env!("CARGO_PKG_NAME")).unwrap();
    for dependency in dependencies {
        assert!(OUTSIDE.contains(&dependency.as_str()), "the verifier depends on {dependency}");
    }
}
