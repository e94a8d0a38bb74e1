#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# meanwave models: info and import as a user types them, exit codes and JSON.
set -u
program=${MEANWAVE_PROGRAM:-build/meanwave}
data=${MEANWAVE_TEST_DATA:-tests/data}/golden/meanvc
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() { echo "FAILED: $*"; exit 1; }
expect() { # CODE command...
  local wanted=$1; shift
  "$@" >"$folder/out" 2>"$folder/err"
  local code=$?
  [ $code = "$wanted" ] || fail "exit $code, wanted $wanted: $* ($(cat "$folder/err"))"
}
says() { grep -qF -- "$1" "$2" || fail "'$1' is not in: $(cat "$2")"; }

expect 0 "$program" models info "$data/vocos/vocos.pt"
says "network: vocos-16k" "$folder/out"
expect 0 "$program" models info --json "$data/vocos/vocos.pt"
[ "$(wc -l <"$folder/out")" = 27 ] || fail "one object per tensor"
says '"name":"head.istft.window","dtype":"F32","shape":[640]' "$folder/out"
python3 -c 'import json,sys; [json.loads(line) for line in open(sys.argv[1])]' "$folder/out" ||
  fail "not JSON"

expect 0 "$program" models import "$data/vocos/vocos.pt" "$data/dit_single/dit.safetensors" -o "$folder/a.mw" \
  --dtype int8 --licence "CC0 1.0" --name "Two parts"
expect 0 "$program" models info "$folder/a.mw"
says "licence: CC0 1.0" "$folder/out"
says "name: Two parts" "$folder/out"
says "parts: vocoder=vocos-16k decoder=meanvc" "$folder/out"
expect 3 "$program" models import "$data/vocos/vocos.pt" -o "$folder/a.mw"
says "-y replaces it" "$folder/err"
expect 0 "$program" models import "$data/vocos/vocos.pt" -o "$folder/a.mw" -y

expect 2 "$program" models
expect 2 "$program" models import "$data/vocos/vocos.pt"
expect 2 "$program" models import "$data/vocos/vocos.pt" -o "$folder/b.mw" --dtype f12
expect 3 "$program" models info "$folder/none.pt"
head -c 1000 "$data/vocos/vocos.pt" >"$folder/cut.pt"
expect 3 "$program" models info "$folder/cut.pt"
says "download" "$folder/err"
expect 3 "$program" models import "$folder/cut.pt" -o "$folder/b.mw"
# a disk without room: told, and nothing is left
(ulimit -f 16; trap '' XFSZ; expect 3 "$program" models import "$data/dit_single/dit.safetensors" -o "$folder/b.mw") ||
  exit 1
# killed at any moment: the old file or the whole new one
before=$(sha256sum <"$folder/a.mw")
for delay in 0 0.002 0.004 0.008 0.016; do
  "$program" models import "$data/dit_single/dit.safetensors" -o "$folder/a.mw" -y 2>/dev/null &
  sleep $delay
  kill -KILL $! 2>/dev/null
  wait $! 2>/dev/null
  if [ "$(sha256sum <"$folder/a.mw")" != "$before" ]; then
    expect 0 "$program" models info "$folder/a.mw"
    says "network: meanvc" "$folder/out"
  fi
  rm -f "$folder"/a.mw.*
done
[ "$(ls "$folder" | sort | tr '\n' ' ')" = "a.mw cut.pt err out " ] || fail "left: $(ls "$folder")"
echo good
