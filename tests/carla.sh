#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Both plugins in Carla's engine without a sound card: parameters, presets, a voice file, notes, a
# project that is opened again, instances that go while they are busy; and where Xvfb and xdotool
# are installed, words that are typed in the window.
set -eu

carla=$(command -v carla || command -v carla-single || true)
for prefix in "${carla%/bin/*}" /usr /usr/local; do
  engine=$prefix/lib/carla/libcarla_standalone2.so
  [ ! -f "$engine" ] || [ ! -f "$prefix/share/carla/carla_backend.py" ] || break
done
for needed in "$engine" "$prefix/share/carla/carla_backend.py" "$(command -v flite || echo flite)"; do
  if ! [ -f "$needed" ]; then
    echo "skipped 1: Carla and flite are not installed, and no project of Carla's was made"
    exit 0
  fi
done
host=$(cd "$(dirname "$0")" && pwd)/carla/host.py
folder=$(mktemp -d)
screen=
finish() {
  [ -z "$screen" ] || kill "$screen" 2> /dev/null || true
  wait
  rm -rf "$folder"
}
trap finish EXIT
mkdir -m 700 "$folder/run"
export HOME=$folder XDG_RUNTIME_DIR=$folder/run
export PYTHONPATH=$prefix/share/carla PYTHONDONTWRITEBYTECODE=1 CARLA=$prefix
unset DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
cd "$folder"

session() {
  timeout 120 python3 "$host" "$@" > said 2>&1 || {
    code=$?
    cat said
    echo "Carla $1 ended with $code"
    exit 1
  }
}

"$MEANWAVE_PROGRAM" voice mix cedar birch --share 0.3 -o mixed.voice -q
flite -voice rms -t "A voice belongs to a person. This one belongs to nobody." -o spoken.wav
"$prefix/lib/carla/carla-discovery-native" lv2 :all > found 2>&1
for plugin in urn:meanwave:voice urn:meanwave:voice-stereo urn:meanwave:sound; do
  grep -q "carla-discovery::label::.*/$plugin\$" found || { cat found; echo "Carla does not find $plugin"; exit 1; }
done
if grep -q "carla-discovery::error" found; then cat found; exit 1; fi
mkdir made again
session make made/test.carxp mixed.voice spoken.wav
session open made/test.carxp again/test.carxp
# the clip's file is named by its content
cmp made/test/"Meanwave Sound"/clip-*.wav again/test/"Meanwave Sound"/clip-*.wav
session remove
if command -v Xvfb > /dev/null && command -v xdotool > /dev/null; then
  # Carla expects that the screen has seen a client before
  Xvfb -displayfd 3 -noreset -screen 0 1280x900x24 -nolisten tcp 3> screen > /dev/null 2>&1 &
  screen=$!
  for _ in $(seq 50); do
    [ -s screen ] && break
    sleep 0.1
  done
  DISPLAY=:$(cat screen)
  export DISPLAY
  session window inside
  session window bridged
else
  echo "skipped 1: Xvfb and xdotool are not installed, and no window was opened in Carla"
fi
