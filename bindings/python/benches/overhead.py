"""What the package takes for a proof beyond what the command takes, in turns:
``python benches/overhead.py path/of/zkinfer [MODEL]``, where MODEL is a folder of the zoo.

The command's time is that of its run, its proof and its check, from its own report; the package's
is the wall time of ``prove`` on an array, which does the same.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import zkinfer

ROUNDS = 25
ZOO = Path(__file__).resolve().parents[3] / "models" / "zoo"


def command_seconds(command: str, arguments: list[str]) -> float:
    """Seconds of one proof by the command."""
    run = subprocess.run([command, *arguments, "--json"], capture_output=True, text=True, check=True)
    report = json.loads(run.stdout)
    return sum(report[f"{step}_seconds"] for step in ("execute", "prove", "verify"))


def main() -> None:
    command, name = sys.argv[1], (sys.argv[2:] or ["mnist_lenet"])[0]
    zoo = ZOO / name
    model = zkinfer.compile(zoo / "model.onnx", calibrate=zoo / "samples.npz")
    [data] = json.loads((zoo / "input.json").read_text())["input_data"]
    [(_, shape)] = model.describe()["inputs"]
    x = np.array(data, dtype=np.float32).reshape(shape)
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "a.zkvk"
        model.save(key)
        arguments = ["prove", str(zoo / "model.onnx"), "--input", str(zoo / "input.json")]
        arguments += ["--key", str(key), "-o", str(Path(folder) / "a.zkproof")]
        for _ in range(ROUNDS):
            theirs.append(command_seconds(command, arguments))
            start = time.perf_counter()
            model.prove(x)
            ours.append(time.perf_counter() - start)
    for who, seconds in (("command", theirs), ("package", ours)):
        milliseconds = [1000 * each for each in seconds]
        print(f"{who}: median {statistics.median(milliseconds):.1f} ms, least {min(milliseconds):.1f} ms")
    print(f"median {statistics.median(ours) / statistics.median(theirs):.3f}, least {min(ours) / min(theirs):.3f}")


if __name__ == "__main__":
    main()
