#!/usr/bin/env bash
# Compiles the verifier for WebAssembly and makes the package and the page: build.sh FOLDER. Ends with
# 3, having said why, where no compiler for it is found.
set -euo pipefail
folder=$(realpath -m "${1:?usage: build.sh FOLDER}")
cd "$(dirname "$0")"
target=wasm32-unknown-unknown
out=$(realpath -m "${CARGO_TARGET_DIR:-../../target}/wasm")

build() { cargo build --profile wasm -p zkinfer-wasm --target "$target" --target-dir "$out" "$@"; }

if [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then
    build
else
    tools=${ZKINFER_WASM_TOOLS:-$out/debian}
    ../../.ci/debian-rust "$tools" wasm
    # shellcheck disable=SC1091
    source "$tools/env"
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
    # The standard library comes as sources, and building it is not yet stable.
    RUSTC_BOOTSTRAP=1 build -Zbuild-std=std,panic_abort
fi
node build.mjs "$out/$target/wasm/zkinfer_wasm.wasm" "$folder"
