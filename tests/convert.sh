#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# meanwave convert as it is used on many files: folders, pipes, threads, what fails, what is stopped.
. "$(dirname "$0")/common.bash"
convert() { "$program" convert -V birch "$@"; }

# make_wav FILE RATE CHANNELS SECONDS: noise, 16 bit
make_wav() {
  python3 - "$@" <<'PY'
import random, sys, wave
name, rate, channels, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
noise = random.Random(len(name))
with wave.open(name, "wb") as file:
    file.setnchannels(channels)
    file.setsampwidth(2)
    file.setframerate(rate)
    file.writeframes(noise.randbytes(2 * int(rate * seconds) * channels))
PY
}
# frames FILE: of a float WAV
frames() { python3 -c 'import struct,sys
data = open(sys.argv[1], "rb").read()
at = data.index(b"data")
size = struct.unpack("<I", data[at + 4:at + 8])[0]
assert size == len(data) - at - 8, "the header lies"
print(size // 4)' "$1"; }

mkdir -p "$work/in/deep" "$work/in/.hidden"
make_wav "$work/in/a.wav" 16000 1 0.7
make_wav "$work/in/deep/b.wav" 22050 2 0.5
make_wav "$work/in/deep/short.wav" 48000 1 0.01
cp "$work/in/a.wav" "$work/in/.hidden/a.wav"
echo "no sound" >"$work/in/broken.wav"
echo "no sound" >"$work/in/readme.txt"

# a folder: what is no sound is left alone, what fails is told and stops nothing
gives 2 convert "$work/in" -o "$work/made/"
says "--recursive"
gives 1 convert -q -r -j 2 "$work/in" -o "$work/made/"
says "broken.wav"
check "one line of what failed" test "$(wc -l <"$work/err")" = 1
check "what was made" test "$(cd "$work/made" && find . -type f | sort | tr '\n' ' ')" = \
  "./a.wav ./deep/b.wav ./deep/short.wav "
check "length of a" test "$(frames "$work/made/a.wav")" = 11200
check "length of b" test "$(frames "$work/made/deep/b.wav")" = 11025
check "length of short" test "$(frames "$work/made/deep/short.wav")" = 480

# again: nothing is done twice, and nothing overwritten
touch -d 2001-01-01 "$work/made/a.wav"
rm "$work/made/deep/b.wav"
gives 1 convert -r --resume --json "$work/in/" -o "$work/made"
check "objects" python3 - "$work/out" <<'PY'
import json, os, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
states = {os.path.basename(row["input"]): row["status"] for row in rows}
assert states == {"a.wav": "skipped", "b.wav": "done", "broken.wav": "failed",
                  "short.wav": "skipped"}, states
assert all(row["took_s"] >= 0 for row in rows)
PY
check "a stayed" test "$(date -r "$work/made/a.wav" +%Y)" = 2001
gives 1 convert -q "$work/in/a.wav" -o "$work/made/"
says "exists already"

# one thread or two, a file or a pipe: the same bits
gives 1 convert -q -r -j 1 "$work/in" -o "$work/one/"
check "threads change no bit" diff -r "$work/made" "$work/one"
gives 0 convert "$work/in/a.wav" -o -
check "to standard output" cmp "$work/out" "$work/one/a.wav"
"$program" convert -V birch - <"$work/in/a.wav" >"$work/piped.wav" 2>"$work/err"
check "through pipes" cmp "$work/piped.wav" "$work/one/a.wav"
tail -c +45 "$work/in/deep/b.wav" | convert --raw s16le:22050:2 - -o "$work/raw.wav" 2>"$work/err"
check "raw in" cmp "$work/raw.wav" "$work/one/deep/b.wav"
tail -c +45 "$work/in/a.wav" | convert --raw s16le:16000 - >"$work/raw" 2>"$work/err"
check "raw out has the length of raw in" test "$(stat -c %s "$work/raw")" = 22400
# raw samples pass while they come, before their end is known
mkfifo "$work/fifo"
convert --raw s16le:16000 - <"$work/fifo" >"$work/raw2" 2>"$work/err" &
pid=$!
exec 9>"$work/fifo"
tail -c +45 "$work/in/a.wav" >&9
wait_for 10 eval '[ "$(stat -c %s "$work/raw2")" -ge 8000 ]'
check "raw passes through" test "$(stat -c %s "$work/raw2")" -ge 8000
exec 9>&-
wait "$pid"
check "and ends" cmp "$work/raw" "$work/raw2"

# formats by name; channels
for ending in flac ogg aiff; do
  mkdir "$work/$ending"
  gives 0 convert -q "$work/in/a.wav" -o "$work/$ending/$ending.$ending"
done
gives 0 convert -q --mix 0 --format wav "$work/flac/flac.flac" "$work/ogg/ogg.ogg" \
  "$work/aiff/aiff.aiff" -o "$work/read/"
for ending in flac ogg aiff; do
  check "$ending keeps the length" test "$(frames "$work/read/$ending.wav")" = 11200
done
gives 0 convert -q --format flac "$work/in/a.wav" -o "$work/flacs/"
check "the format of a folder" test -s "$work/flacs/a.flac"
gives 0 convert -q -c 2 "$work/in/deep/b.wav" -o "$work/second.wav"
check "a channel is not the mean" test ! "$(cmp "$work/second.wav" "$work/one/deep/b.wav")" = ""
gives 1 convert -q -c 3 "$work/in/deep/b.wav" -o "$work/third.wav"
says "there is no channel 3, it has 2"

# controls: the dry sound is the input, gain is gain, a gate above all is silence
gives 0 convert -q --mix 0 "$work/in/a.wav" -o "$work/dry.wav"
gives 0 convert -q --pitch 4 "$work/in/a.wav" -o "$work/high.wav"
check "pitch moves" test ! "$(cmp "$work/high.wav" "$work/one/a.wav")" = ""
gives 0 convert -q --mix 0 --gain -6.0206 "$work/in/a.wav" -o "$work/half.wav"
gives 0 convert -q --gate 0 "$work/in/a.wav" -o "$work/gated.wav"
check "controls" python3 - "$work" <<'PY'
import array, sys
def read(name):
    data = open(sys.argv[1] + "/" + name, "rb").read()
    return array.array("f" if name[0] != "i" else "h", data[data.index(b"data") + 8:])
source, dry, half, gated = map(read, ("in/a.wav", "dry.wav", "half.wav", "gated.wav"))
assert all(abs(a / 32768 - b) < 1e-6 for a, b in zip(source, dry))
assert all(abs(a / 65536 - b) < 1e-6 for a, b in zip(source, half))
assert not any(gated)
PY

# MeanVC 2 runs as many steps as published, two, unless told otherwise
small=$data/golden/meanvc/e2e_v2_40ms
mkdir "$work/second"
ln -s "$small/model.safetensors" "$work/second/meanvc2_40ms_40ms.safetensors"
ln -s "$small/fastu2pp.pt" "$work/second/fastu2pp_80ms.pt"
ln -s "$small/vocos.pt" "$work/second/vocos.pt"
python3 - "$work/second/small.voice" <<'PY'
import hashlib, json, struct, sys
values = [0.1 * i for i in range(16)], [0.5] * (50 * 80)
header = {"__metadata__": {"format": "meanwave-voice-1", "name": "small", 
                           "speaker_space": hashlib.sha256(struct.pack("<Q", 16)).hexdigest()},
          "embedding": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]},
          "prompt": {"dtype": "F32", "shape": [50, 80], "data_offsets": [64, 64 + 16000]}}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for part in values:
        file.write(struct.pack("<%df" % len(part), *part))
PY
for steps in "" "--steps 2" "--steps 1"; do
  gives 0 "$program" convert -q --model "$work/second" -V "$work/second/small.voice" $steps \
    "$work/in/a.wav" -o "$work/second/out${steps#--steps }.wav"
done
check "two steps" cmp "$work/second/out.wav" "$work/second/out2.wav"
gives 0 "$program" convert -q --model "$work/second" -V "$work/second/small.voice" --guess-ahead \
  "$work/in/a.wav" -o "$work/second/guessed.wav"
check "a guess is heard" test ! "$(cmp "$work/second/guessed.wav" "$work/second/out.wav")" = ""
check "length of a guess" test "$(frames "$work/second/guessed.wav")" = 11200
gives 1 "$program" convert -q --model "$work/second" --vocoder "$data/golden/sound/vocoder.safetensors" -V birch \
  "$work/in/a.wav" -o "$work/second/other.wav"
says "a vocoder of its own"
check "one is not two" test ! "$(cmp "$work/second/out1.wav" "$work/second/out2.wav")" = ""

# wrong use: one line, exit code 2
gives 2 convert "$work/in/a.wav" "$work/in/deep/b.wav" -o "$work/x.wav"
says "many inputs want a folder"
gives 2 convert "$work/in/a.wav" "$work/in/.hidden/a.wav" -o "$work/x/"
says "would both become"
gives 2 convert -y "$work/in/a.wav" -o "$work/in/a.wav"
says "is the input itself"
gives 2 convert --channel=none "$work/in/a.wav" -o "$work/x.wav"
gives 2 convert --format=mp9 "$work/in/a.wav" -o "$work/x/"
gives 2 convert --guess-ahead --published-loop "$work/in/a.wav" -o "$work/x.wav"
says "exclude each other"
gives 2 convert --json - -o -
gives 2 convert - "$work/in/a.wav" -o "$work/x/"
gives 2 convert --pitch=25 "$work/in/a.wav" -o "$work/x.wav"
gives 1 convert --raw u8:8000 - -o "$work/x.wav"
says "s16le:48000"
gives 1 convert - -o "$work/x.wav"
says "standard input"
gives 1 convert "$work/in/a.wav" -o /proc/none/x.wav
mkdir "$work/empty"
gives 2 convert -r "$work/empty" -o "$work/x/"
says "no sound file"
gives 2 script -qec "$program convert -V birch '$work/in/a.wav' -o -" /dev/null
check "no sound to a terminal" grep -q "is a terminal" "$work/out"

# a bar with the time left, on a terminal only
make_wav "$work/long.wav" 16000 1 15
script -qec "$program convert -V birch '$work/long.wav' -o '$work/long-out.wav'" /dev/null >"$work/tty"
check "a bar" grep -q "converting \[#.* s left" "$work/tty"
check "no bar elsewhere" test "$(convert -y "$work/in/a.wav" -o "$work/y.wav" 2>&1)" = "$work/y.wav"

# stopped: no half file, the rest is told, and a second run finishes it
mkdir "$work/many"
for i in 1 2; do cp "$work/long.wav" "$work/many/$i.wav"; done
for signal in INT TERM; do
  rm -rf "$work/stopped"
  # a background job of a shell ignores SIGINT unless it is told otherwise
  python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$program" convert -V birch -j 1 -r "$work/many" \
    -o "$work/stopped/" 2>"$work/err" &
  pid=$!
  wait_for 20 test -e "$work/stopped/1.wav"
  kill -"$signal" "$pid"
  wait "$pid"
  check "SIG$signal gives 1" test $? = 1
  says "--resume goes on"
  check "nothing half done after SIG$signal" test -z "$(find "$work/stopped" -name '*.part')"
  for file in "$work"/stopped/*.wav; do
    check "whole: $file" cmp "$file" "$work/long-out.wav"
  done
done
gives 0 convert -q --resume -r "$work/many" -o "$work/stopped/"
check "all is there" test "$(find "$work/stopped" -name '?.wav' | wc -l)" = 2
check "no temporary file anywhere" test -z "$(find "$work" -name '*.part')"

finish
