#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# meanwave live, devices and latency: on files, then on PulseAudio with null sinks for hardware.
# MEANWAVE_SOAK_SECONDS makes the run that looks for growth as long as you like (default 4).
set -u
program=${MEANWAVE_PROGRAM:?the program under test}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
passed=0
failed=0
skipped=0
laters=0
waiting=
mkdir -m 700 "$work/home" "$work/run"
export HOME="$work/home" XDG_RUNTIME_DIR="$work/run" XDG_CACHE_HOME="$work/cache"
unset PULSE_SERVER PULSE_SINK PULSE_SOURCE DISPLAY

clean_up() {
  [ -z "$server" ] || kill "$server" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap clean_up EXIT

good() { passed=$((passed + 1)); }
bad() {
  echo "FAILED: $*"
  failed=$((failed + 1))
}
# check WHAT COMMAND...
check() {
  local what=$1
  shift
  if "$@" >"$work/out" 2>"$work/err" </dev/null; then good; else
    bad "$what"
    tail -n 5 "$work/out" "$work/err"
  fi
}
# expect CODE WORDS-ON-STDERR COMMAND...
expect() {
  local code=$1 words=$2
  shift 2
  "$@" >"$work/out" 2>"$work/err" </dev/null
  local got=$?
  if [ "$got" = "$code" ] && { [ -z "$words" ] || grep -qF -- "$words" "$work/err"; } &&
     [ "$code" = 0 -o "$(wc -l <"$work/err")" -le 1 ]; then good; else
    bad "$* gave $got, wanted $code and '$words'"
    cat "$work/err"
  fi
}
# later COMMAND...: one of the above beside others; gather waits for them and counts
later() {
  laters=$((laters + 1))
  mkdir "$work/later.$laters"
  (
    passed=0 failed=0
    work=$work/later.$laters
    trap - EXIT
    "$@"
    echo "$passed $failed" >"$work/count"
  ) &
  waiting="$waiting $!"
}
gather() {
  wait $waiting
  local one
  for one in "$work"/later.*/count; do
    read -r p f <"$one"
    passed=$((passed + p)) failed=$((failed + f))
    rm "$one"
  done
  waiting=
}
# number EVENT NAME FILE: of the last such object
number() { sed -n "s/.*\"event\":\"$1\".*\"$2\":\([-0-9.e]*\).*/\1/p" "$3" | tail -n 1; }
# within A B TOLERANCE
within() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { exit !(a - b <= t && b - a <= t) }'; }
# wait_for SECONDS COMMAND...
wait_for() {
  local tries=$(($1 * 10))
  shift
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}
gone() { [ ! -d "/proc/$1" ] || grep -q "^State:.Z" "/proc/$1/status"; }
compare() { python3 "$here/live_compare.py" "$@"; }

# speech-like: a tone that comes and goes, 16 kHz, 4 s
python3 - "$work/in.wav" <<'P'
import math, struct, sys, wave
with wave.open(sys.argv[1], "wb") as f:
    f.setnchannels(1); f.setsampwidth(2); f.setframerate(16000)
    f.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(0.05 * i + 3 * math.sin(0.0007 * i))
        * max(0.0, math.sin(0.0011 * i)) ** 2)) for i in range(64000)))
P

# ---- files: no sound system at all ----

check "file to file" "$program" live -q -V birch -i "$work/in.wav" -o "$work/live.wav" --json
cp "$work/out" "$work/live.json"
check "offline" "$program" convert -q -V birch "$work/in.wav" -o "$work/offline.wav"
delay=$(number end delay_frames "$work/live.json")
check "live is the offline conversion, $delay frames later" \
  compare shifted "$work/offline.wav" "$work/live.wav" "$delay"
check "again" "$program" live -q -V birch -i "$work/in.wav" -o "$work/again.wav" --block 100
check "another block, other bits nowhere" \
  compare shifted "$work/offline.wav" "$work/again.wav" \
  "$((delay - 256 + 100))"
expect 1 "exists already" "$program" live -q -V birch -i "$work/in.wav" -o "$work/live.wav"
expect 1 "none.wav" "$program" live -q -V birch -i "$work/none.wav" -o "$work/x.wav"
expect 2 "say whose voice" "$program" live
expect 2 "goes with --record" "$program" live -V birch --side-by-side
expect 2 "only when --in is one" "$program" live -V birch -o "$work/x.wav"
expect 2 "exclude each other" "$program" live -V birch --fixed-pitch --pitch 3
expect 2 "takes no files by position" "$program" live -V birch "$work/in.wav"
expect 3 "there is no voice 'nobody'" "$program" live -V nobody -i "$work/in.wav" -o "$work/x.wav"
expect 2 "takes no 'x'" "$program" devices x
expect 0 "" "$program" presets list
expect 0 "" "$program" live -q -y --preset plain -i "$work/in.wav" -o "$work/x.wav"

# ---- a sound server ----

finish() {
  echo "[  PASSED  ] $passed test(s)."
  [ "$skipped" = 0 ] || echo "skipped $skipped: $1"
  [ "$failed" = 0 ] || { echo "[  FAILED  ] $failed test(s)."; exit 1; }
  exit 0
}
if ! command -v pulseaudio >/dev/null || ! command -v pactl >/dev/null; then
  skipped=1
  finish "the tests on a sound server, pulseaudio is not installed"
fi

# the machine may be busy, hardware is not: first things first where we may
first=
for try in "chrt -f 4" "nice -n -15"; do
  if [ -z "$first" ] && $try true 2>/dev/null; then first=$try; fi
done
cat >"$work/ci.pa" <<'P'
load-module module-native-protocol-unix
load-module module-null-sink sink_name=mic_feed rate=48000 norewinds=1
load-module module-null-sink sink_name=speakers rate=48000 norewinds=1
load-module module-remap-source master=mic_feed.monitor source_name=fake_mic
set-default-sink speakers
set-default-source fake_mic
P
start_server() {
  $first pulseaudio -n -F "$work/ci.pa" --daemonize=no --exit-idle-time=-1 --realtime=no \
    --high-priority=no --log-level=error >"$work/pulse.log" 2>&1 &
  server=$!
  wait_for 20 pactl info
}
if ! start_server; then
  bad "the sound server did not start"
  cat "$work/pulse.log"
  finish
fi
run="$first timeout 60 $program"

# start NAME ARGUMENTS...: in the background, until it runs; its process in $pid
start() {
  local name=$1
  shift
  $first $program live --json --headless -V birch "$@" >"$work/$name.json" 2>"$work/$name.err" </dev/null &
  pid=$!
  wait_for 30 grep -q '"event":"begin"' "$work/$name.json" || bad "$name did not begin"
}
# stop NAME SIGNAL: it ends well
stop() {
  kill "-$2" "$pid"
  wait_for 15 gone "$pid" || kill -9 "$pid"
  wait "$pid"
  local code=$?
  if [ $code = 0 ] && grep -q '"event":"end"' "$work/$1.json"; then good; else
    bad "$1 after $2: exit $code"
    cat "$work/$1.err"
  fi
}

check "devices" $run devices
grep -q "pulse" "$work/out" && good || bad "devices lacks pulse"
check "devices --json" $run devices --json
grep -q '"api":"ALSA","name":"pulse"' "$work/out" && good || bad "devices --json lacks pulse"
[ ! -s "$work/err" ] && good || bad "devices is noisy: $(head -n 3 "$work/err")"
later expect 4 "no input device 'nothing'; see meanwave devices" $run live -V birch -i nothing
later expect 4 "there are not so many" $run live -V birch -o 99
later expect 4 "no output device 'oss:pulse'" $run latency -o oss:pulse
later expect 4 "there is no channel 64" $run live -V birch -i ALSA:pulse -c 64
later expect 1 "the chirp did not come back" $run latency -n 1 -i pulse -o pulse
gather

# a loop from the output to the input
check "latency" env PULSE_SINK=mic_feed PULSE_SOURCE=fake_mic $run latency --json -n 3 -i pulse -o pulse
[ "$(number result heard "$work/out")" -ge 2 ] && good || bad "chirps were not heard: $(cat "$work/out")"

# a file as the microphone: one clock, and to the bit what the file device gives
check "a file as the microphone" $run live --json --headless -V birch -i "$work/in.wav" -o pulse \
  --headroom 200 --record "$work/played.wav"
cp "$work/out" "$work/played.json"
if [ "$(number end late "$work/played.json")" = 0 ]; then
  check "what is heard is the offline conversion" compare shifted "$work/offline.wav" \
    "$work/played.wav" "$(number end delay_frames "$work/played.json")"
fi

# microphone to loudspeaker: converted as offline, the delay as displayed, nothing grows
start duplex -i pulse -o pulse --headroom 60 --record "$work/both.wav" --side-by-side
$first paplay -d mic_feed "$work/in.wav"
memory() { awk '/VmRSS/ { print $2 }' "/proc/$pid/status"; }
early=$(memory)
sleep "${MEANWAVE_SOAK_SECONDS:-4}"
late=$(memory)
stop duplex INT
[ $((late - early)) -lt 1024 ] && good || bad "memory grew from $early to $late KiB"
check "convert what came in" "$program" convert -q -V birch -c 1 "$work/both.wav" -o "$work/right.wav"
check "what was heard is the offline conversion of what came in" \
  compare found "$work/both.wav" "$work/right.wav"
lag=$(tail -n 1 "$work/out")
shown=$(number end delay_frames "$work/duplex.json")
if [ "$(number end jumps "$work/duplex.json")" = 0 ]; then
  within "$lag" "$shown" 256 && good || bad "delay $lag frames, displayed $shown"
fi

# the sound itself, through both devices
$first parec -d speakers.monitor --rate=16000 --channels=1 --format=float32le --file-format=wav \
  "$work/heard.wav" &
recorder=$!
start dry -i pulse -o pulse --headroom 60 --mix 0
$first paplay -d mic_feed "$work/in.wav"
sleep 1
stop dry TERM
kill "$recorder"
wait "$recorder"
check "the dry sound arrives" compare like "$work/in.wav" "$work/heard.wav"

# a microphone for others, gone on every exit
mics() { pactl list short modules | grep -c 'meanwave'; }
no_mic() { [ "$(mics)" = 0 ]; }
start mic --virtual-mic -i pulse
pactl list short sources | grep -q meanwave_microphone && good || bad "no virtual microphone"
pactl list sink-inputs | grep -q "Sink: $(pactl list short sinks | awk '/meanwave/ { print $1 }')" &&
  good || bad "the output does not go to it"
expect 1 "another meanwave has one" $run live -V birch --virtual-mic -i pulse
stop mic TERM
no_mic && good || bad "the virtual microphone stayed after TERM"
start killed --virtual-mic -i pulse
kill -9 "$pid"
wait "$pid" 2>/dev/null
wait_for 10 no_mic && good || bad "the virtual microphone stayed after kill -9"
# both it and its keeper killed: the next start clears
pactl load-module module-null-sink sink_name=meanwave \
  "sink_properties='device.description=Meanwave meanwave.pid=4194304'" >/dev/null
start after --keep-mic -i pulse
[ "$(mics)" = 2 ] && good || bad "leftovers: $(pactl list short modules | grep meanwave)"
stop after INT
[ "$(mics)" = 2 ] && good || bad "--keep-mic did not keep it"

# the server goes and comes back
start gone -i pulse -o pulse
kill "$server"
wait "$server" 2>/dev/null
wait_for 20 grep -q '"event":"lost"' "$work/gone.json" && good || bad "the loss was not noticed"
start_server
wait_for 30 grep -q '"event":"resumed"' "$work/gone.json" && good || bad "it did not resume"
sleep 1
stop gone INT
grep -q "the sound device is back" "$work/gone.err" && good || bad "nothing told of the return"
grep -q "Expression" "$work/gone.err" && bad "PortAudio's noise came through" || good

# the view, narrow and wide; only a program in the foreground may have the terminal
view="$first timeout --foreground 60 $program"
view() {
  local columns=$1 longest
  : >"$work/view"
  (wait_for 30 grep -q RTF "$work/view"
   for key in b P v q; do sleep 0.8; printf '%s' "$key"; done) |
    timeout 60 script -qec "stty cols $columns rows 24; $view live -V birch -i pulse -o pulse" \
      /dev/null >"$work/view" 2>&1
  [ "${PIPESTATUS[1]}" = 0 ] && good || bad "the view at $columns columns ended badly"
  grep -q "bypassed" "$work/view" && good || bad "b did nothing at $columns columns"
  grep -q "pitch +1" "$work/view" && good || bad "P did nothing at $columns columns"
  longest=$(tr '\r' '\n' <"$work/view" | sed 's/\x1b\[[?0-9]*[A-Za-z]//g' |
            grep -E '^(in |out |RTF|delay|pitch|birch  |birch \(|hazel|b byp)' |
            awk '{ if (length > m) m = length } END { print m }')
  [ "$longest" -lt "$columns" ] && [ "$longest" -gt $((columns == 40 ? 30 : 70)) ] && good ||
    bad "lines of $longest at $columns columns"
}
later view 40
later view 200
gather

# JACK: one clock for both
if command -v jackd >/dev/null; then
  export JACK_DEFAULT_SERVER=meanwave-test JACK_NO_AUDIO_RESERVATION=1
  $first jackd --no-realtime --name meanwave-test -d dummy -r 48000 -p 256 >"$work/jack.log" 2>&1 &
  jack=$!
  wait_for 10 sh -c "$program devices | grep -q JACK" || bad "JACK is not listed"
  check "JACK" $run live --headless --json -V birch -i jack:system -o jack:system --seconds 2
  [ "$(number end jumps "$work/out")" = 0 ] && [ "$(number end drift_ppm "$work/out")" = 0 ] && good ||
    bad "JACK has one clock: $(tail -n 1 "$work/out")"
  kill "$jack"
  wait "$jack" 2>/dev/null
  finish
fi
skipped=1
finish "the test on JACK, jackd is not installed"
