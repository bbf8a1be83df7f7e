#!/usr/bin/env bash
# A GPU beside the processor, in less than four minutes: run.sh BINARY [NETWORKS]
#
# BINARY is what `cargo bench --no-run --bench gpu` builds, NETWORKS the folder that
# `prepare.py` beside this file writes. With these two, this file and `models/zoo`, a machine needs
# nothing but the driver, and NVRTC or a folder of compiled kernels in ZKINFER_KERNEL_CACHE.
# Prints: the machine, the self-test, proofs with their stages (every one compared with the
# processor's, byte for byte) and tables of kernels. The binary leaves out what its time does not
# suffice for; the limit here only ends one that hangs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${1:?"usage: run.sh BINARY [NETWORKS]"}
networks=${2:-}
folders=()
for model in "$here"/../../models/zoo/*/model.onnx ${networks:+"$networks"/*/model.onnx}; do
    folders+=("$(dirname "$model")")
done
timeout 235 "$binary" --seconds 200 "${folders[@]}"
