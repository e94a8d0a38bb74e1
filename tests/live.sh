#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# meanwave live, devices and latency: on files, then on PulseAudio with null sinks for hardware, then
# on JACK. MEANWAVE_SOAK_SECONDS makes the run that looks for growth as long as you like (default 4).
. "$(dirname "$0")/common.bash"
. "$(dirname "$0")/sound_server.bash"
laters=0
waiting=

# runs WHAT COMMAND...: it succeeds; what it prints is kept
runs() {
  local what=$1
  shift
  if "$@" >"$work/out" 2>"$work/err" </dev/null; then good; else
    bad "$what: $(tail -n 5 "$work/out" "$work/err")"
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

make_speech "$work/in.wav"

# ---- files: no sound system at all ----

runs "file to file" "$program" live -q -V birch -i "$work/in.wav" -o "$work/live.wav" --json
cp "$work/out" "$work/live.json"
runs "offline" "$program" convert -q -V birch "$work/in.wav" -o "$work/offline.wav"
delay=$(number end delay_frames "$work/live.json")
runs "live is the offline conversion, $delay frames later" \
  compare shifted "$work/offline.wav" "$work/live.wav" "$delay"
runs "again" "$program" live -q -V birch -i "$work/in.wav" -o "$work/again.wav" --block 100
runs "another block, other bits nowhere" \
  compare shifted "$work/offline.wav" "$work/again.wav" \
  "$((delay - 256 + 100))"
refuse 1 "exists already" "$program" live -q -V birch -i "$work/in.wav" -o "$work/live.wav"
refuse 1 "none.wav" "$program" live -q -V birch -i "$work/none.wav" -o "$work/x.wav"
refuse 2 "say whose voice" "$program" live
refuse 2 "goes with --record" "$program" live -V birch --side-by-side
refuse 2 "only when --in is one" "$program" live -V birch -o "$work/x.wav"
refuse 2 "exclude each other" "$program" live -V birch --fixed-pitch --pitch 3
refuse 2 "takes no files by position" "$program" live -V birch "$work/in.wav"
refuse 3 "there is no voice 'nobody'" "$program" live -V nobody -i "$work/in.wav" -o "$work/x.wav"
refuse 2 "takes no 'x'" "$program" devices x
expect 0 "" "$program" presets list
expect 0 "" "$program" live -q -y --preset plain -i "$work/in.wav" -o "$work/x.wav"

# ---- a sound server ----

if ! command -v pulseaudio >/dev/null || ! command -v pactl >/dev/null; then
  finish 1 "the tests on a sound server, pulseaudio is not installed"
fi
if ! start_pulse; then
  bad "the sound server did not start: $(<"$work/server.log")"
  finish
fi

runs "devices" $run devices
grep -q "pulse" "$work/out" && good || bad "devices lacks pulse"
runs "devices --json" $run devices --json
grep -q '"api":"ALSA","name":"pulse"' "$work/out" && good || bad "devices --json lacks pulse"
[ ! -s "$work/err" ] && good || bad "devices is noisy: $(head -n 3 "$work/err")"
later refuse 4 "no input device 'nothing'; see meanwave devices" $run live -V birch -i nothing
later refuse 4 "there are not so many" $run live -V birch -o 99
later refuse 4 "no output device 'oss:pulse'" $run latency -o oss:pulse
later refuse 4 "there is no channel 64" $run live -V birch -i ALSA:pulse -c 64
later refuse 1 "the chirp did not come back" $run latency -n 1 -i pulse -o pulse
gather

# a loop from the output to the input
runs "latency" env PULSE_SINK=mic_feed PULSE_SOURCE=fake_mic $run latency --json -n 3 -i pulse -o pulse
[ "$(number result heard "$work/out")" -ge 2 ] && good || bad "chirps were not heard: $(cat "$work/out")"

# a file as the microphone: one clock, and to the bit what the file device gives
runs "a file as the microphone" $run live --json --headless -V birch -i "$work/in.wav" -o pulse \
  --headroom 200 --record "$work/played.wav"
cp "$work/out" "$work/played.json"
if [ "$(number end late "$work/played.json")" = 0 ]; then
  runs "what is heard is the offline conversion" compare shifted "$work/offline.wav" \
    "$work/played.wav" "$(number end delay_frames "$work/played.json")"
fi

# at another rate than the device's: it is heard from its first frame on, a click of 2.5 ms
python3 - "$work/click.wav" <<'P'
import struct, sys, wave
with wave.open(sys.argv[1], "wb") as f:
    f.setnchannels(1); f.setsampwidth(2); f.setframerate(16000)
    f.writeframes(b"".join(struct.pack("<h", 16000 if i % 16 < 8 else -16000) for i in range(40)))
    f.writeframes(bytes(32000))
P
runs "a file at another rate" $run live --json --headless -V birch -i "$work/click.wav" -o pulse \
  --rate 48000 --mix 0 --headroom 200 --record "$work/clicked.wav"
holds '"let_go_frames":'
loud() {
  python3 - "$1" <<'P'
import array, sys
data = open(sys.argv[1], "rb").read()
sound = array.array("f")
place = data.index(b"data") + 8
sound.frombytes(data[place:len(data) - (len(data) - place) % 4])
sys.exit(0 if max(map(abs, sound), default=0) > 0.1 else 1)
P
}
check "the begin of a file at another rate is lost" loud "$work/clicked.wav"

# microphone to loudspeaker: converted as offline, the delay as displayed, nothing grows
start duplex -i pulse -o pulse --headroom 60 --record "$work/both.wav" --side-by-side
$first paplay -d mic_feed "$work/in.wav"
memory() { awk '/VmRSS/ { print $2 }' "/proc/$pid/status"; }
early=$(memory)
stages=$(number meters encoder_rtf "$work/duplex.json")
[ -n "$stages" ] && ! within "$stages" 0 0 && good || bad "no RTF of the encoder: '$stages'"
sleep "${MEANWAVE_SOAK_SECONDS:-4}"
late=$(memory)
stop duplex INT
[ $((late - early)) -lt 1024 ] && good || bad "memory grew from $early to $late KiB"
runs "convert what came in" "$program" convert -q -V birch -c 1 "$work/both.wav" -o "$work/right.wav"
runs "what was heard is the offline conversion of what came in" \
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
runs "the dry sound arrives" compare like "$work/in.wav" "$work/heard.wav"

# a microphone for others, gone on every exit
start mic --virtual-mic -i pulse
pactl list short sources | grep -q meanwave_microphone && good || bad "no virtual microphone"
pactl list sink-inputs | grep -q "Sink: $(pactl list short sinks | awk '/meanwave/ { print $1 }')" &&
  good || bad "the output does not go to it"
refuse 1 "another meanwave has one" $run live -V birch --virtual-mic -i pulse
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

# stopped for longer than a device may say nothing, as under a laptop's lid, and going on
start slept -i pulse -o pulse
sleep 1
kill -STOP "$pid"
sleep 4
lines=$(wc -l < "$work/slept.json")
sounds_again() { tail -n +$((lines + 2)) "$work/slept.json" | grep -Eq '"rtf":0?\.?[0-9]*[1-9]'; }
kill -CONT "$pid"
wait_for 10 sounds_again && good || bad "nothing sounds after it was stopped"
stop slept INT
grep -q '"event":"lost"' "$work/slept.json" && bad "a stopped process took its device for lost" || good

# the server goes and comes back
pactl list short modules | awk '/meanwave/ { print $1 }' | sort -rn | xargs -n 1 pactl unload-module
start gone --virtual-mic -i pulse
stop_servers
told gone lost && good || bad "the loss was not noticed"
start_pulse
told gone resumed && good || bad "it did not resume"
[ "$(mics)" = 2 ] && good || bad "the virtual microphone did not come back: $(mics)"
sleep 1
stop gone INT
no_mic && good || bad "the virtual microphone stayed after a loss"
grep -q "the sound device is back" "$work/gone.err" && good || bad "nothing told of the return"
grep -q "Expression" "$work/gone.err" && bad "PortAudio's noise came through" || good

# it ends well while it waits, too
start waits -i pulse -o pulse
stop_servers
told waits lost && good || bad "the second loss was not noticed"
stop waits INT

# JACK: one clock for both
if command -v jackd >/dev/null; then
  export JACK_DEFAULT_SERVER=meanwave-test JACK_NO_AUDIO_RESERVATION=1
  $first jackd --no-realtime --name meanwave-test -d dummy -r 48000 -p 256 >"$work/jack.log" 2>&1 &
  jack=$!
  wait_for 10 sh -c "$program devices | grep -q JACK" || bad "JACK is not listed"
  runs "JACK" $run live --headless --json -V birch -i jack:system -o jack:system --seconds 2
  [ "$(number end jumps "$work/out")" = 0 ] && [ "$(number end drift_ppm "$work/out")" = 0 ] && good ||
    bad "JACK has one clock: $(tail -n 1 "$work/out")"
  kill "$jack"
  wait "$jack" 2>/dev/null
  finish
fi
finish 1 "the test on JACK, jackd is not installed"
