"""EZKL, step by step."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

STEPS = ["gen_settings", "calibrate", "compile", "gen_srs", "setup", "gen_witness", "prove", "verify"]


def run(folder: Path, model: Path, data: Path, limit: float) -> list[float]:
    """prove s, setup s, verify s, peak MB, proof bytes."""
    steps = run_steps(folder, model, data, limit)
    peak = max(steps[step]["peak_bytes"] for step in ("setup", "gen_witness", "prove"))
    times = [steps[step]["seconds"] for step in ("prove", "setup", "verify")]
    return [*times, peak / 1e6, steps["prove"]["proof_bytes"]]


def run_steps(folder: Path, model: Path, data: Path, limit: float) -> dict[str, dict]:
    """Seconds and peak memory of every step; the size of the proof."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    script = Path(__file__).with_name("ezkl_step.py")
    # A home of its own: nothing is read from or left in that of the user.
    environment = os.environ | {"EZKL_REPO_PATH": str(folder), "HOME": str(folder)}
    steps = {}
    for step in STEPS:
        command = [sys.executable, script, step, folder, model, data]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"EZKL's step {step} ended with {done.returncode}:\n{done.stderr}")
        steps[step] = json.loads(done.stdout.splitlines()[-1])
        print(f"  ezkl {step}: {steps[step]['seconds']:.2f} s", file=sys.stderr, flush=True)
    for large in ("pk.key", "kzg.srs"):
        (folder / large).unlink()
    proof = json.loads((folder / "proof.json").read_text())
    steps["prove"]["proof_bytes"] = len(proof["hex_proof"].removeprefix("0x")) // 2
    return steps
