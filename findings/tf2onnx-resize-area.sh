#!/usr/bin/env bash
# tf2onnx 1.17.0 with TensorFlow 2.21.0: tf.image.resize(method="area") becomes a choice of nearest
# pixels, without a word.
#
# Area averages all pixels that a new one covers; it is what shrinks photographs. The file has a
# Resize with mode "nearest", which takes one of them. Bilinear, nearest and bicubic are right.
#
# Seen on 2026-11-28 on noise in 0 to 1: the largest difference from TensorFlow, and how the file
# resizes:
#   area, 16 to 4, 8, 12, 24   0.52, 0.65, 0.78, 0.65, nearest
#   bilinear 8, bicubic 24, nearest 8   0.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
"$folder/venv/bin/python" -W ignore - 2>"$folder/log" <<'PYTHON'
import numpy as np
import tensorflow as tf
import tf2onnx

x = np.random.RandomState(0).rand(1, 16, 16, 3).astype(np.float32)
for method, size in [("area", 8), ("area", 4), ("area", 12), ("area", 24), ("bilinear", 8),
                     ("bicubic", 24), ("nearest", 8)]:
    signature = [tf.TensorSpec([1, 16, 16, 3], tf.float32)]
    resize = tf.function(lambda x: tf.image.resize(x, [size, size], method=method),
                         input_signature=signature)
    file = f"{method} {size}"
    tf2onnx.convert.from_function(
        resize, input_signature=signature, opset=18, output_path=f"{file}.onnx")
    np.savez(f"{file}.npz", x=x, y=resize(x).numpy())
PYTHON
# In a process of its own: TensorFlow and onnxruntime do not always share one.
"$folder/venv/bin/python" - <<'PYTHON'
import glob

import numpy as np
import onnx
import onnxruntime

off = {}
for file in sorted(glob.glob("*.onnx")):
    expected = np.load(file.replace(".onnx", ".npz"))
    session = onnxruntime.InferenceSession(file)
    got = session.run(None, {session.get_inputs()[0].name: expected["x"]})[0]
    off[file[:-5]] = float(np.abs(got - expected["y"]).max())
    modes = [(node.op_type, attribute.s.decode()) for node in onnx.load(file).graph.node
             for attribute in node.attribute if attribute.name == "mode"]
    print(f"{file[:-5]:14} off by {off[file[:-5]]:.3f}, {modes}")
wrong = {name for name, share in off.items() if share > .1}
assert len(off) == 7 and wrong == {"area 8", "area 4", "area 12", "area 24"}, off
PYTHON
