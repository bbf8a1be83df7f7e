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
shopt -s nullglob
here=$(cd "$(dirname "$0")" && pwd)
binary=${1:?"usage: run.sh BINARY [NETWORKS]"}
[ -x "$binary" ] && [ ! -d "$binary" ] || {
    echo "$binary is no program: cargo bench --no-run --bench gpu tells where it is" >&2
    exit 1
}
folders=()
for place in "$here/../../models/zoo" ${2+"$2"}; do
    models=("$place"/*/model.onnx)
    [ "${#models[@]}" -gt 0 ] || {
        echo "no networks in $place: there is no FOLDER/model.onnx" >&2
        exit 1
    }
    folders+=("${models[@]%/model.onnx}")
done
# A name without a folder is one of this folder, not of PATH.
timeout 235 "$(realpath "$binary")" --seconds 200 "${folders[@]}"
