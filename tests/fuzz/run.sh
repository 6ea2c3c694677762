#!/usr/bin/env bash
# Fuzzes one target, or all, for so many executions each: run.sh TARGET|all [RUNS]
# Builds them as cargo-fuzz does, which is not needed; a nightly toolchain is. What is found lies in
# target/fuzz/found, inputs of interest in target/fuzz/corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

all="frame sse artifact edits hub http cursor config"
targets=${1:?run.sh TARGET|all [RUNS]; targets: $all}
runs=${2:-10000000}
[ "$targets" = all ] && targets=$all
# Bytes of resident memory that no target comes near, and of one allocation.
rss_mb=512
malloc_mb=64

if ! rustup run nightly rustc --version >/dev/null 2>&1; then
  printf 'SKIPPED: fuzzing: no nightly toolchain; rustup toolchain install nightly\n' >&2
  exit 0
fi

host=$(rustc -vV | sed -n 's/^host: //p')
out=$(cd ../.. && pwd)/target/fuzz
export CARGO_TARGET_DIR=$out CARGO_INCREMENTAL=0
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"

cp ../../Cargo.lock Cargo.lock # the versions that are shipped
for target in $targets; do
  cargo +nightly build --quiet --release --target "$host" --bin "$target"
done

mkdir -p "$out/found"
for target in $targets; do
  seeds=seeds/$target
  max_len=4096
  case $target in
    frame) seeds=../../protocol/tests/golden ;;
    sse) max_len=1024 ;;
  esac
  mkdir -p "$out/corpus/$target"
  printf '== %s: %s executions\n' "$target" "$runs"
  "$out/$host/release/$target" "$out/corpus/$target" "$seeds" \
    -runs="$runs" -max_len="$max_len" -timeout=10 -rss_limit_mb="$rss_mb" \
    -malloc_limit_mb="$malloc_mb" -artifact_prefix="$out/found/$target-" \
    -print_final_stats=1 -verbosity=0 2>&1 | grep -v '^INFO' | tail -n 40
done
