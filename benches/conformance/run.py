"""How much of the standard is proved: onnx's own node tests, by the command as users have it.

    cargo build --release --bin zkinfer
    python benches/conformance/run.py [--prove] [--constants] [--expanded] [--details FILE]

Needs numpy and onnx (1.23.2), which holds the tests. Each case is run as its file is, with its inputs
in one file: `zkinfer run` calibrates with that input, chooses the bits, and makes constants of inputs
that decide what is computed, as axes. A case counts where the model in real numbers gives the
expected outputs and the integers are near: within 0.5 or 2 % of the largest expected one. With
`--prove` each such case is proved and verified as well. With `--constants` every input but the first
one of real numbers is a constant, as weights are in models; with `--expanded` the cases that write an
operator as the standard's own function of others count too.

Cases are of real numbers where all outputs and an input are; of integers where all inputs and outputs
are integers, booleans or real numbers; others hold strings, sequences, or types below 8 bits. A case
all of whose outputs its file already fixes is apart: there is nothing to prove.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/zkinfer"
REAL = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}
WHOLE = {
    TensorProto.BOOL: "?", TensorProto.INT8: "i1", TensorProto.INT16: "i2", TensorProto.INT32: "i4",
    TensorProto.INT64: "i8", TensorProto.UINT8: "u1", TensorProto.UINT16: "u2",
    TensorProto.UINT32: "u4", TensorProto.UINT64: "u8",
}
KINDS = {
    "real": "real numbers",
    "integers": "integers and booleans",
    "other": "strings, sequences, types below 8 bits",
}
NOTHING = ("is a constant: there is nothing to prove", "the graph has no inputs")


def array(value):
    """An array, also of what a test holds as a message."""
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else numpy.asarray(value)


def numbers(value):
    """The elements of an array, or None where it is no array of numbers."""
    try:
        return array(value).astype(numpy.float64)
    except (TypeError, ValueError):
        return None


def element_type(info):
    return info.type.tensor_type.elem_type if info.type.HasField("tensor_type") else None


def is_real(info):
    return element_type(info) in REAL


def kind(graph):
    """What a case is of."""
    if all(map(is_real, graph.output)) and any(map(is_real, graph.input)):
        return "real"
    known = REAL | WHOLE.keys()
    both = [*graph.input, *graph.output]
    return "integers" if all(element_type(info) in known for info in both) else "other"


def as_given(info, value):
    """An input as a file of inputs holds it."""
    if element_type(info) in WHOLE:
        return array(value).astype(WHOLE[element_type(info)])
    return array(value).astype("f8" if element_type(info) == TensorProto.DOUBLE else "f4")


def prepare(case, folder, constants):
    """Writes the model and its inputs; returns the expected outputs, what the case is of, and how far
    off real numbers may be: bfloat16 has three digits."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    given, expected = case.data_sets[0]
    inputs = list(zip(model.graph.input, given))
    of = kind(model.graph)
    folder.mkdir()
    if constants:
        first = next((info.name for info, _ in inputs if is_real(info)), None)
        for info, value in inputs:
            if info.name != first and element_type(info):
                tensor = numpy_helper.from_array(array(value), info.name)
                tensor.data_type = element_type(info)
                model.graph.initializer.append(tensor)
        inputs = [(info, value) for info, value in inputs if info.name == first]
        del model.graph.input[:]
        model.graph.input.extend(info for info, _ in inputs)
    onnx.save(model, folder / "model.onnx")
    arrays = {
        info.name: as_given(info, value) for info, value in inputs
        if element_type(info) and element_type(info) != TensorProto.STRING
    }
    numpy.savez(folder / "input.npz", **arrays)
    coarse = any(element_type(info) == TensorProto.BFLOAT16 for info in model.graph.output)
    return [numbers(value) for value in expected], of, 1e-2 if coarse else 2e-3


def command(program, folder, *arguments):
    """What the command says, as one object, and whether it ended well."""
    line = [program, *arguments, "--json", "--threads", "1"]
    environment = dict(os.environ, ZKINFER_CACHE_DIR=str(folder.parent / "cache"))
    try:
        run = subprocess.run(line, cwd=folder, capture_output=True, timeout=600, env=environment)
    except subprocess.TimeoutExpired:
        return {"error": "more than 600 s"}, False
    try:
        return json.loads(run.stdout), run.returncode == 0
    except ValueError:
        panicked = b"panicked" in run.stderr or run.returncode < 0
        return {"panic": True} if panicked else {"error": run.stderr.decode()}, False


def outcome_of(program, folder, prove):
    """What the command makes of a case."""
    outcome, _ = command(program, folder, "run", "--input", "input.npz", "model.onnx")
    if "output" in outcome and prove:
        proved, done = command(program, folder, "prove", "--input", "input.npz", "model.onnx")
        if done:
            verify = ("verify", "model.zkproof", "--key", "model.zkvk", "--allow-insecure-srs")
            proved, done = command(program, folder, *verify)
        if not done:
            outcome["unproved"] = proved.get("error", "no verdict")
    return outcome


def error(expected, got):
    """The largest difference as a share of the largest expected value; None if shapes differ."""
    worst = 0.0
    if len(expected) != len(got):
        return None
    for want, have in zip(expected, got):
        if want is None or want.size != len(have):
            return None
        if want.size:
            scale = max(numpy.abs(want).max(), 1e-6)
            difference = numpy.abs(want.flatten() - numpy.array(have, float)).max()
            worst = max(worst, difference / scale)
    return worst


def judge(outcome, expected, tolerance):
    """A verdict, how far off the integers are, and why there are none."""
    reason = str(outcome.get("error", ""))
    if "panic" in outcome:
        return "panicked", None, ""
    if any(nothing in reason for nothing in NOTHING):
        return "nothing to prove", None, reason
    if "float_output" not in outcome:
        return "refused", None, reason
    difference = error(expected, outcome["float_output"])
    if difference is None or not difference <= tolerance:
        return "wrong", difference, ""
    if "unproved" in outcome:
        return "unproved", None, str(outcome["unproved"])
    difference = error(expected, outcome["output"])
    near = "within 0.5 %" if difference <= 0.005 else "within 2 %"
    return (near if difference <= 0.02 else "further off"), difference, ""


def grouped(reason):
    """The operation that a refusal is of, and what is told of all its kind."""
    line = reason.splitlines()[0].removeprefix("cannot use model.onnx as a model: ")
    unknown = re.match(r"node `[^`]*`: operation `([^`]*)` is not supported; (.*)", line)
    form = re.match(r"node `[^`]*` \(([^)]*)\): (.*)", line)
    operation, what = (unknown or form).groups() if unknown or form else ("", line)
    return operation, re.sub(r"`[^`]*`|\d+", "…", what)


def report(verdicts):
    """Two tables: the verdicts, and why cases are refused."""
    columns = ("within 0.5 %", "within 2 %", "further off", "unproved", "nothing to prove", "refused")
    counts = collections.Counter((of, verdict) for of, verdict, *_ in verdicts.values())
    print("| cases | all | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 2) + "|")
    for of, name in KINDS.items():
        total = sum(count for (kind, _), count in counts.items() if kind == of)
        print(f"| {name} | {total} | " + " | ".join(str(counts[of, verdict]) for verdict in columns) + " |")
    bad = [name for name, (_, verdict, *_) in verdicts.items() if verdict in ("wrong", "panicked")]
    print(f"\n{len(bad)} wrong without a word or ended in a panic: {', '.join(bad) or 'none'}\n")
    reasons = collections.defaultdict(list)
    for _, verdict, _, reason in verdicts.values():
        if verdict in ("refused", "unproved") and reason:
            operation, what = grouped(reason)
            reasons[what].append(operation)
    print("| cases | operations | why |\n|---|---|---|")
    for what, operations in sorted(reasons.items(), key=lambda item: -len(item[1])):
        names = ", ".join(sorted(set(operations) - {""}))
        print(f"| {len(operations)} | {names} | {what} |")


def unmentioned():
    """Operations of the standard that docs/operators.md says nothing of."""
    page = (ROOT / "docs/operators.md").read_text()
    schemas = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    names = [f"{domain}.{name}".lstrip(".") for domain, name in schemas]
    return sorted(name for name in names if not re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", page))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--constants", action="store_true")
    parser.add_argument("--details", type=pathlib.Path)
    parser.add_argument("--expanded", action="store_true")
    parser.add_argument("--only", default="", help="cases whose names hold this")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    parser.add_argument("--prove", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    scratch = pathlib.Path(tempfile.mkdtemp())
    program = arguments.program.resolve()
    verdicts = {}
    try:
        cases = {}
        for case in sorted(collect_testcases(), key=lambda case: case.name):
            expanded = case.name.endswith("_expanded") and not arguments.expanded
            if expanded or arguments.only not in case.name:
                continue
            try:
                cases[case.name] = prepare(case, scratch / case.name, arguments.constants)
            except Exception as problem:
                print(f"{case.name}: left out: {problem}", file=sys.stderr)
        with concurrent.futures.ThreadPoolExecutor(arguments.workers) as pool:
            run = lambda name: outcome_of(program, scratch / name, arguments.prove)
            for name, outcome in zip(cases, pool.map(run, cases)):
                expected, of, tolerance = cases[name]
                verdicts[name] = (of, *judge(outcome, expected, tolerance))
    finally:
        shutil.rmtree(scratch)
    report(verdicts)
    print(f"\nnot in docs/operators.md: {', '.join(unmentioned()) or 'none'}")
    if arguments.details:
        lines = [f"{v}\t{n}\t{of}\t{d}\t{e}" for n, (of, v, d, e) in verdicts.items()]
        arguments.details.write_text("\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    main()
