#!/usr/bin/env bash
# LangGraph's checkpointers over this tree's dashhost: LangGraph's own suites, and ours, with their packages as they are pinned in the
# SDKs. Needs node 20 and npm for one, Python 3.10 for the other; installs the rest, below target/.
#
#	scripts/langgraph.sh js python    tests, of both or of one
#	scripts/langgraph.sh bench        figures beside LangGraph's SQLite savers
set -euo pipefail
cd "$(dirname "$0")/.."
target=$PWD/target/langgraph
mkdir -p "$target"

python() {
	if [ ! -x "$target/venv/bin/pip" ]; then
		if ! python3 -c 'import ensurepip' 2>/dev/null; then
			if [ "$(id -u)" != 0 ]; then
				echo "python3 has no venv here, and only root can install it: apt-get install python3-venv" >&2
				exit 1
			fi
			DEBIAN_FRONTEND=noninteractive apt-get update
			DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
		fi
		python3 -m venv --clear "$target/venv"
	fi
	"$target/venv/bin/pip" install --quiet --disable-pip-version-check --requirement sdk/langgraph-python/requirements.txt
	"$target/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable sdk/langgraph-python
}

CGO_ENABLED=0 go build -o "$target/dashhost" ./cmd/dashhost
export DASHHOST=$target/dashhost
for what in "$@"; do
	case $what in
	js)
		echo "--- sdk/langgraph-js"
		(cd sdk/langgraph-js && npm ci --silent --no-audit --no-fund && npm test --silent)
		;;
	python)
		echo "--- sdk/langgraph-python"
		python
		(cd sdk/langgraph-python && "$target/venv/bin/mypy" && "$target/venv/bin/pytest" --quiet)
		;;
	bench)
		python
		(cd sdk/langgraph-js && npm ci --silent --no-audit --no-fund && npm run --silent build)
		(cd sdk/langgraph-js/bench && npm ci --silent --no-audit --no-fund && node bench.js)
		"$target/venv/bin/python" sdk/langgraph-python/bench/bench.py
		;;
	*)
		sed -n 's/^#\t/usage: /p' "$0" >&2
		exit 2
		;;
	esac
done
