#!/bin/sh
# Writes smith.bin.gz, random modules for TestRandomModules, with the generator smith.rs, and exceptions.wasm. It needs cargo,
# and some minutes.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cp smith.rs "$work/src/main.rs"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "smith"
version = "0.0.0"
edition = "2021"

[dependencies]
arbitrary = "=1.5.0"
wasm-smith = "=0.243.0"
wat = "=1.263.0"
TOML
cargo build --quiet --release --manifest-path "$work/Cargo.toml"
"$work/target/release/smith" exceptions.wat >exceptions.wasm
"$work/target/release/smith" 200 | gzip -9n >smith.bin.gz
