#!/usr/bin/env bash
# tf2onnx 1.17.0, which Keras 3.15.1 exports with: the square of a convolution's result is
# transposed twice, and the file computes other numbers, without a word.
#
# Where a layer has channels last, tf2onnx moves transposes through the operations after it. The
# product of a tensor with itself has the same transpose on both sides; it is moved for each of them,
# so that what follows is moved twice. With one dimension of 1, as after a kernel over all channels
# of an EEG, the two do not cancel but become a Reshape and a Transpose that mix channels and time:
# no shape is wrong, and the file loads and runs. ShallowConvNet is such a network. Products of two
# different tensors, and other functions of one element, are right; so is a square where no
# dimension is 1.
#
# Seen on 2026-11-28: the largest difference of the file's outputs from the model's, as a share of
# the largest output:
#   height 1: square 0.50 | multiply([y, y]) 0.45 | exp, y * sigmoid(y) 0.00
#   height 4: square, multiply([y, y]), exp, y * sigmoid(y) 0.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0 \
    numpy==2.4.6
cd "$folder"
export KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
"$folder/venv/bin/python" -W ignore - 2>"$folder/log" <<'PYTHON'
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(0)
x = np.random.RandomState(0).rand(2, 4, 16, 2).astype(np.float32)
functions = {
    "square": ops.square,
    "multiply": lambda y: layers.multiply([y, y]),
    "exp": ops.exp,
    "y * sigmoid": lambda y: layers.multiply([y, ops.sigmoid(y)]),
}
for height, kernel in [(1, 4), (4, 1)]:
    for name, function in functions.items():
        given = keras.Input((4, 16, 2))
        y = function(layers.Conv2D(8, (kernel, 1))(given))
        y = layers.Flatten()(layers.AveragePooling2D((1, 4))(y))
        model = keras.Model(given, layers.Dense(3)(y))
        model.predict(x, verbose=0)
        model.export(f"{height} {name}.onnx", format="onnx", verbose=False)
        np.savez(f"{height} {name}.npz", x=x, y=model(x).numpy())
PYTHON
# In a process of its own: TensorFlow and onnxruntime do not always share one.
"$folder/venv/bin/python" - <<'PYTHON'
import glob

import numpy as np
import onnxruntime

off = {}
for file in sorted(glob.glob("*.onnx")):
    expected = np.load(file.replace(".onnx", ".npz"))
    session = onnxruntime.InferenceSession(file)
    got = session.run(None, {session.get_inputs()[0].name: expected["x"]})[0]
    off[file[:-5]] = np.abs(got - expected["y"]).max() / np.abs(expected["y"]).max()
    print(f"height {file[:-5]:20} off by {off[file[:-5]]:.3f} of the largest output")
wrong = {name for name, share in off.items() if share > 1e-4}
assert len(off) == 8 and wrong == {"1 square", "1 multiply"}, wrong
PYTHON
