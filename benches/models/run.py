"""Sets up, proves and verifies every model of a folder, and compares whole test sets.

    cargo build --release
    python benches/models/run.py FOLDER [NAME ...]

Each model is a folder with `model.onnx`, `samples.npz` (arrays `sNN_in_NAME`, `sNN_out_NAME`) and,
where there is one, `testset.npz` (arrays `in_NAME`, `out_NAME`: outputs of onnxruntime). A file
`options` holds more arguments of every command, one a line. The key is made from the samples, and
the first of them is proved. Needs numpy. Prints a table in Markdown.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/zkinfer"
HEADER = ["model", "setup, s", "rows", "proof, s", "proof, bytes", "memory, MB", "verified",
          "codes that differ", "first sample, % off", "test set: same answer, largest % off"]


def write_samples(folder, fixed):
    """The samples and the first of them, without inputs that the options fix."""
    arrays = numpy.load(folder / "samples.npz")
    names = [name for name in arrays.files if name.split("_in_")[-1] not in fixed]
    numpy.savez(folder / "given.npz", **{name: arrays[name] for name in names})
    first = sorted(name for name in names if "_in_" in name)[0].split("_in_")[0]
    inputs = {name.split("_in_")[1]: arrays[name] for name in names
              if name.startswith(f"{first}_in_")}
    numpy.savez(folder / "first.npz", **inputs)


def call(folder, *words):
    began = time.monotonic()
    run = subprocess.run([PROGRAM, *words], cwd=folder, capture_output=True, text=True, check=False)
    return run, time.monotonic() - began


def integers(folder, options, count):
    """Share of the test set with the runtime's largest element, and the largest error in percent."""
    path = folder / "testset.npz"
    if not path.exists():
        return "no test set"
    data = numpy.load(path)
    inputs = [name for name in data.files if name.startswith("in_")]
    outputs = [name for name in data.files if name.startswith("out_")]
    count = min(count, len(data[inputs[0]]))
    same, worst = 0, 0.0
    span = numpy.abs(data[outputs[0]]).max()
    for row in range(count):
        given = {name[3:]: data[name][row:row + 1] for name in inputs}
        numpy.savez(folder / "one.npz", **given)
        run, _ = call(folder, "run", "model.onnx", "--input", "one.npz", "--json", *options)
        if run.returncode:
            return run.stderr.strip().splitlines()[0]
        ours = numpy.array(json.loads(run.stdout)["output"][0])
        theirs = data[outputs[0]][row].flatten()
        same += int(ours.argmax() == theirs.argmax())
        worst = max(worst, float(numpy.abs(ours - theirs).max() / span))
    return f"{same} of {count}, {100 * worst:.2f}"


def row(source, scratch, count):
    folder = scratch / source.name
    shutil.copytree(source, folder)
    extra = folder / "options"
    options = extra.read_text().split() if extra.exists() else []
    fixed = {text.split("=")[0] for flag, text in zip(options, options[1:]) if flag == "--fix"}
    write_samples(folder, fixed)
    setup, seconds = call(folder, "setup", "model.onnx", "--calibrate", "given.npz", *options)
    if setup.returncode:
        return [source.name, f"refused: {setup.stderr.strip().splitlines()[0]}"]
    proof, _ = call(folder, "prove", "model.onnx", "--input", "first.npz", "--json", *options)
    if proof.returncode:
        return [source.name, f"{seconds:.2f}", f"no proof: {proof.stderr.strip().splitlines()[0]}"]
    told = json.loads(proof.stdout)
    verify, _ = call(folder, "verify", "model.zkproof", "--key", "model.zkvk",
                     "--allow-insecure-srs")
    codes = told.get("codes")
    return [
        source.name, f"{seconds:.2f}", f"2^{told['k']}", f"{told['prove_seconds']:.3f}",
        str(told["proof_bytes"]), f"{told['peak_rss_bytes'] / 1e6:.0f}",
        "yes" if verify.returncode == 0 else "NO",
        f"{codes['differing']} of {codes['codes']}" if codes else "",
        f"{100 * told['error_share']:.2f}", integers(folder, options, count),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--count", type=int, default=100, help="samples of each test set")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.parent.name
                                      for path in arguments.folder.glob("*/model.onnx"))
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            cells = row(arguments.folder / name, pathlib.Path(scratch), arguments.count)
            print(f"| {' | '.join(cells + [''] * (len(HEADER) - len(cells)))} |", flush=True)


if __name__ == "__main__":
    main()
