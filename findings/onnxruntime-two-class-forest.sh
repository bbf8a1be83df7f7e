#!/usr/bin/env bash
# onnxruntime 1.32.0: a TreeEnsembleClassifier of two classes whose leaves hold a weight for each
# class gives a label that is not the class of its larger score.
#
# The standard: the label is the class with the largest sum. Where leaves vote for both of two
# classes, onnxruntime gives the second class whenever its sum is above 0, whatever the first one's
# is, and returns the scores unchanged beside it: scores 3 and 1, label 1; scores -3 and -1, label 0.
# With three classes, or with weights for one class only (what skl2onnx and onnxmltools write for
# two), labels are as expected. ONNX's own reference takes the larger score in every case.
#
# Seen on 2026-11-28:
#   scores        label of onnxruntime   of the reference
#    3.0  1.0     1                      0
#    0.4  0.3     1                      0
#   -3.0 -1.0     0                      1
#    1.0  3.0     1                      1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper
from onnx.reference import ReferenceEvaluator


def model(scores):
    """One tree whose two leaves vote alike: every row gets `scores`."""
    classes = len(scores)
    node = helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml",
        classlabels_int64s=list(range(classes)), post_transform="NONE",
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[0.0, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0] * 2 * classes, class_nodeids=[1] * classes + [2] * classes,
        class_ids=[*range(classes)] * 2, class_weights=[*scores] * 2,
    )
    value = helper.make_tensor_value_info
    outputs = [value("label", TensorProto.INT64, (None,)),
               value("scores", TensorProto.FLOAT, (None, classes))]
    graph = helper.make_graph([node], "g", [value("x", TensorProto.FLOAT, (None, 1))], outputs)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    checker.check_model(made)
    return made


x = np.array([[1.0]], np.float32)
EXPECTED = {
    (3.0, 1.0): (1, 0),
    (0.4, 0.3): (1, 0),
    (-3.0, -1.0): (0, 1),
    (1.0, 3.0): (1, 1),
    (3.0, 1.0, 2.0): (0, 0),
}
for scores, (theirs, larger) in EXPECTED.items():
    made = model(scores)
    label, returned = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
    reference, _ = ReferenceEvaluator(made).run(None, {"x": x})
    assert np.allclose(returned, scores), returned
    print(*scores, "| onnxruntime:", label[0], "| reference:", reference[0])
    assert reference[0] == larger, "the reference changed"
    assert label[0] == theirs, f"onnxruntime's label is {label[0]} for scores {scores}"
PYTHON
echo 'as described: onnxruntime 1.32.0 labels two sums by the sign of the second'
