#!/usr/bin/env python3
"""The tables of docs/performance.md, from one machine and one date: `python3 benches/results/run.py`.

Proves the models of the zoo and the networks of the scaling bench, verifies every proof, and writes
the page's results between its markers. `--print` shows them instead.
"""

import argparse
import datetime
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import venv

venv.enter("scaling", ["numpy", "onnx"])

from common import networks, zkinfer

PAGE = venv.ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
ZOO = ["cancer_mlp", "digits_mlp", "digits_cnn", "mnist_lenet"]
HEAD = "| model | k | setup s | prove s (shortest) | verify ms | proof bytes | key bytes | peak MB |"


def reports(binary: Path, model: Path, data: Path, folder: Path, samples: Path | None, repeat: int):
    """The reports of `repeat` proofs, each in a process of its own, after one that is dropped."""
    made = []
    for _ in range(repeat + 1):
        made.append(zkinfer.prove(binary, model, data, folder, samples))
        zkinfer.verify(binary, folder, data)
    return made[1:]


def row(name: str, made: list[dict]) -> str:
    def median(key: str) -> float:
        return statistics.median(report[key] for report in made)

    shortest = min(report["prove_seconds"] for report in made)
    first = made[0]
    return (
        f"| {name} | {first['k']} | {median('setup_seconds'):.2f} "
        f"| {median('prove_seconds'):.3f} ({shortest:.3f}) | {1e3 * median('verify_seconds'):.1f} "
        f"| {first['proof_bytes']} | {first['key_bytes']} | {median('peak_rss_bytes') / 1e6:.0f} |"
    )


def stages(made: list[dict]) -> list[str]:
    """The stages of the last proof of `made`, as a table."""
    lines = ["| stage | ms |", "|---|---|"]
    for stage in made[-1].get("stages", []):
        lines.append(f"| {stage['stage']} | {1e3 * stage['seconds']:.1f} |")
    return lines if len(lines) > 2 else []


def commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=venv.ROOT, capture_output=True, text=True).stdout.strip()


def results(binary: Path, repeat: int) -> str:
    today = datetime.date.today().isoformat()
    lines = [f"{zkinfer.machine()}.", f"{today}, commit {commit()}, medians of {repeat}.", ""]
    lines += ["### Models of the zoo", "", HEAD, "|---" * 8 + "|"]
    folder = venv.ROOT / "target" / "results"
    lenet = []
    for name in ZOO:
        zoo = venv.ROOT / "models" / "zoo" / name
        data, samples = zoo / "input.json", zoo / "samples.npz"
        made = reports(binary, zoo / "model.onnx", data, folder / name, samples, repeat)
        lenet = made
        lines.append(row(name, made))
        print(lines[-1], file=sys.stderr, flush=True)
    if table := stages(lenet):
        lines += ["", f"Stages of a proof of {ZOO[-1]}:", ""] + table
    lines += ["", "### Networks with random weights", "", HEAD, "|---" * 8 + "|"]
    for name in networks.NAMES:
        place = venv.ROOT / "target" / "scaling" / name
        networks.write(name, place)
        data = place / "input.json"
        lines.append(row(name, reports(binary, place / "model.onnx", data, place, None, repeat)))
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="proofs of each model")
    parser.add_argument("--zkinfer", type=Path, help="a built command line")
    parser.add_argument("--print", action="store_true", help="show the tables, write nothing")
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("at least one proof is made")
    tables = results(zkinfer.build(arguments.zkinfer), arguments.repeat)
    if arguments.print:
        print(tables)
        return
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}")


main()
