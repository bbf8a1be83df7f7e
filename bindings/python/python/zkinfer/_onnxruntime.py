"""Our float model beside onnxruntime's, where that is installed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import _native
from ._arrays import PathLike, from_native

#: Most samples that are compared.
_MOST = 20
#: Share of its largest element up to which an output may differ: both compute in 32-bit floats, in
#: another order.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Compared:
    """How far our float model is from onnxruntime's."""

    samples: int
    max_error: float
    differs: bool

    def __str__(self) -> str:
        word = "DIFFERS from" if self.differs else "agrees with"
        return f"{word} onnxruntime on {self.samples} samples (max abs error {self.max_error:.2e})"


def compare(native: _native.Model, model: PathLike, samples: Path) -> Compared | None:
    """Runs both on some samples; ``None`` where onnxruntime is not installed, or does not run the
    model on such inputs (integers, fixed inputs).
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(os.fspath(model), options)
        expected_types = {spec.name: spec.type for spec in session.get_inputs()}
        names = [spec.name for spec in session.get_outputs()]
    except Exception:  # whatever the runtime refuses, we have nothing to compare with
        return None
    max_error, differs, count = 0.0, False, 0
    for inputs, outputs in native.float_outputs(samples, _MOST):
        feed = from_native(inputs, "f4")
        ours = from_native(outputs, "f8")
        if any(expected_types.get(name) != "tensor(float)" for name in feed):
            return None
        try:
            theirs = dict(zip(names, session.run(None, feed)))
        except Exception:  # open dimensions that it reads otherwise, operators it does not have
            return None
        for name, values in ours.items():
            other = theirs.get(name)
            if not isinstance(other, np.ndarray) or other.size != values.size:
                return None
            other = other.reshape(values.shape).astype("f8")
            error = float(abs(values - other).max(initial=0.0))
            largest = float(abs(other).max(initial=0.0))
            # What is no number is as far off as can be.
            is_off = not error <= _TOLERANCE * max(largest, _TOLERANCE)
            max_error, differs = max(max_error, error), differs or is_off
        count += 1
    return Compared(count, max_error, differs)
