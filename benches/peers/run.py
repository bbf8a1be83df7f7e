#!/usr/bin/env python3
"""zkinfer and a peer on the same ONNX files: `python3 benches/peers/run.py [MODEL ...] [--peer NAME]`.

A model is `mlp` (784-128-64-10, random weights), `lenet` (models/zoo/mnist_lenet), or two paths
`MODEL.onnx,INPUT.json`. Both proofs are checked. EZKL comes from PyPI, its SRS is made here.
JSTprove comes from PyPI too, and needs Open MPI (Debian: openmpi-bin).
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import venv

venv.enter("peers", ["ezkl==23.0.5", "numpy", "onnx"])

import ezkl_peer
import jstprove_peer
from common import networks, zkinfer

PEERS = {"ezkl": ("EZKL", ezkl_peer.run), "jstprove": ("JSTprove", jstprove_peer.run)}
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


def prove(binary: Path, model: Model, repeat: int) -> list[dict]:
    """Reports of as many proofs by zkinfer, all of which are checked."""
    folder = FOLDER / model.name / "zkinfer"
    reports = []
    for _ in range(repeat):
        reports.append(zkinfer.prove(binary, model.model, model.data, folder, model.samples))
        zkinfer.verify(binary, folder, model.data)
    return reports


def zkinfer_row(reports: list[dict]) -> list[float]:
    """prove s, setup s, verify s, peak MB, proof bytes: medians of several runs."""
    keys = ["prove_seconds", "setup_seconds", "verify_seconds", "peak_rss_bytes", "proof_bytes"]
    row = [statistics.median(report[key] for report in reports) for key in keys]
    row[3] /= 1e6
    return row


def cells(row: list[float]) -> str:
    prove, setup, verify, peak, proof = row
    return f"{prove:.3f} | {setup:.2f} | {verify:.4f} | {peak:.0f} | {proof:.0f}"


def compare(binary: Path, model: Model, peer: str, repeat: int, limit: float) -> None:
    # Before and after: other work on the machine changes while the peer runs.
    title, run_peer = PEERS[peer]
    reports = prove(binary, model, repeat)
    theirs = run_peer(FOLDER / model.name / peer, model.model, model.data, limit)
    ours = zkinfer_row(reports + prove(binary, model, repeat))
    print(f"| {model.name} | zkinfer | {cells(ours)} |")
    print(f"| {model.name} | {title} | {cells(theirs)} |")
    ratios = [f"{their / our:.1f}" for our, their in zip(ours, theirs, strict=True)]
    print(f"| {model.name} | ratio | {' | '.join(ratios)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=["mlp", "lenet"])
    parser.add_argument("--repeat", type=int, default=5, help="proofs by zkinfer before the peer, and after")
    parser.add_argument("--peer", choices=PEERS, default="ezkl")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for a step of the peer")
    parser.add_argument("--zkinfer", type=Path, help="a built command line")
    arguments = parser.parse_args()
    for name in arguments.models:
        if name not in ("mlp", "lenet") and name.count(",") != 1:
            parser.error(f"{name} is no model: mlp, lenet, or MODEL.onnx,INPUT.json")
    binary = zkinfer.build(arguments.zkinfer)
    print(f"{zkinfer.machine()}\n")
    print("| model | prover | prove s | setup s | verify s | peak MB | proof bytes |")
    print("|---" * 7 + "|", flush=True)
    for name in arguments.models:
        compare(binary, Model(name), arguments.peer, arguments.repeat, arguments.limit)


main()
