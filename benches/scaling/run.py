#!/usr/bin/env python3
"""What a proof costs as networks grow: `python3 benches/scaling/run.py [NETWORK ...]`.

Prints a Markdown table. Networks have random weights and are written below `target/scaling`.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import venv

venv.enter("scaling", ["numpy", "onnx"])

import numpy as np

from common import networks, recurrent, sentence, transformer, zkinfer

# What writes each network.
WRITERS = {name: networks for name in networks.NAMES}
WRITERS |= {name: transformer for name in transformer.SHAPES}
WRITERS |= {name: recurrent for name in recurrent.SHAPES}
WRITERS |= {name: sentence for name in sentence.NAMES}
NAMES = list(WRITERS)
# What is asked for beside the defaults: 13 bits have a cosine above 0.999 to the float model.
OPTIONS = {"minilm": ["--activation-bits", "13"]}
# Left out where no networks are named: each takes minutes and gigabytes.
LARGE = ["gpt2_small", "minilm"]


def row(binary: Path, name: str, repeat: int, asked: list[str]) -> str:
    """The medians of as many proofs, each in a process of its own."""
    folder = venv.ROOT / "target" / "scaling" / name
    parameters = WRITERS[name].write(name, folder)
    data, samples = folder / "input.json", folder / "samples.npz"
    samples = samples if samples.exists() else None
    reports = []
    for _ in range(repeat):
        model, options = folder / "model.onnx", [*OPTIONS.get(name, []), *asked]
        reports.append(zkinfer.prove(binary, model, data, folder, samples, options))
        zkinfer.verify(binary, folder, data)
    pairs = list(zip(reports[0]["output"], reports[0]["float_output"], strict=True))
    cosine = min(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in map(flat, pairs))

    def median(key: str) -> float:
        return statistics.median(report[key] for report in reports)

    return (
        f"| {name} | {parameters / 1e6:.2f} M | {reports[0]['k']} | {median('setup_seconds'):.2f} "
        f"| {median('prove_seconds'):.3f} | {1e3 * median('verify_seconds'):.1f} "
        f"| {reports[0]['proof_bytes']} | {reports[0]['key_bytes']} "
        f"| {median('peak_rss_bytes') / 1e6:.0f} | {cosine:.5f} |"
    )


def flat(pair: tuple) -> list[np.ndarray]:
    """An output of the integers and of the float model, each as one list."""
    return [np.ravel(np.array(values, np.float64)) for values in pair]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NAMES))
    parser.add_argument("--repeat", type=int, default=3, help="proofs of each network")
    parser.add_argument("--zkinfer", type=Path, help="a built command line")
    parser.add_argument("--optimize", default="balanced", help="as of zkinfer")
    arguments = parser.parse_args()
    unknown = set(arguments.networks) - set(NAMES)
    if unknown or arguments.repeat < 1:
        parser.error(f"networks are {', '.join(NAMES)}, and at least one proof is made")
    binary = zkinfer.build(arguments.zkinfer)
    print(f"{zkinfer.machine()}\n")
    print("| network | parameters | k | setup s | prove s | verify ms | proof bytes | key bytes | peak MB | cosine to float |")
    print("|---" * 10 + "|", flush=True)
    for name in arguments.networks or [name for name in NAMES if name not in LARGE]:
        asked = ["--optimize", arguments.optimize]
        print(row(binary, name, arguments.repeat, asked), flush=True)


main()
