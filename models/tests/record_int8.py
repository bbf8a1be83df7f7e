"""Writes models on codes, inputs, and the codes that onnxruntime gives without optimizations.

`python models/tests/record_int8.py` writes `models/tests/data/int8.json`. Needs numpy, onnx (1.23)
and onnxruntime (1.32).
"""

import json
import pathlib

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

random = numpy.random.RandomState(11)
MICROSOFT = "com.microsoft"
single = numpy.float32


def codes(kind, *shape):
    bounds = (0, 256) if kind == numpy.uint8 else (-128, 128)
    return random.randint(*bounds, shape).astype(kind)


def scale(low, high, *shape):
    return random.uniform(low, high, shape).astype(single)


def zero(kind):
    return kind(random.randint(90, 160) if kind == numpy.uint8 else random.randint(-30, 30))


def model(nodes, inputs, constants, outputs, result):
    def info(name, array):
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        return helper.make_tensor_value_info(name, dtype, array.shape)

    graph = helper.make_graph(
        nodes, "int8", [info(*item) for item in inputs.items()],
        [helper.make_tensor_value_info(name, result, None) for name in outputs],
        [numpy_helper.from_array(numpy.asarray(v), k) for k, v in constants.items()])
    sets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=sets, ir_version=10)


def operation(op, names, domain="", **attributes):
    return helper.make_node(op, names, ["y"], domain=domain, **attributes)


def linear(kind, per_channel, output):
    """Scales and zero points of a linear layer with six outputs."""
    return {
        "sx": scale(.005, .05), "zx": zero(kind),
        "sw": scale(.002, .01, 6) if per_channel else scale(.002, .01),
        "zw": numpy.zeros(6, numpy.int8) if per_channel else numpy.int8(0),
        "sy": scale(*output), "zy": zero(kind),
    }


FACTORS = ["x", "sx", "zx", "w", "sw", "zw"]
RESULT = ["sy", "zy"]


def layers(kind, per_channel):
    bias = random.randint(-2000, 2000, 6).astype(numpy.int32)
    signed = numpy.int8
    yield ("convolution", operation("QLinearConv", [*FACTORS, *RESULT, "b"], pads=[1, 1, 1, 1]),
           {"x": codes(kind, 1, 4, 7, 7)},
           {"w": codes(signed, 6, 4, 3, 3), "b": bias, **linear(kind, per_channel, (.05, .3))})
    yield ("matrix", operation("QLinearMatMul", [*FACTORS, *RESULT]), {"x": codes(kind, 5, 48)},
           {"w": codes(signed, 48, 6), **linear(kind, per_channel, (.05, .3))})
    yield ("dense", operation("QGemm", [*FACTORS, "b", *RESULT], MICROSOFT, transB=1, alpha=.7),
           {"x": codes(kind, 4, 64)},
           {"w": codes(signed, 6, 64), "b": bias, **linear(kind, per_channel, (.05, .3))})


def elementwise(kind):
    pair = ["x", "sx", "zx", "z", "sz", "zz", *RESULT]
    scales = {"sx": scale(.01, .1), "zx": zero(kind), "sz": scale(.01, .1), "zz": zero(kind),
              "zy": zero(kind)}
    two = {"x": codes(kind, 2, 300), "z": codes(kind, 2, 300)}
    add, mul = [operation(op, pair, MICROSOFT) for op in ("QLinearAdd", "QLinearMul")]
    yield "sum", add, two, {**scales, "sy": scale(.03, .1)}
    half = {**scales, "sx": single(.25), "sz": single(.25), "sy": single(.5)}
    yield "sum of halves", add, two, half
    yield "product", mul, two, {**scales, "sy": scale(.2, .5)}
    for name, op, size in [("sum", add, .05), ("product", mul, .3)]:
        for shape in [(1,), (4, 1)]:
            constants = {**scales, "z": codes(kind, *shape), "sy": single(size)}
            yield f"{name} with a constant of {shape}", op, {"x": codes(kind, 4, 40)}, constants
    stacks = {"x": codes(kind, 3, 24), "z": codes(kind, 24, 5)}
    yield "two matrices", operation("QLinearMatMul", pair), stacks, {**scales, "sy": scale(.3, .6)}


def functions(kind):
    names = ["x", "sx", "zx", *RESULT]
    every = {"x": codes(kind, 1, 200)}
    scales = {"sx": scale(.01, .1), "zx": zero(kind), "sy": scale(.01, .1), "zy": zero(kind)}
    lowest = kind(0 if kind == numpy.uint8 else -128)
    probability = {"sy": single(1 / 256), "zy": lowest}
    yield ("sigmoid", operation("QLinearSigmoid", names, MICROSOFT), every, {**scales, **probability})
    yield ("leaky", operation("QLinearLeakyRelu", names, MICROSOFT, alpha=.1), every, scales)
    for last in (0, 1):
        op = operation("QLinearGlobalAveragePool", names, MICROSOFT, channels_last=last)
        yield f"mean {last}", op, {"x": codes(kind, 1, 7, 5, 5)}, scales
    parts = [*RESULT, "x", "sx", "zx", "z", "sy", "zy"]
    yield ("parts", operation("QLinearConcat", parts, MICROSOFT, axis=1),
           {"x": codes(kind, 2, 60), "z": codes(kind, 2, 40)}, scales)
    numbers = numpy.concatenate([random.randn(300), numpy.arange(-150, 150) + .5])
    step = scale(.01, .1)
    numbers = (numbers * numpy.repeat([1.0, float(step)], 300)).astype(single)[None, :]
    yield ("codes", operation("QuantizeLinear", ["x", "sx", "zx"]), {"x": numbers},
           {"sx": step, "zx": zero(kind)})
    small = {"w": random.randint(-9, 9, (6, 4)).astype(numpy.int8), "zx": zero(kind)}
    yield "whole sums", operation("MatMulInteger", ["x", "w", "zx"]), {"x": codes(kind, 3, 6)}, small


def cases():
    for kind in (numpy.uint8, numpy.int8):
        for per_channel in (False, True):
            for name, node, inputs, constants in layers(kind, per_channel):
                yield f"{name} {per_channel}", kind, node, inputs, constants
        for name, node, inputs, constants in [*elementwise(kind), *functions(kind)]:
            yield name, kind, node, inputs, constants


def main():
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    recorded = []
    for name, kind, node, inputs, constants in cases():
        result = TensorProto.UINT8 if kind == numpy.uint8 else TensorProto.INT8
        result = TensorProto.INT32 if node.op_type == "MatMulInteger" else result
        proto = model([node], inputs, constants, ["y"], result)
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
        output = session.run(None, inputs)[0]
        recorded.append({
            "name": f"{name} {kind.__name__}", "model": proto.SerializeToString().hex(),
            "inputs": [[float(v) for v in x.flatten()] for x in inputs.values()],
            "output": [int(v) for v in output.flatten()],
        })
    path = pathlib.Path(__file__).resolve().parent / "data/int8.json"
    lines = ",\n".join(json.dumps(case) for case in recorded)
    path.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
