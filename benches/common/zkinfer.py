"""The command line `zkinfer`, and what a table needs of its reports."""

import json
import os
import platform
import subprocess
from pathlib import Path

from common.venv import ROOT

LIMIT_SECONDS = 1800


def build(binary: Path | None) -> Path:
    """The command line: `binary` if given, else what the sources give."""
    if binary is not None:
        return binary.resolve()
    subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "zkinfer"


def run(command: list[str | Path]) -> str:
    """Standard output of a command, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise SystemExit(f"{words}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def prove(
    zkinfer: Path,
    model: Path,
    data: Path,
    folder: Path,
    samples: Path | None = None,
    options: list[str] | None = None,
) -> dict:
    """Proves the model on the input, in a process of its own; gives its report."""
    folder.mkdir(parents=True, exist_ok=True)
    places = ["--output", folder / "proof.zkproof", "--key", folder / "proof.zkvk"]
    command = [zkinfer, "prove", model, "--input", data, *places, "--json"]
    # The key is made anew, with the settings that this calibration gives.
    for old in folder.glob("proof.*"):
        old.unlink()
    calibrated = ["--calibrate", samples] if samples else []
    return json.loads(run([*command, *calibrated, *(options or [])]))


def verify(zkinfer: Path, folder: Path, data: Path) -> None:
    """Checks the proof that [`prove`] left, and that it is about this input."""
    proof, key = folder / "proof.zkproof", folder / "proof.zkvk"
    run([zkinfer, "verify", proof, "--key", key, "--expect-input", data, "--allow-insecure-srs"])


def machine() -> str:
    """What times depend on, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    ifma = any("avx512ifma" in line.split() for line in lines if line.startswith("flags"))
    name = names[0] if names else platform.processor()
    load = os.getloadavg()[0]
    suffix = "with" if ifma else "without"
    return f"{name}, {os.cpu_count()} cores, {suffix} AVX-512 IFMA; load before the run {load:.1f}"
