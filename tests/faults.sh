#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The program killed at any moment, without room on the disk, with a model that goes away: the old
# file or the whole new one, and a line that says what happened.
set -u
program=${MEANWAVE_PROGRAM:?the program under test}
data=${MEANWAVE_TEST_DATA:?the data of the tests}/golden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache"
passed=0
failed=0
kills=${MEANWAVE_KILLS:-8}

good() { passed=$((passed + 1)); }
bad() {
  echo "FAILED: $*"
  failed=$((failed + 1))
}
# expect CODE WORDS-ON-STDERR COMMAND...
expect() {
  local code=$1 words=$2
  shift 2
  "$@" >"$work/out" 2>"$work/err" </dev/null
  local got=$?
  if [ "$got" = "$code" ] && { [ -z "$words" ] || grep -qF -- "$words" "$work/err"; } &&
     [ "$(wc -l <"$work/err")" -le 1 ]; then good; else
    bad "$* gave $got, wanted $code and '$words': $(cat "$work/err")"
  fi
}
microseconds() { echo "${EPOCHREALTIME/[.,]/}"; }

python3 - "$work/in.wav" <<'P'
import math, struct, sys, wave
with wave.open(sys.argv[1], "wb") as f:
    f.setnchannels(1); f.setsampwidth(2); f.setframerate(16000)
    f.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(0.05 * i + 3 * math.sin(0.0007 * i))))
        for i in range(48000)))
P

# command VERB FOLDER: into $line
command_of() {
  case $1 in
  convert) line=("$program" convert -q -V birch "$work/in.wav" -o "$2/x.wav" -y) ;;
  generate) line=("$program" generate -q -p "a dog barks" --seconds 2 --seed 1 -o "$2/x.wav" -y) ;;
  import) line=("$program" models import -q "$data/meanvc/vocos/vocos.pt" --licence none -o "$2/x.mw" -y) ;;
  voice) line=("$program" voice make -q "$work/in.wav" --name in -o "$2/x.voice" -y) ;;
  esac
}

# ---- killed at any moment ----

for verb in convert generate import voice; do
  mkdir "$work/$verb.new" "$work/$verb"
  command_of $verb "$work/$verb.new"
  "${line[@]}" >"$work/out" 2>&1 || bad "$verb: $(cat "$work/out")"
  begun=$(microseconds) # what it takes when all is in memory
  "${line[@]}" >"$work/out" 2>&1 || bad "$verb again: $(cat "$work/out")"
  took=$(($(microseconds) - begun))
  new=$(echo "$work/$verb.new"/x.*)
  file=$work/$verb/$(basename "$new")
  command_of $verb "$work/$verb"
  left=0 # what it was in the end: the old file, the new one, anything else
  made=0
  broken=0
  for i in $(seq 1 "$kills"); do
    echo "the old file" >"$file"
    "${line[@]}" >"$work/out" 2>&1 &
    printf -v pause '%07d' $(((RANDOM * 32768 + RANDOM) % took)) # at most 10 s
    sleep "${pause:0:-6}.${pause: -6}"
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    if cmp -s "$file" "$new"; then made=$((made + 1)); elif [ "$(head -c 20 "$file")" = "the old file" ]; then
      left=$((left + 1)); else broken=$((broken + 1)); fi
  done
  [ -n "${MEANWAVE_KILLS:-}" ] && echo "$verb, killed $kills times: $left old files, $made new ones, $broken broken"
  if [ $broken = 0 ]; then good; else bad "$verb, killed: $broken times neither the old file nor the new one"; fi
  rm -rf "$work/$verb"
done

# ---- no room ----

for verb in convert generate import voice; do
  mkdir "$work/$verb"
  command_of $verb "$work/$verb"
  file=$work/$verb/$(basename "$work/$verb.new"/x.*)
  echo "the old file" >"$file"
  # a limit of 4 KiB on what a file may hold fails as a full disk does
  expect 1 "x." bash -c 'ulimit -f 4; exec "$@"' limited "${line[@]}"
  if [ "$(cat "$file")" = "the old file" ]; then good; else bad "$verb, no room: the old file is gone"; fi
  if [ "$(ls "$work/$verb" | wc -l)" = 1 ]; then good; else bad "$verb, no room: left $(ls "$work/$verb")"; fi
done
if mkdir "$work/small" && mount -t tmpfs -o size=64k none "$work/small" 2>/dev/null; then
  command_of convert "$work/small"
  expect 1 "is the disk full?" "${line[@]}"
  if [ -z "$(ls "$work/small")" ]; then good; else bad "full disk: left $(ls "$work/small")"; fi
  umount "$work/small"
fi
for verb in convert generate; do
  command_of $verb "$work"
  line=("${line[@]/$work\/x.wav/-}")
  expect 1 "is the disk full?" bash -c 'exec "$@" >/dev/full' full "${line[@]}"
done

# ---- what is there, is none, or goes away ----

expect 0 "" env XDG_CACHE_HOME=/dev/null/none "$program" convert -q -V "$work/in.wav" "$work/in.wav" -o "$work/x.wav"
mkfifo "$work/pipe"
expect 1 "not a file" timeout 10 "$program" convert -q -m "$work/pipe" -V birch "$work/in.wav" -o "$work/y.wav"
# what a truncated mapping does to a process, at a moment that can be waited for
mkfifo "$work/words"
"$program" generate -q --prompts "$work/words" -o "$work/" >"$work/out" 2>"$work/err" &
sleep 0.5
kill -BUS $!
wait $!
code=$?
if [ $code = 3 ] && grep -q "was cut short" "$work/err"; then good; else
  bad "a model cut short: $code, $(cat "$work/err")"
fi

echo "[  PASSED  ] $passed test(s)."
[ "$failed" = 0 ] || { echo "[  FAILED  ] $failed test(s)."; exit 1; }
