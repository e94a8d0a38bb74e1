#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The bundles from outside: one exported symbol, no library that two plugins of a process would
# share by accident, and metadata without an error where lv2_validate is installed.
set -eu

plugins=$(dirname "$MEANWAVE_PROGRAM")/plugins
failed=0
fail() {
  echo "$*"
  failed=1
}

for bundle in "$plugins"/meanwave-*.lv2; do
  for object in "$bundle"/*.so; do
    [ -e "$object" ] || continue
    symbols=$(nm -D --defined-only "$object" | awk '{ print $3 }')
    case $object in
      *_ui.so) wanted=lv2ui_descriptor ;;
      *) wanted=lv2_descriptor ;;
    esac
    case $symbols in
      *__asan* | *__tsan* | *__ubsan*) ;; # a sanitizer brings its own
      "$wanted") ;;
      *) fail "$object does not export $wanted alone:" $symbols ;;
    esac
    needed=$(readelf -d "$object" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    case $needed in
      *libgomp* | *libopenblas*) fail "$object needs" $needed ;;
      *libfftw3f*)
        [ ! -e "$(pkg-config --variable=libdir fftw3f)/libfftw3f.a" ] ||
          fail "$object shares its FFTW with others" ;;
    esac
  done
done
for object in voice.lv2/voice voice.lv2/voice_ui sound.lv2/sound sound.lv2/sound_ui; do
  [ -e "$plugins/meanwave-$object.so" ] || fail "no meanwave-$object.so in $plugins"
done

if command -v lv2_validate > /dev/null; then
  said=$(lv2_validate "$plugins"/meanwave-*.lv2/*.ttl 2>&1) || failed=1
  case $said in
    *"Found 0 errors"*) ;;
    *) fail "$said" ;;
  esac
fi

# the simplest of hosts
if command -v lv2bench > /dev/null; then
  for uri in urn:meanwave:voice urn:meanwave:voice-stereo urn:meanwave:sound; do
    said=$(timeout 100 lv2bench -b 64 -n 48000 $uri 2>&1) || failed=1
    case $said in
      [0-9]*.[0-9]*" $uri") ;;
      *) fail "lv2bench: $said" ;;
    esac
  done
fi
exit $failed
