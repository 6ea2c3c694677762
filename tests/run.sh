#!/usr/bin/env bash
# Names what this machine lacks, then runs all tests. Arguments go to `cargo test`.
#
# Redis and a CQL server are started for them, and ended after them. GREENROOM_TEST_CQL (host:port,
# with commas) names one that runs already; GREENROOM_TEST_CQL_NODES starts as many nodes, 1 to 3.
# Tests whose service cannot be had are named at the end, and with GREENROOM_TEST_SERVICES=required
# fail the run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rust_min=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
missing=0

# need COMMAND WHY HOW: all of them are named before the script gives up.
need() {
  command -v "$1" >/dev/null && return
  printf 'missing: %s (%s)\n  %s\n' "$1" "$2" "$3" >&2
  missing=1
}

# want COMMAND WHY: tests that need it say "skipped" and pass; said again at the end.
skipped=""
want() {
  command -v "$1" >/dev/null || skipped+="skipped without $1: $2"$'\n'
}

# Whether there is a Chromium, by any of its names.
has_browser() {
  local name
  for name in "${GREENROOM_TEST_CHROMIUM:-chromium}" chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && return
  done
  return 1
}

# redis: starts one for the tests that need it, and tells them its address.
redis() {
  GREENROOM_TEST_REDIS=$(deploy/services/redis.sh start 0 target/services/redis) || return 0
  export GREENROOM_TEST_REDIS
}

# Starts Cassandra and exports its address; fails where it cannot be had.
cql_dir=""
start_cql() {
  local nodes
  cql_dir=$(mktemp -d)
  # Addresses of its own: a server that somebody uses on 127.0.0.1 is left alone.
  nodes=$(CQL_NET=${CQL_NET:-127.0.42} deploy/services/cql.sh \
    start "${GREENROOM_TEST_CQL_NODES:-1}" "$cql_dir") || return
  GREENROOM_TEST_CQL=$(paste -sd, <<<"$nodes")
  export GREENROOM_TEST_CQL
}

# Logs of a server that is not asked for any more are of no use; those of a failed start were shown.
stop_cql() {
  [ -n "$cql_dir" ] || return 0
  deploy/services/cql.sh stop "$cql_dir" || true
  rm -rf "$cql_dir"
}

# Names of the tests that need a CQL server.
cql_tests() {
  cargo test --locked --test integration -- --list 2>/dev/null |
    sed -n 's/^\(\(store::cql\|cluster::\).*\): test$/  \1/p'
}

need cargo "Rust $rust_min or later" "install it with rustup"
need cc "a C compiler builds SQLite, the cryptography and the disk that fails in tests" \
  "Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc; macOS: xcode-select --install"
want git "checking our git objects and exports with git itself"
want node "checking the scripts of the built-in apps and of the console"
want npm "a part of the corpus of edits"
if ! has_browser && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
  echo "installing chromium, which the tests of the console drive" >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install -y --no-install-recommends chromium; } >/dev/null || true
fi
has_browser || want chromium "all of the console in a browser"
if [ -z "${GREENROOM_TEST_CQL:-}" ] && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] &&
  ! { command -v java && command -v mvn; } >/dev/null; then
  echo "installing Java and Maven, for the CQL server of the tests" >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless maven; } \
    >/dev/null || true
fi

if [ "$missing" = 0 ]; then
  rust=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$rust_min" "$rust" | sort -V | head -n1)" != "$rust_min" ]; then
    printf 'missing: Rust %s or later, this is %s\n  rustup update stable\n' "$rust_min" "$rust" >&2
    missing=1
  fi
fi
[ "$missing" = 0 ] || exit 69

trap 'stop_cql; deploy/services/redis.sh stop target/services/redis' EXIT
redis
[ -n "${GREENROOM_TEST_CQL:-}" ] || start_cql || true

# Tests without the service that they need write their names here.
export GREENROOM_TEST_SKIPPED="$PWD/target/services/skipped"
mkdir -p target/services
: >"$GREENROOM_TEST_SKIPPED"

printf '%s' "$skipped" >&2
result=0
cargo test --workspace --locked --no-fail-fast "$@" || result=$?
if [ -z "${GREENROOM_TEST_CQL:-}" ]; then
  tests=$(cql_tests)
  skipped+="skipped without a CQL server: $(wc -l <<<"$tests") tests"$'\n'"$tests"$'\n'
  [ "${GREENROOM_TEST_SERVICES:-}" != required ] || result=1
fi
[ -z "$skipped" ] || printf '\n%s' "$skipped" >&2
if [ -s "$GREENROOM_TEST_SKIPPED" ]; then
  printf '\nSKIPPED: %d tests, as a service that they need is not here:\n' \
    "$(wc -l <"$GREENROOM_TEST_SKIPPED")" >&2
  sort "$GREENROOM_TEST_SKIPPED" >&2
  [ "${GREENROOM_TEST_SERVICES:-}" != required ] || result=1
fi
exit "$result"
