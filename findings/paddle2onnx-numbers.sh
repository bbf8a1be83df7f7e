#!/usr/bin/env bash
# paddle2onnx 2.1.0 with Paddle 3.3.1: three layers lose a number of theirs, without a word.
#
#   LeakyReLU   the slope is whatever lay in memory when the file was written, another one each time
#   GroupNorm   the epsilon is, too (it becomes InstanceNormalization)
#   Hardtanh    the bounds are −1 and 1, whatever they were
#
# A slope of 10^25 or below 0 is seen at once; one near 0, as often, makes a network that is a little
# worse. An epsilon near 0 is right but where a group is constant, as in the border of an image, which
# then gives 0/0. ELU, SELU, PReLU, Hardshrink, Softshrink, ThresholdedReLU, BatchNorm2D and
# InstanceNorm2D have the numbers that they were given.
#
# Seen on 2026-11-28, one network exported five times, with a slope of 0.2, an epsilon of 0.5 and
# bounds of ±0.5: slope 0, epsilon 0, bounds ±1, outputs off by 0.98 of 0.67. In other networks the
# slope was 4331536, −3.6e24, −0.0084 and 3.7e−18, the epsilon −9.1e19, 3809.6, 0.00176 and 4.7e37.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    paddlepaddle==3.3.1 paddle2onnx==2.1.0 onnxruntime==1.32.0 setuptools numpy==2.4.6
cd "$folder"
cat >export.py <<'PYTHON'
import sys

import numpy
import paddle
import paddle2onnx
from paddle import nn

x = paddle.linspace(-1, 1, 144).reshape([1, 4, 6, 6])
paddle.seed(0)
network = nn.Sequential(
    nn.Conv2D(4, 4, 1), nn.LeakyReLU(.2), nn.GroupNorm(2, 4, epsilon=.5), nn.Hardtanh(-.5, .5),
    nn.ELU(.2), nn.InstanceNorm2D(4, epsilon=.25))
network.eval()
spec = [paddle.static.InputSpec([1, 4, 6, 6], "float32", "x")]
paddle.jit.save(network, "model", input_spec=spec)
paddle2onnx.export("model.json", "model.pdiparams", f"{sys.argv[1]}.onnx")
numpy.savez(f"{sys.argv[1]}.npz", x=x.numpy(), y=network(x).numpy())
PYTHON
for number in 1 2 3 4 5; do
    "$folder/venv/bin/python" -W ignore export.py "$number" >"$folder/log" 2>&1
done
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime

onnxruntime.set_default_logger_severity(4)
LAYERS = {"LeakyRelu": ["alpha"], "Clip": ["min", "max"], "Elu": ["alpha"],
          "InstanceNormalization": ["epsilon"]}
seen = []
for number in range(1, 6):
    found = []
    for node in onnx.load(f"{number}.onnx").graph.node:
        names = LAYERS.get(node.op_type, [])
        found.extend((node.op_type, a.name, round(a.f, 6)) for a in node.attribute if a.name in names)
    expected = np.load(f"{number}.npz")
    try:
        got = onnxruntime.InferenceSession(f"{number}.onnx").run(None, {"x": expected["x"]})[0]
        off = f"{np.abs(got - expected['y']).max():.3f} of {np.abs(expected['y']).max():.3f}"
    except Exception as error:
        off = f"an error: {str(error)[:40]}"
    print(*(f"{op}.{name} {value!r}" for op, name, value in found), "off by", off)
    seen.append({(op, name): value for op, name, value in found if op != "InstanceNormalization"})
    norms = [value for op, _, value in found if op == "InstanceNormalization"]
    assert len(norms) == 2 and norms[0] != .5 and norms[1] == .25, norms
for numbers in seen:
    assert numbers["Elu", "alpha"] == round(.2, 6), numbers
    assert (numbers["Clip", "min"], numbers["Clip", "max"]) == (-1., 1.), numbers
    assert numbers["LeakyRelu", "alpha"] != round(.2, 6), numbers
PYTHON
