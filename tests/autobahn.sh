#!/usr/bin/env bash
# Puts the cases of Autobahn|Testsuite to our accept loop, limits and codec, in echo mode.
# Fails if a case FAILED. The suite needs a CPython 2.7: $PYTHON27, python2.7 in PATH, or pyenv's.
# Arguments are cases, such as '9.*'; none: all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_INCREMENTAL=0

suite=autobahntestsuite==25.10.1
folder=${CARGO_TARGET_DIR:-target}/autobahn

# python27: the path of a CPython 2.7, if there is one.
python27() {
  local found
  for found in "${PYTHON27:-}" "$(command -v python2.7 || true)" \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
    [ -x "$found" ] && "$found" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' \
      2>/dev/null && printf '%s\n' "$found" && return
  done
  return 1
}

skip() {
  printf 'SKIPPED: Autobahn|Testsuite: %s\n' "$1" >&2
  exit 0
}

python=$(python27) || skip 'no CPython 2.7; set PYTHON27, or: pyenv install 2.7.18'
command -v python3 >/dev/null || skip 'no python3, which makes the environment of the suite'

if [ ! -x "$folder/py27/bin/wstest" ]; then
  mkdir -p "$folder"
  python3 -m venv "$folder/py3"
  # The last line of virtualenv that makes environments of 2.7.
  "$folder/py3/bin/pip" install --quiet 'virtualenv<20.22'
  "$folder/py3/bin/virtualenv" --quiet -p "$python" "$folder/py27"
  "$folder/py27/bin/pip" install --quiet "$suite"
fi

cargo build --locked --features conformance --example echo
rm -rf "$folder/reports"
"${CARGO_TARGET_DIR:-target}/debug/examples/echo" >"$folder/address" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  [ -s "$folder/address" ] && break
  sleep 0.1
done

python3 - "$folder" "$(cat "$folder/address")" "$@" <<'PYTHON'
import json, sys
folder, url, *cases = sys.argv[1:]
server = {"agent": "greenroom", "url": url, "protocols": ["greenroom.v1.json"]}
spec = {"outdir": folder + "/reports", "servers": [server], "cases": cases or ["*"],
        "exclude-cases": [], "exclude-agent-cases": {}}
json.dump(spec, open(folder + "/cases.json", "w"))
PYTHON
"$folder/py27/bin/wstest" -m fuzzingclient -s "$folder/cases.json" >"$folder/wstest.log"

python3 - "$folder/reports/index.json" <<'PYTHON'
import collections, json, sys
cases = json.load(open(sys.argv[1]))["greenroom"]
bad = [name for name, case in cases.items()
       if "FAILED" in (case["behavior"], case["behaviorClose"])]
counts = collections.Counter(case["behavior"] for case in cases.values())
print(f"{len(cases)} cases:", ", ".join(f"{count} {what}" for what, count in counts.most_common()))
print("not strict:", ", ".join(name for name, case in cases.items()
                               if case["behavior"] == "NON-STRICT") or "none")
if bad or not cases:
    sys.exit("FAILED: " + (", ".join(bad) or "no case was run"))
print("PASSED: no case FAILED")
PYTHON
