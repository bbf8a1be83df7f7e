"""Coming from EZKL: its settings file in zkinfer's words.

EZKL's ``input.json`` and calibration file need nothing: zkinfer reads both as they are. Its
``kzg.srs`` is imported by :func:`zkinfer.import_srs`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ._arrays import PathLike
from ._proof import read_bytes
from .errors import SettingsError

#: A side that EZKL shows, and one that it hides.
_SHOWN, _HIDDEN = "shown", "hidden"
#: What EZKL's words mean here.
_WORDS = {"Public": _SHOWN, "Private": _HIDDEN, "Hashed": _HIDDEN}


@dataclass(frozen=True)
class Options:
    """Options for :func:`zkinfer.compile`, and what of EZKL's settings has no counterpart."""

    options: dict[str, Any]
    notes: list[str]


def options(path: PathLike) -> Options:
    """Reads the visibility words and variables of EZKL's ``settings.json``.

    ``zkinfer.compile("network.onnx", calibrate=…, **zkinfer.ezkl.options("settings.json").options)``.
    Raises SettingsError for a word that has no counterpart, FileError.
    """
    try:
        run_args = json.loads(read_bytes(path))["run_args"]
        words = {side: _word(run_args[f"{side}_visibility"]) for side in ("input", "output", "param")}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError(
            f"{path} is no settings.json of EZKL: it lacks run_args with input_visibility, "
            f"output_visibility and param_visibility ({type(error).__name__})",
            code="ezkl-settings",
        ) from None
    commit = [side for side in ("input", "output") if _meaning(side, words[side]) == _HIDDEN]
    notes = [
        f"{side}_visibility {words[side]}: zkinfer hides it behind a blinded commitment, which is "
        "public"
        for side in commit
        if words[side] == "Private"
    ]
    notes += [
        f"{side}_visibility Hashed, not public: zkinfer's commitment is public, and blinded"
        for side in commit
        if _hides_hash(run_args[f"{side}_visibility"])
    ]
    notes += [
        f"{side}_visibility Hashed: zkinfer's hash is blinded, so it is another number than EZKL's"
        for side in commit
        if words[side] == "Hashed"
    ]
    if words["param"] not in ("Private", "Fixed"):
        notes.append(
            f"param_visibility {words['param']}: zkinfer's key commits to the weights, always, and "
            "binds the digest of the ONNX file"
        )
    notes += _variables(run_args.get("variables", []))
    for name in ("input_scale", "param_scale", "logrows", "lookup_range"):
        if name in run_args:
            notes.append(f"{name}: chosen by zkinfer from the samples")
    return Options({"commit": commit} if commit else {}, notes)


def _word(value: Any) -> str:
    """A word of EZKL, which is a string or an object with one name."""
    if isinstance(value, dict):
        [value] = value
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _hides_hash(value: Any) -> bool:
    """Whether a hash is to stay inside the circuit."""
    hashed = value.get("Hashed") if isinstance(value, dict) else None
    return isinstance(hashed, dict) and hashed.get("hash_is_public") is False


def _meaning(side: str, word: str) -> str:
    if word not in _WORDS:
        raise SettingsError(
            f"{side}_visibility {word!r} has no counterpart: take Public, Private or Hashed",
            code="ezkl-visibility",
        )
    return _WORDS[word]


def _variables(variables: Any) -> list[str]:
    """EZKL's variables: batch_size 1 is what zkinfer takes anyway."""
    pairs = variables if isinstance(variables, list) else []
    return [
        f"variable {name} = {value}: give the input's shape with shape="
        for name, value in (pair for pair in pairs if isinstance(pair, list) and len(pair) == 2)
        if (name, value) != ("batch_size", 1)
    ]
