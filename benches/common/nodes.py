"""A graph that is written node by node, and the files that a model of tokens comes with."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Nodes:
    """Nodes with one output each, and constants by name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        output = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: np.ndarray) -> str:
        self.constants[name] = array
        return name

    def save(
        self, folder: Path, output: tuple[str, list[int]], tokens: np.ndarray, samples: list
    ) -> int:
        """Writes `model.onnx`, `input.json` and `samples.npz`; gives the number of weights."""
        describe = helper.make_tensor_value_info
        name, shape = output
        graph = helper.make_graph(
            self.nodes,
            folder.name,
            [describe("tokens", TensorProto.INT64, [1, tokens.size])],
            [describe(name, TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(np.asarray(a), name) for name, a in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, folder / "model.onnx")
        (folder / "input.json").write_text(json.dumps({"tokens": tokens.ravel().tolist()}))
        named = {f"s{index:02}_in_tokens": sample for index, sample in enumerate(samples)}
        np.savez(folder / "samples.npz", **named)
        floats = (array for array in self.constants.values() if array.dtype == np.float32)
        return sum(array.size for array in floats if np.isfinite(array).all())
