"""How much of the standard is imported: onnx's own node tests, run in real numbers and integers.

    cargo build --release -p zkinfer-models --example conformance
    python benches/conformance/run.py [--fixed] [--constants] [--expanded] [--details FILE]

Needs numpy and onnx (1.23.2), which holds the tests. A case counts as imported where the real
execution gives the expected outputs, and as near where the integers are within 2 % of the largest
one. Cases are as the files are. With `--fixed` a refused case is run again as a user would after its
message: with `--fix` for the inputs that are no real numbers, such as axes and shapes. With `--constants` every input but the first one of real numbers is
a constant, as weights are in models; with `--expanded` the cases that write an operator as the
standard's own function of others count too. Only cases with real outputs and a real input are counted as
real; the others are those of integers, booleans and strings.
"""

import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/examples/conformance"
REAL = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16}


def numbers(value):
    """The elements of an array, or None where it is no array of numbers."""
    try:
        return numpy.asarray(value).astype(numpy.float64)
    except (TypeError, ValueError):
        return None


def is_real(info):
    return info.type.HasField("tensor_type") and info.type.tensor_type.elem_type in REAL


def fixed_inputs(inputs):
    """Options that fix the inputs of other than real numbers, and the inputs that are left."""
    lines, left = [], []
    for info, value in inputs:
        if is_real(info) or not info.type.HasField("tensor_type") or not numpy.asarray(value).size:
            left.append((info, value))
        else:
            given = ",".join(str(float(v)) for v in numpy.asarray(value).flatten())
            lines.append(f"fix {info.name}={given}")
    return lines, left


def prepare(case, folder, constants, fixed=False):
    """Writes the model and its inputs; returns the expected outputs, whether they are real, and how
    far off real numbers may be: bfloat16 has three digits."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    given, expected = case.data_sets[0]
    inputs = list(zip(model.graph.input, given))
    real = all(map(is_real, model.graph.output)) and any(is_real(info) for info, _ in inputs)
    folder.mkdir()
    if constants:
        first = next((info.name for info, _ in inputs if is_real(info)), None)
        for info, value in inputs:
            if info.name != first and info.type.HasField("tensor_type"):
                tensor = numpy_helper.from_array(numpy.asarray(value), info.name)
                tensor.data_type = info.type.tensor_type.elem_type
                model.graph.initializer.append(tensor)
        inputs = [(info, value) for info, value in inputs if info.name == first]
        del model.graph.input[:]
        model.graph.input.extend(info for info, _ in inputs)
    if fixed:
        lines, inputs = fixed_inputs(inputs)
        (folder / "options").write_text("\n".join(lines) + "\n" if lines else "")
    onnx.save(model, folder / "model.onnx")
    elements = [numbers(value).flatten() for _, value in inputs if numbers(value) is not None]
    numpy.concatenate(elements or [numpy.zeros(0)]).astype("<f8").tofile(folder / "inputs.bin")
    coarse = any(info.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16
                 for info in model.graph.output)
    return [numbers(value) for value in expected], real, 1e-2 if coarse else 2e-3


def error(expected, got):
    """The largest difference as a share of the largest expected value; None if shapes differ."""
    worst = 0.0
    for want, have in zip(expected, got):
        if want is None or want.size != len(have):
            return None
        if want.size:
            scale = max(numpy.abs(want).max(), 1e-6)
            difference = numpy.abs(want.flatten() - numpy.array(have, float)).max()
            worst = max(worst, difference / scale)
    return worst


def judge(outcome, expected, tolerance):
    if "panic" in outcome:
        return "panicked", None
    if "float" not in outcome:
        return "refused", None
    difference = error(expected, outcome["float"])
    if difference is None or not difference <= tolerance:
        return "wrong", difference
    if "integer" not in outcome:
        return "not quantized", None
    difference = error(expected, outcome["integer"])
    near = "within 0.5 %" if difference <= 0.005 else "within 2 %"
    return (near if difference <= 0.02 else "far"), difference


def outcomes_of(program, scratch):
    """What the program says of each case, by name."""
    run = subprocess.run([program, scratch], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    outcomes = (json.loads(line) for line in run.stdout.decode().splitlines())
    return {outcome["case"]: outcome for outcome in outcomes}


def run_again(program, scratch, cases, outcomes):
    """Runs the refused cases with inputs fixed that are no real numbers."""
    shutil.rmtree(scratch)
    scratch.mkdir()
    for name, case in cases.items():
        if "float" not in outcomes.get(name, {"float": None}):
            try:
                prepare(case, scratch / name, False, fixed=True)
            except Exception:
                shutil.rmtree(scratch / name, ignore_errors=True)
    for name, outcome in outcomes_of(program, scratch).items():
        if "float" in outcome:
            outcomes[name] = outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--constants", action="store_true")
    parser.add_argument("--fixed", action="store_true")
    parser.add_argument("--details", type=pathlib.Path)
    parser.add_argument("--expanded", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    arguments = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        expected, cases = {}, {}
        for case in sorted(collect_testcases(), key=lambda case: case.name):
            if case.name.endswith("_expanded") and not arguments.expanded:
                continue
            try:
                expected[case.name] = prepare(case, scratch / case.name, arguments.constants)
                cases[case.name] = case
            except Exception as problem:
                print(f"{case.name}: left out: {problem}", file=sys.stderr)
                shutil.rmtree(scratch / case.name, ignore_errors=True)
        outcomes = outcomes_of(arguments.program, scratch)
        if arguments.fixed:
            run_again(arguments.program, scratch, cases, outcomes)
    finally:
        shutil.rmtree(scratch)
    counts = collections.Counter()
    reasons = collections.Counter()
    details = []
    for name, (outputs, real, tolerance) in expected.items():
        outcome = outcomes.get(name, {"panic": True})
        verdict, difference = judge(outcome, outputs, tolerance)
        counts["real" if real else "other", verdict] += 1
        reason = outcome.get("error", "")
        if verdict == "refused":
            reasons[re.sub(r"`[^`]*`", "`…`", reason.splitlines()[0], count=1)] += 1
        details.append((verdict, name, real, difference, reason))
    for kind in ("real", "other"):
        total = sum(count for (of, _), count in counts.items() if of == kind)
        print(f"{kind}: {total} cases")
        for (of, verdict), count in sorted(counts.items()):
            if of == kind:
                print(f"  {verdict:14} {count}")
    for reason, count in reasons.most_common(40):
        print(f"{count:5} {reason}")
    if arguments.details:
        lines = [f"{v}\t{n}\t{'real' if r else 'other'}\t{d}\t{e}" for v, n, r, d, e in details]
        arguments.details.write_text("\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    main()
