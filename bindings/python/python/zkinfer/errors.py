"""The exceptions of zkinfer: one class for each thing that is to be mended.

Every exception has a ``code``, a word that never changes its meaning, while texts may.
"""


class Error(Exception):
    """Anything that zkinfer refuses or cannot do."""

    def __init__(self, message: str, *, code: str = "error") -> None:
        super().__init__(message)
        self.code = code


class FileError(Error, OSError):
    """A place on the disk cannot be read or written, or is taken."""

    def __init__(self, message: str, *, code: str = "file") -> None:
        Error.__init__(self, message, code=code)


class ModelError(Error):
    """The ONNX model cannot be read, proved, or written in integers."""


class InputError(Error, ValueError):
    """Inputs, samples or expected values are not what the model or key takes."""


class SettingsError(Error, ValueError):
    """A settings file is of another layout, version or model."""


class ArtifactError(Error, ValueError):
    """A key, proof, opening or accuracy report is none, or another one's."""


class SetupError(Error):
    """The trusted setup cannot be used."""


class DeviceError(Error):
    """The device cannot be used."""


class DemandError(Error):
    """The integers do not do what was demanded of them; nothing was proved."""


class UsageError(Error, ValueError):
    """What was asked for does not go together."""

    def __init__(self, message: str, *, code: str = "usage") -> None:
        super().__init__(message, code=code)


class InternalError(Error):
    """A fault of zkinfer: please report it."""


class Rejected(Error):
    """A proof is not what was expected. ``codes`` names each check that refused."""

    def __init__(self, message: str, *, codes: list[str]) -> None:
        super().__init__(message, code=codes[0] if codes else "rejected")
        self.codes = codes
