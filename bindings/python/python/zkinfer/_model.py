"""Models: compiled, quoted, run and proved."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from . import _native, _onnxruntime
from ._arrays import Files, PathLike, Tensors, accuracy_beside, from_native, small
from ._proof import Key, Progress, Proof, Report, job_options, read_bytes, table, write_bytes
from .errors import UsageError

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AccuracyWarning(UserWarning):
    """The integers do not do what the float model does, or that is not its exporter's."""


class Calibration(Report):
    """What a search for settings has found: each layer's bits, error and rows, and every trial."""


class InputWarning(UserWarning):
    """Something of a file or array is not used, or was decided in reading it."""


class Settings:
    """How a model is quantized and proved: with the ONNX file and the setup, all that fixes a key."""

    def __init__(
        self, text: str, accuracy: str | None = None, report: Calibration | None = None
    ) -> None:
        self.text = text
        #: The text of the accuracy report that they name, where it is known.
        self.accuracy = accuracy
        #: The search that found them, where :func:`calibrate` was given a goal.
        self.report = report

    @classmethod
    def load(cls, path: PathLike) -> Settings:
        """Reads a ``.zkinfer.json``, and the accuracy report if one lies beside it; both are checked
        where they are used. Raises FileError.
        """
        text, beside = read_bytes(path).decode("utf-8", "replace"), accuracy_beside(Path(path))
        accuracy = read_bytes(beside).decode("utf-8", "replace") if beside.exists() else None
        return cls(text, accuracy)

    def save(self, path: PathLike) -> None:
        """Writes the ``.zkinfer.json``, and beside it the accuracy report that it names, where that
        is known. Raises FileError.
        """
        if self.accuracy is not None:
            write_bytes(accuracy_beside(Path(path)), self.accuracy.encode())
        write_bytes(path, self.text.encode())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Quote(Report):
    """What a proof costs, before anything is proved."""


class ModelReport(Report):
    """What a model computes."""


@dataclass(frozen=True)
class Run:
    """A run of a model in integers, beside the float model's."""

    #: What the integers stand for, for each output.
    outputs: dict[str, np.ndarray]
    #: What the float model gives.
    float_outputs: dict[str, np.ndarray]
    #: What a user must know; empty where the integers do what the float model does.
    warnings: list[str]
    #: The largest error of an output, as a share of what calibration saw there.
    error_share: float
    #: Whether every answer is the float model's: a class, or a side of a threshold.
    same_answer: bool
    #: For each layer its error and its saturated elements.
    layers: list[dict[str, Any]] = field(repr=False)

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = []
        for name, values in self.outputs.items():
            rows += [(name, values), (f"{name}, float model", self.float_outputs[name])]
        rows.append(("largest error", f"{100 * self.error_share:.2f} % of an output's range"))
        rows += [("WARNING", text) for text in self.warnings]
        return table("zkinfer run, in integers and in floating point", rows)


@dataclass(frozen=True)
class Proven:
    """One of many proofs, under the name of its input."""

    name: str
    proof: Proof
    run: Run
    seconds: float


def _run(parts: tuple[Any, Any, str]) -> Run:
    outputs, floats, rest = parts
    data = json.loads(rest)
    run = Run(
        outputs=from_native(outputs, "f4"),
        float_outputs=from_native(floats, "f4"),
        warnings=data["warnings"],
        error_share=data["error_share"],
        same_answer=data["same_answer"],
        layers=data["layers"],
    )
    for note in data["notes"]:
        warnings.warn(note, InputWarning, stacklevel=3)
    for text in run.warnings:
        warnings.warn(text, AccuracyWarning, stacklevel=3)
    return run


class _Options(TypedDict, total=False):
    settings: Settings | PathLike | None
    input: Tensors | None
    reference: Tensors | None
    srs: PathLike | None
    name: str | None
    commit: Sequence[str]
    activation_bits: int | None
    input_bits: int | None
    input_levels: int | None
    optimize: Literal["balanced", "time", "proof", "gas", "memory"] | None
    shape: Sequence[str] | Mapping[str, Sequence[int]]
    fix: Sequence[str] | Mapping[str, float]


class CalibrateOptions(_Options, total=False):
    """What :func:`calibrate` may be told."""

    test_set: Tensors | None


class AccuracyOptions(_Options, total=False):
    """What :func:`accuracy` may be told."""

    calibrate: Tensors | Iterable[Any] | None


class Options(CalibrateOptions, AccuracyOptions, total=False):
    """What :func:`compile` may be told."""


def _shapes(shape: Sequence[str] | Mapping[str, Sequence[int]]) -> list[str]:
    if isinstance(shape, Mapping):
        return [f"{name}={'x'.join(str(side) for side in sides)}" for name, sides in shape.items()]
    return list(shape)


def _fixed(fix: Sequence[str] | Mapping[str, float]) -> list[str]:
    if isinstance(fix, Mapping):
        return [f"{name}={value}" for name, value in fix.items()]
    return list(fix)


def model_options(
    files: Files,
    *,
    model: PathLike,
    calibrate: Tensors | Iterable[Any] | None = None,
    settings: Settings | PathLike | None = None,
    input: Tensors | None = None,
    test_set: Tensors | None = None,
    reference: Tensors | None = None,
    srs: PathLike | None = None,
    name: str | None = None,
    commit: Sequence[str] = (),
    activation_bits: int | None = None,
    input_bits: int | None = None,
    input_levels: int | None = None,
    optimize: str | None = None,
    shape: Sequence[str] | Mapping[str, Sequence[int]] = (),
    fix: Sequence[str] | Mapping[str, float] = (),
) -> dict[str, Any]:
    """Options of a model as the native part takes them."""
    if not isinstance(model, (str, os.PathLike)):
        raise UsageError("model must be the path of an ONNX file")
    if isinstance(settings, Settings):
        settings = files.settings(settings.text, settings.accuracy)
    return {
        "model": Path(model),
        "shape": _shapes(shape),
        "fix": _fixed(fix),
        "settings": None if settings is None else Path(settings),
        "samples": files.samples(calibrate, "calibrate"),
        "input": files.tensors(input, "input"),
        "name": name,
        "activation_bits": small(activation_bits, "activation_bits"),
        "input_bits": small(input_bits, "input_bits"),
        "input_levels": small(input_levels, "input_levels"),
        "commit": [commit] if isinstance(commit, str) else list(commit),
        "optimize": optimize,
        "test_set": files.samples(test_set, "test_set"),
        "srs": None if srs is None else Path(srs),
        "reference": files.samples(reference, "reference"),
    }


def _demands(
    max_error: float | None, require_class: bool, threshold: float | None
) -> dict[str, Any]:
    return {"max_error": max_error, "require_class": require_class, "threshold": threshold}


def inspect(
    model: PathLike,
    *,
    shape: Sequence[str] | Mapping[str, Sequence[int]] = (),
    fix: Sequence[str] | Mapping[str, float] = (),
) -> ModelReport:
    """What a model computes. Raises ModelError with every reason if it cannot be proved."""
    with Files() as files:
        return ModelReport(*_native.inspect(model_options(files, model=model, shape=shape, fix=fix)))


def calibrate(
    model: PathLike,
    samples: Tensors | Iterable[Any],
    *,
    target_accuracy: float | None = None,
    max_error: float | None = None,
    progress: Progress | None = None,
    **options: Unpack[CalibrateOptions],
) -> Settings:
    """The settings of a model for samples of its inputs: arrays with a leading sample axis (one, or
    a dict of them), a list with an entry for each sample, or a file.

    With a goal, the cheapest settings that meet it on the samples, with bits of single layers where
    that pays: ``target_accuracy``, the share of samples with the float model's answer, and
    ``max_error``, the largest error of any output as a share of its range, both from 0 to 1. Then
    ``report`` of the result shows each layer and every trial. Other options are those of
    :func:`compile` that fix the key.

    Raises DemandError where no settings meet the goal, with the closest; ModelError, InputError,
    UsageError, FileError.
    """
    with Files() as files:
        native = model_options(files, model=model, calibrate=samples, **options)
        if target_accuracy is None and max_error is None:
            return Settings(*_native.calibrate(native))
        goal = (target_accuracy, max_error)
        texts, *report = _native.calibrate_to(native, *goal, progress)
        return Settings(*texts, Calibration(*(files.named(part) for part in report)))


def accuracy(
    model: PathLike, test_set: Tensors, **options: Unpack[AccuracyOptions]
) -> dict[str, Any]:
    """Measures how often the integers of a model answer as its float form does, on a test set
    (whose ``labels``, where it has some, are compared too). Options are those of :func:`compile`.
    """
    compiled = compile(model, test_set=test_set, **options)
    report = compiled.accuracy
    if report is None:
        raise UsageError("nothing was measured")
    return report


def compile(
    model: PathLike,
    *,
    key: PathLike | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    max_error: float | None = None,
    require_class: bool = False,
    threshold: float | None = None,
    **options: Unpack[Options],
) -> Model:
    """Quantizes an ONNX model and makes its keys.

    One of these says how real numbers become integers:

    - ``calibrate``: samples of the inputs (see :func:`calibrate`), or a file of them;
    - ``settings``: a :class:`Settings` or its file;
    - ``input``: a single input, which gives keys that are good for inputs like it.

    Options that fix the key: ``commit`` (``"input"``, ``"output"`` or both: hidden behind a
    commitment), ``activation_bits`` (up to 16; by default the fewest, from 8 on, that come close to
    the float model), ``input_bits`` (12 by default, 8 where samples lie on a grid),
    ``input_levels`` (steps of that grid, 255 for 8-bit images), ``optimize`` (``"balanced"``, ``"time"``,
    ``"proof"``, ``"gas"``, ``"memory"``), ``name``, ``test_set`` (what accuracy is measured on),
    ``srs`` (the file of a trusted setup; without it, a development setup that convinces nobody),
    ``shape`` and ``fix`` (open dimensions and constant inputs).

    ``key`` is where the key lies or is to be written, with its settings and accuracy report beside
    it; without anything that says how, the settings beside it are used. ``max_error`` (a share),
    ``require_class`` and ``threshold`` refuse a model whose integers are too far from its float
    form. ``reference`` holds the exporter's outputs for the samples;
    without it, and where onnxruntime is installed, its outputs are compared. Differences are
    warnings of :class:`AccuracyWarning`.

    Raises ModelError, InputError, SettingsError, ArtifactError, SetupError, DeviceError,
    DemandError, UsageError, FileError.
    """
    demands = _demands(max_error, require_class, threshold)
    place = None if key is None else Path(key)
    with Files() as files:
        native_options = model_options(files, model=model, **options)
        native = _native.Model.compile(native_options, demands, place, device, progress)
        compiled = Model(native, files.named)
        samples = native_options["samples"] or native_options["input"]
        if samples is not None and native_options["reference"] is None:
            compiled.runtime = _onnxruntime.compare(native, model, samples)
    compiled._warn()
    return compiled


class Model:
    """A model with its keys, made by :func:`compile`."""

    def __init__(self, native: _native.Model, named: Callable[[str], str]) -> None:
        self._native = native
        #: Calls files of arrays what the caller called the arrays.
        self._named = named
        self._data: dict[str, Any] = json.loads(named(native.describe()))
        #: The float model beside onnxruntime's, where that was compared.
        self.runtime: _onnxruntime.Compared | None = None

    @property
    def key(self) -> Key:
        """The key that verifiers hold."""
        return Key(self._native.key())

    @property
    def settings(self) -> Settings:
        """With the ONNX file and the setup, they fix the key."""
        report = self._native.accuracy()
        return Settings(self._native.settings(), None if report is None else report[0])

    @property
    def accuracy(self) -> dict[str, Any] | None:
        """The accuracy report that the key binds."""
        report = self._native.accuracy()
        return None if report is None else json.loads(report[0])

    def describe(self) -> dict[str, Any]:
        """Inputs, outputs, digests, and how the integers did on the samples."""
        return dict(self._data)

    def save(self, key: PathLike) -> bool:
        """Writes the key and, beside it, settings and accuracy report; whether it was new there.

        Raises ArtifactError where another key lies there, SettingsError, FileError.
        """
        return self._native.store(Path(key))

    def quote(self) -> Quote:
        """What a proof costs on this machine: time, memory, bytes, gas."""
        return Quote(*(self._named(part) for part in self._native.quote()))

    def run(
        self,
        input: Tensors,
        *,
        max_error: float | None = None,
        require_class: bool = False,
        threshold: float | None = None,
    ) -> Run:
        """Runs the model in integers and in floating point, without a proof.

        Raises InputError, DemandError.
        """
        demands = _demands(max_error, require_class, threshold)
        with Files() as files:
            return _run(self._native.run(files.needed(input, "input"), demands))

    def prove(
        self,
        input: Tensors,
        *,
        chain: int | None = None,
        job: str | bytes | None = None,
        payee: str | bytes | None = None,
        expiry: int | None = None,
        nonce: int | None = None,
        opening: PathLike | bytes | None = None,
        progress: Progress | None = None,
        max_error: float | None = None,
        require_class: bool = False,
        threshold: float | None = None,
    ) -> Proof:
        """Runs the model in integers, proves the run, and verifies the proof.

        ``input`` is an array for each name, the only array, or a file. The proof is bound to the
        job: ``job`` (32 bytes or hexadecimal digits), ``payee`` (20 bytes), ``chain``, ``expiry``
        (Unix time), ``nonce``. ``opening`` is the opening of a commitment, from :func:`commit`,
        that the proof must be about.

        The interpreter is free meanwhile. Ctrl-C raises KeyboardInterrupt at once, and the work
        ends with its step. Raises InputError, ArtifactError, DemandError, DeviceError.
        """
        demands = _demands(max_error, require_class, threshold)
        binding = job_options(chain, job, payee, expiry, nonce)
        with Files() as files:
            if isinstance(opening, bytes):
                opening = files.text(opening.decode("utf-8", "replace"), "opening", ".zkopening")
            place = None if opening is None else Path(os.fspath(opening))
            path = files.needed(input, "input")
            proof, parts, _ = self._native.prove(path, binding, place, demands, progress)
        _run(parts)
        return Proof(proof, self.key)

    def prove_many(
        self,
        inputs: Tensors | Iterable[Any],
        *,
        chain: int | None = None,
        job: str | bytes | None = None,
        payee: str | bytes | None = None,
        expiry: int | None = None,
        nonce: int | None = None,
        progress: Progress | None = None,
        max_error: float | None = None,
        require_class: bool = False,
        threshold: float | None = None,
    ) -> list[Proven]:
        """Proves many inputs under one key: arrays with a leading axis, a list with an entry for
        each, a file, or a folder of files. Each is run before the first is proved.

        Proofs of one job bear nonces that count up from ``nonce``.
        """
        demands = _demands(max_error, require_class, threshold)
        binding = job_options(chain, job, payee, expiry, nonce)
        with Files() as files:
            path = files.needed_samples(inputs, "inputs")
            made = self._native.prove_many(path, binding, demands, progress)
        key = self.key
        return [
            Proven(name, Proof(proof, key), _run(parts), seconds)
            for name, proof, parts, seconds in made
        ]

    def _warn(self) -> None:
        data = self._data
        if data["other_answers"]:
            text = f"on {data['other_answers']} of {data['samples']} samples the integers do not "
            warnings.warn(text + "answer as the model does", AccuracyWarning, stacklevel=3)
        for note in data["notes"]:
            warnings.warn(note, InputWarning, stacklevel=3)
        worst = data["worst"] or {"texts": []}
        for text in worst["texts"]:
            warnings.warn(f"sample {worst['sample']}: {text}", AccuracyWarning, stacklevel=3)
        if data["reference_differs"]:
            warnings.warn(
                "the float model itself is not the exporter's: do not rely on this key if these "
                "are the outputs of this ONNX file on these inputs",
                AccuracyWarning,
                stacklevel=3,
            )
        if self.runtime is not None and self.runtime.differs:
            warnings.warn(f"the float model {self.runtime}", AccuracyWarning, stacklevel=3)

    def _repr_html_(self) -> str:
        data = self._data
        rows: list[tuple[str, object]] = [("file", data["path"]), ("key", self.key.digest)]
        rows += [("input", f"{name} {shape}") for name, shape in data["inputs"]]
        rows += [("output", f"{name} {shape}") for name, shape in data["outputs"]]
        rows.append(("calibrated with the", data["calibration"]))
        same = data["samples"] - data["other_answers"]
        rows.append(("the model's answer", f"on {same} of {data['samples']} samples"))
        if data["insecure_srs"]:
            rows.append(("INSECURE", "a development setup: its proofs convince nobody"))
        if self.runtime is not None:
            rows.append(("the float model", self.runtime))
        return table("zkinfer model", rows)

    def __repr__(self) -> str:
        data = self._data
        tensors = ", ".join(f"{name} {shape}" for name, shape in data["inputs"])
        setup = ", INSECURE development setup" if data["insecure_srs"] else ""
        checked = "" if self.runtime is None else f"; the float model {self.runtime}"
        key = self.key.digest[:16]
        return f"<zkinfer.Model {data['path']}: {tensors}; key {key}…{setup}{checked}>"
