#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The window of Meanwave Sound in Ardour's, on a screen of its own: words that are typed in it become
# the sound of the session, which Ardour then knows to be another than the saved one.
set -eu

for tool in ardour7-lua ardour Xvfb xdotool python3; do
  if ! command -v $tool > /dev/null; then
    echo "skipped 1: $tool is not installed, and no window was opened in Ardour"
    exit 0
  fi
done
scripts=$(cd "$(dirname "$0")" && pwd)/ardour
folder=$(mktemp -d)
screen=
ardour=
finish() {
  [ -z "$ardour" ] || kill "$ardour" 2> /dev/null || true
  [ -z "$screen" ] || kill "$screen" 2> /dev/null || true
  wait
  rm -rf "$folder"
}
trap finish EXIT
mkdir -m 700 "$folder/run"
mkdir -p "$folder/.config/ardour7"
export HOME=$folder XDG_RUNTIME_DIR=$folder/run SESSION=$folder/session ARDOUR_FPU_FLAGS=0
unset DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
cd "$folder"

# No questions at the first start, and no sound card.
touch .config/ardour7/.a7
cat > .config/ardour7/config << 'END'
<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config>
    <Option name="hide-dummy-backend" value="0"/>
    <Option name="try-autostart-engine" value="1"/>
  </Config>
  <Extra>
    <AudioMIDISetup>
      <EngineStates>
        <State backend="None (Dummy)" driver="Normal Speed" device="Silence" input-device="" output-device=""
          sample-rate="48000" buffer-size="1024" n-periods="0" input-latency="0" output-latency="0"
          input-channels="0" output-channels="0" active="1" use-buffered-io="0"
          midi-option="1 in, 1 out, Silence" lru="1"><MIDIDevices/></State>
      </EngineStates>
    </AudioMIDISetup>
  </Extra>
</Ardour>
END
timeout 60 ardour7-lua "$scripts/window.lua" > said 2>&1 || true
grep -q "^made" said || { cat said; echo "Ardour made no session"; exit 1; }
python3 "$scripts/session.py" show "$SESSION"

Xvfb -displayfd 3 -screen 0 1400x1000x24 -nolisten tcp 3> display > /dev/null 2>&1 &
screen=$!
# waits for WHAT COMMAND...: until the command succeeds
waits_for() {
  what=$1
  shift
  for _ in $(seq 150); do
    "$@" > found 2> /dev/null && return
    sleep 0.2
  done
  cat said
  xdotool search --onlyvisible --name . getwindowname %@ || true
  echo "$what did not come to be"
  exit 1
}
shown() { xdotool search --onlyvisible --name "$1"; }
saved() {
  xdotool windowfocus "$main" key ctrl+s
  grep -q '"campfire"' "$SESSION"/plugins/*/state*/state.ttl && ls "$SESSION"/plugins/*/state*/clip-*.wav
}
waits_for "a screen" test -s display
DISPLAY=:$(cat display)
export DISPLAY
ardour -n "$SESSION/test.ardour" > said 2>&1 &
ardour=$!
waits_for "the session" shown "^test - Ardour"
main=$(head -n 1 found)
waits_for "the window" shown "^keys: Meanwave Sound"
window=$(tail -n 1 found)
sleep 1
waits_for "a session as it was saved" shown "^test - Ardour"
xdotool mousemove --window "$window" 500 150 click 1 type --delay 50 "campfire"
waits_for "the mark of a changed session" shown "^\*test - Ardour"
waits_for "a session that holds words and sound" saved
