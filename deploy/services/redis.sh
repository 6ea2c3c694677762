#!/usr/bin/env bash
# A Redis for tests: a process of its own with a folder of its own, on loopback alone, which keeps
# nothing. Where there is none, the system's package is installed, if the user may.
#
#   redis.sh start PORT DIR   prints its address; PORT 0: any that is free
#   redis.sh stop DIR
#
# DIR/redis.pid holds its process id. Exit code 69: there is no Redis, and none can be installed.
set -euo pipefail

usage() {
  sed -n '5,6s/^#  *//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# The server's program. `redis-tools` has it too, under the name of another use of it, and unlike
# `redis-server` that package starts no service.
program() {
  command -v redis-server || command -v redis-check-rdb
}

install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  echo "installing redis-tools, which holds a Redis" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update >/dev/null && apt-get install -y --no-install-recommends redis-tools >/dev/null
}

# serve PORT DIR: fails where the port is taken.
serve() {
  local port=$1 dir=$2 pid
  : >"$dir/redis.log"
  nohup "$dir/redis-server" --port "$port" --bind 127.0.0.1 --dir "$dir" --save '' --appendonly no \
    --maxmemory-policy noeviction >"$dir/redis.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 100); do
    if grep -q 'Ready to accept connections' "$dir/redis.log"; then
      echo "$pid" >"$dir/redis.pid"
      echo "redis://127.0.0.1:$port"
      return
    fi
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  kill -9 "$pid"
  return 1
}

start() {
  local port=$1 dir=$2 found
  program >/dev/null || install || true
  found=$(program) || { echo "no Redis here; install the package redis-server" >&2; exit 69; }
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  stop "$dir"
  ln -sf "$found" "$dir/redis-server"
  if [ "$port" != 0 ]; then
    serve "$port" "$dir" && return
  else
    for _ in $(seq 20); do
      serve $((20000 + RANDOM % 12000)) "$dir" && return
    done
  fi
  tail -n 3 "$dir/redis.log" >&2
  exit 1
}

stop() {
  local dir=$1 pid
  [ -f "$dir/redis.pid" ] || return 0
  pid=$(<"$dir/redis.pid")
  rm -f "$dir/redis.pid"
  # The id may be another process' by now.
  [[ $(ps -o args= -p "$pid") == *redis-server* ]] || return 0
  kill "$pid"
  for _ in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid"
}

case "${1:-} $#" in
  "start 3") start "$2" "$3" ;;
  "stop 2") stop "$2" ;;
  *) usage ;;
esac
