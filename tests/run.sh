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

# want COMMAND WHY: tests that need it say "skipped" and pass.
want() {
  command -v "$1" >/dev/null || printf 'skipped without %s: %s\n' "$1" "$2" >&2
}

need cargo "Rust $rust_min or later" "install it with rustup"
need cc "a C compiler builds SQLite, the cryptography and the disk that fails in tests" \
  "Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc; macOS: xcode-select --install"
want git "checking our git objects and exports with git itself"
want node "checking the scripts of the built-in apps"

if [ "$missing" = 0 ]; then
  rust=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$rust_min" "$rust" | sort -V | head -n1)" != "$rust_min" ]; then
    printf 'missing: Rust %s or later, this is %s\n  rustup update stable\n' "$rust_min" "$rust" >&2
    missing=1
  fi
fi
[ "$missing" = 0 ] || exit 69

exec cargo test --workspace --locked --no-fail-fast "$@"
