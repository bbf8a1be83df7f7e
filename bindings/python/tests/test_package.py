"""The package on models of the zoo: what it gives, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import ZOO, samples_of

import zkinfer

DEV = {"allow_insecure_srs": True}


def test_a_proof_is_verified_and_shows_its_numbers(model, x, proof):
    shown = zkinfer.verify(proof, model.key, expect_input={"input": x}, payee="09" * 20, **DEV)
    run = model.run(x)
    assert run.same_answer and not run.warnings
    np.testing.assert_allclose(shown.output["logits"], run.outputs["logits"], atol=1e-4)
    np.testing.assert_allclose(shown.output["logits"], run.float_outputs["logits"], atol=0.1)
    assert shown.input["input"].shape == (1, 64)
    assert zkinfer.verify(proof, model.key, expect_output=shown.output, **DEV) is not None


def test_a_proof_that_is_not_as_expected_is_rejected_with_its_codes(model, x, proof):
    with pytest.raises(zkinfer.Rejected) as refused:
        zkinfer.verify(proof, model.key)
    assert refused.value.codes == ["insecure-srs"]
    with pytest.raises(zkinfer.Rejected) as refused:
        zkinfer.verify(proof, model.key, payee=b"\1" * 20, job=b"\1" * 32, **DEV)
    assert refused.value.codes == ["job", "payee"] and refused.value.code == "job"
    assert "the proof pays 0909" in str(refused.value)
    other = x.copy()
    other[0, 3] += 0.5
    with pytest.raises(zkinfer.Rejected) as refused:
        zkinfer.verify(proof, model.key, expect_input=other, **DEV)
    assert refused.value.codes == ["input"]


def test_a_tampered_proof_is_rejected(model, proof):
    text = bytearray(proof.to_bytes())
    at = text.index(b'"proof":"') + 400
    text[at] = ord("1") if text[at] != ord("1") else ord("2")
    with pytest.raises(zkinfer.Rejected):
        zkinfer.verify(zkinfer.Proof.from_bytes(bytes(text)), model.key, **DEV)


def test_files_round_trip_and_are_the_commands(model, proof, tmp_path):
    model.save(tmp_path / "a.zkvk")
    proof.save(tmp_path / "a.zkproof")
    assert zkinfer.Key.load(tmp_path / "a.zkvk") == model.key
    assert zkinfer.Proof.load(tmp_path / "a.zkproof") == proof
    settings = zkinfer.Settings.load(tmp_path / "a.zkinfer.json")
    assert settings == model.settings and settings.accuracy == model.settings.accuracy
    assert zkinfer.compile(ZOO / "digits_mlp" / "model.onnx", settings=settings).key == model.key
    settings.save(tmp_path / "b.zkinfer.json")
    assert zkinfer.Settings.load(tmp_path / "b.zkinfer.json").accuracy == settings.accuracy
    with pytest.raises(zkinfer.ArtifactError, match="`settings.accuracy` is missing"):
        zkinfer.compile(ZOO / "digits_mlp" / "model.onnx", settings=zkinfer.Settings(settings.text))
    again = zkinfer.compile(ZOO / "digits_mlp" / "model.onnx", settings=tmp_path / "a.zkinfer.json")
    assert again.key == model.key
    assert not model.save(tmp_path / "a.zkvk")
    beside = zkinfer.compile(ZOO / "digits_mlp" / "model.onnx", key=tmp_path / "a.zkvk")
    assert beside.key == model.key


def test_arrays_calibrate_as_the_file_does(model):
    archive = {}
    with np.load(ZOO / "digits_mlp" / "samples.npz") as file:
        stacked = np.stack([file[f"s{i:02d}_in_input"] for i in range(len(file.files) // 2)])
    archive["input"] = stacked
    onnx = ZOO / "digits_mlp" / "model.onnx"
    for samples in (archive, stacked, list(stacked), [{"input": each} for each in stacked]):
        made = zkinfer.compile(onnx, calibrate=samples)
        ours, theirs = (json.loads(m.settings.text) for m in (made, model))
        assert ours["calibration"] == theirs["calibration"]
    # The same samples in the same form give the same settings, accuracy report included.
    assert zkinfer.calibrate(onnx, samples) == made.settings


def test_a_goal_is_met_by_the_cheapest_settings(folder):
    onnx, samples = folder / "model.onnx", folder / "samples.npz"
    found = zkinfer.calibrate(onnx, samples, target_accuracy=1.0, max_error=0.05)
    chosen = found.report["chosen"]
    assert chosen["agreement"]["max_error"] <= 0.05
    assert found.report["settings"] is None and "settings found" in str(found.report)
    assert "chosen" in found.report.html() and "srcdoc" in found.report._repr_html_()
    made = zkinfer.compile(onnx, settings=found, input=folder / "input.json")
    assert made.quote()["k"] == chosen["price"]["k"]
    with pytest.raises(zkinfer.DemandError) as refused:
        zkinfer.calibrate(onnx, samples, max_error=1e-9)
    assert refused.value.code == "goal-not-met" and "closest" in str(refused.value)
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(zkinfer.UsageError):
            zkinfer.calibrate(onnx, samples, max_error=wrong)
    with pytest.raises(zkinfer.UsageError):
        zkinfer.calibrate(onnx, samples, max_error=0.1, activation_bits=8)


def test_bits_of_inputs_are_part_of_the_key(model, folder):
    onnx, samples = folder / "model.onnx", folder / "samples.npz"
    assert zkinfer.compile(onnx, calibrate=samples, input_bits=10).key != model.key
    # The grid on which these samples lie is found without being named.
    assert zkinfer.compile(onnx, calibrate=samples, input_levels=16).key == model.key
    with pytest.raises(zkinfer.InputError):
        zkinfer.compile(onnx, calibrate=samples, input_levels=7)
    for wrong in ({"input_levels": 0}, {"input_bits": -1}, {"input_bits": 2**40}):
        with pytest.raises(zkinfer.UsageError):
            zkinfer.compile(onnx, calibrate=samples, **wrong)


def test_what_is_not_used_of_a_file_is_said(model, folder):
    data = json.loads((folder / "input.json").read_text())["input_data"]
    named = folder / "more.json"
    named.write_text(json.dumps({"input_data": data, "output_data": [[0.0] * 10]}))
    with pytest.warns(zkinfer.InputWarning, match="output_data"):
        model.run(named)


def test_many_inputs_are_proved_and_checked_together(model):
    inputs = np.concatenate([samples_of("digits_mlp")[f"s{i:02d}_in_input"] for i in range(3)])
    made = model.prove_many(inputs.reshape(3, 1, 64), job=b"\7" * 32, nonce=5)
    assert [each.proof.job["nonce"] for each in made] == [5, 6, 7]
    proofs = [each.proof for each in made]
    assert all(v.accepted for v in zkinfer.verify_batch(proofs, model.key, **DEV))
    verdicts = zkinfer.verify_batch(proofs, model.key, nonce=6, **DEV)
    assert [v.accepted for v in verdicts] == [False, True, False]
    assert verdicts[0].codes == ["nonce"]


def test_a_hidden_input_is_committed_to_and_opened(hiding, x, tmp_path):
    commitment, opening = zkinfer.commit(hiding.key, x)
    proof = hiding.prove(x, opening=opening)
    proof.save(tmp_path / "a.zkproof")
    secret = tmp_path / "a.zkopening"
    assert stat.S_IMODE(os.stat(secret).st_mode) == 0o600
    shown = zkinfer.verify(
        zkinfer.Proof.load(tmp_path / "a.zkproof"),
        hiding.key,
        expect_input_commitment=commitment,
        **DEV,
    )
    assert shown.input is None and shown.input_commitment == commitment
    opened = zkinfer.Proof.load(tmp_path / "a.zkproof", opening=secret).claimed(hiding.key)
    np.testing.assert_allclose(opened.input["input"], x, atol=0.02)
    with pytest.raises(zkinfer.UsageError) as refused:
        zkinfer.commit(model_that_shows(), x)
    assert refused.value.code == "shown"


def model_that_shows():
    onnx = ZOO / "digits_mlp" / "model.onnx"
    return zkinfer.compile(onnx, input=ZOO / "digits_mlp" / "input.json").key


def test_an_audit_makes_the_key_again(model, proof, folder):
    report = zkinfer.audit(
        proof,
        model.key,
        model=folder / "model.onnx",
        calibrate=folder / "samples.npz",
        **DEV,
    )
    assert report.accepted and report["recompiled"]["same_key"]
    assert str(report).startswith("ACCEPTED")
    assert report.html().startswith("<!DOCTYPE html>") and "Accepted" in report.html()
    assert "srcdoc" in report._repr_html_()
    refused = zkinfer.audit(proof, model.key)
    assert refused.verdict == "rejected" and refused["reason_codes"] == ["insecure-srs"]
    with pytest.raises(zkinfer.UsageError, match="pass model=") as usage:
        zkinfer.audit(proof, model.key, settings=model.settings)
    assert usage.value.code == "usage"
    undecided = zkinfer.audit(proof, model.key, model=folder / "model.onnx", **DEV)
    assert undecided.verdict == "undecided"


def test_accuracy_is_measured(folder):
    report = zkinfer.accuracy(
        folder / "model.onnx",
        folder / "samples.npz",
        calibrate=folder / "samples.npz",
    )
    assert report["samples"]["count"] == report["float_model"]["same_class"] == 20


def test_the_cost_and_the_graph_are_told(model, folder):
    text = zkinfer.compile(folder / "model.onnx", settings=model.settings).quote().html()
    assert "`settings`" in text and "/zkinfer-" not in text, "a place of ours"
    quote = model.quote()
    assert quote["proof_bytes"] > 1000 and "What a proof of" in quote.html()
    report = zkinfer.inspect(folder / "model.onnx")
    assert report["inputs"][0]["shape"] == [1, 64]


def test_a_notebook_shows_models_runs_and_proofs(model, x, proof):
    assert "INSECURE" in model._repr_html_() and model.key.digest in model._repr_html_()
    run = model.run(x)
    assert "logits, float model" in run._repr_html_() and "WARNING" not in run._repr_html_()
    assert "not yet verified" in proof._repr_html_()
    foreign = zkinfer.Run({"<b>": x}, {"<b>": x}, ["<script>"], 0.0, True, [])
    assert "<b>" not in foreign._repr_html_() and "<script>" not in foreign._repr_html_()


def test_the_float_model_is_compared_with_onnxruntime(model):
    pytest.importorskip("onnxruntime")
    assert model.runtime is not None and not model.runtime.differs
    assert model.runtime.samples == 20 and model.runtime.max_error < 1e-3
    assert "agrees with onnxruntime on 20 samples" in repr(model)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((1, 63), np.float32), "shape"),
        ({"wrong": np.zeros((1, 64), np.float32)}, "`wrong` in the file is not expected"),
        (np.array([["a"] * 64]), "element type"),
        (np.full((1, 64), np.nan, np.float32), "finite"),
        (np.full((1, 64), 1j, np.complex64), "element type"),
        (np.full((1, 64), 2**53 + 1, np.int64), "no 32-bit float holds exactly"),
        ([[1.0, 2.0], [3.0]], "`input` is no array of numbers"),
        (None, "`input` is None"),
        (np.ma.masked_array(np.zeros((1, 64)), mask=np.eye(1, 64)), "masked elements"),
        (np.array(["1.5"] * 64, dtype=object), "`input` is no array of numbers"),
    ],
)
def test_wrong_arrays_are_refused_by_their_name(model, value, text):
    with pytest.raises(zkinfer.InputError) as refused:
        model.prove(value)
    assert text in str(refused.value), str(refused.value)
    assert "/zkinfer-" not in str(refused.value), "a place of ours"


def test_wrong_files_raise_what_is_to_blame(model, folder, tmp_path):
    onnx = folder / "model.onnx"
    (tmp_path / "junk").write_bytes(b"\0\1\2")
    with pytest.raises(zkinfer.FileError) as refused:
        zkinfer.Key.load(tmp_path / "none")
    assert isinstance(refused.value, OSError) and "cannot read" in str(refused.value)
    with pytest.raises(zkinfer.ArtifactError):
        zkinfer.Key.load(tmp_path / "junk")
    with pytest.raises(zkinfer.ArtifactError):
        zkinfer.Proof.load(tmp_path / "junk")
    with pytest.raises(zkinfer.ModelError):
        zkinfer.compile(tmp_path / "junk", input=folder / "input.json")
    with pytest.raises(zkinfer.InputError):
        zkinfer.compile(onnx, calibrate=tmp_path / "junk")
    with pytest.raises(zkinfer.UsageError) as refused:
        zkinfer.compile(onnx)
    assert refused.value.code == "nothing-to-calibrate-with"
    (tmp_path / "s.json").write_text("{}")
    with pytest.raises(zkinfer.SettingsError):
        zkinfer.compile(onnx, settings=tmp_path / "s.json")
    with pytest.raises(zkinfer.SetupError):
        zkinfer.compile(onnx, calibrate=folder / "samples.npz", srs=tmp_path / "junk")
    with pytest.raises(zkinfer.DemandError):
        zkinfer.compile(onnx, calibrate=folder / "samples.npz", max_error=0.0)
    with pytest.raises(zkinfer.UsageError):
        zkinfer.compile(onnx, calibrate=folder / "samples.npz", commit="sideways")
    with pytest.raises(zkinfer.UsageError):
        zkinfer.compile(onnx, calibrate=folder / "samples.npz", optimize="fun")
    with pytest.raises(zkinfer.UsageError):
        model.prove(np.zeros((1, 64), np.float32), job="07")
    with pytest.raises(TypeError):
        zkinfer.verify(tmp_path / "junk", model.key, expect_inptu=1)


def test_another_key_is_not_replaced(model, folder, tmp_path):
    model.save(tmp_path / "a.zkvk")
    before = (tmp_path / "a.zkvk").read_bytes()
    with pytest.raises(zkinfer.ArtifactError) as refused:
        zkinfer.compile(
            folder / "model.onnx",
            calibrate=folder / "samples.npz",
            activation_bits=7,
            key=tmp_path / "a.zkvk",
        )
    assert refused.value.code in ("another-key", "another-settings")
    assert (tmp_path / "a.zkvk").read_bytes() == before


def test_progress_is_told_and_may_stop_the_work(model, x):
    steps = []
    model.prove(x, progress=lambda step, seconds: steps.append((step, seconds)))
    names = [step for step, _ in steps]
    assert names[0] == "witness" and "opening" in names
    assert all(seconds > 0 for _, seconds in steps)

    class Enough(Exception):
        pass

    def stop(step, seconds):
        raise Enough(step)

    with pytest.raises(Enough):
        model.prove(x, progress=stop)
    # What was stopped has left nothing behind that is in the way.
    assert zkinfer.verify(model.prove(x), model.key, **DEV) is not None


def test_the_interpreter_is_free_while_a_proof_is_made(model, x):
    counted = 0
    done = threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.0005)

    counter = threading.Thread(target=count)
    counter.start()
    before = counted
    for _ in range(5):
        model.prove(x)
    done.set()
    counter.join()
    assert counted > before + 5


INTERRUPTED = """
import signal, sys, threading, os, time, zkinfer
zoo = sys.argv[1]
model = zkinfer.compile(zoo + "/model.onnx", calibrate=zoo + "/samples.npz")
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    while time.monotonic() < start + 60:
        model.prove(zoo + "/input.json")
except KeyboardInterrupt:
    proof = model.prove(zoo + "/input.json")
    zkinfer.verify(proof, model.key, allow_insecure_srs=True)
    print("stopped and went on")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals of Unix")
def test_ctrl_c_stops_a_proof(cache):
    zoo = str(ZOO / "mnist_lenet")
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, zoo], capture_output=True, text=True, timeout=300
    )
    assert run.stdout.strip() == "stopped and went on", run.stderr


def test_a_million_elements_do_not_go_through_text(model):
    from zkinfer._arrays import Files

    million = np.random.default_rng(1).random((1000, 1000), dtype=np.float32)
    start = time.perf_counter()
    with Files() as files:
        path = files.tensors({"input": million}, "input")
        assert path.stat().st_size < million.nbytes + 1000
        with pytest.raises(zkinfer.InputError):
            model._native.run(path, {"max_error": None, "require_class": False, "threshold": None})
    assert time.perf_counter() - start < 2.0
    assert not path.exists()


def test_no_place_of_ours_is_left_behind(model, x):
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else "/tmp"
    ours = lambda: {name for name in os.listdir(memory) if name.startswith("zkinfer-")}  # noqa: E731
    before = ours()
    model.run(x)
    with pytest.raises(zkinfer.InputError):
        model.run(np.zeros(3))
    assert ours() <= before
