#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# meanwave live under PipeWire with its PulseAudio part: sound through it, and the microphone that
# other programs see. Debian: pipewire, pipewire-pulse, wireplumber, dbus-daemon, pulseaudio-utils.
for tool in pipewire pipewire-pulse wireplumber dbus-run-session pactl; do
  if ! command -v $tool >/dev/null; then
    echo "[  PASSED  ] 0 test(s)."
    echo "skipped 1: the test on PipeWire, $tool is not installed"
    exit 0
  fi
done
if [ -z "${MEANWAVE_TEST_BUS:-}" ]; then
  MEANWAVE_TEST_BUS=yes exec dbus-run-session -- bash "$0"
fi
. "$(dirname "$0")/common.bash"
. "$(dirname "$0")/sound_server.bash"
make_speech "$work/in.wav"
if ! start_pipewire; then
  bad "PipeWire did not start: $(<"$work/server.log")"
  finish
fi

gives 0 $run devices
holds "pulse"
gives 0 env PULSE_SINK=mic_feed PULSE_SOURCE=fake_mic $run latency --json -n 3 -i pulse -o pulse
check "chirps were heard" test "$(number result heard "$work/out")" -ge 2

# what is said into the real microphone is recorded from the virtual one, converted
named() { pactl list sources | grep -q "Description: Meanwave-Microphone"; }
start mic --virtual-mic -i pulse --rate 16000 --headroom 60 --record "$work/converted.wav"
check "the microphone has its name" named
$first parec -d meanwave_microphone --rate=16000 --channels=1 --format=float32le \
  --file-format=wav "$work/heard.wav" &
recorder=$!
sleep 0.5
$first paplay -d mic_feed "$work/in.wav"
sleep 1
kill "$recorder"
wait "$recorder" 2>/dev/null
stop mic TERM
check "the microphone is gone after TERM" no_mic
check "what is converted is what others record" compare like "$work/converted.wav" "$work/heard.wav"

start killed --virtual-mic -i pulse
kill -9 "$pid"
wait "$pid" 2>/dev/null
check "the microphone is gone after SIGKILL" wait_for 10 no_mic
start kept --keep-mic -i pulse
stop kept INT
check "a kept microphone stays" named

# all of PipeWire goes and comes back, and with it the microphone
start gone --virtual-mic -i pulse
stop_servers
check "the loss is noticed" told gone lost
start_pipewire || bad "PipeWire did not come back: $(<"$work/server.log")"
check "it goes on" told gone resumed
check "the microphone is there again" named
stop gone INT
finish
