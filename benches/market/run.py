"""Answers of a market beside the same model served centrally, in turns, on this machine.

Usage: run.py TARGET MODEL_FOLDER [--rate 50] [--seconds 10] [--rounds 3] [--share 0.1]

TARGET is a folder with the built `zkinfer`, `zkinfer-market` and `examples/load`; MODEL_FOLDER has
model.onnx, samples.npz and input.json. The Python that runs this needs onnxruntime and numpy. For
each round: the market with every answer proven, the market with a share of them drawn, and plain
onnxruntime behind HTTP. Each line ends with the machine's load before it.
"""

import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"nothing listens on port {port}")


class Market:
    """A coordinator and a node that is trusted; they end with it."""

    def __init__(self, target: pathlib.Path, folder: pathlib.Path) -> None:
        self.port, self.processes = free_port(), []
        self.url = f"http://127.0.0.1:{self.port}"
        self.command, self.folder = str(target / "zkinfer-market"), folder
        listen = ["--listen", f"127.0.0.1:{self.port}", "--folder", tempfile.mkdtemp(dir=folder)]
        money = ["--allow-insecure-srs", "--play-money", "10000000"]
        self.start("serve", "--key", "model.zkvk", *listen, *money)
        wait_for(self.port)
        # As many jobs at once as come: what is answered is proven when there is time.
        slots = ["--slots", "100000", "--bond", "9000000"]
        self.start("node", "--market", self.url, "--model", "model.onnx", *slots)
        for _ in range(4):
            self.prove_one()

    def start(self, *words: str) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen([self.command, *words], cwd=self.folder, **quiet))

    def prove_one(self) -> None:
        ask = ["--market", self.url]
        order = [self.command, "job", "submit", *ask, "--key", "model.zkvk", "--input", "input.json"]
        shown = subprocess.run(order, cwd=self.folder, capture_output=True, check=True, text=True)
        job = shown.stdout.split('"job": "')[1].split('"')[0]
        done = [self.command, "job", "wait", *ask, job]
        subprocess.run(done, cwd=self.folder, stdout=subprocess.DEVNULL, check=True)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", default="0.1")
    options = parser.parse_args()
    target, folder = options.target.resolve(), pathlib.Path(tempfile.mkdtemp())
    for name in ["model.onnx", "samples.npz", "input.json"]:
        shutil.copy(options.model / name, folder / name)
    setup = [str(target / "zkinfer"), "setup", "model.onnx", "--calibrate", "samples.npz"]
    subprocess.run(setup, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    port = free_port()
    server = pathlib.Path(__file__).with_name("central.py").resolve()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    central = subprocess.Popen(
        [sys.executable, str(server), "model.onnx", str(port)], cwd=folder, **quiet
    )
    wait_for(port)

    def load(name: str, kind: str, url: str, *more: str) -> None:
        words = [str(target / "examples" / "load"), kind, url, "model.zkvk", "input.json"]
        words += [str(options.rate), str(options.seconds), *more]
        before = os.getloadavg()[0]
        shown = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        line = (shown.stdout or shown.stderr).strip()
        print(f"{name:8} {line} (load {before:.1f})", flush=True)

    try:
        for _ in range(options.rounds):
            # A market of its own each time: nothing is left to be proven from before.
            for name, more in [("proven", []), ("sampled", [options.share])]:
                market = Market(target, folder)
                try:
                    load(name, "market", market.url, *more)
                finally:
                    market.end()
            load("central", "central", f"http://127.0.0.1:{port}")
    finally:
        central.kill()
        shutil.rmtree(folder, ignore_errors=True)


main()
