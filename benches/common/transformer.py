"""A transformer with random weights, as an ONNX file: GPT blocks with a causal mask."""

from pathlib import Path

import numpy as np

from common.nodes import Nodes

SEED = 11
# Blocks, width, heads, tokens and words: the shapes of nanoGPT, 0.2 million weights, and of GPT-2
# small, 124 million.
SHAPES = {"nanogpt": (4, 64, 4, 64, 65), "gpt2_small": (12, 768, 12, 32, 50257)}
# From so many words on the head is the embedding, turned, and gives logits for the last token alone.
MANY_WORDS = 10_000
SAMPLES = 8


class Transformer(Nodes):
    """The nodes and weights of a decoder that gives logits for every token, or for the last."""

    def __init__(self, blocks: int, width: int, heads: int, tokens: int, words: int) -> None:
        super().__init__()
        self.random = np.random.default_rng(SEED)
        self.width, self.heads, self.tokens, self.words = width, heads, tokens, words
        embedding = self.weight("embedding", words, width, scale=1.0)
        value = self.node("Gather", [embedding, "tokens"])
        value = self.node("Add", [value, self.weight("places", tokens, width, scale=0.3)])
        for block in range(blocks):
            value = self.residual(value, self.attention(f"block{block}.attention", value))
            value = self.residual(value, self.feed_forward(f"block{block}.forward", value))
        value = self.normalize("norm", value)
        if words < MANY_WORDS:
            self.rows = tokens
            self.logits = self.dense("head", value, words)
        else:
            self.rows = 1
            last = self.node("Gather", [value, self.constant("last", np.array([-1]))], axis=1)
            turned = self.node("Transpose", [embedding], perm=[1, 0])
            self.logits = self.node("MatMul", [last, turned])

    def weight(self, name: str, *shape: int, scale: float) -> str:
        return self.constant(name, (self.random.normal(size=shape) * scale).astype(np.float32))

    def dense(self, name: str, value: str, outputs: int, inputs: int | None = None) -> str:
        inputs = inputs or self.width
        matrix = self.weight(f"{name}.weight", inputs, outputs, scale=inputs**-0.5)
        bias = self.weight(f"{name}.bias", outputs, scale=0.05)
        return self.node("Add", [self.node("MatMul", [value, matrix]), bias])

    def normalize(self, name: str, value: str) -> str:
        scale = self.random.normal(1.0, 0.1, self.width).astype(np.float32)
        scale = self.constant(f"{name}.scale", scale)
        shift = self.weight(f"{name}.shift", self.width, scale=0.05)
        return self.node("LayerNormalization", [value, scale, shift], axis=-1)

    def residual(self, value: str, change: str) -> str:
        return self.node("Add", [value, change])

    def attention(self, name: str, value: str) -> str:
        size = self.width // self.heads
        shape = self.constant(f"{name}.apart", np.array([1, self.tokens, self.heads, size]))
        value = self.normalize(f"{name}.norm", value)

        def heads(part: str, order: list[int]) -> str:
            apart = self.node("Reshape", [self.dense(f"{name}.{part}", value, self.width), shape])
            return self.node("Transpose", [apart], perm=order)

        query, values = heads("query", [0, 2, 1, 3]), heads("value", [0, 2, 1, 3])
        scores = self.node("MatMul", [query, heads("key", [0, 2, 3, 1])])
        root = self.constant(f"{name}.root", np.float32(size**0.5))
        mask = np.triu(np.full((self.tokens, self.tokens), -np.inf, np.float32), 1)
        mask = self.constant(f"{name}.mask", mask)
        scores = self.node("Add", [self.node("Div", [scores, root]), mask])
        shares = self.node("Softmax", [scores], axis=-1)
        mixed = self.node("Transpose", [self.node("MatMul", [shares, values])], perm=[0, 2, 1, 3])
        whole = self.constant(f"{name}.whole", np.array([1, self.tokens, self.width]))
        return self.dense(f"{name}.out", self.node("Reshape", [mixed, whole]), self.width)

    def feed_forward(self, name: str, value: str) -> str:
        wide = 4 * self.width
        hidden = self.dense(f"{name}.in", self.normalize(f"{name}.norm", value), wide)
        return self.dense(f"{name}.out", self.node("Gelu", [hidden]), self.width, wide)

    def draw(self) -> np.ndarray:
        return self.random.integers(0, self.words, (1, self.tokens))

    def write(self, folder: Path) -> int:
        """Writes the model, an input and samples; gives the number of weights."""
        shape = [1, self.rows, self.words]
        tokens, samples = self.draw(), [self.draw() for _ in range(SAMPLES)]
        return self.save(folder, (self.logits, shape), tokens, samples)


def write(name: str, folder: Path) -> int:
    """Writes the transformer of this name; gives the number of its weights."""
    return Transformer(*SHAPES[name]).write(folder)
