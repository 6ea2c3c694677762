#!/usr/bin/env bash
# Runs schemathesis on the document that the server serves: all checks, anonymous and signed in.
# Arguments go to schemathesis: tests/schemathesis.sh --max-examples 200
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

version=4.32.5
binary=${GREENROOM_BIN:-target/debug/greenroom}
python=target/schemathesis/bin/python

if ! command -v python3 >/dev/null; then
  printf 'SKIPPED: this machine has no python3, which schemathesis needs\n' >&2
  exit 0
fi
if [ ! -x "$binary" ]; then
  printf 'missing: %s\n  cargo build\n' "$binary" >&2
  exit 69
fi
if [ "$("$python" -c "import importlib.metadata as m; print(m.version('schemathesis'))" 2>&1)" != "$version" ]; then
  python3 -m venv --clear target/schemathesis
  "$python" -m pip install --quiet --disable-pip-version-check "schemathesis==$version"
fi

data=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server" || true; }; rm -rf "$data"' EXIT

# port: one that is free now.
port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
public=$(port)

# The stand-in answers; no limits on rates, which would hide what else is wrong.
env -i PATH="$PATH" \
  GREENROOM__SERVER__DATA_DIR="$data" \
  GREENROOM__SERVER__PORT="$public" \
  GREENROOM__SERVER__INTERNAL_PORT="$(port)" \
  GREENROOM__RUNS__PROVIDER=demo \
  GREENROOM__PROVIDERS__DEMO__FIRST_TOKEN_MS=0 \
  GREENROOM__PROVIDERS__DEMO__TOKENS_PER_SECOND=0 \
  GREENROOM__AUTH__BCRYPT_COST=10 \
  GREENROOM__AUTH__ACCESS_SECS=86400 \
  GREENROOM__GATEWAY__LIMITS__REQUESTS_PER_MINUTE=0 \
  GREENROOM__GATEWAY__LIMITS__AUTH_PER_MINUTE=0 \
  GREENROOM__GATEWAY__LIMITS__ACCOUNT_PER_MINUTE=0 \
  GREENROOM__LIMITS__MESSAGES_PER_MINUTE=1000000 \
  GREENROOM__LIMITS__MESSAGES_BURST=1000000 \
  GREENROOM__LIMITS__RUNS_PER_MINUTE=1000000 \
  GREENROOM__LIMITS__RUNS_BURST=1000000 \
  "$binary" serve >"$data/log" 2>&1 &
server=$!

# Somebody, and a session of theirs that has files: "token session".
read -r token SESSION < <(URL="http://127.0.0.1:$public/api/v1" "$python" - <<'PYTHON'
import json, os, time, urllib.request

def ask(method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["URL"] + path, body, headers, method=method)
    return json.load(urllib.request.urlopen(request, timeout=30))

account = {"email": "ada@example.org", "password": "correct horse battery"}
for attempt in range(200):
    try:
        token = ask("POST", "/auth/register", account)["access_token"]
        break
    except OSError:
        time.sleep(0.1)
session = ask("POST", "/sessions", {}, token)["session"]
ask("POST", f"/sessions/{session}/runs", {"input": "a todo app"}, token)
after, ended = "start", False
while not ended:
    page = ask("GET", f"/sessions/{session}/events?wait_ms=20000&after={after}", None, token)
    after = page["cursor"]
    ended = any(entry["event"]["type"] == "run.finished" for entry in page["entries"])
print(token, session)
PYTHON
) || true
if [ -z "${SESSION:-}" ]; then
  cat "$data/log" >&2
  exit 1
fi
export SESSION

# What schemathesis keeps between runs goes with the folder.
run() {
  (cd "$data" && "$root/target/schemathesis/bin/schemathesis" \
    --config-file "$root/tests/schemathesis.toml" run \
    "http://127.0.0.1:$public/api/v1/openapi.json" "$@")
}
printf '=== anonymous\n'
run "$@"
printf '=== signed in\n'
run --header "Authorization: Bearer $token" "$@"
kill -0 "$server"
