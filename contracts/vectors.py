#!/usr/bin/env python3
"""Makes the keys and proofs of `vectors`: `python3 contracts/vectors.py ZKINFER [NAME ...]`.

Keys are planned for gas and stand on the development setup. Each has one proof, or those of the
first two claims of a proof of several. `GAS=write` of the tests in `evm` measures them anew.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benches"))
from common import venv

venv.enter("vectors", ["numpy", "onnx"])

from common import networks, zkinfer

# Of each vector the model and what is asked for.
VECTORS = {
    "cancer_mlp_gas": ("cancer_mlp", []),
    "digits_cnn_committed_gas": ("digits_cnn", ["--commit", "input"]),
    "digits_cnn_gas": ("digits_cnn", []),
    "digits_mlp_gas": ("digits_mlp", []),
    "digits_mlp_hidden_gas": ("digits_mlp", ["--commit", "input", "--commit", "output"]),
    "mlp_784_committed_gas": ("mlp_0.1m", ["--commit", "input"]),
    "mnist_lenet_committed_gas": ("mnist_lenet", ["--commit", "input"]),
    "mnist_lenet_gas": ("mnist_lenet", []),
}
# Of each vector the model and how many claims a proof is about.
JOINT = {"digits_mlp_joint_gas": ("digits_mlp", 8)}
VECTORS_FOLDER = ROOT / "contracts" / "vectors"


def model_folder(name: str, scratch: Path) -> Path:
    """The folder of a model of the zoo, or of a network with random weights."""
    if name in networks.NAMES:
        networks.write(name, scratch / name)
        return scratch / name
    return ROOT / "models" / "zoo" / name


def calibration(folder: Path) -> list[str]:
    samples = folder / "samples.npz"
    return ["--calibrate", str(samples)] if samples.exists() else []


def single(binary: Path, name: str, scratch: Path) -> None:
    model, options = VECTORS[name]
    folder = model_folder(model, scratch)
    key, proof = scratch / f"{name}.zkvk", scratch / f"{name}-1.zkproof"
    command = [binary, "prove", folder / "model.onnx", "--input", folder / "input.json"]
    command += [*calibration(folder), "--optimize", "gas", *options, "--key", key, "-o", proof]
    zkinfer.run(command)
    for made in (key, proof):
        shutil.copy(made, VECTORS_FOLDER)


def joint(binary: Path, name: str, scratch: Path) -> None:
    model, claims = JOINT[name]
    folder = model_folder(model, scratch)
    [values] = json.loads((folder / "input.json").read_text())["input_data"]
    inputs, key, proofs = scratch / "inputs.json", scratch / f"{name}.zkvk", scratch / "proofs"
    inputs.write_text(json.dumps({"input_data": [values] * claims}))
    command = [binary, "prove", folder / "model.onnx", "--inputs", inputs, "--joint", str(claims)]
    command += [*calibration(folder), "--optimize", "gas", "--key", key, "-o", proofs]
    zkinfer.run(command)
    shutil.copy(key, VECTORS_FOLDER)
    for index in range(2):
        shutil.copy(proofs / f"inputs-{index}.zkproof", VECTORS_FOLDER / f"{name}-{index + 1}.zkproof")


def main() -> None:
    binary = Path(sys.argv[1]).resolve()
    for name in sys.argv[2:] or [*VECTORS, *JOINT]:
        with tempfile.TemporaryDirectory() as scratch:
            (joint if name in JOINT else single)(binary, name, Path(scratch))
        print(f"{name} is made")


if __name__ == "__main__":
    main()
