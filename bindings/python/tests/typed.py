"""How callers use the package, for type checkers: what is wrong here they must see as well."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import zkinfer


def right(x: npt.NDArray[np.float32]) -> bool:
    found = zkinfer.calibrate("model.onnx", [x, x], max_error=0.01, commit="input")
    model = zkinfer.compile("model.onnx", settings=found, device="cpu", shape={"input": [1, 64]})
    proof = model.prove({"input": x}, payee="09" * 20, progress=lambda step, seconds: None)
    shown = zkinfer.verify(proof, model.key, valid_at="now", allow_insecure_srs=True)
    report = zkinfer.audit("a.zkproof", "a.zkvk", model="model.onnx", calibrate=x, expect_output=x)
    return shown.output is not None and report.accepted and str(report) != ""


def wrong(model: zkinfer.Model, proof: zkinfer.Proof) -> None:
    zkinfer.verify(proof, model.key, expect_inptu=[1.0])  # type: ignore[call-arg]
    zkinfer.compile("model.onnx", optimize="fun")  # type: ignore[arg-type]
    zkinfer.compile("model.onnx", bits=8)  # type: ignore[call-arg]
    model.prove(None)  # type: ignore[arg-type]
