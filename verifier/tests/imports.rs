//! Arrows between files run one way: no circle of imports of a crate has more than three files.
//!
//! An arrow leads from a file to the file that a `use` names, or a path that begins with `crate`: the
//! longest path that is one. Whoever names a folder means its `mod.rs`, and with it all that this
//! imports.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The crates, and how many files and arrows each has at least.
const CRATES: [(&str, usize, usize); 13] = [
    ("verifier", 20, 20),
    ("models", 20, 20),
    ("circuits", 40, 100),
    ("engine", 20, 20),
    ("prover", 8, 8),
    ("settlement", 8, 8),
    ("contracts", 4, 4),
    ("zkinfer", 20, 20),
    ("report", 8, 8),
    ("cli", 20, 20),
    ("node", 8, 8),
    ("bindings/python", 6, 6),
    ("bindings/wasm", 3, 2),
];

/// The largest circle: a folder's parts may know each other in pairs.
const LARGEST_CIRCLE: usize = 3;

/// The text of every file by its module path; the root is the empty path.
fn modules(folder: &Path, path: &[String], found: &mut BTreeMap<Vec<String>, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".rs").to_owned();
        let inner = [path, std::slice::from_ref(&stem)].concat();
        if entry.path().is_dir() {
            modules(&entry.path(), &inner, found);
        } else {
            let is_folder = stem == "mod" || stem == "lib";
            let module = if is_folder { path.to_vec() } else { inner };
            found.insert(module, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let inner = rest.strip_suffix('}').unwrap();
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = &inner[start..at];
                let found = expand(part).into_iter().filter(|path| !path.is_empty());
                paths.extend(found.map(|path| format!("{prefix}{path}")));
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

/// How statements begin that import.
const IMPORTS: [&str; 4] = ["\nuse ", "\npub use ", "\npub(crate) use ", "\npub(super) use "];

/// The code of a file without its comments, tests and what only they import.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    format!("\n{}", code.join("\n")).replace("#[cfg(test)]\nuse ", "#[cfg(test)] use ")
}

/// The paths that statements import, and the code without these statements.
fn split_imports(mut code: &str) -> (Vec<String>, String) {
    let (mut paths, mut rest) = (Vec::new(), String::new());
    while let Some((at, start)) =
        IMPORTS.iter().filter_map(|start| Some((code.find(start)?, start))).min()
    {
        rest.push_str(&code[..at]);
        let (tree, after) = code[at + start.len()..].split_once(';').unwrap();
        paths.extend(expand(&tree.split_whitespace().collect::<String>()));
        code = after;
    }
    rest.push_str(code);
    (paths, rest)
}

/// The paths in code that begin with `crate`.
fn written_out(code: &str) -> impl Iterator<Item = String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let starts = code.match_indices("crate::").map(|(at, _)| at);
    // Not where a macro writes a path, at the end of another word, or in a visibility.
    let is_other = move |at| code[..at].ends_with(|c: char| is_part(c) || c == '$');
    let starts = starts.filter(move |&at| !is_other(at) && !code[..at].ends_with("(in "));
    starts.map(move |at| code[at..].split(|c| !is_part(c)).next().unwrap().to_owned())
}

/// The files that a file imports.
fn imports(
    module: &[String],
    text: &str,
    files: &BTreeMap<Vec<String>, String>,
) -> BTreeSet<Vec<String>> {
    let (paths, code) = split_imports(&code(text));
    let resolve = |path: String| {
        let mut words: Vec<String> = path.split("::").map(str::to_owned).collect();
        let mut base = match words[0].as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module[..module.len() - 1].to_vec(),
            _ => [module, &words[..1]].concat(),
        };
        words.remove(0);
        while words.first().is_some_and(|word| word == "super") {
            base.pop();
            words.remove(0);
        }
        if !files.contains_key(&base) {
            return None;
        }
        base.extend(words);
        (0..=base.len()).rev().map(|len| base[..len].to_vec()).find(|path| files.contains_key(path))
    };
    let paths = paths.into_iter().chain(written_out(&code));
    let found: BTreeSet<_> = paths.filter_map(resolve).collect();
    found.into_iter().filter(|target| target != module).collect()
}

/// The files that can be reached from one.
fn reach(
    from: &[String],
    arrows: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
) -> BTreeSet<Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_vec()];
    while let Some(at) = open.pop() {
        open.extend(arrows[&at].iter().filter(|&next| reached.insert(next.clone())).cloned());
    }
    reached
}

/// The circles of a crate's imports that are too large.
fn circles(name: &str, (least_files, least_arrows): (usize, usize)) -> BTreeSet<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = BTreeMap::new();
    modules(&root.join(name).join("src"), &[], &mut files);
    assert!(files.len() >= least_files, "{name}: {} files", files.len());
    let arrows: BTreeMap<_, _> = files
        .iter()
        .map(|(module, text)| (module.clone(), imports(module, text, &files)))
        .collect();
    let count = arrows.values().map(BTreeSet::len).sum::<usize>();
    assert!(count >= least_arrows, "{name}: {count} arrows");
    let reached: BTreeMap<_, _> =
        files.keys().map(|module| (module, reach(module, &arrows))).collect();
    let circle = |module: &Vec<String>| -> Vec<String> {
        let both = |other: &&Vec<String>| {
            reached[module].contains(*other) && reached[*other].contains(module)
        };
        files.keys().filter(both).map(|path| path.join("::")).collect()
    };
    files.keys().map(circle).filter(|circle| circle.len() > LARGEST_CIRCLE).collect()
}

#[test]
fn no_circle_of_imports_has_more_than_three_files() {
    let found = CRATES.iter().flat_map(|&(name, files, arrows)| {
        let circles = circles(name, (files, arrows)).into_iter();
        circles.map(move |circle| format!("{name}, {} files: {}", circle.len(), circle.join(" ")))
    });
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "circles of imports:\n{}", found.join("\n"));
}
