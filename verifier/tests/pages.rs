//! What the pages of the documentation promise: prose that can be compared line by line, and places
//! that exist.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders of the root that hold no pages of ours.
const FOREIGN: [&str; 4] = ["target", "node_modules", ".git", "shared"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every page: the folder that its paths begin at, and its text.
fn pages() -> Vec<(PathBuf, String)> {
    let (mut folders, mut pages) = (vec![root()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !FOREIGN.contains(&name) && !path.is_symlink() {
                folders.push(path);
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).unwrap();
                pages.push((path, text));
            }
        }
    }
    assert!(pages.len() > 40, "{} pages", pages.len());
    pages
}

/// The lines outside of blocks of code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        is_code ^= line.trim_start().starts_with("```");
        !is_code
    })
}

/// Prose is wrapped at 100 columns, so that a difference of two versions can be read.
#[test]
fn the_prose_of_the_documentation_is_wrapped() {
    let pages = pages();
    let long = pages.iter().flat_map(|(page, text)| {
        let is_long =
            |line: &str| !line.trim_start().starts_with('|') && line.chars().count() > 100;
        let long = prose(text).filter(move |(_, line)| is_long(line));
        long.map(|(number, _)| format!("{}:{number}", page.display()))
    });
    assert_eq!(long.collect::<Vec<_>>(), Vec::<String>::new());
}

/// How paths into the repository begin: those of a page's own crate, and those from the root.
const OWN: [&str; 3] = ["src/", "tests/", "examples/"];
const FROM_ROOT: [&str; 16] = [
    "benches/",
    "bindings/",
    "circuits/",
    "cli/",
    "contracts/",
    "docs/",
    "engine/",
    "examples/",
    "findings/",
    "fuzz/",
    "models/",
    "node/",
    "prover/",
    "settlement/",
    "verifier/",
    "zkinfer/",
];

/// The words between backticks that are paths of single files or folders.
fn paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || "0123456789_-./".contains(letter);
    let spans = prose(text).flat_map(|(number, line)| {
        line.split('`').skip(1).step_by(2).map(move |span| (number, span))
    });
    spans.filter(move |(_, span)| span.contains('/') && span.chars().all(is_name))
}

/// A file that moves takes the pages that name it along.
#[test]
fn paths_in_the_documentation_exist() {
    let (mut missing, mut count) = (Vec::new(), 0);
    for (page, text) in pages() {
        // The history tells of files as they were.
        if page.ends_with("CHANGELOG.md") || page.ends_with("docs/performance-history.md") {
            continue;
        }
        for (number, path) in paths(&text) {
            let begins = |with: &[&str]| with.iter().any(|start| path.starts_with(start));
            let own = page.parent().unwrap().join(path);
            let exists = match (begins(&OWN), begins(&FROM_ROOT)) {
                (true, _) => own.exists() || root().join(path).exists(),
                (false, true) => own.exists() || root().join(path).exists(),
                (false, false) => continue,
            };
            count += 1;
            if !exists {
                missing.push(format!("{}:{number}: {path}", page.display()));
            }
        }
    }
    assert!(count > 100, "{count} paths");
    assert_eq!(missing, Vec::<String>::new());
}
