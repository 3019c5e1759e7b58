#!/usr/bin/env bash
# Builds the wasm that is committed, the same bytes in any folder and for any user.
#
#	scripts/guests.sh            build all, write guests.lock and the sha256 lines of the manifests
#	scripts/guests.sh check      build all elsewhere, compare with what is committed
#	scripts/guests.sh install    apt-get what building needs besides Go (Debian 12)
#
# guests.lock says which compilers made which bytes:
#
#	go go1.26.8
#	rust rustc 1.96.0 (...)
#	go   DIGEST  examples/merge-gate/wasm/split.wasm
#
# With the same compiler, bytes must be equal. With another version they cannot be: check then builds all
# the same, and says that it did not compare.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
lock=$root/guests.lock

# LANG  WASM  FOLDER (with the go.mod, Cargo workspace or package.json)  PACKAGE  MANIFEST (- = in none)
guests() {
	cat <<-'LIST'
		go             examples/merge-gate/wasm/split.wasm                        examples/merge-gate/nodes split               examples/merge-gate/workflow.yaml
		go             examples/merge-gate/wasm/report.wasm                       examples/merge-gate/nodes report              examples/merge-gate/workflow.yaml
		rust           examples/merge-gate/wasm/secrets.wasm                      examples/merge-gate/nodes secrets             examples/merge-gate/workflow.yaml
		c              examples/merge-gate/wasm/chars.wasm                        examples/merge-gate/nodes chars               examples/merge-gate/workflow.yaml
		assemblyscript examples/merge-gate/wasm/deps.wasm                         examples/merge-gate/nodes deps/assembly       examples/merge-gate/workflow.yaml
		c              examples/merge-gate/testdata/hostile/hostile.wasm          examples/merge-gate/testdata hostile          examples/merge-gate/testdata/hostile/workflow.yaml
		go             examples/merge-gate/testdata/four/go.wasm                  examples/merge-gate/nodes four/go             examples/merge-gate/testdata/four/workflow.yaml
		rust           examples/merge-gate/testdata/four/rust.wasm                examples/merge-gate/nodes four                examples/merge-gate/testdata/four/workflow.yaml
		c              examples/merge-gate/testdata/four/c.wasm                   examples/merge-gate/nodes four/c              examples/merge-gate/testdata/four/workflow.yaml
		assemblyscript examples/merge-gate/testdata/four/assemblyscript.wasm      examples/merge-gate/nodes four/assemblyscript examples/merge-gate/testdata/four/workflow.yaml
		c              guest/testdata/programs/sha256.wasm                               guest/testdata          programs/sha256     -
		c              guest/testdata/programs/json.wasm                                 guest/testdata          programs/json       -
		c              guest/testdata/programs/regex.wasm                                guest/testdata          programs/regex      -
		c              guest/testdata/programs/sort.wasm                                 guest/testdata          programs/sort       -
		c              guest/testdata/programs/matrix.wasm                               guest/testdata          programs/matrix     -
		c              guest/testdata/programs/fib.wasm                                  guest/testdata          programs/fib        -
		c              guest/testdata/programs/nbody.wasm                                guest/testdata          programs/nbody      -
		go             guest/testdata/programs/gojson.wasm                               guest/testdata          programs/gojson     -
	LIST
}

languages=(go rust c assemblyscript)

packages=(
	rustc-web cargo-web libstd-rust-web-dev rust-web-src lld-19
	clang-19 wasi-libc libclang-rt-19-dev-wasm32
)

die() {
	printf 'guests: %s\n' "$*" >&2
	exit 1
}

# Nothing of the user's settings may reach the bytes.
clean_go() {
	env -u GOWASM -u GOEXPERIMENT -u GODEBUG -u GOARM -u GOAMD64 \
		GOENV=off GOFLAGS= GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm go "$@"
}

build_go() { # FOLDER PACKAGE OUT
	(cd "$1" && clean_go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w' -o "$3" "./$2") ||
		die "$1/$2: go build failed"
}

rustc=/usr/bin/rustc
cargo=/usr/bin/cargo

# Debian has no standard library for wasm32, so it is built from Debian's source of it; that needs -Zbuild-std.
#
# Cargo names symbols after the path of a crate, seen from the workspace if it lies inside, and panic messages
# hold paths. So the workspace is built from a copy that has the SDK inside, and the folders that paths can start
# with get fixed names.
build_rust() { # FOLDER PACKAGE OUT
	local home=${CARGO_HOME:-$HOME/.cargo} stage=$work/stage/$1
	local flags=(-Clink-arg=-zstack-size=65536
		--remap-path-prefix="$stage=/src" --remap-path-prefix="$home=/cargo" --remap-path-prefix="$work=/work")
	if [ ! -d "$stage" ]; then
		mkdir -p "$stage"
		(cd "$1" && tar -c --exclude=target --exclude='*.wasm' .) | tar -x -C "$stage"
		mkdir "$stage/sdk" && cp -R sdk/rust/Cargo.toml sdk/rust/src sdk/rust/README.md "$stage/sdk/"
		sed -i 's|path = "[./]*/sdk/rust"|path = "sdk"|' "$stage/Cargo.toml"
	fi
	(
		cd "$stage"
		unset RUSTUP_TOOLCHAIN CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_INCREMENTAL RUSTFLAGS
		printf -v CARGO_ENCODED_RUSTFLAGS '%s\x1f' "${flags[@]}"
		export CARGO_ENCODED_RUSTFLAGS=${CARGO_ENCODED_RUSTFLAGS%$'\x1f'}
		RUSTC_BOOTSTRAP=1 RUSTC=$rustc CARGO_TARGET_DIR=$work/target CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 \
			"$cargo" build --quiet --locked --release --target wasm32-unknown-unknown \
			-Zbuild-std=std,panic_abort -p "$2"
	) || die "$1/$2: cargo build failed"
	cp "$work/target/wasm32-unknown-unknown/release/$2.wasm" "$3"
}

# A package is all C files of its folder, and the SDK, which those of guest/testdata do without. Nothing of a path gets
# into a module without debug data.
build_c() { # FOLDER PACKAGE OUT
	local sdk=(-Isdk/c sdk/c/dashhost.c sdk/c/json.c)
	[ "$1" != guest/testdata ] || sdk=()
	clang-19 --target=wasm32-wasi --sysroot=/usr --no-default-config -std=c11 -O2 -mexec-model=reactor -s -Wl,-z,stack-size=65536 \
		"$1/$2"/*.c "${sdk[@]}" -o "$3" ||
		die "$1/$2: clang failed"
}

# The compiler is the one that the lock file of the folder names; the settings are those of its asconfig.json.
build_assemblyscript() { # FOLDER PACKAGE OUT
	local stage=$work/stage.as/$1
	if [ ! -d "$stage" ]; then
		mkdir -p "$stage" "$work/stage.as/sdk"
		(cd "$1" && tar -c --exclude=target --exclude=node_modules .) | tar -x -C "$stage"
		(cd sdk/assemblyscript && tar -c --exclude=target --exclude=node_modules .) | tar -x -C "$work/stage.as/sdk" --one-top-level=assemblyscript
		(cd "$stage" && npm ci --no-audit --no-fund --loglevel=error >&2) || die "$1: npm ci failed"
	fi
	(cd "$stage" && node_modules/.bin/asc "$2/index.ts" --config asconfig.json -o "$3") || die "$1/$2: asc failed"
}

require() {
	command -v go >/dev/null || die "go is not there"
	[ -x "$rustc" ] && [ -x "$cargo" ] && command -v wasm-ld-19 >/dev/null && [ -d /usr/src/rustc-*/library ] ||
		die "Debian's Rust is not there: run scripts/guests.sh install (apt: ${packages[*]})"
	command -v clang-19 >/dev/null && [ -f /usr/include/wasm32-wasi/stdlib.h ] && command -v npm >/dev/null ||
		die "clang-19, wasi-libc or npm is not there: run scripts/guests.sh install (apt: ${packages[*]} npm)"
}

version() { # LANG
	case $1 in
	go) GOTOOLCHAIN=local go env GOVERSION ;;
	rust) "$rustc" --version ;;
	c) printf '%s, wasi-libc %s\n' "$(clang-19 --version | head -n 1)" "$(dpkg-query -W -f '${Version}' wasi-libc)" ;;
	assemblyscript) sed -n '/"node_modules\/assemblyscript"/,/}/s/.*"version": "\(.*\)".*/asc \1/p' examples/merge-gate/nodes/package-lock.json ;;
	esac
}

digest() { sha256sum "$1" | cut -d' ' -f1; }

# pin MANIFEST WASM DIGEST: the manifest names a module's file and, on the same line or the next, its digest.
pinned() { # MANIFEST WASM
	local file=${2#"$(dirname "$1")/"}
	sed -n "s|.*path: $file,.*sha256: \([0-9a-f]\{64\}\).*|\1|p" "$1"
}

pin() { # MANIFEST WASM DIGEST
	local file=${2#"$(dirname "$1")/"}
	sed -i "s|\(path: $file,.*sha256: \)[0-9a-f]*|\1$3|" "$1"
	[ "$(pinned "$1" "$2")" = "$3" ] || die "$1: no line with 'path: $file, sha256: ...' to write the digest to"
}

build() {
	require
	{
		printf '# Written by scripts/guests.sh: compilers, and the digests of what they built.\n'
		for lang in "${languages[@]}"; do printf '%s %s\n' "$lang" "$(version "$lang")"; done
	} >"$work/lock"
	while read -r lang wasm folder package manifest; do
		"build_$lang" "$folder" "$package" "$work/out.wasm"
		sum=$(digest "$work/out.wasm")
		install -m 644 "$work/out.wasm" "$wasm"
		[ "$manifest" = - ] || pin "$manifest" "$wasm" "$sum"
		printf '%s %s %s\n' "$lang" "$sum" "$wasm" >>"$work/lock"
		printf '%8d bytes  %s\n' "$(stat -c %s "$wasm")" "$wasm"
	done < <(guests)
	install -m 644 "$work/lock" "$lock"
}

check() {
	require
	[ -f "$lock" ] || die "guests.lock is not there: run scripts/guests.sh"
	local bad=0 compared=0 left=0
	while read -r lang wasm folder package manifest; do
		[ -f "$wasm" ] || die "$wasm is not committed: run scripts/guests.sh"
		local have want
		have=$(digest "$wasm")
		want=$(awk -v f="$wasm" '$3 == f { print $2 }' "$lock")
		[ "$have" = "$want" ] || { printf '%s: is %s, guests.lock says %s\n' "$wasm" "$have" "${want:-nothing}" && bad=1; }
		[ "$manifest" = - ] || [ "$have" = "$(pinned "$manifest" "$wasm")" ] || { printf '%s: is %s, %s pins another digest\n' "$wasm" "$have" "$manifest" && bad=1; }
		"build_$lang" "$folder" "$package" "$work/out.wasm"
		if [ "$(version "$lang")" != "$(awk -v l="$lang" '$1 == l && NF != 3 || $1 == l && $2 !~ /^[0-9a-f]{64}$/ { sub(/^[^ ]+ /, ""); print; exit }' "$lock")" ]; then
			left=$((left + 1))
			printf '%s: built; bytes not compared, they come from another version of the compiler than %s\n' "$wasm" "$(version "$lang")"
			continue
		fi
		compared=$((compared + 1))
		[ "$have" = "$(digest "$work/out.wasm")" ] || { printf '%s: a rebuild gives %s, committed is %s: run scripts/guests.sh\n' "$wasm" "$(digest "$work/out.wasm")" "$have" && bad=1; }
	done < <(guests)
	[ "$bad" = 0 ] || exit 1
	printf 'guests: %d rebuilt and equal, %d rebuilt with another compiler and not compared\n' "$compared" "$left"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case ${1:-build} in
build) build ;;
check) check ;;
install)
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	missing=()
	for package in "${packages[@]}"; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
	done
	command -v npm >/dev/null || missing+=(nodejs npm)
	if [ ${#missing[@]} -gt 0 ]; then
		$sudo apt-get update
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
	fi
	echo "guests: installed ${missing[*]:-nothing, all was there}"
	;;
*) die "unknown mode $1: want build, check or install" ;;
esac
