#!/usr/bin/env bash
# Builds the module, and compiles and vets its tests, for every platform that README names.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
for os in linux darwin windows; do
	for arch in amd64 arm64; do
		echo "--- $os/$arch"
		GOOS=$os GOARCH=$arch go build ./...
		GOOS=$os GOARCH=$arch go vet ./...
	done
done
