"""Networks with random weights, as ONNX files: what a proof costs depends on shapes only."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 7

MLPS = {
    "mlp_0.1m": [784, 128, 64, 10],
    "mlp_1m": [784, 768, 512, 10],
    "mlp_4m": [784, 2048, 1152, 10],
    "mlp_16m": [784, 4096, 3072, 10],
}
CNN = "cnn_1m"
NAMES = [*list(MLPS)[:2], CNN, *list(MLPS)[2:]]


class Network:
    """The nodes and weights of a network of layers in a row."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(SEED)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}
        self.last = "input"

    def layer(self, op: str, weights: list[np.ndarray], **attributes: object) -> None:
        """Appends an operator with its weights."""
        index = len(self.nodes)
        names = [f"weight{index}_{i}" for i in range(len(weights))]
        self.weights |= dict(zip(names, weights, strict=True))
        output = f"value{index}"
        self.nodes.append(helper.make_node(op, [self.last, *names], [output], **attributes))
        self.last = output

    def normal(self, *shape: int) -> np.ndarray:
        """Weights that keep the size of activations (He et al., 2015)."""
        fan_in = int(np.prod(shape[1:]))
        return (self.random.normal(size=shape) * np.sqrt(2 / fan_in)).astype(np.float32)

    def bias(self, outputs: int) -> np.ndarray:
        return (self.random.normal(size=outputs) * 0.1).astype(np.float32)

    def dense(self, inputs: int, outputs: int) -> None:
        # With the attributes that PyTorch writes: JSTprove needs all of them.
        attributes = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}
        self.layer("Gemm", [self.normal(outputs, inputs), self.bias(outputs)], **attributes)

    def conv(self, inputs: int, outputs: int) -> None:
        weights = [self.normal(outputs, inputs, 3, 3), self.bias(outputs)]
        self.layer("Conv", weights, pads=[1, 1, 1, 1])

    def relu(self) -> None:
        self.layer("Relu", [])

    def pool(self) -> None:
        self.layer("MaxPool", [], kernel_shape=[2, 2], strides=[2, 2])

    def parameters(self) -> int:
        return sum(weights.size for weights in self.weights.values())

    def write(self, folder: Path, shape: list[int], classes: int) -> None:
        """Writes `model.onnx` and an `input.json` in EZKL's format."""
        describe = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            folder.name,
            [describe("input", TensorProto.FLOAT, shape)],
            [describe(self.last, TensorProto.FLOAT, [1, classes])],
            [numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, folder / "model.onnx")
        data = self.random.random(shape).ravel().tolist()
        (folder / "input.json").write_text(json.dumps({"input_data": [data]}))


def mlp(widths: list[int], folder: Path) -> int:
    """Writes dense layers of these widths with ReLU between; gives the number of parameters."""
    network = Network()
    for index, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        if index > 0:
            network.relu()
        network.dense(inputs, outputs)
    network.write(folder, [1, widths[0]], widths[-1])
    return network.parameters()


def cnn(folder: Path) -> int:
    """Writes a network for images of 3 x 32 x 32 with 25 million products; gives the parameters."""
    network = Network()
    for inputs, outputs, pooled in [(3, 32, True), (32, 64, True), (64, 128, False), (128, 192, True)]:
        network.conv(inputs, outputs)
        network.relu()
        if pooled:
            network.pool()
    network.layer("Flatten", [])
    network.dense(192 * 4 * 4, 224)
    network.relu()
    network.dense(224, 10)
    network.write(folder, [1, 3, 32, 32], 10)
    return network.parameters()


def write(name: str, folder: Path) -> int:
    """Writes the network of this name; gives the number of its parameters."""
    return cnn(folder) if name == CNN else mlp(MLPS[name], folder)
