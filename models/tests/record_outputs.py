"""Runs the models of the tests in onnxruntime and records the outputs.

First `ZKINFER_RECORD=1 cargo test --release -p zkinfer-models --test operators --test composed --test forms --test pipelines`, which writes the
models to `target/tmp/outputs`; then `python models/tests/record_outputs.py [FOLDER]`. Needs numpy
and onnxruntime (1.32). Empty the folder first to drop the records of models that are gone.
"""

import json
import pathlib
import sys

import numpy
import onnxruntime

TESTS = pathlib.Path(__file__).resolve().parent
MODELS = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TESTS.parents[1] / "target/tmp/outputs")
KINDS = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2",
         "tensor(int64)": "i8", "tensor(int32)": "i4", "tensor(uint8)": "u1",
         "tensor(int8)": "i1", "tensor(bool)": "?"}


def outputs(path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options)
    elements = numpy.fromfile(path.with_suffix(".bin"), "<f4")
    feeds = {}
    for spec in session.get_inputs():
        shape = [size if isinstance(size, int) and size > 0 else 1 for size in spec.shape]
        count = int(numpy.prod(shape))
        feeds[spec.name] = elements[:count].reshape(shape).astype(KINDS[spec.type])
        elements = elements[count:]
    results = session.run(None, feeds)
    return [[float(f"{x:.7g}") for x in result.astype(float).flatten()] for result in results]


def main():
    recorded = {}
    for path in sorted(MODELS.glob("*.onnx")):
        try:
            recorded[path.stem[:16]] = outputs(path)
        except Exception as error:
            print(f"{path}: {error}", file=sys.stderr)
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in recorded.items()]
    (TESTS / "data/outputs.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
