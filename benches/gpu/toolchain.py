"""NVIDIA's compiler from PyPI, and the sources of the kernels."""

import re
import subprocess
import sys
from pathlib import Path

from common import venv

VERSION = "13.0.88"
CUDA = venv.ROOT / "engine" / "src" / "cuda"
CHAIN = re.compile(r"// begin inline asm\n(.*?)// end inline asm", re.DOTALL)


def enter() -> None:
    """Goes on where nvcc is, in `target/python/nvcc`; installs it there if needed."""
    packages = [f"nvidia-cuda-{part}=={VERSION}" for part in ("nvcc", "crt")]
    venv.enter("nvcc", [*packages, f"nvidia-nvvm=={VERSION}", "nvidia-cuda-runtime==13.0.96"])


def sources() -> str:
    """The sources in the order in which the engine puts them together."""
    text = (CUDA / "accelerator.rs").read_text()
    names = re.findall(r'include_str!\("(kernels/\w+\.cuh)"\)', text)
    return "".join((CUDA / name).read_text() for name in names)


def run(command: list[str | Path]) -> str:
    """What a command says, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def nvcc(source: Path, *options: str) -> str:
    """Runs the compiler; gives what it reports."""
    binary = next(Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cu13/bin/nvcc"))
    return run([binary, "-std=c++17", *options, source])


def ptx(source: Path, architecture: int) -> str:
    """The sources in the instructions that NVIDIA documents."""
    target = source.with_suffix(".ptx")
    nvcc(source, f"-arch=sm_{architecture}", "-ptx", "-o", str(target))
    return target.read_text()
