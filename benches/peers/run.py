#!/usr/bin/env python3
"""zkinfer and EZKL on the same ONNX files: `python3 benches/peers/run.py [MODEL ...]`.

A model is `mlp` (784-128-64-10, random weights), `lenet` (models/zoo/mnist_lenet), or two paths
`MODEL.onnx,INPUT.json`. Both proofs are checked. EZKL comes from PyPI, its SRS is made here.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import venv

venv.enter("peers", ["ezkl==23.0.5", "numpy", "onnx"])

from common import networks, zkinfer

STEPS = ["gen_settings", "calibrate", "compile", "gen_srs", "setup", "gen_witness", "prove", "verify"]
FOLDER = venv.ROOT / "target" / "peers"


class Model:
    """An ONNX file, an input, and samples to calibrate zkinfer with where there are some."""

    def __init__(self, name: str) -> None:
        self.samples: Path | None = None
        if name == "mlp":
            folder = FOLDER / "mlp"
            networks.write("mlp_0.1m", folder)
        elif name == "lenet":
            folder = venv.ROOT / "models" / "zoo" / "mnist_lenet"
            self.samples = folder / "samples.npz"
        else:
            model, data = (Path(part).resolve() for part in name.split(","))
            self.name, self.model, self.data = model.stem, model, data
            return
        self.name, self.model, self.data = name, folder / "model.onnx", folder / "input.json"


def run_ezkl(model: Model, limit: float) -> dict[str, dict]:
    """Seconds and peak memory of every step; the size of the proof."""
    folder = FOLDER / model.name / "ezkl"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    script = Path(__file__).with_name("ezkl_step.py")
    # A home of its own: nothing is read from or left in that of the user.
    environment = os.environ | {"EZKL_REPO_PATH": str(folder), "HOME": str(folder)}
    steps = {}
    for step in STEPS:
        command = [sys.executable, script, step, folder, model.model, model.data]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"EZKL's step {step} ended with {done.returncode}:\n{done.stderr}")
        steps[step] = json.loads(done.stdout.splitlines()[-1])
        print(f"  ezkl {step}: {steps[step]['seconds']:.2f} s", file=sys.stderr, flush=True)
    for large in ("pk.key", "kzg.srs"):
        (folder / large).unlink()
    proof = json.loads((folder / "proof.json").read_text())
    steps["prove"]["proof_bytes"] = len(proof["hex_proof"].removeprefix("0x")) // 2
    return steps


def ezkl_row(steps: dict[str, dict]) -> list[float]:
    """prove s, setup s, verify s, peak MB, proof bytes."""
    peak = max(steps[step]["peak_bytes"] for step in ("setup", "gen_witness", "prove"))
    times = [steps[step]["seconds"] for step in ("prove", "setup", "verify")]
    return [*times, peak / 1e6, steps["prove"]["proof_bytes"]]


def prove(binary: Path, model: Model, repeat: int) -> list[dict]:
    """Reports of as many proofs by zkinfer, all of which are checked."""
    folder = FOLDER / model.name / "zkinfer"
    reports = []
    for _ in range(repeat):
        reports.append(zkinfer.prove(binary, model.model, model.data, folder, model.samples))
        zkinfer.verify(binary, folder, model.data)
    return reports


def zkinfer_row(reports: list[dict]) -> list[float]:
    """The same as [`ezkl_row`], medians of several runs."""
    keys = ["prove_seconds", "setup_seconds", "verify_seconds", "peak_rss_bytes", "proof_bytes"]
    row = [statistics.median(report[key] for report in reports) for key in keys]
    row[3] /= 1e6
    return row


def cells(row: list[float]) -> str:
    prove, setup, verify, peak, proof = row
    return f"{prove:.3f} | {setup:.2f} | {verify:.4f} | {peak:.0f} | {proof:.0f}"


def compare(binary: Path, model: Model, repeat: int, limit: float) -> None:
    # Before and after: other work on the machine changes while EZKL runs.
    reports = prove(binary, model, repeat)
    theirs = ezkl_row(run_ezkl(model, limit))
    ours = zkinfer_row(reports + prove(binary, model, repeat))
    print(f"| {model.name} | zkinfer | {cells(ours)} |")
    print(f"| {model.name} | EZKL | {cells(theirs)} |")
    ratios = [f"{their / our:.1f}" for our, their in zip(ours, theirs, strict=True)]
    print(f"| {model.name} | ratio | {' | '.join(ratios)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=["mlp", "lenet"])
    parser.add_argument("--repeat", type=int, default=5, help="proofs by zkinfer before EZKL, and after")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for a step of EZKL")
    parser.add_argument("--zkinfer", type=Path, help="a built command line")
    arguments = parser.parse_args()
    binary = zkinfer.build(arguments.zkinfer)
    print(f"{zkinfer.machine()}\n")
    print("| model | prover | prove s | setup s | verify s | peak MB | proof bytes |")
    print("|---" * 7 + "|", flush=True)
    for name in arguments.models:
        compare(binary, Model(name), arguments.repeat, arguments.limit)


main()
