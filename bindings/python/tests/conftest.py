"""Models of the zoo, in folders of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import zkinfer

ZOO = Path(__file__).resolve().parents[3] / "models" / "zoo"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache of its own, so that nothing on the machine decides the outcome."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ZKINFER_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def samples_of(model: str) -> dict[str, np.ndarray]:
    """Calibration samples, one array a name with a leading axis."""
    with np.load(ZOO / model / "samples.npz") as archive:
        return {name: archive[name] for name in archive.files if name != "labels"}


@pytest.fixture
def folder(tmp_path):
    shutil.copy(ZOO / "digits_mlp" / "model.onnx", tmp_path / "model.onnx")
    shutil.copy(ZOO / "digits_mlp" / "input.json", tmp_path / "input.json")
    shutil.copy(ZOO / "digits_mlp" / "samples.npz", tmp_path / "samples.npz")
    return tmp_path


@pytest.fixture(scope="session")
def model():
    """digits_mlp, calibrated with a file of samples."""
    zoo = ZOO / "digits_mlp"
    return zkinfer.compile(zoo / "model.onnx", calibrate=zoo / "samples.npz")


@pytest.fixture(scope="session")
def hiding():
    """digits_mlp under a key that hides its input."""
    zoo = ZOO / "digits_mlp"
    return zkinfer.compile(zoo / "model.onnx", calibrate=zoo / "samples.npz", commit="input")


@pytest.fixture(scope="session")
def x():
    """One input of digits_mlp."""
    data = json.loads((ZOO / "digits_mlp" / "input.json").read_text())["input_data"]
    return np.array(data[0], dtype=np.float32).reshape(1, 64)


@pytest.fixture(scope="session")
def proof(model, x):
    """A proof for a job."""
    return model.prove(x, chain=1, job=b"\7" * 32, payee="09" * 20, expiry=4_000_000_000, nonce=3)
