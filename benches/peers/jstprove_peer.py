"""JSTprove 2.1.0 on Expander: a GKR prover, whose verifier needs the circuit and the time to match.

Its command line spends seconds in Python before and after; what is measured is its own binary.
"""

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from common import venv

# What its own code imports; PyPI's torch for machines without a GPU does.
REQUIREMENTS = ["jstprove==2.1.0"]


def run(folder: Path, model: Path, data: Path, limit: float) -> list[float]:
    """prove s (without its witness), setup s (compilation), verify s, peak MB, proof bytes."""
    if ctypes.util.find_library("mpi") is None:
        raise SystemExit(
            "JSTprove's binaries need Open MPI's libraries, which are not here: install them, on "
            "Debian or Ubuntu with `apt-get install libopenmpi3`, and run this again"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    packages = venv.make("jstprove", REQUIREMENTS)
    values = json.loads(data.read_text())["input_data"][0]
    (folder / "input.json").write_text(json.dumps({"input": values}))
    binaries = next(packages.glob("lib/python*/site-packages/python/core/binaries"))
    for binary in binaries.iterdir():
        binary.chmod(0o755)
    jst = [packages / "bin" / "jst", "--no-banner"]
    circuit, witness = ["-c", "circuit.bundle"], ["-w", "witness.bin"]
    asked = ["-i", "input.json", "-o", "output.json"]
    setup, _ = timed("compile", [*jst, "compile", "-m", model, *circuit], folder, limit)
    timed("witness", [*jst, "witness", *circuit, *asked, *witness], folder, limit)
    expander = [binaries / "expander-exec", "-p", "Hyrax"]
    proof = folder / "proof.bin"
    prove, peak = timed("prove", [*expander, "prove", *circuit, *witness, "-o", proof], folder, limit)
    verify, _ = timed("verify", [*expander, "verify", *circuit, *witness, "-i", proof], folder, limit)
    return [prove, setup, verify, peak / 1e6, proof.stat().st_size]


def timed(step: str, command: list, folder: Path, limit: float) -> tuple[float, int]:
    """Wall seconds of a step that must succeed, and the peak memory of its process in bytes."""
    # Containers run as root, which Open MPI refuses unless told twice.
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    log = folder / f"{step}.log"
    start = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, env=os.environ | allowed
        )
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            if time.perf_counter() - start > limit:
                process.kill()
            time.sleep(0.002)
    seconds = time.perf_counter() - start
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        code = process.returncode
        raise SystemExit(f"JSTprove's step {step} ended with {code}:\n{log.read_text()[-2000:]}")
    print(f"  jstprove {step}: {seconds:.2f} s", file=sys.stderr, flush=True)
    return seconds, usage.ru_maxrss * 1024
