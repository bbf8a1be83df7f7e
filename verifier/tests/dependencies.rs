//! What the workspace builds on: where it comes from, under which licences, for which compilers.
//!
//! `cargo deny` asks the same by `deny.toml`, and for advisories; this needs nothing but cargo, and
//! looks at the packages of the machine's own platform.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every package that is built here.
fn packages() -> Vec<Value> {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let metadata =
        cargo(&["metadata", "--format-version", "1", "--offline", "--filter-platform", &host]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap().clone();
    assert!(packages.len() > 100, "{} packages", packages.len());
    packages
}

/// The licences that `deny.toml` allows.
fn allowed() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let list = text.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an SPDX expression allows one of these licences; `/` is an old spelling of `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let mut parts = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    // The operands of the outermost ORs, else of the outermost ANDs.
    for operator in [" OR ", "/", " AND "] {
        for (at, byte) in expression.bytes().enumerate() {
            depth += i32::from(byte == b'(') - i32::from(byte == b')');
            if depth == 0 && at >= start && expression[at..].starts_with(operator) {
                parts.push(&expression[start..at]);
                start = at + operator.len();
            }
        }
        if parts.is_empty() {
            continue;
        }
        parts.push(&expression[start..]);
        let mut fit = parts.iter().map(|part| is_allowed(part, allowed));
        return if operator == " AND " { fit.all(|fits| fits) } else { fit.any(|fits| fits) };
    }
    let text = expression.trim();
    match text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.iter().any(|licence| licence == text),
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("GPL-3.0 AND MIT OR MIT", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn every_dependency_bears_an_allowed_licence() {
    let allowed = allowed();
    assert!(allowed.iter().any(|licence| licence == "MIT"));
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence, &allowed), "{}: {licence}", package["name"]);
    }
}

/// Nothing from a git repository, a private registry or a folder outside.
#[test]
fn every_dependency_comes_from_the_public_registry() {
    let root = root().canonicalize().unwrap();
    for package in packages() {
        match package["source"].as_str() {
            Some(source) => assert_eq!(
                source, "registry+https://github.com/rust-lang/crates.io-index",
                "{}",
                package["name"]
            ),
            None => {
                let manifest = Path::new(package["manifest_path"].as_str().unwrap());
                assert!(manifest.starts_with(&root), "{}", manifest.display());
            }
        }
    }
}

/// The oldest compiler that the workspace names must build what it depends on. Whether the
/// workspace's own code needs a newer standard library, clippy says (`incompatible_msrv`).
#[test]
fn no_dependency_needs_a_newer_compiler_than_we_name() {
    let version =
        |text: &str| -> Vec<u32> { text.split('.').map(|n| n.parse().unwrap()).collect() };
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let ours = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    for package in packages() {
        if let Some(needed) = package["rust_version"].as_str() {
            assert!(version(needed) <= version(ours), "{} needs {needed}", package["name"]);
        }
    }
}

/// No dependency of the bare verifier is built with the standard library asked for: a feature named
/// `std` in its tree would link it on a machine that has none.
#[test]
fn the_bare_verifier_asks_for_no_std() {
    let tree = cargo(&[
        "tree",
        "--offline",
        "--package",
        "zkinfer-verifier",
        "--no-default-features",
        "--edges",
        "features,no-dev,no-build,no-proc-macro",
    ]);
    assert!(tree.contains("ark-ec"), "{tree}");
    let with_std: Vec<&str> =
        tree.lines().filter(|line| line.ends_with("feature \"std\"")).collect();
    assert_eq!(with_std, Vec::<&str>::new());
}
