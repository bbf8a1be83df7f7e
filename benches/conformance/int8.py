"""Whether codes are onnxruntime's, bit for bit: operators of quantized models on random codes.

    cargo build --release --bin zkinfer
    python benches/conformance/int8.py [--seeds N] [--prove] [--model FILE SAMPLES]

Needs numpy, onnx (1.23) and onnxruntime (1.32). Each case is a model of one operator with random
shapes, scales and zero points, per tensor and per channel, signed and unsigned; among the products
and sums are those that lie half way between two codes. `zkinfer run` computes the integers, and
onnxruntime the codes without graph optimizations. With `--prove` the first case of each operator is
proved and verified as well. `--model` compares a whole model on each of its samples instead: a file
as `zkinfer setup --calibrate` reads it, whose arrays have the names of the inputs.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import TensorProto

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models/tests"))
import record_int8 as recorded
from record_int8 import MICROSOFT, codes, linear, operation, scale, single, zero

PROGRAM = ROOT / "target/release/zkinfer"
# What docs/operators.md promises to be within one code.
NEAR = {"QLinearSoftmax", "QLinearAveragePool"}


def pick(*choices):
    return choices[recorded.random.randint(len(choices))]


def size(low, high):
    return int(recorded.random.randint(low, high + 1))


def small(weights, axis):
    """Weights whose sums with codes 16 bits hold, as what is an output must be."""
    sums = numpy.abs(weights.astype(int)).sum(axis=tuple(a for a in range(weights.ndim) if a != axis))
    return numpy.trunc(weights * min(1, 128 / sums.max())).astype(numpy.int8)


def convolutions(kind):
    """Windows of any form, grouped or not, with a bias or without one."""
    for depthwise in (False, True):
        channels = size(1, 3) * 6 if depthwise else size(1, 5)
        groups = channels if depthwise else 1
        outputs = channels if depthwise else 6
        kernel, stride, dilation = size(1, 3), size(1, 2), size(1, 2)
        attributes = {"group": groups, "strides": [stride] * 2, "dilations": [dilation] * 2,
                      "pads": [size(0, 2) for _ in range(4)]}
        weights = codes(numpy.int8, outputs, channels // groups, kernel, kernel)
        factors = linear(kind, False, (.05, .3))
        if pick(False, True):
            factors |= {"sw": scale(.002, .01, outputs), "zw": numpy.zeros(outputs, numpy.int8)}
        x = {"x": codes(kind, size(1, 2), channels, size(5, 9), size(5, 9))}
        names = [*recorded.FACTORS, *recorded.RESULT]
        yield operation("QLinearConv", names, **attributes), x, {"w": weights, **factors}
        whole = {"w": small(weights, 0), "zx": factors["zx"]}
        yield operation("ConvInteger", ["x", "w", "zx"], **attributes), x, whole


def matrices(kind):
    rows, inner, columns = size(1, 6), size(1, 80), size(1, 20)
    x = {"x": codes(kind, rows, inner)}
    factors = linear(kind, False, (.05, .3))
    if pick(False, True):
        factors |= {"sw": scale(.002, .01, columns), "zw": numpy.zeros(columns, numpy.int8)}
    weights = codes(pick(numpy.int8, kind), inner, columns)
    factors["zw"] = factors["zw"].astype(weights.dtype)
    names = [*recorded.FACTORS, *recorded.RESULT]
    yield operation("QLinearMatMul", names), x, {"w": weights, **factors}
    bias = recorded.random.randint(-3000, 3000, columns).astype(numpy.int32)
    gemm = operation("QGemm", [*recorded.FACTORS, "b", *recorded.RESULT], MICROSOFT)
    yield gemm, x, {"w": weights, "b": bias, **factors}
    whole = {"w": small(codes(numpy.int8, inner, columns), 1), "zx": zero(kind)}
    yield operation("MatMulInteger", ["x", "w", "zx"]), x, whole


def rest(kind):
    """Pools, softmax, and the two conversions."""
    names = ["x", "sx", "zx", *recorded.RESULT]
    scales = {"sx": scale(.01, .1), "zx": zero(kind), "sy": scale(.01, .1), "zy": zero(kind)}
    image = {"x": codes(kind, 1, size(1, 5), size(4, 9), size(4, 9))}
    pool = {"kernel_shape": [size(1, 3), size(1, 3)], "strides": [size(1, 2), size(1, 2)],
            "count_include_pad": size(0, 1)}
    yield operation("QLinearAveragePool", names, MICROSOFT, **pool), image, scales
    lowest = kind(0 if kind == numpy.uint8 else -128)
    probability = {"sy": single(1 / 256), "zy": lowest}
    softmax = operation("QLinearSoftmax", names, MICROSOFT, axis=-1, opset=13)
    yield softmax, {"x": codes(kind, size(1, 4), size(2, 12))}, {**scales, **probability}
    shape = size(1, 9), size(1, 40)
    factor = {"sx": scale(.01, .1), "zx": zero(kind)}
    yield operation("DequantizeLinear", ["x", "sx", "zx"]), {"x": codes(kind, *shape)}, factor
    ties = recorded.random.randint(-140, 140, shape) + pick(0, .5)
    numbers = {"x": (ties * factor["sx"]).astype(single)}
    yield operation("QuantizeLinear", ["x", "sx", "zx"]), numbers, factor


def cases(seeds):
    for seed in range(seeds):
        recorded.random = numpy.random.RandomState(1000 + seed)
        for _, kind, node, inputs, constants in recorded.cases():
            yield kind, node, inputs, constants
        for kind in (numpy.uint8, numpy.int8):
            for family in (convolutions, matrices, rest):
                for node, inputs, constants in family(kind):
                    yield kind, node, inputs, constants


def result_type(kind, op):
    if op == "DequantizeLinear":
        return TensorProto.FLOAT
    if op in ("MatMulInteger", "ConvInteger"):
        return TensorProto.INT32
    return TensorProto.UINT8 if kind == numpy.uint8 else TensorProto.INT8


def session(proto):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(proto, options)


def command(program, folder, *arguments):
    """What the command says, as one object."""
    environment = dict(os.environ, ZKINFER_CACHE_DIR=str(folder / "cache"))
    line = [program, *arguments, "--json", "--threads", "1"]
    run = subprocess.run(line, cwd=folder, capture_output=True, env=environment)
    try:
        return json.loads(run.stdout)
    except ValueError:
        return {"error": run.stderr.decode() or f"ended with {run.returncode}"}


def ours(program, folder, inputs, prove):
    """The outputs as real numbers, or why there are none."""
    numpy.savez(folder / "x.npz", **inputs)
    outcome = command(program, folder, "run", "--input", "x.npz", "model.onnx")
    if "output" in outcome and prove:
        proved = command(program, folder, "prove", "--input", "x.npz", "model.onnx")
        if "error" not in proved:
            check = ("verify", "model.zkproof", "--key", "model.zkvk", "--allow-insecure-srs")
            proved = command(program, folder, *check)
        # Its settings and key are not for the next model.
        for file in folder.glob("model.*"):
            file.unlink()
        if "error" in proved:
            return proved
    return outcome


def operators(arguments, folder):
    """A line for each operator: how many codes differ, and by how much."""
    totals, refused = collections.defaultdict(collections.Counter), {}
    for kind, node, inputs, constants in cases(arguments.seeds):
        op = node.op_type
        proto = recorded.model([node], inputs, constants, ["y"], result_type(kind, op))
        onnx.save(proto, folder / "model.onnx")
        try:
            theirs = session(proto.SerializeToString()).run(None, inputs)[0].flatten()
        except Exception:
            totals[op]["not in onnxruntime"] += 1
            continue
        outcome = ours(arguments.program, folder, inputs, arguments.prove and not totals[op])
        if "output" not in outcome:
            totals[op]["refused"] += 1
            refused.setdefault(op, outcome.get("error", ""))
            continue
        difference = numpy.abs(numpy.array(outcome["output"][0]) - theirs)
        # Real numbers are shown in single precision; a code is a whole number.
        unit = constants["sx"] if op == "DequantizeLinear" else 1
        totals[op]["cases"] += 1
        totals[op]["values"] += len(theirs)
        totals[op]["differing"] += int((difference > unit / 100).sum())
        totals[op]["most"] = max(totals[op]["most"], int(numpy.rint(difference.max() / unit)))
    print("| operator | cases | values | differing | by at most | refused |\n|---|---|---|---|---|---|")
    for op, total in sorted(totals.items()):
        numbers = [total[key] for key in ("cases", "values", "differing", "most", "refused")]
        print(f"| {op} | " + " | ".join(map(str, numbers)) + " |")
    for op, reason in refused.items():
        print(f"{op}: {reason}", file=sys.stderr)
    return all(t["most"] <= (1 if op in NEAR else 0) for op, t in totals.items())


def whole_model(arguments, folder):
    """How many outputs of a model differ from onnxruntime's, sample by sample."""
    model, samples = arguments.model
    proto = onnx.load(model)
    onnx.save(proto, folder / "model.onnx")
    theirs, arrays = session(proto.SerializeToString()), numpy.load(samples)
    names = [info.name for info in theirs.get_inputs()]
    numpy.savez(folder / "samples.npz", **arrays)
    command(arguments.program, folder, "setup", "--calibrate", "samples.npz", "model.onnx")
    differing = most = values = 0
    for sample in range(len(arrays[names[0]])):
        inputs = {name: arrays[name][sample:sample + 1] for name in names}
        numpy.savez(folder / "x.npz", **inputs)
        outcome = command(arguments.program, folder, "run", "--input", "x.npz", "model.onnx")
        for mine, output in zip(outcome["output"], theirs.run(None, inputs)):
            difference = numpy.abs(numpy.array(mine) - output.flatten())
            unit = max(numpy.abs(output).max(), 1e-9) / 1e5
            values += output.size
            differing += int((difference > unit).sum())
            most = max(most, float(difference.max()))
    print(f"{differing} of {values} outputs differ, by at most {most}")
    return differing == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs=2, metavar=("FILE", "SAMPLES"))
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    parser.add_argument("--prove", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    arguments.program = arguments.program.resolve()
    with tempfile.TemporaryDirectory() as folder:
        run = whole_model if arguments.model else operators
        sys.exit(0 if run(arguments, pathlib.Path(folder)) else 1)


if __name__ == "__main__":
    main()
