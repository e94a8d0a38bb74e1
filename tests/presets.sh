#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# meanwave presets, and the presets that are shipped: each is for a voice the default model has, or a sound it makes.
. "$(dirname "$0")/common.bash"
export XDG_DATA_HOME="$work/data" XDG_DATA_DIRS=/none

python3 - "$work/in.wav" <<'PY'
import math, sys, wave
with wave.open(sys.argv[1], "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(16000)
    # the second half is softer than some gates, and long enough for them to close
    file.writeframes(b"".join(int((8000 if i < 8000 else 80) * math.sin(0.06 * i))
                              .to_bytes(2, "little", signed=True) for i in range(20000)))
PY

gives 0 "$program" presets list --json
check "no broken preset is shipped: $(cat "$work/err")" test ! -s "$work/err"
python3 - "$work/out" >"$work/names" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    row = json.loads(line)
    assert row["about"], row
    assert row["kind"] == "voice" or row["group"], row
    print(row["kind"], row["name"])
PY
check "every preset is described" test $? = 0
sed -n 's/^sound //p' "$work/names" >"$work/sounds"
sed -i -n 's/^voice //p' "$work/names"
check "at least eight voices" test "$(wc -l <"$work/names")" -ge 8
check "at least thirty sounds" test "$(wc -l <"$work/sounds")" -ge 30
check "no name twice" test -z "$(sort "$work/names" "$work/sounds" | uniq -d)"
while read -r name; do
  gives 0 "$program" presets render "$name" "$work/in.wav" -q -o "$work/voice-$name.wav"
done <"$work/names"
check "no two sound alike" test "$(sha256sum "$work"/voice-*.wav | cut -d' ' -f1 | sort -u | wc -l)" = \
  "$(wc -l <"$work/names")"

# every sound is heard, not clipped, and as long as it says; of one that loops, a second is made
while read -r name; do
  "$program" presets show "$name" >"$work/sound-$name.preset"
  if grep -q '^loop = yes' "$work/sound-$name.preset"; then
    gives 0 "$program" generate --preset "$name" --seconds 1 -q -o "$work/sound-$name.wav"
  else
    gives 0 "$program" presets render "$name" -q -o "$work/sound-$name.wav"
  fi
done <"$work/sounds"
python3 - "$work" "$work/sounds" >"$work/wrong" 2>&1 <<'PY'
import array, sys
for name in open(sys.argv[2]).read().split():
    path = "%s/sound-%s" % (sys.argv[1], name)
    keys = dict(line.rstrip("\n").split(" = ", 1) for line in open(path + ".preset") if " = " in line)
    content = open(path + ".wav", "rb").read()
    begin = content.index(b"data") + 8
    samples = array.array("f", content[begin:begin + int.from_bytes(content[begin - 4:begin], "little")])
    seconds = 1 if keys.get("loop") == "yes" else float(keys["seconds"])
    peak, level = max(map(abs, samples)), (sum(x * x for x in samples) / len(samples)) ** 0.5
    if len(samples) != round(16000 * seconds) or peak >= 1 or level < 10 ** (-45 / 20):
        print(name, len(samples), peak, level)
PY
check "name, samples, peak, level: $(cat "$work/wrong")" test ! -s "$work/wrong"

# a preset and its options; options win
gives 0 "$program" presets show duet
holds "voice = maple"
holds "mix = 0.5"
gives 0 "$program" convert -q --preset duet "$work/in.wav" -o "$work/a.wav"
check "render is convert" cmp "$work/a.wav" "$work/voice-duet.wav"
gives 0 "$program" convert -q -V maple --mix 0.5 --gate -60 "$work/in.wav" -o "$work/b.wav"
check "a preset is its options" cmp "$work/a.wav" "$work/b.wav"
gives 0 "$program" convert -q --preset duet --mix 1 "$work/in.wav" -o "$work/c.wav"
check "options go before the preset" test ! "$(cmp "$work/a.wav" "$work/c.wav")" = ""

# the user's own, with a voice beside it
mkdir -p "$XDG_DATA_HOME/meanwave/presets/mine"
gives 0 "$program" voice mix -q birch cedar --consent "nobody's" \
  -o "$XDG_DATA_HOME/meanwave/presets/mine/both.voice"
printf 'about = Half and half\nvoice = both.voice\n' >"$XDG_DATA_HOME/meanwave/presets/mine/half.preset"
printf 'prompt = rain\nseed = 7\n' >"$XDG_DATA_HOME/meanwave/presets/mine/drizzle.preset"
printf 'voice = birch\nvolume = 3\n' >"$XDG_DATA_HOME/meanwave/presets/broken.preset"
gives 0 "$program" presets list
holds "Half and half"
check "listed by group" test "$(grep -c "^sounds: nature" "$work/out")" = 1
says "broken.preset, line 2: there is no key 'volume'"
gives 0 "$program" presets render half "$work/in.wav" -q -o "$work/half.wav"
printf 'prompt = rain\nseed = 4294967295\n' >"$XDG_DATA_HOME/meanwave/presets/mine/last.preset"
gives 0 "$program" presets show last duet
holds "seed = 4294967295"
holds "mix = 0.5"
gives 0 "$program" presets show drizzle --json
holds '"prompt":"rain","seed":7'
gives 1 "$program" presets show nothing
says "there is no preset 'nothing'"
gives 2 "$program" convert --preset drizzle "$work/in.wav" -o "$work/x.wav"
says "the preset of a sound"
gives 1 "$program" convert --preset broken "$work/in.wav" -o "$work/x.wav"
gives 1 "$program" convert --preset /dev/null.preset "$work/in.wav" -o "$work/x.wav"
gives 2 "$program" presets
gives 2 "$program" presets render duet
says "say what it is to speak"

# a sound on the small model of the golden values: a preset is its options
golden=$data/golden/sound
cat >"$XDG_DATA_HOME/meanwave/presets/mine/small.preset" <<END
model = $golden/sound.safetensors
prompt = $(sed -n 's/.*"prompt": *"\([^"]*\)".*/\1/p' "$golden/plain/config.json")
seed = 7
seconds = 0.5
loop = yes
loudness = -30
END
prompt=$(sed -n 's/^prompt = //p' "$XDG_DATA_HOME/meanwave/presets/mine/small.preset")
small=(--vocoder "$golden/vocoder.safetensors" -q)
gives 0 "$program" generate --preset small "${small[@]}" -o "$work/preset.wav"
gives 0 "$program" generate --model "$golden/sound.safetensors" --prompt "$prompt" --seed 7 \
  --seconds 0.5 --loop --loudness -30 "${small[@]}" -o "$work/options.wav"
check "a sound's preset is its options" cmp "$work/preset.wav" "$work/options.wav"
gives 0 "$program" generate --preset small --seed 8 "${small[@]}" -o "$work/eight.wav"
check "options go before a sound's preset" test ! "$(cmp "$work/preset.wav" "$work/eight.wav")" = ""
gives 2 "$program" generate --preset duet -o "$work/x.wav"
says "the preset of a voice"
gives 2 "$program" presets render small "$work/in.wav" -o "$work/x.wav"
says "takes no recording"

finish
