//! The README's commands, each in a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use zkinfer::{Device, InputData, KeyFiles, Keys, Model, Recipe};
use zkinfer_node::Client;
use zkinfer_settlement::JobId;

use crate::{common::end_of, crash::free_port};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

const CEREMONY: &str = "powersOfTau28_hez_final_08.ptau";

/// What `First proof` leaves in the folder.
fn prepare(folder: &Path) {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo");
    for name in ["model.onnx", "input.json"] {
        fs::copy(zoo.join("digits_mlp").join(name), folder.join(name)).unwrap();
    }
    fs::copy(zoo.join(CEREMONY), folder.join(CEREMONY)).unwrap();
    let model = Model::open(&folder.join("model.onnx")).unwrap();
    let samples = InputData::read_samples(&zoo.join("digits_mlp/samples.npz")).unwrap();
    let recipe = Recipe { samples: Some(samples), ..Recipe::default() };
    let files = KeyFiles::beside_model(model.path());
    let quantized = model.quantize(&recipe, &files.settings, &[]).unwrap();
    let srs = folder.join(CEREMONY);
    let keys = Keys::make(&model, &quantized, Some(&srs), &Device::default(), &|_| ()).unwrap();
    files.store(&keys, &quantized.settings, None).unwrap();
}

/// A command of the README, but for the port, which others may use.
fn command(line: &str, port: u16, folder: &Path) -> Command {
    let words: Vec<&str> = line.split(' ').collect();
    let place = if words[1] == "serve" {
        ["--listen".to_owned(), format!("127.0.0.1:{port}")]
    } else {
        ["--market".to_owned(), format!("http://127.0.0.1:{port}")]
    };
    assert_eq!(words[0], "zkinfer-market");
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkinfer-market"));
    command.args(&words[1..]).args(place).current_dir(folder).stdout(Stdio::piped());
    command
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn the_market_of_the_readme_works_as_printed() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(readme).unwrap();
    let (_, rest) = text.split_once("\n## Run a market\n").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let lines: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let [serve, node, submit] = lines[..] else { panic!("{lines:?}") };
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let port = free_port();
    let mut market = Running(command(serve, port, folder.path()).spawn().unwrap());
    assert!(first_line(&mut market.0).starts_with("listening on http://127.0.0.1:"));
    let mut node = Running(command(node, port, folder.path()).spawn().unwrap());
    assert!(first_line(&mut node.0).starts_with("node "));
    let output = command(submit, port, folder.path()).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["output"][0][1].as_array().unwrap().len(), 10);
    // The ceremony is a real one, so nothing had to be allowed for the proof to be paid.
    let (client, _) = Client::connect(&format!("http://127.0.0.1:{port}")).unwrap();
    let job: zkinfer_node::Hex<32> = shown["job"].as_str().unwrap().parse().unwrap();
    assert_eq!(end_of(&client, JobId(job.0)).state, "settled");
}

/// Who stops reading, as `head` does, makes no command fail.
#[test]
fn a_reader_who_stops_reading_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = crate::common::Coordinator::start(&crate::common::config(folder.path()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkinfer-market"));
    command.args(["report", "--market", &coordinator.url]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
