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
    # Debian's compiler for the web, with the sources of its standard library: unpacked, not installed.
    tools=${ZKINFER_WASM_TOOLS:-$out/debian}
    if [ ! -x "$tools/usr/bin/rustc" ]; then
        command -v apt-get >/dev/null || { echo "no compiler for $target: install rustup's target"; exit 3; }
        mkdir -p "$tools/packages"
        std=$(apt-cache depends libstd-rust-web-dev 2>/dev/null | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p')
        llvm=$(apt-cache depends "${std:-none}" 2>/dev/null | sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p')
        lld=$(apt-cache search --names-only '^lld-[0-9]+$' | sed 's/ .*//' | sort -V | tail -1)
        packages="rustc-web libstd-rust-web-dev rust-web-src $std $llvm $lld lib$lld libllvm${lld#lld-}"
        # shellcheck disable=SC2086  # a list of words
        (cd "$tools/packages" && apt-get download $packages >/dev/null 2>&1) ||
            { echo "no compiler for $target: Debian's rustc-web cannot be fetched"; exit 3; }
        for package in "$tools"/packages/*.deb; do dpkg -x "$package" "$tools"; done
    fi
    libraries=$(dirname "$(find "$tools/usr/lib" -name 'librustc_driver*' | head -1)")
    linker=$(find "$tools/usr/bin" "$tools/usr/lib" -name 'wasm-ld*' | sort -V | tail -1)
    export LD_LIBRARY_PATH="$libraries:$(echo "$tools"/usr/lib/*-linux-gnu)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    export RUSTC="$tools/usr/bin/rustc" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker"
    # The standard library comes as sources, and building it is not yet stable.
    RUSTC_BOOTSTRAP=1 build -Zbuild-std=std,panic_abort
fi
node build.mjs "$out/$target/wasm/zkinfer_wasm.wasm" "$folder"
