#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Meanwave Voice in Ardour without a screen: a preset with a voice file, save, open again, latency
# that is compensated to the frame, and an export that is what `meanwave convert` makes.
set -eu

for tool in ardour7-lua flite sox python3; do
  if ! command -v $tool > /dev/null; then
    echo "skipped 1: $tool is not installed, and no session of Ardour's was made"
    exit 0
  fi
done
scripts=$(dirname "$0")/ardour
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -m 700 "$folder/run"
export HOME=$folder XDG_RUNTIME_DIR=$folder/run FOLDER=$folder SESSION=$folder/session
unset DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME

# A preset with a file of its own.
bundle=$folder/lv2/file.lv2
mkdir -p "$bundle"
"$MEANWAVE_PROGRAM" voice mix cedar birch --share 0.3 -o "$bundle/mixed.voice" -q
cat > "$bundle/manifest.ttl" << 'END'
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix pset: <http://lv2plug.in/ns/ext/presets#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix state: <http://lv2plug.in/ns/ext/state#> .
<urn:test:preset> a pset:Preset ; lv2:appliesTo <urn:meanwave:voice> ; rdfs:label "from a file" ;
  lv2:port [ lv2:symbol "voice" ; pset:value 0.0 ] , [ lv2:symbol "pitch" ; pset:value -3.0 ] ;
  state:state [ <urn:meanwave:voice:file> <mixed.voice> ] .
END
export LV2_PATH=$folder/lv2:$LV2_PATH

flite -voice rms -t "A voice belongs to a person. This one belongs to nobody." -o "$folder/spoken.wav"
sox -V1 "$folder/spoken.wav" -r 48000 -c 1 -b 16 "$folder/in.wav"
export FRAMES=$(soxi -V1 -s "$folder/in.wav")

# Sounds as they are: no dither, no rate but the session's.
mkdir -p "$folder/.config/ardour7/export"
cat > "$folder/.config/ardour7/export/float.preset" << 'END'
<?xml version="1.0" encoding="UTF-8"?>
<ExportPreset id="2f6a3c1e-7d52-4b0e-9a36-0c1d5e8f7a42" name="float">
  <ExportFormat id="20b4ab09-6452-4cb3-bd66-b921cdbd2942"/>
  <ExportFilename>
    <Folder relative="1" path="export"/>
    <Field name="timespan" enabled="1"/>
  </ExportFilename>
</ExportPreset>
END

# From 7.3 to 8.4 Ardour's sums with AVX-512 go up to seven samples beyond the end of a buffer when it
# does not begin at a multiple of 64 bytes; exports then abort with "invalid next size" or "double free",
# with or without a plugin. In plain C it adds what it should, so it has to end well.
export ARDOUR_FPU_FLAGS=0
session() {
  timeout 200 ardour7-lua "$scripts/$1" > "$folder/said" 2>&1 || {
    code=$?
    cat "$folder/said"
    echo "Ardour ended with $code"
    exit 1
  }
}
expect() {
  grep -Eq "$1" "$folder/said" || { cat "$folder/said"; echo "Ardour did not say '$1'"; exit 1; }
}

session make.lua
expect "^made"
cp "$folder/in.wav" "$SESSION"/interchange/*/audiofiles/
grep -rq "mixed.voice" "$SESSION/plugins"
python3 "$scripts/session.py" place "$SESSION" in.wav "$FRAMES"
for share in 100 0; do
  MIX=$share NAME=mix$share session render.lua
  expect "^value 2.0"
  expect "^value 3.-3"
  expect "^latency.[1-9][0-9]+.[1-9]"
  expect "^rendered.true"
  cp "$folder/said" "$folder/said.$share"
  sox -V1 "$folder/mix$share.wav" "$folder/mono$share.wav" remix 1
done
sox -V1 "$folder/in.wav" -e float -b 32 "$folder/in_float.wav"
python3 "$scripts/session.py" equal "$folder/in_float.wav" "$folder/mono0.wav"
# what the plugin has heard since it was opened, and the beginning's place in Ardour's periods
read -r heard period <<< "$(sed -n 's/^heard//p' "$folder/said.100")"
latency=$(sed -n 's/^latency.\([0-9]*\).*/\1/p' "$folder/said.100")
python3 "$scripts/session.py" converted "$folder/in_float.wav" "$folder/mono100.wav" \
  "$heard" "$period" "$latency" --voice "$bundle/mixed.voice" --pitch -3
