#!/usr/bin/env bash
# Keras 3.15.1 with tf2onnx 1.17.0: the mean and the variance of a Normalization layer are not in the
# exported file. They become two more inputs, and whoever runs the file gives them.
#
# `adapt` keeps statistics as weights, but `call` reads tensors that are made of them beforehand; of
# such tensors tf2onnx makes inputs. The export says nothing, the model's own summary has one input,
# and the inputs have the shape of the statistics, so that any numbers will do. Statistics that are
# passed to the constructor are lost in the same way; BatchNormalization and Rescaling are not. A
# tensor that a layer of one's own was given when it was made is lost, too; a NumPy array is not.
#
# Seen on 2026-11-28, names of the files' inputs after the first:
#   Normalization, adapted   normalization/Sub/y, normalization/Sqrt/x
#   Normalization, given     the same two
#   BatchNormalization, Rescaling   none
#   a tensor as a factor     one | the same as a NumPy array  none
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
export KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
"$folder/venv/bin/python" -W ignore - 2>"$folder/log" <<'PYTHON'
import keras
import numpy as np
import onnx
import tensorflow as tf
from keras import layers

x = np.random.RandomState(0).rand(20, 4).astype(np.float32)
adapted = layers.Normalization()
adapted.adapt(x)


class Scaled(layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return x * self.factor


kinds = {
    "Normalization, adapted": adapted,
    "Normalization, given": layers.Normalization(mean=x.mean(0), variance=x.var(0)),
    "BatchNormalization": layers.BatchNormalization(),
    "Rescaling": layers.Rescaling(2.0, 1.0),
    "a tensor": Scaled(tf.constant(x.std(0))),
    "a NumPy array": Scaled(x.std(0)),
}
found = {}
for name, layer in kinds.items():
    given = keras.Input((4,))
    model = keras.Model(given, layers.Dense(2)(layer(given)))
    model.predict(x, verbose=0)
    model.export("model.onnx", format="onnx", verbose=False)
    more = [each.name for each in onnx.load("model.onnx").graph.input][1:]
    print(f"{name:24} of Keras {len(model.inputs)} input, of the file also {more}")
    found[name] = len(more)
assert found == {
    "Normalization, adapted": 2, "Normalization, given": 2, "BatchNormalization": 0,
    "Rescaling": 0, "a tensor": 1, "a NumPy array": 0}, found
PYTHON
