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

from common import networks, transformer, zkinfer

NAMES = [*networks.NAMES, *transformer.NANO]


def row(binary: Path, name: str, repeat: int) -> str:
    """The medians of as many proofs, each in a process of its own."""
    folder = venv.ROOT / "target" / "scaling" / name
    writer = transformer if name in transformer.NANO else networks
    parameters = writer.write(name, folder)
    data, samples = folder / "input.json", folder / "samples.npz"
    samples = samples if samples.exists() else None
    reports = []
    for _ in range(repeat):
        reports.append(zkinfer.prove(binary, folder / "model.onnx", data, folder, samples))
        zkinfer.verify(binary, folder, data)

    def median(key: str) -> float:
        return statistics.median(report[key] for report in reports)

    return (
        f"| {name} | {parameters / 1e6:.2f} M | {reports[0]['k']} | {median('setup_seconds'):.2f} "
        f"| {median('prove_seconds'):.3f} | {1e3 * median('verify_seconds'):.1f} "
        f"| {reports[0]['proof_bytes']} | {reports[0]['key_bytes']} "
        f"| {median('peak_rss_bytes') / 1e6:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NAMES))
    parser.add_argument("--repeat", type=int, default=3, help="proofs of each network")
    parser.add_argument("--zkinfer", type=Path, help="a built command line")
    arguments = parser.parse_args()
    unknown = set(arguments.networks) - set(NAMES)
    if unknown or arguments.repeat < 1:
        parser.error(f"networks are {', '.join(NAMES)}, and at least one proof is made")
    binary = zkinfer.build(arguments.zkinfer)
    print(f"{zkinfer.machine()}\n")
    print("| network | parameters | k | setup s | prove s | verify ms | proof bytes | key bytes | peak MB |")
    print("|---" * 9 + "|", flush=True)
    for name in arguments.networks or NAMES:
        print(row(binary, name, arguments.repeat), flush=True)


main()
