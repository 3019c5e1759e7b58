#!/usr/bin/env bash
# Installs Debian's PostgreSQL if there is no server, without starting one: tests start their own (internal/testenv).
#
#	scripts/postgres.sh install
set -euo pipefail
if [ "${1:-}" != install ]; then
	sed -n 's/^#\t/usage: /p' "$0" >&2
	exit 2
fi
if ! command -v postgres >/dev/null && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
	if [ "$(id -u)" != 0 ]; then
		echo "no PostgreSQL server is installed, and only root can install one: apt-get install postgresql" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	# The package makes a cluster and starts it unless it is told not to.
	mkdir -p /etc/postgresql-common
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
	fi
	apt-get update
	apt-get install -y --no-install-recommends postgresql
fi
ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null || command -v postgres
