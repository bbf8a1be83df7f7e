"""What exporters of Keras, TensorFlow, Paddle and CatBoost write: set up, proved, verified, compared.

    cargo build --release --bin zkinfer
    python benches/exporters/run.py EXPORTER [--only NAME] [--program FILE] [--keep FOLDER]

Each exporter has a virtual environment of its own below `target/python`, with pinned packages from
PyPI, and writes in a process of its own: some do not share one with onnxruntime, and some end it.
Each model is trained on data that scikit-learn holds or on made ones, exported, and calibrated with
60 samples; the first of 12 others is proved and verified, and all of them are compared with
onnxruntime. The error is the largest of any output, as a share of its largest value in the tests;
the last column says how far the file is from the framework that it came from.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import exported, venv

DATA = ["scikit-learn==1.9.1", "numpy==2.4.6"]
TENSORFLOW = ["tensorflow-cpu==2.21.0", "keras==3.15.1", "tf2onnx==1.17.0", "onnx==1.23.2", *DATA]
EXPORTERS = {
    "catboost": ("catboost_models", ["catboost==1.2.10", *DATA]),
    "keras": ("keras_models", TENSORFLOW),
    "paddle": ("paddle_models", ["paddlepaddle==3.3.1", "paddle2onnx==2.1.0", "setuptools", *DATA]),
    "tensorflow": ("tensorflow_models", TENSORFLOW),
}
MEASURING = ["numpy==2.4.6", "onnxruntime==1.32.0"]


def write(exporter: str, only: str, folder: Path) -> None:
    """Exports all models, in as many processes as that takes."""
    module, requirements = EXPORTERS[exporter]
    python = venv.make(f"exporter-{exporter}", requirements) / "bin" / "python"
    words = [python, "-W", "ignore", __file__, exporter, "--only", only, "--write", folder]
    before = None
    while subprocess.run(words, capture_output=True).returncode != 0:
        # What ended the process has a folder that says so; without a new one it would never end.
        after = len(list(folder.iterdir()))
        if after == before:
            raise SystemExit(f"{module} does not run; see it by itself with --write FOLDER")
        before = after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exporter", choices=EXPORTERS)
    parser.add_argument("--only", default="", help="models whose names hold this")
    parser.add_argument("--program", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder that files and reports stay in")
    parser.add_argument("--write", type=Path, help="export into this folder, and do no more")
    arguments = parser.parse_args()
    if arguments.write:
        module = importlib.import_module(f"exporters.{EXPORTERS[arguments.exporter][0]}")
        exported.write(module.models(), arguments.only, arguments.write)
        return
    venv.enter("exporters", MEASURING)
    program = (arguments.program or venv.ROOT / "target/release/zkinfer").resolve()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (arguments.keep or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        write(arguments.exporter, arguments.only, folder)
        exported.table(folder, arguments.only, program)


if __name__ == "__main__":
    main()
