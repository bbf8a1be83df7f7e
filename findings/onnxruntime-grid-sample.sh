#!/usr/bin/env bash
# onnxruntime 1.32.0 and onnx 1.23.2's reference give different numbers for GridSample with cubic
# interpolation and border padding, where a place lies beyond the image.
#
# The reference moves the place to the border and interpolates there, so that a place straight above a
# pixel of the first row gives that pixel. onnxruntime interpolates at the place itself and takes the
# border's pixel for each neighbour that is missing, which overshoots. With bilinear interpolation, and
# with the other paddings, the two agree.
#
# Seen on 2026-11-28, an image of 5 x 5 numbers n^1.5, align_corners, place (0, -1.3):
#   cubic: onnxruntime 1.698614, reference 2.828427, which is pixel (0, 2); linear: both 2.828427
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

image = (numpy.arange(25, dtype=numpy.float32) ** 1.5).astype(numpy.float32).reshape(1, 1, 5, 5)
place = numpy.array([[[[0.0, -1.3]]]], numpy.float32)
seen = {}
for mode in ("cubic", "linear"):
    node = helper.make_node("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode="border",
                            align_corners=1)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape),
              helper.make_tensor_value_info("g", TensorProto.FLOAT, place.shape)]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    feeds = {"x": image, "g": place}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    seen[mode] = (session.run(None, feeds)[0].item(),
                  ReferenceEvaluator(model).run(None, feeds)[0].item())
    print(mode, "onnxruntime", seen[mode][0], "reference", seen[mode][1])
pixel = float(image[0, 0, 0, 2])
assert all(abs(value - pixel) < 1e-5 for value in seen["linear"]), "linear changed"
assert abs(seen["cubic"][1] - pixel) < 1e-5, "the reference changed"
assert abs(seen["cubic"][0] - 1.698614) < 1e-4, "onnxruntime changed"
PYTHON
echo 'as described: cubic GridSample beyond a border differs between onnxruntime and the reference'
