//! Running the built command line in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with a model, and the command line that works in it.
pub(crate) struct Workplace {
    folder: TempDir,
}

/// What one run of the command line gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With a model of the zoo and its first sample as the input.
    pub(crate) fn with_model(model: &str) -> Self {
        let workplace = Self::new();
        fs::copy(zoo(model).join("model.onnx"), workplace.path("model.onnx")).unwrap();
        workplace.write_input("input.json", model, 0);
        workplace
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes one sample of a model in EZKL's format.
    pub(crate) fn write_input(&self, name: &str, model: &str, index: usize) {
        let input = json!({ "input_data": samples(model)["samples"][index]["inputs"] });
        fs::write(self.path(name), input.to_string()).unwrap();
    }

    pub(crate) fn read_bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Copies a file of another workplace.
    pub(crate) fn copy_from(&self, other: &Self, name: &str) {
        fs::copy(other.path(name), self.path(name)).unwrap();
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::new(&self.command(args).output().unwrap())
    }

    /// [`Self::run`] with a cache of its own.
    pub(crate) fn run_with_cache(&self, args: &[&str], cache: &Path) -> Run {
        Run::new(&self.command(args).env("ZKINFER_CACHE_DIR", cache).output().unwrap())
    }

    /// Starts a run whose text nobody reads.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkinfer"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command.args(args).current_dir(self.folder.path()).env("ZKINFER_CACHE_DIR", cache);
        command
    }

    /// Runs a command that must end with `code`, and reads its JSON.
    pub(crate) fn json(&self, code: i32, args: &[&str]) -> Value {
        let run = self.run(&[args, &["--json"]].concat());
        assert_eq!(run.code, code, "{args:?}\n{}\n{}", run.stdout, run.stderr);
        assert_eq!(run.stdout.lines().count(), 1, "one JSON object: {}", run.stdout);
        serde_json::from_str(&run.stdout).unwrap()
    }

    /// Runs a command that must fail with an error that names every part.
    pub(crate) fn fails(&self, args: &[&str], named: &[&str]) {
        let run = self.run(args);
        assert_eq!(run.code, 2, "{args:?}\n{}\n{}", run.stdout, run.stderr);
        for part in named {
            assert!(run.stderr.contains(part), "{part:?} is not in: {}", run.stderr);
        }
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
}

impl Run {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().expect("no signal");
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// A proof that many tests look at: digits_mlp, first sample, for a job.
pub(crate) fn proved() -> &'static Workplace {
    static PROVED: OnceLock<Workplace> = OnceLock::new();
    PROVED.get_or_init(|| {
        let workplace = Workplace::with_model("digits_mlp");
        workplace.json(0, &[&["prove", "model.onnx", "--input", "input.json"], JOB].concat());
        workplace
    })
}

/// The text of a proof file after a change that a submitter may make. Fields must keep their order,
/// so the text is changed where the value was.
pub(crate) fn damaged(text: &str, change: impl FnOnce(&mut Value)) -> String {
    let before: Value = serde_json::from_str(text).unwrap();
    let mut after = before.clone();
    change(&mut after);
    replace(text.to_owned(), &before, &after)
}

/// Replaces each differing leaf in the text of an object.
fn replace(text: String, before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.iter().fold(text, |text, (key, value)| replace(text, value, &after[key]))
        }
        _ if before == after => text,
        _ => text.replace(&before.to_string(), &after.to_string()),
    }
}

pub(crate) const PAYEE: &str = "0x00112233445566778899aabbccddeeff00112233";
pub(crate) const JOB_ID: &str =
    "0x0102030405060708090a0b0c0d0e0f100102030405060708090a0b0c0d0e0f10";
pub(crate) const JOB: &[&str] = &[
    "--job",
    JOB_ID,
    "--payee",
    PAYEE,
    "--chain",
    "8453",
    "--expiry",
    "1900000000",
    "--nonce",
    "7",
];

pub(crate) fn zoo(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(model)
}

/// The samples of a model, with the float outputs of another runtime.
pub(crate) fn samples(model: &str) -> Value {
    let text = fs::read_to_string(zoo(model).join("samples.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}
