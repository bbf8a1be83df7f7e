"""Proofs that an ONNX model, run on an input, gave an output.

>>> import zkinfer
>>> m = zkinfer.compile("model.onnx", calibrate=samples)      # doctest: +SKIP
>>> proof = m.prove({"input": x})                              # doctest: +SKIP
>>> zkinfer.verify(proof, m.key, allow_insecure_srs=True)      # doctest: +SKIP

Arrays are numpy's, or whatever ``numpy.asarray`` takes; a path stands for a file in any format that
the command reads. Errors are subclasses of :class:`Error`; a proof that is not what was expected
raises :class:`Rejected`.
"""

from . import ezkl
from ._arrays import PathLike, Tensors
from ._model import (
    AccuracyWarning,
    Calibration,
    InputWarning,
    Model,
    ModelReport,
    Proven,
    Quote,
    Run,
    Settings,
    accuracy,
    calibrate,
    compile,
    inspect,
)
from ._native import __version__
from ._proof import (
    AuditReport,
    Claimed,
    Key,
    Progress,
    Proof,
    Report,
    Srs,
    Verdict,
    audit,
    commit,
    import_srs,
    verify,
    verify_batch,
)
from .errors import (
    ArtifactError,
    DemandError,
    DeviceError,
    Error,
    FileError,
    InputError,
    InternalError,
    ModelError,
    Rejected,
    SettingsError,
    SetupError,
    UsageError,
)

__all__ = [
    "AccuracyWarning",
    "ArtifactError",
    "AuditReport",
    "Calibration",
    "Claimed",
    "DemandError",
    "DeviceError",
    "Error",
    "FileError",
    "InputError",
    "InputWarning",
    "InternalError",
    "Key",
    "Model",
    "ModelError",
    "ModelReport",
    "PathLike",
    "Progress",
    "Proof",
    "Proven",
    "Quote",
    "Rejected",
    "Report",
    "Run",
    "Settings",
    "SettingsError",
    "SetupError",
    "Srs",
    "Tensors",
    "UsageError",
    "Verdict",
    "__version__",
    "accuracy",
    "audit",
    "calibrate",
    "commit",
    "compile",
    "ezkl",
    "import_srs",
    "inspect",
    "verify",
    "verify_batch",
]
