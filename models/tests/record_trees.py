"""Writes models of decision trees, inputs at and beside their thresholds, and onnxruntime's outputs.

`python models/tests/record_trees.py` writes `models/tests/data/trees.json`. Needs numpy, onnx
(1.23) and onnxruntime (1.32).
"""

import json
import pathlib

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FEATURES = 4
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
random = numpy.random.RandomState(7)


def thresholds():
    """Of unlike size, some of them equal, one of them zero."""
    return [numpy.float32(x) for x in
            [0.1, 1e-3, 0.0, 1.0, -2.5, 1234.567, 3.0, 3.0000002, 0.3333333, 64.0, -1e-2, 7.0]]


def tree(depth, modes):
    """Nodes of a random tree, none of them balanced, as (mode, feature, value, true, false)."""
    nodes = []

    def grow(depth):
        place = len(nodes)
        nodes.append(None)
        if depth == 0 or (place and random.rand() < 0.2):
            nodes[place] = ("LEAF", 0, 0.0, 0, 0)
        else:
            true, false = grow(depth - 1), grow(depth - 1)
            nodes[place] = (random.choice(modes), random.randint(FEATURES),
                            random.choice(thresholds()), true, false)
        return place

    grow(depth)
    return nodes


def forest(count, depth, modes):
    return [tree(depth, modes) for _ in range(count - 1)] + [[("LEAF", 0, 0.0, 0, 0)]]


def attributes(trees, kind, targets, weight):
    rows = [(t, n, *node) for t, nodes in enumerate(trees) for n, node in enumerate(nodes)]
    leaves = [(t, n, target) for t, n, mode, *_ in rows if mode == "LEAF" for target in targets(t)]
    columns = list(zip(*rows))
    return {
        "nodes_treeids": columns[0], "nodes_nodeids": columns[1], "nodes_modes": columns[2],
        "nodes_featureids": columns[3], "nodes_values": [float(x) for x in columns[4]],
        "nodes_truenodeids": columns[5], "nodes_falsenodeids": columns[6],
        f"{kind}_treeids": [t for t, _, _ in leaves], f"{kind}_nodeids": [n for _, n, _ in leaves],
        f"{kind}_ids": [target for _, _, target in leaves],
        f"{kind}_weights": [float(weight()) for _ in leaves],
    }


def signed():
    return numpy.float32(random.randn())


def positive():
    return numpy.float32(random.rand() / 4)


def classifier(trees, labels, targets, weight, **more):
    names = {"classlabels_strings": labels} if isinstance(labels[0], str) else \
        {"classlabels_int64s": labels}
    return helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"],
                            domain="ai.onnx.ml", **names,
                            **attributes(trees, "class", targets, weight), **more)


def regressor(trees, outputs, targets, **more):
    return helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml",
                            n_targets=outputs, **attributes(trees, "target", targets, signed),
                            **more)


def ensemble():
    """Set 5: two trees, with a member set, shared by nothing."""
    members = numpy.array([1.0, 3.0, 7.0, numpy.nan], numpy.float32)
    return helper.make_node(
        "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=2, aggregate_function=1,
        tree_roots=[0, 2], nodes_featureids=[0, 1, 2], nodes_trueleafs=[0, 1, 1],
        nodes_truenodeids=[1, 0, 3], nodes_falseleafs=[1, 1, 1], nodes_falsenodeids=[1, 2, 4],
        nodes_modes=numpy_helper.from_array(numpy.array([0, 6, 3], numpy.uint8)),
        nodes_splits=numpy_helper.from_array(numpy.array([0.5, 0, 1.0], numpy.float32)),
        membership_values=numpy_helper.from_array(members),
        leaf_targetids=[0, 1, 0, 1, 0],
        leaf_weights=numpy_helper.from_array(numpy.array([1, 2, -3, 0.5, 4], numpy.float32)))


MEMBERS = [0.0, 1.0, 40.0]


def member():
    """Set 5: 2 where the first feature is a member, else -1."""
    def tensor(*values, kind=numpy.float32):
        return numpy_helper.from_array(numpy.array(values, kind))

    return helper.make_node(
        "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, aggregate_function=1,
        tree_roots=[0], nodes_featureids=[0], nodes_modes=tensor(6, kind=numpy.uint8),
        nodes_splits=tensor(0), nodes_truenodeids=[0], nodes_trueleafs=[1], nodes_falsenodeids=[1],
        nodes_falseleafs=[1], membership_values=tensor(*MEMBERS, numpy.nan), leaf_targetids=[0, 0],
        leaf_weights=tensor(2, -1))


def standard():
    """What the standard says of `member()`: runtimes differ at 0 and at fractions."""
    beside = [numpy.nextafter(numpy.float32(x), numpy.float32(side), dtype=numpy.float32)
              for x in MEMBERS[1:] for side in (-99, 99)]
    others = [-1e-6, 1e-6, 0.5, 1.5, 2.0, 40.25]
    rows = [[float(x), 0.0, 0.0, 0.0] for x in [*MEMBERS, *beside, *others]]
    return [{"input": row, "outputs": [[2.0 if row[0] in MEMBERS else -1.0]]} for row in rows]


def model(node, version):
    names = {"TreeEnsembleClassifier": [("label", None), ("scores", TensorProto.FLOAT)]}
    outputs = names.get(node.op_type, [("y", TensorProto.FLOAT)])
    strings = any(a.name == "classlabels_strings" for a in node.attribute)
    label = TensorProto.STRING if strings else TensorProto.INT64
    infos = [helper.make_tensor_value_info(name, kind or label, None) for name, kind in outputs]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, FEATURES])
    graph = helper.make_graph([node], "trees", [x], infos)
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=sets, ir_version=8)


def samples():
    """Thresholds, the numbers beside them, and others."""
    values = thresholds()
    beside = [numpy.nextafter(x, numpy.float32(s) * numpy.float32(numpy.inf), dtype=numpy.float32)
              for x in values if x != 0 for s in (-1, 1)]
    pool = numpy.array(values * 2 + beside + list(random.randn(12) * 4), numpy.float32)
    return [random.choice(pool, (1, FEATURES)).astype(numpy.float32) for _ in range(60)]


def cases():
    every = range(3)
    yield "regressor, every mode", model(regressor(forest(6, 4, MODES), 1, lambda t: [0]), 3)
    yield "regressor, at most", model(regressor(forest(5, 5, MODES[:1]), 1, lambda t: [0]), 1)
    yield "regressor, targets", model(
        regressor(forest(5, 3, MODES), 3, lambda t: [t % 3], base_values=[0.5, -1.0, 2.0]), 3)
    for function in ["AVERAGE", "MIN", "MAX"]:
        yield f"regressor, {function}", model(
            regressor(forest(4, 3, MODES), 2, lambda t: [0, 1], aggregate_function=function,
                      base_values=[0.25, -0.25]), 3)
    yield "classifier, probabilities", model(
        classifier(forest(5, 4, MODES), [3, 7], lambda t: [0], positive), 3)
    yield "classifier, margins", model(
        classifier(forest(5, 4, MODES), [0, 1], lambda t: [0], signed, base_values=[0.125]), 3)
    yield "classifier, the second class alone", model(
        classifier(forest(5, 4, MODES), [0, 1], lambda t: [1], signed), 3)
    yield "classifier, logistic", model(
        classifier(forest(5, 4, MODES), [0, 1], lambda t: [0], signed,
                   post_transform="LOGISTIC"), 3)
    yield "classifier, three classes", model(
        classifier(forest(5, 4, MODES), [5, 6, 9], lambda t: list(every), positive), 3)
    yield "classifier, a class to a tree", model(
        classifier(forest(7, 3, MODES[:1]), [0, 1, 2], lambda t: [t % 3], signed,
                   base_values=[0.1, 0.2, 0.3], post_transform="SOFTMAX"), 3)
    yield "classifier, names", model(
        classifier(forest(4, 3, MODES), ["a", "b", "c"], lambda t: list(every), signed), 3)
    yield "ensemble of set 5", model(ensemble(), 5)


def main():
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    recorded = []
    for name, proto in cases():
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
        names = [a for a in proto.graph.node[0].attribute if a.name == "classlabels_strings"]
        labels = [text.decode() for text in names[0].strings] if names else []
        runs = []
        for x in samples():
            outputs = [numpy.array(output).flatten() for output in session.run(None, {"x": x})]
            outputs = [[float(labels.index(v)) if isinstance(v, str) else float(v) for v in output]
                       for output in outputs]
            runs.append({"input": [float(v) for v in x.flatten()], "outputs": outputs})
        encoded = proto.SerializeToString().hex()
        recorded.append({"name": name, "model": encoded, "runs": runs})
    encoded = model(member(), 5).SerializeToString().hex()
    recorded.append({"name": "a member of a set", "model": encoded, "runs": standard()})
    path = pathlib.Path(__file__).resolve().parent / "data/trees.json"
    lines = ",\n".join(json.dumps(case) for case in recorded)
    path.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
