"""Keys and proofs, and what a verifier or an auditor does with them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from . import _native
from ._arrays import Files, PathLike, Tensors, from_native, hex_bytes, natural
from .errors import FileError, Rejected, UsageError

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Called with the name of each step as it begins, and the seconds that the whole should take where
#: that is known. What it raises ends the work.
Progress = Callable[[str, "float | None"], object]


def read_bytes(path: PathLike) -> bytes:
    """The bytes of a file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileError(f"cannot read {os.fspath(path)}: {reason}", code="read") from None


def write_bytes(path: PathLike, data: bytes, *, private: bool = False) -> None:
    """Writes a file whole or not at all; a private one can be read by its owner only."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        handle = os.open(partial, flags, 0o600 if private else 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileError(f"cannot write {target}: {reason}", code="write") from None


def table(caption: str, rows: Sequence[tuple[str, object]]) -> str:
    """Names and values for a notebook; text of files is escaped."""
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(str(value))}</code></td></tr>"
        for name, value in rows
    )
    return f"<table><caption>{escape(caption)}</caption>{cells}</table>"


class Key:
    """A verifying key: what verifiers hold. Names in it are the word of its maker."""

    def __init__(self, native: _native.Key) -> None:
        self._native = native

    @classmethod
    def load(cls, path: PathLike) -> Key:
        """Reads a ``.zkvk``. Raises FileError, ArtifactError."""
        return cls(_native.Key.decode(Path(path), read_bytes(path)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Key:
        """Decodes the bytes of a ``.zkvk``. Raises ArtifactError."""
        return cls(_native.Key.decode(Path("the bytes"), data))

    def to_bytes(self) -> bytes:
        """The bytes of the ``.zkvk``."""
        return self._native.encode()

    def save(self, path: PathLike) -> None:
        """Writes the ``.zkvk``. Raises FileError."""
        write_bytes(path, self.to_bytes())

    @property
    def digest(self) -> str:
        """The key's digest: the one thing that says which circuit, weights included, is meant."""
        return self._native.digest()

    def describe(self) -> dict[str, Any]:
        """Everything that the key says: tensors, setup, strength, sizes."""
        described: dict[str, Any] = json.loads(self._native.describe())
        return described

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<zkinfer.Key {self.digest[:16]}…>"


class Proof:
    """A proof with the claim that it makes. Nothing in it is believed before :func:`verify`."""

    def __init__(self, native: _native.Proof, key: Key | None = None) -> None:
        self._native = native
        self._key = key

    @classmethod
    def load(cls, path: PathLike, *, opening: PathLike | None = None) -> Proof:
        """Reads a ``.zkproof`` and, where given, the ``.zkopening`` that shows what it hides.

        Raises FileError, ArtifactError.
        """
        opened = None if opening is None else read_bytes(opening)
        places = (Path(path), Path(opening or "no opening"))
        return cls(_native.Proof.decode(places[0], read_bytes(path), places[1], opened))

    @classmethod
    def from_bytes(cls, data: bytes, *, opening: bytes | None = None) -> Proof:
        """Decodes the bytes of a ``.zkproof`` and of its ``.zkopening``. Raises ArtifactError."""
        places = (Path("the bytes"), Path("the opening's bytes"))
        return cls(_native.Proof.decode(places[0], data, places[1], opening))

    def to_bytes(self) -> bytes:
        """The bytes of the ``.zkproof``."""
        return self._native.encode().encode()

    def save(self, path: PathLike, *, opening: PathLike | None = None) -> None:
        """Writes the ``.zkproof`` and, where the proof hides something, the SECRET ``.zkopening``
        beside it or at ``opening``. Raises FileError.
        """
        secret = self.opening
        if secret is not None:
            # First, because a proof without it hides its values for good.
            place = Path(path).with_suffix(".zkopening") if opening is None else opening
            write_bytes(place, secret, private=True)
        write_bytes(path, self.to_bytes())

    @property
    def opening(self) -> bytes | None:
        """The bytes of the SECRET ``.zkopening``, where the proof hides something."""
        text = self._native.opening()
        return None if text is None else text.encode()

    @property
    def byte_count(self) -> int:
        """Bytes of the proof itself."""
        return self._native.byte_count()

    @property
    def key_digest(self) -> str:
        """The digest of the key under which the proof says it was made."""
        return self._native.key_digest()

    @property
    def job(self) -> dict[str, Any]:
        """The job that the proof claims: chain, job, payee, expiry, nonce."""
        job: dict[str, Any] = json.loads(self._native.job())
        return job

    def claimed(self, key: Key | None = None) -> Claimed:
        """The real numbers that the proof CLAIMS as input and output, under a key."""
        key = key or self._key
        if key is None:
            raise UsageError("give the key: it says which numbers the integers stand for")
        inputs, of_input, outputs, of_output = self._native.claimed(key._native)
        arrays = [None if side is None else from_native(side, "f8") for side in (inputs, outputs)]
        return Claimed(arrays[0], of_input, arrays[1], of_output)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Proof) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        return f"<zkinfer.Proof of {self.byte_count} bytes, key {self.key_digest[:16]}…>"

    def _repr_html_(self) -> str:
        job = self.job
        rows = [("bytes", self.byte_count), ("key", self.key_digest), ("job", job["job"])]
        rows += [("pays", "nobody" if job["pays_nobody"] else job["payee"])]
        return table("zkinfer proof, not yet verified", rows)


@dataclass(frozen=True)
class Claimed:
    """What a proof claims; ``None`` where it hides the values and nothing opens them."""

    input: dict[str, np.ndarray] | None
    input_commitment: str | None
    output: dict[str, np.ndarray] | None
    output_commitment: str | None


@dataclass(frozen=True)
class Verdict:
    """What verification found about one proof."""

    accepted: bool
    reason: str | None
    codes: list[str]


def _key(key: Key | PathLike) -> Key:
    return key if isinstance(key, Key) else Key.load(key)


def _proof(proof: Proof | PathLike) -> Proof:
    return proof if isinstance(proof, Proof) else Proof.load(proof)


def job_options(
    chain: int | None,
    job: str | bytes | None,
    payee: str | bytes | None,
    expiry: int | None,
    nonce: int | None,
) -> dict[str, Any]:
    """A job as the native part takes it."""
    return {
        "chain": natural(chain, "chain"),
        "job": hex_bytes(job, 32, "job"),
        "payee": hex_bytes(payee, 20, "payee"),
        "expiry": natural(expiry, "expiry"),
        "nonce": natural(nonce, "nonce"),
    }


class Expected(TypedDict, total=False):
    """What :func:`verify` and :func:`audit` may be told to expect."""

    expect_key: str | bytes | None
    expect_model: str | bytes | None
    expect_input: Tensors | None
    expect_input_commitment: str | bytes | None
    expect_output: Tensors | None
    expect_output_commitment: str | bytes | None
    opening: PathLike | bytes | None
    chain: int | None
    job: str | bytes | None
    payee: str | bytes | None
    expiry: int | None
    nonce: int | None
    valid_at: int | Literal["now"] | None
    allow_insecure_srs: bool
    allow_srs: str | bytes | None


def _check_names(expected: Expected) -> None:
    """A misspelt expectation must not be one that nobody has."""
    unknown = sorted(set(expected) - set(Expected.__annotations__))
    if unknown:
        raise TypeError(f"unexpected argument {unknown[0]!r}")


def _expect_options(files: Files, expected: Expected) -> dict[str, Any]:
    valid_at = expected.get("valid_at")
    valid_at = int(time.time()) if valid_at == "now" else natural(valid_at, "valid_at")
    if expected.get("allow_insecure_srs") and expected.get("allow_srs") is not None:
        raise UsageError("give allow_insecure_srs or allow_srs, not both")
    given = {name for name, value in expected.items() if value is not None}
    for side in ("input", "output"):
        if {f"expect_{side}", f"expect_{side}_commitment"} <= given:
            raise UsageError(f"give expect_{side} or expect_{side}_commitment, not both")
    opening = expected.get("opening")
    if isinstance(opening, bytes):
        opening = files.text(opening.decode("utf-8", "replace"), "opening", ".zkopening")
    return {
        "key_digest": hex_bytes(expected.get("expect_key"), 32, "expect_key"),
        "model_digest": hex_bytes(expected.get("expect_model"), 32, "expect_model"),
        "input": files.tensors(expected.get("expect_input"), "expect_input"),
        "input_commitment": hex_bytes(
            expected.get("expect_input_commitment"), 32, "expect_input_commitment"
        ),
        "output": files.tensors(expected.get("expect_output"), "expect_output"),
        "output_commitment": hex_bytes(
            expected.get("expect_output_commitment"), 32, "expect_output_commitment"
        ),
        "opening": None if opening is None else Path(opening),
        "job": job_options(
            expected.get("chain"),
            expected.get("job"),
            expected.get("payee"),
            expected.get("expiry"),
            expected.get("nonce"),
        ),
        "valid_at": valid_at,
        "allow_insecure_srs": bool(expected.get("allow_insecure_srs")),
        "allow_srs": hex_bytes(expected.get("allow_srs"), 32, "allow_srs"),
    }


def verify(proof: Proof | PathLike, key: Key | PathLike, **expected: Unpack[Expected]) -> Claimed:
    """Checks a proof against a key and what is expected of it, and returns what it shows.

    Expectations, all optional; what is not said is taken from the proof, so say what matters:

    - ``expect_key``, ``expect_model``: digests (32 bytes or hexadecimal digits) of the key, and of
      the ONNX file that it must name;
    - ``expect_input``, ``expect_output``: the real numbers, as arrays or a file;
      ``expect_input_commitment``, ``expect_output_commitment``: the commitments;
    - ``opening``: bytes or file of what opens the commitments;
    - ``chain``, ``job``, ``payee``, ``expiry``, ``nonce``: the job;
    - ``valid_at``: a Unix time, or ``"now"``, at which the proof must not have expired;
    - ``allow_insecure_srs``: accept the development setup, under which anybody can forge;
      ``allow_srs``: accept the setup of this digest.

    Raises Rejected with a reason and the ``codes`` of the checks that refused; FileError,
    ArtifactError, InputError, UsageError where nothing could be checked.
    """
    _check_names(expected)
    key, proof = _key(key), _proof(proof)
    with Files() as files:
        options = _expect_options(files, expected)
        [(accepted, reason, codes)] = _native.verify(key._native, [proof._native], options, False)
    if not accepted:
        raise Rejected(reason or "rejected", codes=codes)
    return proof.claimed(key)


def verify_batch(
    proofs: Sequence[Proof | PathLike], key: Key | PathLike, **expected: Unpack[Expected]
) -> list[Verdict]:
    """Checks many proofs of one key at little more than the price of one; a verdict for each.

    What is expected, see :func:`verify`, is expected of each. Raises no Rejected.
    """
    _check_names(expected)
    key, read = _key(key), [_proof(proof) for proof in proofs]
    with Files() as files:
        options = _expect_options(files, expected)
        checked = _native.verify(key._native, [proof._native for proof in read], options, True)
    return [Verdict(*each) for each in checked]


class Report:
    """A report: ``str`` gives the text, :attr:`data` the values, :meth:`html` a page."""

    def __init__(self, text: str, data: str, page: str) -> None:
        self._text = text
        self.data: dict[str, Any] = json.loads(data)
        self._page = page

    def html(self) -> str:
        """One HTML file that needs no network."""
        return self._page

    def save_html(self, path: PathLike) -> None:
        """Writes the page. Raises FileError."""
        write_bytes(path, self._page.encode())

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<zkinfer.{type(self).__name__}>\n{self._text}"

    def _repr_html_(self) -> str:
        # A frame of its own: the page's style and the notebook's do not meet.
        page = escape(self._page, quote=True)
        return (
            f'<iframe sandbox srcdoc="{page}" title="zkinfer report" '
            'style="width:100%;height:32rem;border:1px solid #8884"></iframe>'
        )


class AuditReport(Report):
    """What an audit found. ``verdict`` is ``accepted``, ``rejected`` or ``undecided``."""

    def __init__(self, verdict: str, text: str, data: str, page: str) -> None:
        super().__init__(text, data, page)
        self.verdict = verdict

    @property
    def accepted(self) -> bool:
        """Whether everything is as expected."""
        return self.verdict == "accepted"


def audit(
    proof: Proof | PathLike,
    key: Key | PathLike,
    *,
    model: PathLike | None = None,
    accuracy: PathLike | str | None = None,
    progress: Progress | None = None,
    calibrate: Tensors | None = None,
    settings: Any = None,
    input: Tensors | None = None,
    test_set: Tensors | None = None,
    srs: PathLike | None = None,
    commit: Sequence[str] = (),
    activation_bits: int | None = None,
    input_bits: int | None = None,
    input_levels: int | None = None,
    optimize: str | None = None,
    shape: Sequence[str] | dict[str, Sequence[int]] = (),
    fix: Sequence[str] | dict[str, float] = (),
    **expected: Unpack[Expected],
) -> AuditReport:
    """What a proof shows, how strongly, and whether an ONNX file gives its key.

    ``model`` is the ONNX file; with it give what :func:`compile` was given. ``accuracy`` is the
    accuracy report that the key should bind. What else is expected: see :func:`verify`. A proof
    that is not as expected gives a report that says so, and no exception.
    """
    from ._model import model_options

    _check_names(expected)
    key, proof = _key(key), _proof(proof)
    with Files() as files:
        recompile = None
        bits = (activation_bits, input_bits, input_levels)
        given = (calibrate, settings, input, test_set, srs, optimize, *bits)
        if model is not None:
            recompile = model_options(
                files,
                model=model,
                calibrate=calibrate,
                settings=settings,
                input=input,
                test_set=test_set,
                srs=srs,
                commit=commit,
                activation_bits=activation_bits,
                input_bits=input_bits,
                input_levels=input_levels,
                optimize=optimize,
                shape=shape,
                fix=fix,
            )
        elif any(value is not None for value in given) or commit or shape or fix:
            raise UsageError("what a key was made from needs the ONNX file too: pass model=")
        options = _expect_options(files, expected)
        report = None if accuracy is None else Path(accuracy)
        parts = _native.audit(key._native, proof._native, options, recompile, report, progress)
        verdict, text, data, page = parts
        return AuditReport(verdict, files.named(text), files.named(data), files.named(page))


def commit(key: Key | PathLike, input: Tensors) -> tuple[str, bytes]:
    """Commits to an input under a key that hides inputs.

    Returns the commitment (hexadecimal digits) for whoever shall expect it, and the bytes of the
    SECRET ``.zkopening`` for the prover. Raises UsageError where the key shows its inputs.
    """
    with Files() as files:
        path = files.needed(input, "input")
        commitment, opening = _native.commit(_key(key)._native, path)
    return commitment, opening.encode()


@dataclass(frozen=True)
class Srs:
    """A trusted setup that was imported."""

    path: Path
    k: int
    ceremony: str
    digest: str


def import_srs(file: PathLike, output: PathLike | None = None, *, k: int | None = None) -> Srs:
    """Imports a ceremony's ``.ptau`` or EZKL's ``kzg.srs``, checking every point on the curve and by
    pairings, and writes it as zkinfer reads it; beside the file by default.

    ``k`` keeps that power of two of its points. Raises SetupError, FileError.
    """
    target = Path(file).with_suffix(".zkinfer.srs") if output is None else Path(output)
    if target.exists() and target.samefile(file):
        raise UsageError(f"{target} would be overwritten; name another file with output=")
    found, ceremony, digest = _native.import_srs(Path(file), target, k)
    return Srs(target, found, ceremony, digest)
