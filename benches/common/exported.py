"""What an exporter writes: set up, proved, verified, compared with onnxruntime and its framework."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CALIBRATION = 60
TESTS = 12
LIMIT_SECONDS = 900
COLUMNS = "| model | setup, s | proof, s | bytes | largest error | alarm | file and framework |"


@dataclass
class Exported:
    """A trained model: how to write its file, what it is asked, and what its framework says of it.

    `inputs` has, for each input of the file in their order, an array with a row for each sample.
    `predict` gives for such arrays the outputs in the file's order.
    """

    export: Callable[[Path], None]
    inputs: list
    predict: Callable[[list], list] | None = None


def command(program: Path, folder: Path, *arguments: str) -> dict:
    """The report of a command, or what it said instead under `error`."""
    environment = dict(os.environ, ZKINFER_CACHE_DIR=str(folder.parent / "cache"))
    run = subprocess.run([program, *arguments, "--json"], cwd=folder, capture_output=True,
                         env=environment, timeout=LIMIT_SECONDS)
    try:
        return json.loads(run.stdout)
    except ValueError:
        return {"error": run.stderr.decode().strip() or f"ended with {run.returncode}"}


def numbers(output):
    """An output as a row of real numbers, None where it holds text; maps give their values."""
    import numpy

    if isinstance(output, list) and output and isinstance(output[0], dict):
        output = [list(row.values()) for row in output]
    array = numpy.asarray(output).flatten()
    return array.astype(float) if array.dtype.kind in "biuf" else None


def difference(mine: list[list], theirs: list[list]) -> str:
    """Outputs of tests: the largest difference in any, as a share of its largest value."""
    import numpy

    worst = 0.0
    for left, right in zip(zip(*mine), zip(*theirs), strict=True):
        left, right = list(map(numbers, left)), list(map(numbers, right))
        if all(row is not None for row in left + right):
            scale = max(max(numpy.abs(row).max() for row in right), 1e-6)
            off = max(numpy.abs(one - other).max() for one, other in zip(left, right))
            worst = max(worst, off / scale)
    return f"{100 * worst:.2f} %"


def proved(program: Path, folder: Path) -> dict:
    """The report of a proof of the first test, verified; its `error` where there is none."""
    proof = command(program, folder, "prove", "--input", "test0.npz", "model.onnx")
    if "error" in proof:
        return proof
    checked = command(program, folder, "verify", "model.zkproof", "--key", "model.zkvk",
                      "--allow-insecure-srs")
    return checked if "error" in checked else proof


def written(model: Exported, folder: Path) -> None:
    """Leaves the file, its inputs, and what the framework says of the tests."""
    import numpy

    model.export(folder / "model.onnx")
    numpy.savez(folder / "inputs.npz", *[x[:CALIBRATION + TESTS] for x in model.inputs])
    if model.predict:
        own = []
        for place in range(CALIBRATION, CALIBRATION + TESTS):
            own.append(model.predict([x[place:place + 1] for x in model.inputs]))
        columns = [numpy.concatenate([numpy.asarray(row)[None] for row in one]) for one in zip(*own)]
        numpy.savez(folder / "own.npz", *columns)


def write(models: Iterator[tuple[str, Callable[[], Exported]]], only: str, folder: Path) -> None:
    """Writes each model whose name holds `only` into a folder of its own, unless it is there.

    An exporter can end the process: who calls this again goes on after that model.
    """
    for name, make in models:
        place = folder / name.replace(" ", "_")
        if only not in name or place.exists():
            continue
        place.mkdir(parents=True)
        (place / "failed.txt").write_text("not exported: the exporter crashed")
        try:
            written(make(), place)
            (place / "failed.txt").unlink()
        except Exception as error:  # an exporter that fails is a line of the table
            first = (str(error).strip().splitlines() or [""])[0][:200]
            (place / "failed.txt").write_text(f"not exported: {type(error).__name__}: {first}")


def arrays(file: Path) -> list:
    import numpy

    with numpy.load(file) as archive:
        return [archive[name] for name in archive.files]


def measured(program: Path, folder: Path) -> str:
    """A line of the table: seconds, bytes, errors, tests on which the alarm sounds."""
    import numpy
    import onnxruntime

    failed = folder / "failed.txt"
    if failed.exists():
        return failed.read_text()
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    inputs = dict(zip([each.name for each in session.get_inputs()], arrays(folder / "inputs.npz")))
    taken = lambda start, end: {name: values[start:end] for name, values in inputs.items()}
    numpy.savez(folder / "samples.npz", **taken(0, CALIBRATION))
    tests = [taken(CALIBRATION + place, CALIBRATION + place + 1) for place in range(TESTS)]
    theirs = [session.run(None, test) for test in tests]
    lost = ""
    if (folder / "own.npz").exists():
        lost = difference(theirs, list(zip(*arrays(folder / "own.npz"))))
    start = time.monotonic()
    setup = command(program, folder, "setup", "--calibrate", "samples.npz", "model.onnx")
    if "error" in setup:
        return setup["error"].replace("\n", " ")
    setup_seconds = time.monotonic() - start
    mine, alarms = [], 0
    for place, test in enumerate(tests):
        numpy.savez(folder / f"test{place}.npz", **test)
        outcome = command(program, folder, "run", "--input", f"test{place}.npz", "model.onnx")
        if "error" in outcome:
            return outcome["error"].replace("\n", " ")
        alarms += bool(outcome.get("warnings"))
        mine.append(outcome["output"])
    proof = proved(program, folder)
    if "error" in proof:
        return proof["error"].replace("\n", " ")
    seconds = f"{setup_seconds:.2f} | {proof['prove_seconds']:.3f} | {proof['proof_bytes']}"
    return f"{seconds} | {difference(mine, theirs)} | {alarms} of {TESTS} | {lost}"


def table(folder: Path, only: str, program: Path) -> None:
    """Prints a line for each model that [`write`] left in `folder` whose name holds `only`."""
    print(f"{COLUMNS}\n|---|---|---|---|---|---|---|", flush=True)
    wanted = only.replace(" ", "_")
    places = [each for each in folder.iterdir() if each.name != "cache" and wanted in each.name]
    for place in sorted(places):
        try:
            line = measured(program, place)
        except Exception as error:  # what onnxruntime refuses is a line of the table
            line = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        print(f"| {place.name.replace('_', ' ')} | {line} |", flush=True)
