//! Arrows between files run one way: no circle of imports has more than three files.
//!
//! An arrow leads from a file to the file that a `use` names, the longest path that is one. Whoever
//! names a folder means its `mod.rs`, and with it all that this imports.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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

/// The files that a file imports.
fn imports(
    module: &[String],
    text: &str,
    files: &BTreeMap<Vec<String>, String>,
) -> BTreeSet<Vec<String>> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = code.join("\n");
    let starts = ["\nuse ", "\npub use ", "\npub(crate) use "];
    let trees = starts.iter().flat_map(|start| code.split(start).skip(1));
    let trees = trees.filter_map(|rest| rest.split(';').next());
    let trees = trees.map(|tree| tree.split_whitespace().collect::<String>());
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
    let found: BTreeSet<_> = trees.flat_map(|tree| expand(&tree)).filter_map(resolve).collect();
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

#[test]
fn no_circle_of_imports_has_more_than_three_files() {
    let mut files = BTreeMap::new();
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut files);
    assert!(files.len() > 40, "{} files", files.len());
    let arrows: BTreeMap<_, _> = files
        .iter()
        .map(|(module, text)| (module.clone(), imports(module, text, &files)))
        .collect();
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 100);
    let reached: BTreeMap<_, _> =
        files.keys().map(|module| (module, reach(module, &arrows))).collect();
    for module in files.keys() {
        let circle: Vec<_> = files
            .keys()
            .filter(|other| reached[module].contains(*other) && reached[*other].contains(module))
            .map(|path| path.join("::"))
            .collect();
        assert!(circle.len() <= LARGEST_CIRCLE, "a circle of imports: {circle:?}");
    }
}
