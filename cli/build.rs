//! Asks the linker to keep equal constants once.
//!
//! Every unit of the compiler that turns small integers into field elements brings its own copy of a
//! table of 2 MiB of `halo2curves-axiom`. Where the linker can fold them, which a program of one
//! line tells, the command is half as large; elsewhere it is as it was.

use std::{env, ffi::OsString, fs, path::Path, process::Command};

/// What `lld` understands: the compiler's own linker on Linux for x86-64.
const FOLD: &str = "-Wl,--icf=all,--ignore-data-address-equality";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if links().unwrap_or(false) {
        println!("cargo::rustc-link-arg-bins={FOLD}");
    }
}

/// Whether a program links with [`FOLD`]; `None` where the compiler could not be asked.
fn links() -> Option<bool> {
    let folder = env::var_os("OUT_DIR")?;
    let source = Path::new(&folder).join("fold.rs");
    fs::write(&source, "fn main() {}\n").ok()?;
    let mut compiler = Command::new(env::var_os("RUSTC")?);
    compiler.arg("--target").arg(env::var_os("TARGET")?).arg(&source).arg("-o");
    compiler.arg(source.with_extension("out")).arg("-C").arg(format!("link-arg={FOLD}"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = OsString::from("linker=");
        option.push(linker);
        compiler.arg("-C").arg(option);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    compiler.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    Some(compiler.output().ok()?.status.success())
}
