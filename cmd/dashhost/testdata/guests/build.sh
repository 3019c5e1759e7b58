#!/bin/sh
# Builds every guest here from its text form. Needs wat2wasm of https://github.com/WebAssembly/wabt.
set -eu
cd "$(dirname "$0")"
for f in *.wat; do
	wat2wasm -o "${f%.wat}.wasm" "$f"
done
