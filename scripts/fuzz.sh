#!/usr/bin/env bash
# Runs every fuzz target of the root module for FUZZTIME (default 10s), one after the other.
# Targets are found, not listed: a new one is run from the commit that adds it. None at all is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
FUZZTIME=${FUZZTIME:-10s}

# go test -list prints the targets of a package, then "ok <package> <time>".
list=$(go test -list '^Fuzz' ./...)
targets=$(awk '/^Fuzz/ { names[n++] = $1 }
	/^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }' <<<"$list")
if [ -z "$targets" ]; then
	echo "fuzz: no target found" >&2
	exit 1
fi
while read -r package name; do
	echo "--- $package $name ($FUZZTIME)"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" "$package" </dev/null
done <<<"$targets"
echo "fuzz: $(wc -l <<<"$targets") targets, nothing found"
