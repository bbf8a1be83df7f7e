#!/usr/bin/env python3
"""The kernels in NVIDIA's instructions, run without a GPU: `python3 benches/gpu/emulate.py [SEED]`.

The host's build of the kernels, on which unit tests run whole proofs, does not have the chains of
carries that a GPU runs, nor what nvcc makes of them. Here nvcc's PTX is interpreted beside that build
on the same operands, among them the ends of the field, and every word is compared: all kernels of a
proof but those that exchange values between threads (transforms and the sorting of digits). nvcc is
installed from PyPI into `target/python`.
"""

import ctypes
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gpu import toolchain

toolchain.enter()

from gpu.ptx import M32, M64, Machine, read64

ARCHITECTURE = 90
MODULUS = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
RADIX = 1 << 256
EDGES = [0, 1, 2, MODULUS - 1, MODULUS - 2, MODULUS // 2, MODULUS // 2 + 1, RADIX % MODULUS]
EDGES += [-RADIX % MODULUS, 1 << 253, (1 << 128) - 1, 1 << 192, M32]
INTEGERS = [0, 1, -1, M32 >> 1, -(1 << 31), 1 - (1 << 31), 77, -65536]
ROWS = len(INTEGERS)
ELEMENT = 4
TAIL = 3


class Bench:
    """Both machines, and operands in memory."""

    def __init__(self, ptx: str, host: Path) -> None:
        self.gpu = Machine(ptx)
        self.host = ctypes.CDLL(str(host))
        self.kept: list[ctypes.Array] = []

    def words(self, words: list[int]) -> int:
        """The address of words, as CUDA aligns it."""
        buffer = (ctypes.c_uint64 * (len(words) + 2))()
        self.kept.append(buffer)
        address = (ctypes.addressof(buffer) + 15) // 16 * 16
        ctypes.memmove(address, (ctypes.c_uint64 * max(len(words), 1))(*words), 8 * len(words))
        return address

    def numbers(self, numbers: list[int]) -> int:
        """Numbers of 32 bits."""
        pairs = zip(numbers[::2], [*numbers[1::2], 0])
        return self.words([(low & M32) | (high & M32) << 32 for low, high in pairs])

    def elements(self, count: int) -> int:
        """Elements, many of them at an end of the field."""
        words = []
        for _ in range(count):
            is_edge = random.random() < 0.4
            element = random.choice(EDGES) if is_edge else random.randrange(MODULUS)
            words += [element >> 64 * i & M64 for i in range(ELEMENT)]
        return self.words(words)

    def columns(self, count: int) -> int:
        """Columns of elements and of integers, in turns and at rotations."""
        words = []
        for i in range(count):
            rotation = random.randrange(ROWS)
            if i % 2 == 0:
                words += [self.elements(ROWS), 0, 0, 0, rotation]
            else:
                integers = random.sample(INTEGERS, ROWS)
                words += [self.numbers(integers), self.elements(TAIL), ROWS - TAIL, 1, rotation]
        return self.words(words)

    def compare(self, name: str, arguments: list, outputs: list[int], grid: tuple[int, int], threads: int) -> None:
        """Runs a kernel on both. `OUT` among the arguments stands for the outputs, whose sizes are
        given in elements; a list of them for a table."""
        results = []
        for run in (self.gpu.launch, self.on_host):
            places = [self.words([0xA5A5A5A5A5A5A5A5] * ELEMENT * size) for size in outputs]
            given = {OUT: places[0], TABLE: self.words(places)}
            run(name, [given.get(argument, argument) for argument in arguments], grid, threads)
            results.append([
                [read64(place + 8 * i) for i in range(ELEMENT * size)]
                for place, size in zip(places, outputs)
            ])
        if results[0] != results[1]:
            raise SystemExit(f"{name}: what nvcc made of it computes something else")
        print(f"{name}: {sum(outputs)} elements are equal", flush=True)

    def on_host(self, name: str, arguments: list[int], grid: tuple[int, int], threads: int) -> None:
        words = (ctypes.c_uint64 * len(arguments))(*arguments)
        blocks = ctypes.c_uint64(grid[0] * grid[1])
        getattr(self.host, name)(words, *grid, threads, ctypes.c_uint64(0), blocks)


OUT, TABLE = "out", "table"


def rows(bench: Bench) -> None:
    """Sums and products of rows."""
    elements, columns, one = bench.elements, bench.columns, (1, 1)
    # More terms than a sum takes before it is reduced.
    bench.compare("combine", [columns(21), elements(21), 21, OUT, ROWS], [ROWS], one, ROWS)
    bench.compare("dot", [elements(ROWS), columns(3), OUT, ROWS], [3 * 4], (2, 3), 2)
    bench.compare("widen", [columns(2), TABLE, ROWS], [ROWS, ROWS], (1, 2), ROWS)
    bench.compare("fold", [elements(4 * ROWS), OUT, ROWS, 4], [ROWS], one, ROWS)
    bench.compare("divisors", [elements(ROWS), elements(3), 3, OUT, ROWS], [ROWS], one, ROWS)
    quotients = [elements(ROWS), columns(1), elements(ROWS), elements(3), 3, OUT, ROWS]
    bench.compare("quotients", quotients, [ROWS], one, ROWS)
    products = [elements(ROWS), elements(ROWS), elements(1), OUT, ROWS]
    bench.compare("scaled_products", products, [ROWS], one, ROWS)
    bench.compare("powers", [elements(64), OUT, ROWS], [ROWS], one, ROWS)
    bench.compare("chunk_products", [elements(ROWS), OUT, ROWS, 4], [2], one, 2)
    bench.compare("running_products", [elements(ROWS), elements(2), OUT, ROWS, 4], [ROWS], one, 2)
    bench.compare("running_products", [elements(ROWS), 0, OUT, ROWS, ROWS], [ROWS], one, 1)
    bench.compare("invert", [elements(ROWS), OUT, ROWS], [ROWS], one, 2)


def program(bench: Bench) -> None:
    """A random program: see `kernels/program.cuh`."""
    registers, sources, uniforms, threads = 3, 6, 5, 4
    code: list[int] = []
    done: list[int] = []

    def operand() -> int:
        kind = random.choice([0, 1, 1, 2] if done else [1, 1, 2])
        index = random.choice(done) if kind == 0 else random.randrange([0, sources, uniforms][kind])
        return kind << 30 | index

    for _ in range(8):
        register = random.randrange(registers)
        counts = [random.randrange(1, 4), random.randrange(3)]
        counts += [random.choice([0, 1, 2, 9, 17]), random.choice([0, 0, 1, 3])]
        code += [register, *counts]
        code += [operand() for _ in range(counts[0] + counts[1] + 2 * (counts[2] + counts[3]))]
        done.append(register)
    outputs = bench.numbers([done[0], 1 << 30 | 2, 2 << 30 | 1])
    scratch = bench.elements(registers * threads)
    arguments = [bench.numbers(code), len(code), bench.columns(sources), bench.elements(uniforms)]
    arguments += [scratch, outputs, TABLE, 3, ROWS]
    bench.compare("run_program", arguments, [ROWS] * 3, (1, 1), threads)


def main() -> None:
    random.seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    with tempfile.TemporaryDirectory() as folder:
        source, host = Path(folder) / "kernels.cu", Path(folder) / "kernels.so"
        source.write_text(toolchain.sources())
        ptx = toolchain.ptx(source, ARCHITECTURE)
        options = ["-std=c++17", "-O1", "-fwrapv", "-fno-strict-aliasing", "-fPIC", "-shared"]
        toolchain.run(["c++", *options, "-x", "c++", source, "-o", host])
        bench = Bench(ptx, host)
        rows(bench)
        for _ in range(8):
            program(bench)


main()
