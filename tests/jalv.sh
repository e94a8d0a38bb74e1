#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The plugins in jalv on JACK's dummy driver: they load, run, tell their values and end. Does
# nothing where jalv or jackd is not installed.
set -eu

for tool in jalv jackd jack_lsp; do
  if ! command -v $tool > /dev/null; then
    echo "$tool is not installed: not tested"
    exit 0
  fi
done
folder=$(mktemp -d)
server=0
finish() {
  [ $server = 0 ] || kill $server 2> /dev/null || true
  wait
  rm -rf "$folder"
}
trap finish EXIT
mkdir -m 700 "$folder/run"
export HOME=$folder XDG_RUNTIME_DIR=$folder/run JACK_NO_AUDIO_RESERVATION=1
export JACK_DEFAULT_SERVER=meanwave-test-$$
jackd --no-realtime --name $JACK_DEFAULT_SERVER -d dummy -r 48000 -p 256 > "$folder/jackd.log" 2>&1 &
server=$!
for _ in $(seq 50); do
  jack_lsp > /dev/null 2>&1 && break
  sleep 0.1
done
if ! jack_lsp > /dev/null 2>&1; then
  echo "no JACK server here: not tested"
  exit 0
fi

# jalv with a plugin and a command, asked for its controls until it has said all that is expected.
expect() {
  uri=$1
  command=$2
  shift 2
  said=$folder/said
  {
    sleep 1
    echo "$command"
    for _ in $(seq 40); do
      sleep 0.5
      echo controls
      echo monitors
      missing=
      for words in "$@"; do
        grep -q "$words" "$said" || missing=$words
      done
      [ -n "$missing" ] || break
    done
  } | timeout 60 jalv -p "$uri" > "$said" 2>&1 || { cat "$said"; echo "jalv failed"; exit 1; }
  for words in "$@"; do
    grep -q "$words" "$said" || { cat "$said"; echo "jalv did not say '$words'"; exit 1; }
  done
}

expect urn:meanwave:voice "set voice 3" \
  "voice = 3" "status = 0" "latency = [1-9]" "late_chunks = "
expect urn:meanwave:sound "set seed 3" "seed = 3" "status = 0" "progress = 0"
