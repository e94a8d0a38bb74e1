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
    case $symbols in
      *__asan* | *__tsan* | *__ubsan*) ;; # a sanitizer brings its own
      lv2_descriptor) ;;
      *) fail "$object exports more than lv2_descriptor:" $symbols ;;
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
[ -e "$plugins/meanwave-voice.lv2/voice.so" ] || fail "no Meanwave Voice in $plugins"

if command -v lv2_validate > /dev/null; then
  said=$(lv2_validate "$plugins"/meanwave-*.lv2/*.ttl 2>&1) || failed=1
  case $said in
    *"Found 0 errors"*) ;;
    *) fail "$said" ;;
  esac
fi
exit $failed
