#!/usr/bin/env bash
# A real Apache Kafka for tests: one process, broker and controller (KRaft), on 127.0.0.1.
#
#	kafka.sh install           what it needs from Debian: java, mvn, openssl
#	kafka.sh start DIR PORT    prints "PLAIN=host:port", "MTLS=host:port", "SASL=host:port" when it answers
#	kafka.sh stop DIR [-9]     stops it, with -9 as a crash; DIR keeps topics, and start goes on with them
#
# DIR holds data, log, certificates and settings, and is made ready once. Ports from PORT on:
#
#	PORT    PLAIN   no encryption, anybody
#	PORT+1          the controller
#	PORT+2  MTLS    TLS; clients show a certificate signed by DIR/tls/ca.pem, such as DIR/tls/client.pem
#	PORT+3  SASL    TLS; plain, scram-sha-256, scram-sha-512 as alice or bob (password NAME-secret), or oauthbearer with an unsigned token
#
# The jars come from Maven Central, once, into $DASHHOST_KAFKA_CACHE (default ~/.cache/dashhost-kafka).
set -euo pipefail

version=4.4.0 scala=2.13 log4j=2.25.5
cache=${DASHHOST_KAFKA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dashhost-kafka}
libs=$cache/kafka_$scala-$version
java=(java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Djava.net.preferIPv4Stack=true)

fail() {
	echo "kafka.sh: $*" >&2
	exit 1
}

install() {
	local package missing=()
	for package in openjdk-17-jre-headless maven openssl; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		export DEBIAN_FRONTEND=noninteractive
		apt-get update
		apt-get install -y --no-install-recommends "${missing[@]}"
	fi
	jars
}

# jars are downloaded beside their place and moved there, so that half of them are never taken for all.
jars() {
	[ ! -d "$libs" ] || return 0
	command -v mvn >/dev/null || fail "mvn is not there: scripts/kafka.sh install"
	mkdir -p "$cache"
	exec 8>"$cache/lock"
	flock 8
	if [ ! -d "$libs" ]; then
		local work
		work=$(mktemp -d "$cache/new.XXXXXX")
		cat >"$work/pom.xml" <<-POM
			<project xmlns="http://maven.apache.org/POM/4.0.0">
			  <modelVersion>4.0.0</modelVersion>
			  <groupId>dashhost</groupId><artifactId>test-broker</artifactId><version>1</version><packaging>pom</packaging>
			  <dependencies>
			    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_$scala</artifactId><version>$version</version></dependency>
			    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$log4j</version></dependency>
			  </dependencies>
			</project>
		POM
		mvn -B -q -f "$work/pom.xml" -Dmaven.repo.local="$cache/repository" -DincludeScope=runtime -DoutputDirectory="$work/jars" \
			org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies >&2
		mv "$work/jars" "$libs"
		rm -rf "$work"
	fi
	exec 8>&-
}

# sign NAME SUBJECT EXTENSION makes a key and a certificate of the authority.
sign() {
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out "$1.pem" -extfile <(echo "$3") 2>/dev/null
	rm "$1.csr"
}

certificates() (
	[ ! -d "$dir/tls" ] || return 0
	rm -rf "$dir/tls.new"
	mkdir "$dir/tls.new"
	cd "$dir/tls.new"
	for name in ca stranger; do
		openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -keyout "$name.key" -out "$name.pem" -subj "/CN=test $name" 2>/dev/null
	done
	sign broker /CN=broker "subjectAltName=IP:127.0.0.1,DNS:localhost"
	sign client /CN=client "extendedKeyUsage=clientAuth"
	cat broker.key broker.pem >broker-store.pem
	mv "$dir/tls.new" "$dir/tls"
)

settings() {
	local login=org.apache.kafka.common.security
	cat >"$dir/broker.properties" <<-SETTINGS
		process.roles=broker,controller
		node.id=1
		controller.listener.names=CONTROLLER
		controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))
		listeners=PLAIN://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1)),MTLS://127.0.0.1:$((port + 2)),SASL://127.0.0.1:$((port + 3))
		advertised.listeners=PLAIN://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1)),MTLS://127.0.0.1:$((port + 2)),SASL://127.0.0.1:$((port + 3))
		listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,MTLS:SSL,SASL:SASL_SSL
		inter.broker.listener.name=PLAIN
		ssl.keystore.type=PEM
		ssl.keystore.location=$dir/tls/broker-store.pem
		ssl.truststore.type=PEM
		ssl.truststore.location=$dir/tls/ca.pem
		listener.name.mtls.ssl.client.auth=required
		listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
		listener.name.sasl.plain.sasl.jaas.config=$login.plain.PlainLoginModule required user_alice="alice-secret" user_bob="bob-secret";
		listener.name.sasl.scram-sha-256.sasl.jaas.config=$login.scram.ScramLoginModule required;
		listener.name.sasl.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;
		listener.name.sasl.oauthbearer.sasl.jaas.config=$login.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
		authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
		allow.everyone.if.no.acl.found=true
		super.users=User:ANONYMOUS
		log.dirs=$dir/data
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=3
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=3
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		broker.session.timeout.ms=3000
		broker.heartbeat.interval.ms=500
		num.network.threads=2
		num.io.threads=2
		num.recovery.threads.per.data.dir=1
		background.threads=2
		log.cleaner.dedupe.buffer.size=4194304
	SETTINGS
	for name in log quiet; do
		local level=INFO
		[ $name = log ] || level=OFF
		cat >"$dir/$name.properties" <<-LOG
			status=error
			appender.file.type=File
			appender.file.name=F
			appender.file.fileName=$dir/$name.txt
			appender.file.layout.type=PatternLayout
			appender.file.layout.pattern=%d %p %m (%c)%n
			rootLogger.level=$level
			rootLogger.appenderRef.file.ref=F
		LOG
	done
}

format() {
	[ ! -f "$dir/data/meta.properties" ] || return 0
	local users=() user mechanism
	for user in alice bob; do
		for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
			users+=(--add-scram "$mechanism=[name=$user,password=$user-secret]")
		done
	done
	"${java[@]}" -Dlog4j2.configurationFile="$dir/quiet.properties" -cp "$libs/*" kafka.tools.StorageTool \
		format --standalone --cluster-id dashhostdashhostdashhoA --config "$dir/broker.properties" "${users[@]}" >"$dir/out.txt"
}

# broker prints the process id of the broker of this folder, if it runs: numbers are used again by others.
broker() {
	local pid
	pid=$(cat "$dir/pid" 2>/dev/null) || return 1
	[ -n "$pid" ] && grep -qzxF -- "$dir/broker.properties" "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
	local p pid
	if pid=$(broker); then
		fail "it runs already, as process $pid"
	fi
	for p in 0 1 2 3; do
		if answers $((port + p)); then
			fail "127.0.0.1:$((port + p)) is taken"
		fi
	done
	jars
	certificates
	settings
	format
	rm -f "$dir/log.txt"
	setsid "${java[@]}" -Dlog4j2.configurationFile="$dir/log.properties" -cp "$libs/*" kafka.Kafka "$dir/broker.properties" \
		</dev/null >"$dir/out.txt" 2>&1 &
	pid=$!
	echo "$pid" >"$dir/pid"
	for _ in $(seq 600); do
		if ! kill -0 "$pid" 2>/dev/null; then
			tail -n 30 "$dir/out.txt" "$dir/log.txt" >&2 || true
			fail "the broker ended"
		fi
		if grep -qs 'Kafka Server started' "$dir/log.txt" && answers "$port" && answers $((port + 3)); then
			printf 'PLAIN=127.0.0.1:%s\nMTLS=127.0.0.1:%s\nSASL=127.0.0.1:%s\n' "$port" $((port + 2)) $((port + 3))
			return
		fi
		sleep 0.1
	done
	tail -n 30 "$dir/log.txt" >&2 || true
	kill -9 "$pid"
	fail "the broker does not answer after a minute"
}

# stop returns when the process is gone and so are its ports: after SIGKILL they can outlive the main thread.
stop() {
	local pid p
	if ! pid=$(broker); then
		return 0
	fi
	port=$(sed -n 's|^listeners=PLAIN://127.0.0.1:\([0-9]*\),.*|\1|p' "$dir/broker.properties")
	kill -CONT "$pid"
	kill "${1:--15}" "$pid"
	for _ in $(seq 300); do
		if ! broker >/dev/null && ! answers "$port"; then
			rm -f "$dir/pid"
			return 0
		fi
		sleep 0.1
	done
	kill -9 "$pid"
	fail "the broker did not stop within 30 seconds, and was killed"
}

case "${1:-} $#" in
"install 1") install ;;
"start 3" | "stop 2" | "stop 3")
	mkdir -p "$2"
	dir=$(cd "$2" && pwd)
	if [ "$1" = start ]; then
		port=$3
		start
	else
		stop "${3:-}"
	fi
	;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | grep -v '^set' >&2
	exit 2
	;;
esac
