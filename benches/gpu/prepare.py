#!/usr/bin/env python3
"""Writes the networks that run.sh proves beside the zoo.

The names are in the order in which they are proved, the largest last: its file is nearly as long as
zkinfer reads.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import venv

venv.enter("scaling", ["numpy", "onnx"])

from common import networks

LARGEST = [784, 6144, 4096, 10]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name in ["cnn_1m", "mlp_16m"]:
        networks.write(name, folder / name)
    networks.mlp(LARGEST, folder / "mlp_30m")


if __name__ == "__main__":
    main()
