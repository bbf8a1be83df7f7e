"""What comes from EZKL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import zkinfer

#: Files that EZKL 23.0.5 wrote for digits_mlp.
EZKL = Path(__file__).resolve().parent / "ezkl"


def settings(tmp_path, **run_args):
    words = {"input_visibility": "Private", "output_visibility": "Public", "param_visibility": "Fixed"}
    words |= {"input_scale": 7, "variables": [["batch_size", 1]]}
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"run_args": words | run_args}))
    return path


def test_visibility_words_become_options(tmp_path):
    read = zkinfer.ezkl.options(settings(tmp_path))
    assert read.options == {"commit": ["input"]}
    assert any(note.startswith("input_visibility Private") for note in read.notes)
    assert any(note.startswith("input_scale") for note in read.notes)
    hashed = {"Hashed": {"hash_is_public": True, "outlets": []}}
    read = zkinfer.ezkl.options(settings(tmp_path, input_visibility="Public", output_visibility=hashed))
    assert read.options == {"commit": ["output"]}
    read = zkinfer.ezkl.options(settings(tmp_path, variables=[["batch_size", 4]]))
    assert any("variable batch_size = 4" in note for note in read.notes)


def test_files_that_ezkl_wrote_are_read(folder):
    read = zkinfer.ezkl.options(EZKL / "public.json")
    assert read.options == {} and not any("visibility" in note for note in read.notes)
    assert zkinfer.ezkl.options(EZKL / "private.json").options == {"commit": ["input"]}
    read = zkinfer.ezkl.options(EZKL / "hashed.json")
    assert read.options == {"commit": ["input"]}
    assert any("not public" in note for note in read.notes)
    with pytest.raises(zkinfer.SettingsError, match="KZGCommit"):
        zkinfer.ezkl.options(EZKL / "polycommit.json")

    srs = zkinfer.import_srs(EZKL / "kzg.srs", folder / "own.srs")
    assert srs.k == 7
    model = zkinfer.compile(
        folder / "model.onnx", calibrate=EZKL / "calibration.json", srs=srs.path
    )
    proof = model.prove(folder / "input.json")
    zkinfer.verify(proof, model.key, expect_input=folder / "input.json", allow_srs=srs.digest)
    with pytest.raises(zkinfer.Rejected) as refused:
        zkinfer.verify(proof, model.key)
    assert refused.value.codes == ["untrusted-srs"]
    # What is no settings file of ours is told by its name.
    with pytest.raises(zkinfer.SettingsError) as refused:
        zkinfer.compile(folder / "model.onnx", settings=EZKL / "public.json")
    assert refused.value.code == "settings-of-ezkl"


@pytest.mark.parametrize("word", ["KZGCommit", "Fixed", {"Encrypted": {}}])
def test_words_without_a_counterpart_are_refused(tmp_path, word):
    with pytest.raises(zkinfer.SettingsError) as refused:
        zkinfer.ezkl.options(settings(tmp_path, input_visibility=word))
    assert "input_visibility" in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run_args": 3}', '{"run_args": {}}', "[" * 100_000])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(zkinfer.SettingsError):
        zkinfer.ezkl.options(path)


def test_input_files_are_read_as_they_are(model, folder):
    data = json.loads((folder / "input.json").read_text())["input_data"]
    (folder / "ezkl.json").write_text(
        json.dumps({"input_data": data, "output_data": [[0.0] * 10], "input_shapes": [[1, 64]]})
    )
    assert model.run(folder / "ezkl.json").same_answer
