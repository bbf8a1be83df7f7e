//! The library with ICICLE's interface (`examples/mock_icicle`), and a folder of it.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the library is; built as this test is, where that was not done with the other examples.
pub(crate) fn library() -> PathBuf {
    // This test is in `TARGET/PROFILE/deps`.
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let library = profile.join("examples/libmock_icicle.so");
    if !library.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline", "--quiet", "--package", "zkinfer-engine"]);
        cargo.args(["--example", "mock_icicle", "--target-dir"]).arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    }
    library
}

/// A folder where a library has the names that ICICLE's have.
pub(crate) fn folder_with(library: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["device", "field_bn254", "curve_bn254"] {
        symlink(library, folder.path().join(format!("libicicle_{name}.so"))).unwrap();
    }
    folder
}
