#!/usr/bin/env python3
"""Writes the networks that run.sh proves beside the zoo: prepare.py FOLDER (wants numpy and onnx).

The names are in the order in which they are proved, the largest last: it has as many weights as an
ONNX file may have bytes.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import networks

LARGEST = [784, 6144, 4096, 10]


def main() -> None:
    folder = Path(sys.argv[1])
    for name in ["cnn_1m", "mlp_16m"]:
        networks.write(name, folder / name)
    networks.mlp(LARGEST, folder / "mlp_30m")


if __name__ == "__main__":
    main()
