"""A recurrent network with random weights, as an ONNX file: an LSTM, then a dense layer."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 13
# Units, steps, and features of a step.
SHAPES = {"lstm": (128, 100, 64)}
CLASSES = 10
SAMPLES = 8


def write(name: str, folder: Path) -> int:
    """Writes `model.onnx`, `input.json` and `samples.npz`; gives the number of parameters."""
    units, steps, features = SHAPES[name]
    random = np.random.default_rng(SEED)

    def uniform(*shape: int) -> np.ndarray:
        """As PyTorch draws them."""
        bound = units**-0.5
        return random.uniform(-bound, bound, shape).astype(np.float32)

    weights = {
        "w": uniform(1, 4 * units, features),
        "r": uniform(1, 4 * units, units),
        "b": uniform(1, 8 * units),
        "head": uniform(units, CLASSES),
        "bias": uniform(CLASSES),
    }
    shape = [steps, 1, features]
    axis = numpy_helper.from_array(np.array([0], np.int64), "axis")
    nodes = [
        helper.make_node("LSTM", ["sequence", "w", "r", "b"], ["", "last"], hidden_size=units),
        helper.make_node("Squeeze", ["last", "axis"], ["state"]),
        helper.make_node("Gemm", ["state", "head", "bias"], ["classes"]),
    ]
    describe = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        folder.name,
        [describe("sequence", TensorProto.FLOAT, shape)],
        [describe("classes", TensorProto.FLOAT, [1, CLASSES])],
        [axis, *(numpy_helper.from_array(array, of) for of, array in weights.items())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    samples = random.normal(size=[SAMPLES, *shape]).astype(np.float32)
    np.savez(folder / "samples.npz", sequence=samples)
    data = random.normal(size=shape).astype(np.float32).ravel().tolist()
    (folder / "input.json").write_text(json.dumps({"input_data": [data]}))
    return sum(array.size for array in weights.values())
