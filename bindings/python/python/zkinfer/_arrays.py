"""Arrays on their way to the native part and back.

What the command reads from a file, the package hands over as one in numpy's own format, in memory
where the system has such a place, so that an array means exactly what the same array in a file
does. No number goes through text.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Union

import numpy as np

from .errors import Error, InputError, UsageError

PathLike = Union[str, "os.PathLike[str]"]
#: One set of inputs or outputs: a file, the only tensor, or a tensor for each name.
Tensors = Union[PathLike, np.ndarray, Sequence[Any], Mapping[str, Any]]

_MEMORY = "/dev/shm"


class Files:
    """Arrays as files, for the time of one call.

    In errors, a file is called what the caller calls the array.
    """

    def __init__(self) -> None:
        self._folder: str | None = None
        self._names: dict[str, str] = {}

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if isinstance(error, Error) and error.args:
            error.args = (self.named(str(error.args[0])), *error.args[1:])

    def named(self, text: str) -> str:
        """A text in which the files are called what the caller calls the arrays."""
        for path, name in self._names.items():
            text = text.replace(path, name)
        return text

    def tensors(self, value: Tensors | None, what: str) -> Path | None:
        """One set of tensors as a file; ``what`` is the caller's word for it."""
        if value is None:
            return None
        if isinstance(value, (str, os.PathLike)):
            return Path(os.fspath(value))
        if isinstance(value, Mapping):
            return self._archive({str(name): array(item, what) for name, item in value.items()}, what)
        if isinstance(value, (list, tuple)) and any(isinstance(item, np.ndarray) for item in value):
            arrays = [array(item, what) for item in value]
            return self._archive({f"arr_{index}": item for index, item in enumerate(arrays)}, what)
        made = array(value, what)
        path = self._place(what, ".npy")
        with open(path, "wb") as file:
            np.save(file, made, allow_pickle=False)
        return path

    def needed(self, value: Tensors, what: str) -> Path:
        """The same, where ``None`` is none of the caller's choices."""
        return _given(self.tensors(value, what), what)

    def needed_samples(self, value: Tensors | Iterable[Any], what: str) -> Path:
        """Many sets of tensors, likewise."""
        return _given(self.samples(value, what), what)

    def samples(self, value: Tensors | Iterable[Any] | None, what: str) -> Path | None:
        """Many sets of tensors as a file: a leading axis, or one entry for each set."""
        if value is None or isinstance(value, (str, os.PathLike, Mapping, np.ndarray)):
            return self.tensors(value, what)
        entries = list(value)
        if not entries:
            raise InputError(f"{what} holds no sample", code="samples")
        if all(isinstance(entry, Mapping) for entry in entries):
            names = list(entries[0])
            for index, entry in enumerate(entries):
                if set(entry) != set(names):
                    raise InputError(
                        f"{what}[{index}] has the names {sorted(map(str, entry))}, the first "
                        f"entry has {sorted(map(str, names))}",
                        code="samples",
                    )
            stacked = {
                str(name): _stack([entry[name] for entry in entries], f"{what}[…][{name!r}]")
                for name in names
            }
            return self._archive(stacked, what)
        return self.tensors(_stack(entries, what), what)

    def text(self, text: str | None, what: str, suffix: str) -> Path | None:
        """A text as a file."""
        if text is None:
            return None
        path = self._place(what, suffix)
        path.write_text(text, encoding="utf-8")
        return path

    def settings(self, text: str, accuracy: str | None) -> Path:
        """A settings file, with the accuracy report that it names beside it."""
        path = self._place("settings", ".zkinfer.json")
        path.write_text(text, encoding="utf-8")
        beside = accuracy_beside(path)
        self._names[str(beside)] = "`settings.accuracy`"
        if accuracy is not None:
            beside.write_text(accuracy, encoding="utf-8")
        return path

    def _archive(self, arrays: Mapping[str, np.ndarray], what: str) -> Path:
        path = self._place(what, ".npz")
        with open(path, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        return path

    def _place(self, what: str, suffix: str) -> Path:
        if self._folder is None:
            memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
            # Only its owner can read it.
            self._folder = tempfile.mkdtemp(prefix="zkinfer-", dir=memory)
        path = Path(self._folder) / f"{len(self._names)}{suffix}"
        self._names[str(path)] = f"`{what}`"
        return path


def accuracy_beside(settings: Path) -> Path:
    """Where the accuracy report of a settings file lies."""
    stem = settings.name.removesuffix(".zkinfer.json")
    if stem != settings.name:
        return settings.with_name(f"{stem}.accuracy.json")
    return settings.with_suffix(".accuracy.json")


def _given(path: Path | None, what: str) -> Path:
    if path is None:
        raise InputError(f"`{what}` is None, expected arrays or a file", code="input")
    return path


def array(value: Any, what: str) -> np.ndarray:
    """A value as an array, in the caller's precision."""
    try:
        made = np.asarray(value)
    except Exception as error:  # whatever a foreign `__array__` raises
        raise InputError(f"`{what}` is no array of numbers: {error}", code="input") from error
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(
            f"`{what}` has masked elements: fill them with what the model was trained on",
            code="input",
        )
    if made.dtype.hasobject:
        raise InputError(
            f"`{what}` is no array of numbers: it holds {made.dtype}",
            code="input",
        )
    return made


def _stack(entries: Sequence[Any], what: str) -> np.ndarray:
    arrays = [array(entry, what) for entry in entries]
    for index, entry in enumerate(arrays):
        if entry.shape != arrays[0].shape:
            raise InputError(
                f"{what}: entry {index} has shape {list(entry.shape)}, the first has "
                f"{list(arrays[0].shape)}",
                code="samples",
            )
    return np.stack(arrays)


def from_native(side: list[tuple[str, list[int], bytes]], dtype: str) -> dict[str, np.ndarray]:
    """Tensors of the native part as arrays that the caller may change."""
    made = {}
    for name, shape, data in side:
        made[name] = np.frombuffer(data, dtype="<f8").reshape(shape).astype(dtype)
    return made


def hex_bytes(value: str | bytes | None, count: int, what: str) -> bytes | None:
    """Bytes from bytes, or from hexadecimal digits with or without ``0x``."""
    if value is None or isinstance(value, bytes):
        data = value
    elif isinstance(value, str):
        try:
            data = bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            raise UsageError(f"{what}: expected hexadecimal digits only", code="usage") from None
    else:
        raise UsageError(f"{what}: expected bytes or hexadecimal digits", code="usage")
    if data is not None and len(data) != count:
        raise UsageError(f"{what}: expected {count} bytes, got {len(data)}", code="usage")
    return data


def small(value: int | None, what: str) -> int | None:
    """A whole number of 32 bits."""
    number = natural(value, what)
    if number is not None and number >= 1 << 32:
        raise UsageError(f"{what}: expected 0 to 2^32 - 1", code="usage")
    return number


def natural(value: int | None, what: str) -> int | None:
    """A whole number of 64 bits."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise UsageError(f"{what}: expected a whole number", code="usage")
    if not 0 <= int(value) < 1 << 64:
        raise UsageError(f"{what}: expected 0 to 2^64 - 1", code="usage")
    return int(value)
