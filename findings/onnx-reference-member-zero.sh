#!/usr/bin/env bash
# onnx 1.23.2: the reference evaluator's BRANCH_MEMBER of TreeEnsemble (ai.onnx.ml 5) loses the
# members of a set from a 0 on.
#
# The attribute `membership_values` is one list of numbers; NaN ends the set of each node. The
# reference evaluator finds no member in {0, 1}, and only the 2 in {2, 0, 1}. onnxruntime 1.32.0 finds
# all of them. So a tree that asks "is it category 0 or 1?" is told apart by the two, and a test that
# trusts the reference alone blames the wrong one.
#
# Seen on 2026-11-28:
#   members    reference    onnxruntime
#   0 1        -            0 1
#   2 0 1      2            0 1 2
#   1 2        1 2          1 2
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

FLOAT = TensorProto.FLOAT


def model(members):
    node = helper.make_node(
        "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml",
        n_targets=1, aggregate_function=1, post_transform=0, tree_roots=[0], nodes_featureids=[0],
        nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, (1,), [6]),
        nodes_splits=helper.make_tensor("splits", FLOAT, (1,), [0.0]),
        nodes_truenodeids=[0], nodes_trueleafs=[1], nodes_falsenodeids=[1], nodes_falseleafs=[1],
        leaf_targetids=[0, 0], leaf_weights=helper.make_tensor("weights", FLOAT, (2,), [1.0, 0.0]),
        membership_values=helper.make_tensor(
            "members", FLOAT, (len(members) + 1,), [*map(float, members), float("nan")]),
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [value("x", FLOAT, (None, 1))], [value("y", FLOAT, (None, 1))])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    checker.check_model(made)
    return made


x = np.arange(4, dtype=np.float32)[:, None]
found = lambda y: np.flatnonzero(y[:, 0] == 1).tolist()
for members, expected in {(0, 1): [], (2, 0, 1): [2], (1, 2): [1, 2]}.items():
    made = model(members)
    reference = found(ReferenceEvaluator(made).run(None, {"x": x})[0])
    ran = found(onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})[0])
    print(*members, "| reference:", reference, "| onnxruntime:", ran)
    assert reference == expected, f"the reference finds {reference}"
    assert ran == sorted(members), f"onnxruntime finds {ran}"
PYTHON
echo "as described: onnx 1.23.2's reference loses the members of a set from a 0 on"
