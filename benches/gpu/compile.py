#!/usr/bin/env python3
"""What NVIDIA's compiler makes of the kernels, without a GPU: `python3 benches/gpu/compile.py`.

Prints registers, stack and spills of every kernel for compute capability 8.0 and 9.0. Fails where a
kernel spills more than a few bytes, and where a chain of carries reads a register that it wrote
before: the compiler may give an operand of inline assembly a register of another with the same
value. nvcc is installed from PyPI into `target/python`.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import venv

VERSION = "13.0.88"
venv.enter(
    "nvcc",
    [f"nvidia-cuda-{part}=={VERSION}" for part in ("nvcc", "crt")]
    + [f"nvidia-nvvm=={VERSION}", "nvidia-cuda-runtime==13.0.96"],
)

ARCHITECTURES = [80, 90]
MAX_SPILL = 16
CUDA = venv.ROOT / "engine" / "src" / "cuda"
CHAIN = re.compile(r"// begin inline asm\n(.*?)// end inline asm", re.DOTALL)
REPORT = re.compile(
    r"Compiling entry function '(\w+)'.*?\n.*?Function properties for \1\n"
    r"\s*(\d+) bytes stack frame, (\d+) bytes spill stores.*?\n.*?Used (\d+) registers"
)


def sources() -> str:
    """The sources in the order in which the engine puts them together."""
    text = (CUDA / "accelerator.rs").read_text()
    names = re.findall(r'include_str!\("(kernels/\w+\.cuh)"\)', text)
    return "".join((CUDA / name).read_text() for name in names)


def nvcc(source: Path, *options: str) -> str:
    """Runs the compiler; gives what it reports."""
    binary = next(Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cu13/bin/nvcc"))
    command = [binary, "-std=c++17", *options, source]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"nvcc failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def resources(source: Path, architecture: int) -> dict[str, tuple[int, int, int]]:
    """Stack, spilled bytes and registers of each kernel."""
    options = [f"-arch=sm_{architecture}", "-cubin", "-Xptxas", "-v", "-o", str(source.with_suffix(".cubin"))]
    found = REPORT.findall(nvcc(source, *options))
    return {name: (int(stack), int(spill), int(registers)) for name, stack, spill, registers in found}


def overlaps(source: Path) -> tuple[int, list[str]]:
    """The number of chains of carries, and those that read a register written before."""
    ptx = source.with_suffix(".ptx")
    nvcc(source, f"-arch=sm_{ARCHITECTURES[-1]}", "-ptx", "-o", str(ptx))
    chains = [chain for chain in CHAIN.findall(ptx.read_text()) if ".cc." in chain]
    wrong = []
    for chain in chains:
        written: set[str] = set()
        for operands in re.findall(r"\S+\s+(.*);", chain):
            target, *read = [operand.strip() for operand in operands.split(",")]
            if written.intersection(read):
                wrong.append(chain)
                break
            written.add(target)
    return len(chains), wrong


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernels.cu"
        source.write_text(sources())
        tables = [resources(source, architecture) for architecture in ARCHITECTURES]
        count, wrong = overlaps(source)
    print("| kernel |" + "".join(f" sm_{a}: registers, stack, spilled |" for a in ARCHITECTURES))
    print("|---" * (1 + len(ARCHITECTURES)) + "|")
    spilled = []
    for kernel in sorted(tables[0]):
        cells = [table[kernel] for table in tables]
        print(f"| {kernel} |" + "".join(f" {r}, {stack}, {spill} |" for stack, spill, r in cells))
        spilled += [kernel for _, spill, _ in cells if spill > MAX_SPILL]
    print(f"\n{count} chains of carries")
    if wrong:
        raise SystemExit(f"{len(wrong)} chains read what they wrote, the first:\n{wrong[0]}")
    if spilled:
        raise SystemExit(f"registers are spilled in {', '.join(sorted(set(spilled)))}")


main()
