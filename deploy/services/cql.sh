#!/usr/bin/env bash
# Apache Cassandra 5.0 for tests, from its Maven artefacts: 1 to 3 nodes on 127.0.0.1 and up.
#
#   cql.sh start COUNT DIR   start COUNT nodes whose data and logs go under DIR; returns once all answer
#   cql.sh node K DIR        start node K of DIR again, as after a kill -9 of the process in DIR/nK/pid
#   cql.sh stop DIR          stop the nodes of DIR and wait for their end
#
# Addresses go to standard output, what happens to standard error. Needs Java 17 and Linux, whose
# loopback has all of 127.0.0.0/8; and Maven, once: the jars are kept (66 MB).
#
#   CQL_LIB       folder of the jars      (the user's cache)
#   CQL_NET       first three numbers of the addresses  (127.0.0)
#   CQL_HEAP_MB   heap of a node          (512)
#   CQL_SYNC      "batch": a write is on the disk before it is answered  (periodic: every 10 s)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n '/<artifactId>cassandra-all</,/<\/dependency>/s|.*<version>\(.*\)</version>.*|\1|p' \
  "$here/cql/pom.xml")
lib=${CQL_LIB:-${XDG_CACHE_HOME:-$HOME/.cache}/greenroom/cassandra-$version}
net=${CQL_NET:-127.0.0}
port=9042

# A node answers within seconds; this bounds one that does not, on a machine under load.
start_secs_max=180
stop_secs_max=20

# The ring in three equal parts, so that ownership is settled before a node has met the others.
tokens=(-9223372036854775808 -3074457345618258603 3074457345618258602)

exports=(
  java.base/java.lang.ref java.base/java.lang.reflect java.base/jdk.internal.misc
  java.base/jdk.internal.ref java.base/sun.nio.ch java.management.rmi/com.sun.jmx.remote.internal.rmi
  java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql jdk.attach/sun.tools.attach
  jdk.compiler/com.sun.tools.javac.file jdk.unsupported/sun.misc
)
opens=(
  java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect
  java.base/java.math java.base/java.net java.base/java.nio java.base/java.util
  java.base/java.util.concurrent java.base/java.util.concurrent.atomic
  java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module
  java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar
  java.base/sun.nio.ch java.rmi/sun.rmi.transport.tcp jdk.compiler/com.sun.tools.javac
  jdk.management/com.sun.management.internal
)

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "cql.sh: $*"
  exit 1
}

# fetch: copies the jars beside their place and moves them there, so that a copy is whole or absent.
fetch() {
  [ -d "$lib" ] && return
  command -v mvn >/dev/null || fail "Maven is missing; it fetches Cassandra once"
  local part="$lib.part.$$"
  say "fetching Cassandra $version"
  mkdir -p "$(dirname "$lib")"
  if ! mvn -q -B -f "$here/cql/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$part" >&2; then
    rm -rf "$part"
    fail "Maven could not fetch Cassandra $version"
  fi
  # Another one may have been quicker.
  mv -T "$part" "$lib" 2>/dev/null || rm -rf "$part"
}

# configure K FOLDER
configure() {
  local sync="commitlog_sync: periodic"$'\n'"commitlog_sync_period: 10000ms"
  [ "${CQL_SYNC:-periodic}" = batch ] && sync="commitlog_sync: batch"
  mkdir -p "$2"/{data,commitlog,saved,hints}
  cat >"$2/cassandra.yaml" <<YAML
cluster_name: greenroom
num_tokens: 1
initial_token: ${tokens[$1 - 1]}
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
listen_address: $net.$1
rpc_address: $net.$1
native_transport_port: $port
seed_provider: [{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "$net.1"}]}]
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
paxos_variant: v2
$sync
commitlog_segment_size: 16MiB
commitlog_total_space: 128MiB
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
file_cache_size: 32MiB
key_cache_size: 4MiB
counter_cache_size: 1MiB
concurrent_compactors: 1
native_transport_max_threads: 32
auto_snapshot: false
data_file_directories: [$2/data]
commitlog_directory: $2/commitlog
saved_caches_directory: $2/saved
hints_directory: $2/hints
YAML
  cat >"$2/logback.xml" <<'XML'
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
XML
}

# launch K FOLDER: the log of earlier lives is kept before this one's.
launch() {
  local flags=() agent=("$lib"/jamm-*.jar) package
  for package in "${exports[@]}"; do flags+=("--add-exports=$package=ALL-UNNAMED"); done
  for package in "${opens[@]}"; do flags+=("--add-opens=$package=ALL-UNNAMED"); done
  # One compiler and one collector thread: a node of a test is small and short-lived.
  flags+=(
    "-Xms${CQL_HEAP_MB:-512}m" "-Xmx${CQL_HEAP_MB:-512}m" -Xss256k -XX:+UseSerialGC
    -XX:TieredStopAtLevel=1 -XX:MaxDirectMemorySize=256m -XX:+PerfDisableSharedMem
    -Djava.net.preferIPv4Stack=true -Djava.security.manager=allow -Djdk.attach.allowAttachSelf=true
    -Dio.netty.tryReflectionSetAccessible=true
    "-Dlogback.configurationFile=$2/logback.xml"
    "-Dcassandra.config=file://$2/cassandra.yaml" "-Dcassandra.storagedir=$2"
    -Dcassandra-foreground=yes -Dcassandra.available_processors=2 -Dcassandra.libjemalloc=-
    -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=1000
    -Dcassandra.superuser_setup_delay_ms=0
  )
  # A session of its own: Ctrl-C of the tests is not for it.
  setsid nohup java "-javaagent:${agent[0]}" "${flags[@]}" -cp "$lib/*" \
    org.apache.cassandra.service.CassandraDaemon >>"$2/log" 2>&1 </dev/null &
  echo $! >"$2/pid"
}

# is_ours FOLDER: whether the process that its pid file names lives and is this node.
is_ours() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "-Dcassandra.storagedir=$1"
}

# answers K: whether it takes CQL. It is sent OPTIONS, and SUPPORTED has to come back.
answers() {
  local answer
  exec 3<>"/dev/tcp/$net.$1/$port" || return 1
  printf '\x04\x00\x00\x00\x05\x00\x00\x00\x00' >&3
  answer=$(timeout 2 head -c 5 <&3 | od -An -tx1 | tr -d ' ')
  exec 3>&-
  [ "$answer" = 8400000006 ]
}

# start_node K DIR
start_node() {
  local folder=$2/n$1 deadline
  is_ours "$folder" && fail "node $1 of $2 runs already"
  (answers "$1") 2>/dev/null && fail "$net.$1:$port is in use by another server; set CQL_NET"
  configure "$1" "$folder"
  launch "$1" "$folder"
  deadline=$((SECONDS + start_secs_max))
  until (answers "$1") 2>/dev/null; do
    if ! kill -0 "$(cat "$folder/pid")" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 20 "$folder/log" >&2
      stop "$2"
      fail "node $1 does not answer; its log is $folder/log"
    fi
    sleep 0.2
  done
  say "node $1 answers on $net.$1:$port after $((SECONDS - deadline + start_secs_max)) s"
  printf '%s\n' "$net.$1:$port"
}

# stop DIR: asks all nodes to end, and ends those that do not.
stop() {
  local folder deadline=$((SECONDS + stop_secs_max))
  for folder in "$1"/n*; do
    if is_ours "$folder"; then kill "$(cat "$folder/pid")" || true; fi
  done
  for folder in "$1"/n*; do
    while is_ours "$folder" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
    if is_ours "$folder"; then
      say "$folder does not end; killed"
      kill -KILL "$(cat "$folder/pid")" || true
    fi
    rm -f "$folder/pid"
  done
}

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# folder PATH: its absolute name, made when it is missing.
folder() { mkdir -p "$1" && (cd "$1" && pwd); }

case "${1:-} ${2:-}" in
  "start "[1-3] | "node "[1-3])
    [ $# = 3 ] || usage
    command -v java >/dev/null || fail "Java is missing; Cassandra 5.0 takes version 11 or 17"
    fetch
    dir=$(folder "$3")
    first=1
    [ "$1" = node ] && first=$2
    for ((k = first; k <= $2; k++)); do start_node "$k" "$dir"; done
    ;;
  "stop "?*)
    [ $# = 2 ] || usage
    [ ! -d "$2" ] || stop "$(folder "$2")"
    ;;
  *) usage ;;
esac
