#!/usr/bin/env bash
# paddle2onnx 2.1.0 with Paddle 3.3.1: the epsilon of a GroupNorm is not written; the file has
# whatever number lay in memory, another one each time.
#
# GroupNorm becomes InstanceNormalization. InstanceNorm, BatchNorm and LayerNorm of the same network
# have the epsilon that they were given. With a number near 0 the file is right where a group varies
# and gives 0/0 where it does not, as in the border of an image; with a negative number onnxruntime
# refuses the file or computes the root of a negative number.
#
# Seen on 2026-11-28, for epsilon=0.5 in both norms of one network, exported five times:
#   GroupNorm      0.0, -9.1e19, 3809.6, 0.00176, 4.7e37; outputs off by 0.43 to 0.54, or NaN
#   InstanceNorm   0.5 each time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    paddlepaddle==3.3.1 paddle2onnx==2.1.0 onnxruntime==1.32.0 numpy==2.4.6 setuptools
cd "$folder"
cat >export.py <<'PYTHON'
import sys

import paddle
import paddle2onnx
from paddle import nn

paddle.seed(0)
network = nn.Sequential(nn.GroupNorm(2, 4, epsilon=.5), nn.ReLU(), nn.InstanceNorm2D(4, epsilon=.5))
network.eval()
spec = [paddle.static.InputSpec([1, 4, 6, 6], "float32", "x")]
paddle.jit.save(network, "model", input_spec=spec)
paddle2onnx.export("model.json", "model.pdiparams", sys.argv[1])
x = paddle.linspace(-1, 1, 144).reshape([1, 4, 6, 6])
import numpy
numpy.savez(sys.argv[1].replace(".onnx", ".npz"), x=x.numpy(), y=network(x).numpy())
PYTHON
for number in 1 2 3 4 5; do
    "$folder/venv/bin/python" -W ignore export.py "$number.onnx" >"$folder/log" 2>&1
done
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime

onnxruntime.set_default_logger_severity(4)
groups, instances = [], []
for number in range(1, 6):
    nodes = [n for n in onnx.load(f"{number}.onnx").graph.node if n.op_type.startswith("Instance")]
    first, second = [n.attribute[0].f for n in nodes]
    expected = np.load(f"{number}.npz")
    try:
        got = onnxruntime.InferenceSession(f"{number}.onnx").run(None, {"x": expected["x"]})[0]
        off = np.abs(got - expected["y"]).max()
    except Exception as error:
        off = str(error)[:60]
    print(f"GroupNorm {first!r}, InstanceNorm {second!r}, off by {off}")
    groups.append(first)
    instances.append(second)
assert instances == [.5] * 5, instances
assert .5 not in groups, groups
PYTHON
