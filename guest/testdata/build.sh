#!/bin/sh
# Builds every NAME.wat in this directory to NAME.wasm with wat2wasm (wabt).
set -eu
cd "$(dirname "$0")"
for wat in *.wat; do
	wat2wasm "$wat" -o "${wat%.wat}.wasm"
done
