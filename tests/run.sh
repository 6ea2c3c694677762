#!/usr/bin/env bash
# Names what this machine lacks, then runs all tests. Arguments go to `cargo test`.
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

if [ "$missing" = 0 ]; then
  rust=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$rust_min" "$rust" | sort -V | head -n1)" != "$rust_min" ]; then
    printf 'missing: Rust %s or later, this is %s\n  rustup update stable\n' "$rust_min" "$rust" >&2
    missing=1
  fi
fi
[ "$missing" = 0 ] || exit 69

trap 'deploy/services/redis.sh stop target/services/redis' EXIT
redis

# Tests without the service that they need write their names here.
export GREENROOM_TEST_SKIPPED="$PWD/target/services/skipped"
mkdir -p target/services
: >"$GREENROOM_TEST_SKIPPED"

printf '%s' "$skipped" >&2
result=0
cargo test --workspace --locked --no-fail-fast "$@" || result=$?
[ -z "$skipped" ] || printf '\n%s' "$skipped" >&2
if [ -s "$GREENROOM_TEST_SKIPPED" ]; then
  printf '\nSKIPPED: %d tests, as a service that they need is not here:\n' \
    "$(wc -l <"$GREENROOM_TEST_SKIPPED")" >&2
  sort "$GREENROOM_TEST_SKIPPED" >&2
  [ "${GREENROOM_TEST_SERVICES:-}" != required ] || result=1
fi
exit "$result"
