#!/usr/bin/env python3
"""What NVIDIA's compiler makes of the kernels, without a GPU: `python3 benches/gpu/compile.py`.

Prints registers, stack and spills of every kernel for compute capability 8.0 and 9.0. Fails where a
kernel spills more than a few bytes, and where a chain of carries reads a register that it wrote
before: the compiler may give an operand of inline assembly a register of another with the same
value. nvcc is installed from PyPI into `target/python`.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gpu import toolchain

toolchain.enter()

ARCHITECTURES = [80, 90]
MAX_SPILL = 16
REPORT = re.compile(
    r"Compiling entry function '(\w+)'.*?\n.*?Function properties for \1\n"
    r"\s*(\d+) bytes stack frame, (\d+) bytes spill stores.*?\n.*?Used (\d+) registers"
)


def resources(source: Path, architecture: int) -> dict[str, tuple[int, int, int]]:
    """Stack, spilled bytes and registers of each kernel."""
    options = ["-cubin", "-Xptxas", "-v", "-o", str(source.with_suffix(".cubin"))]
    report = toolchain.nvcc(source, f"-arch=sm_{architecture}", *options)
    numbers = {name: tuple(map(int, found)) for name, *found in REPORT.findall(report)}
    return {name: (stack, spill, registers) for name, (stack, spill, registers) in numbers.items()}


def overlaps(ptx: str) -> tuple[int, list[str]]:
    """The number of chains of carries, and those that read a register written before."""
    chains = [chain for chain in toolchain.CHAIN.findall(ptx) if ".cc." in chain]
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
        source.write_text(toolchain.sources())
        tables = [resources(source, architecture) for architecture in ARCHITECTURES]
        count, wrong = overlaps(toolchain.ptx(source, ARCHITECTURES[-1]))
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
