# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests of live runs share, behind common.bash: sound servers of their own with null sinks
# for hardware, and live runs in the background.
mkdir -m 700 "$work/home" "$work/run"
export HOME="$work/home" XDG_RUNTIME_DIR="$work/run"
unset PULSE_SERVER PULSE_SINK PULSE_SOURCE DISPLAY
here=$(cd "$(dirname "$0")" && pwd)
servers=

stop_servers() {
  [ -z "$servers" ] || kill $servers 2>/dev/null
  wait $servers 2>/dev/null
  servers=
}
trap 'stop_servers; wait 2>/dev/null; rm -rf "$work"' EXIT

# the machine may be busy, hardware is not: first things first where we may
first=
for try in "chrt -f 4" "nice -n -15"; do
  if [ -z "$first" ] && $try true 2>/dev/null; then first=$try; fi
done
run="$first timeout 60 $program"

# the sinks and sources of a test, as commands of the server
null_sinks='load-module module-null-sink sink_name=mic_feed rate=48000 norewinds=1
load-module module-null-sink sink_name=speakers rate=48000 norewinds=1
load-module module-remap-source master=mic_feed.monitor source_name=fake_mic
set-default-sink speakers
set-default-source fake_mic'

start_pulse() {
  { echo load-module module-native-protocol-unix; echo "$null_sinks"; } >"$work/ci.pa"
  $first pulseaudio -n -F "$work/ci.pa" --daemonize=no --exit-idle-time=-1 --realtime=no \
    --high-priority=no --log-level=error >"$work/server.log" 2>&1 &
  servers=$!
  wait_for 20 pactl info
}

# wants a session bus: dbus-run-session around the test
start_pipewire() {
  local server
  for server in pipewire wireplumber pipewire-pulse; do
    $first $server >>"$work/server.log" 2>&1 &
    servers="$! $servers" # the last one ends first
    [ $server != pipewire ] || wait_for 20 test -e "$work/run/pipewire-0"
  done
  wait_for 20 pactl info || return 1
  while read -r line; do
    wait_for 5 pactl ${line//norewinds=1/} || return 1
  done <<<"$null_sinks"
}

# number EVENT NAME FILE: of the last such object
number() { sed -n "s/.*\"event\":\"$1\".*\"$2\":\([-0-9.e]*\).*/\1/p" "$3" | tail -n 1; }
# within A B TOLERANCE
within() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { exit !(a - b <= t && b - a <= t) }'; }
gone() { [ ! -d "/proc/$1" ] || grep -q "^State:.Z" "/proc/$1/status"; }
compare() { python3 "$here/live_compare.py" "$@"; }

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
    bad "$1 after $2: exit $code $(<"$work/$1.err")"
  fi
}
# told NAME EVENT: waits until it has
told() { wait_for 30 grep -q "\"event\":\"$2\"" "$work/$1.json"; }

# modules of the server that are a virtual microphone's
mics() { pactl list short modules | grep -c 'meanwave'; }
no_mic() { [ "$(mics)" = 0 ]; }

# make_speech FILE: speech-like, a tone that comes and goes, 16 kHz, 4 s
make_speech() {
  python3 - "$1" <<'P'
import math, struct, sys, wave
with wave.open(sys.argv[1], "wb") as f:
    f.setnchannels(1); f.setsampwidth(2); f.setframerate(16000)
    f.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(0.05 * i + 3 * math.sin(0.0007 * i))
        * max(0.0, math.sin(0.0011 * i)) ** 2)) for i in range(64000)))
P
}
