#!/usr/bin/env bash
# A GPU beside the processor, in less than four minutes: run.sh BINARY [MODEL FOLDER ...]
#
# BINARY is what `cargo bench --no-run --bench gpu` builds; with it, this folder, `benches/common`
# and `models/zoo`, a machine needs no compiler but NVRTC, or a folder of compiled kernels in
# ZKINFER_KERNEL_CACHE. Large networks are written to a temporary folder where Python has numpy and
# onnx; models of other folders are proved as well.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${1:?"usage: run.sh BINARY [MODEL FOLDER ...]"}
shift
networks=$(mktemp -d)
trap 'rm -rf "$networks"' EXIT
large=()
for name in cnn_1m mlp_16m; do
    if (cd "$here/.." && python3 - "$name" "$networks/$name") <<'PYTHON'
import sys
from pathlib import Path
from common import networks
networks.write(sys.argv[1], Path(sys.argv[2]))
PYTHON
    then large+=("$networks/$name"); else echo "$name is left out: no numpy and onnx"; fi
done
zoo=()
for model in "$here"/../../models/zoo/*/model.onnx; do zoo+=("$(dirname "$model")"); done
timeout 220 "$binary" "${zoo[@]}" "${large[@]}" "$@"
