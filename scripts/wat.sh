#!/usr/bin/env bash
# Rebuilds the small guests that are written as text, with wat2wasm (Debian's wabt), and fails if a committed one differs.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v wat2wasm >/dev/null || {
	echo "wat: wat2wasm is missing: apt-get install wabt" >&2
	exit 1
}
cmd/dashhost/testdata/guests/build.sh
guest/testdata/build.sh
wat2wasm --debug-names guest/wasmbin/testdata/kitchen.wat -o guest/wasmbin/testdata/kitchen.wasm
wat2wasm internal/bench/extism/plugin.wat -o internal/bench/extism/plugin.wasm
wat2wasm internal/bench/extism/trap.wat -o internal/bench/extism/trap.wasm
wat2wasm abi/spec/echo.wat -o abi/spec/echo.wasm
git diff --exit-code --stat -- '*.wasm'
echo "$(git ls-files '*.wat' | wc -l) texts, their modules are the committed ones"
