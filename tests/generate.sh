#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# meanwave generate as a user meets it, on small models: names, formats, texts in the files, what is
# refused and what is left behind.
. "$(dirname "$0")/common.bash"
# refused CODE WORDS OPTIONS...: one line, and no file
refused() {
  local code=$1 words=$2 files
  shift 2
  refuse "$code" "$words" generate "$@" -o "$work/none.wav"
  files=("$work"/none*)
  check "a file stayed: ${files[*]}" [ ! -e "${files[0]}" ]
}
small=(--model "$data/golden/sound/sound.safetensors" --vocoder "$data/golden/sound/vocoder.safetensors")
# one thread, for these sounds are small; a later -j goes before it
generate() { "$program" generate "${small[@]}" -q -j 1 "$@"; }
loudly() { "$program" generate "${small[@]}" -j 1 "$@"; }
bytes() { stat -c %s "$1"; }

# one sound: its length, the same bits again, other seeds other bits
expect 0 "" generate --prompt "a dog barking" -t 0.5 -o "$work/a.wav"
expect 0 "" generate -p "a dog barking" -t 0.5 -s 42 -j 3 -o "$work/b.wav"
check "the same wish gave other bytes" cmp -s "$work/a.wav" "$work/b.wav"
expect 0 "" generate -p "a dog barking" -t 0.5 -s 43 -o "$work/c.wav"
check "another seed gave the same bytes" test "$(cmp -s "$work/a.wav" "$work/c.wav"; echo $?)" = 1
expect 1 "exists already; -y replaces it" generate -p dog -o "$work/a.wav"
expect 0 "" generate -p dog -t 0.2 -y -o "$work/c.wav"
holds "a dog barking" "$work/a.wav"
holds "model: Meanwave default sound model; seed: 42; steps: 1; seconds: 0.5" "$work/a.wav"
expect 0 "a.flac" loudly -p "a dog" -t 0.3 -r 44100 --loudness -20 -o "$work/a.flac"
holds "a dog" "$work/a.flac"
expect 0 "" generate -p "a dog" -t 0.3 --peak -3 --fade-in 0.05 --fade-out 0.1 -o "$work/a.ogg"
holds "seed: 42" "$work/a.ogg"
generate -p dog -t 0.2 -o - >"$work/piped.wav"
expect 1 "name it .wav" generate -p dog -t 0.2 -o ""
check "piped sound differs" cmp -s "$work/piped.wav" "$work/c.wav"

# one second of 32-bit float at 48 kHz, the header apart
expect 0 "" generate -p wind -t 1 -r 48000 --loop -o "$work/loop.wav"
check "the loop has another length" test $(($(bytes "$work/loop.wav") / 1000)) = 192

# from a sound, and between two
expect 0 "" generate -p piano --from "$work/a.wav" --strength 0.3 -o "$work/from.wav"
holds "from a sound, strength: 0.3" "$work/from.wav"
expect 0 "" generate -p piano --from "$work/a.wav" -o "$work/from_usual.wav"
holds "from a sound, strength: 0.6" "$work/from_usual.wav"
check "from.wav is not as long as what it starts from" \
  test $(($(bytes "$work/from.wav") / 1000)) = $(($(bytes "$work/a.wav") / 1000))
expect 0 "" generate -p piano --morph-prompt thunder --morph 0.3 -t 0.3 -o "$work/m1.wav"
expect 0 "" generate -p piano --morph-seed 7 -t 0.3 -o "$work/m2.wav"
holds "morph seed: 7; morph: 0.5" "$work/m2.wav"

# variations, lists and shares of them
mkdir "$work/many"
expect 0 "" generate -p "Slow, bright piano!" -t 0.1 -n 3 -s 9 -o "$work/many/v.wav"
expect 0 "" generate -p "Slow, bright piano!" -t 0.1 -s 9 -o "$work/many"
check "names of variations: $(ls "$work/many" | tr '\n' ' ')" \
  test "$(ls "$work/many" | tr '\n' ' ')" = "slow-bright-piano-9.wav v-10.wav v-11.wav v-9.wav "
check "a variation is not the sound of its seed" cmp -s "$work/many/v-9.wav" "$work/many/slow-bright-piano-9.wav"
printf 'a dog\n\n  distant thunder \r\nwind\n' >"$work/list.txt"
expect 0 "" generate --prompts "$work/list.txt" -t 0.1 -n 2 -f flac -o "$work/all/"
check "names of a list: $(ls "$work/all" | tr '\n' ' ')" test "$(ls "$work/all" | tr '\n' ' ')" = \
  "1-a-dog-42.flac 1-a-dog-43.flac 2-distant-thunder-42.flac 2-distant-thunder-43.flac 3-wind-42.flac 3-wind-43.flac "
for share in 1 2 3 4; do
  expect 0 "" generate --prompts "$work/list.txt" -t 0.1 -n 2 -f flac --shard $share/4 -o "$work/shares/"
done
check "shares are not the whole" diff -r "$work/all" "$work/shares"
expect 0 "" generate --prompts "$work/list.txt" -t 0.1 -n 2 -f flac --jobs 3 -o "$work/jobs/"
check "sounds made at once are not the same" diff -r "$work/all" "$work/jobs"
rm "$work/all/2-distant-thunder-43.flac"
expect 0 "1 done, 5 skipped, 0 failed" loudly --prompts "$work/list.txt" -t 0.1 -n 2 -f flac --resume -o "$work/all/"
expect 0 "" generate --json --prompts "$work/list.txt" -t 0.1 -n 2 -f flac -y -o "$work/all/"
holds '"status":"done"' "$work/out"
check "an object a sound" test "$(wc -l <"$work/out")" = 6

# words about the prompt and the length
expect 0 "the model does not know 2 of its words ('xyzzy', ...)" loudly -p "dog xyzzy plugh" -t 0.1 -o "$work/w1.wav"
expect 0 "only the first 8 of 9 tokens are read" loudly -p "dog dog dog dog dog dog dog dog dog" -t 0.1 -o "$work/w2.wav"
expect 0 "was trained on sounds of 10 s" loudly -p "dog" -t 0.1 -o "$work/w3.wav"
expect 0 "--negative has no say without --guidance" loudly -p "dog" --negative piano -t 0.1 -o "$work/w4.wav"

# what makes no sense
refused 2 "the prompt is empty" -p ""
refused 2 "the prompt is empty" -p "   "
refused 2 "wanted at most 4096" -p "$(head -c 5000 /dev/zero | tr '\0' a)"
refused 2 "the prompt is not UTF-8: byte 0xFF at place 5" -p $'dog \xff'
refused 2 "control character (U+0007) at byte 4" -p $'dog\a'
refused 2 "no English word" -p "😀"
refused 2 "knows no word of the prompt" -p "xyzzy"
refused 2 "from 0.1 to 300" -p dog -t 0
refused 2 "from 0.1 to 300" -p dog -t 1e9
refused 2 "from 0.1 to 300" -p dog -t nan
refused 2 "from 0.1 to 300" -p dog -t -3
refused 2 "from 1 to 200" -p dog --steps 0
refused 2 "from 1 to 200" -p dog --steps 1000000
refused 2 "whole number" -p dog --seed 1.5
refused 2 "whole number" -p dog --seed -1
refused 2 "whole number" -p dog --seed 4294967296
refused 2 "beyond the last seed" -p dog --seed 4294967295 -n 2
refused 2 "as 1/8 to 8/8" -p dog --shard 0/2
refused 2 "as 1/8 to 8/8" -p dog --shard 3/2
refused 2 "as 1/8 to 8/8" -p dog --shard 1-2
refused 2 "say what is to be heard" -t 1
refused 2 "say what is to be heard" -p dog --prompts "$work/list.txt"
refused 2 "goes behind --prompt" dog
refused 2 "a loop has no ends" -p dog --loop --fade-out 1
refused 2 "--strength is of the sound" -p dog --strength 0.5
refused 2 "--morph wants something" -p dog --morph 0.5
refused 2 "no.txt" --prompts "$work/no.txt"
: >"$work/empty.txt"
refused 2 "there is no prompt in it" --prompts "$work/empty.txt"
printf 'dog\n\xff\n' >"$work/odd.txt"
refused 2 "prompt 2: the prompt is not UTF-8" --prompts "$work/odd.txt"
refused 2 "holds a zero byte" --prompts /proc/self/environ
expect 2 "wav, flac, aiff or ogg" generate -p dog -f mp9 -o "$work/many"
expect 2 "do not fit into standard output" generate -p dog -n 2 -o -
expect 1 "name it .wav" generate -p dog -t 0.1 -o "$work/none.mp9"
refused 1 "no.wav" -p dog --from "$work/no.wav"
refused 1 "list.txt" -p dog --from "$work/list.txt"
check "a file stayed" [ -z "$(find "$work" -name 'none*' -o -name '*.part')" ]

# models that are not there, or not whole
expect 3 "no sound.safetensors" env MEANWAVE_MODELS="$work" HOME="$work" XDG_DATA_HOME="$work" \
  XDG_DATA_DIRS="$work" "$program" generate -p dog -o "$work/none.wav"
small=(--model "$work/none.safetensors")
refused 3 "none.safetensors" -p dog
head -c 10000 "$data/golden/sound/sound.safetensors" >"$work/cut.safetensors"
small=(--model "$work/cut.safetensors")
refused 3 "is the download complete?" -p dog
small=(--model "$data/golden/sound/vocoder.safetensors")
refused 3 "neither a sound bundle nor MeanAudio's transformer" -p dog

# a folder of published files
folder=$work/published
golden=$data/golden/meanaudio
mkdir -p "$folder/flan-t5-large" "$folder/roberta-base"
cp "$golden/transformer/meanaudio_tiny.pth" "$folder/meanaudio_s_full.pth"
cp "$golden/flux_sampler/fluxaudio_tiny.pth" "$folder/fluxaudio_s_full.pth"
cp "$golden/vae_decoder/v1_tiny.pth" "$folder/v1-16.pth"
cp "$golden/bigvgan/best_netG_tiny.pt" "$folder/best_netG.pt"
cp "$golden/clap_text/clap_tiny.pt" "$folder/music_speech_audioset_epoch_15_esc_89.98.pt"
cp "$golden/t5_encoder/model.safetensors" "$data/tokenizers_small/spiece.model" "$folder/flan-t5-large"
cp "$data/tokenizers_small/vocab.json" "$data/tokenizers_small/merges.txt" "$folder/roberta-base"
small=(--model "$folder")
expect 0 "" generate -p "rain on a tin roof 😀" -t 0.2 -o "$work/p1.wav"
holds "model: meanaudio_s_full; seed: 42; steps: 1" "$work/p1.wav"
small=(--model "$folder/fluxaudio_s_full.pth")
expect 0 "" generate -p "rain" --negative "wind" -t 0.2 -o "$work/p2.wav"
holds "steps: 25; seconds: 0.2; guidance: 4.5; negative: wind" "$work/p2.wav"
# the same from one bundle beside the tokenizers
mkdir "$work/bundle"
cp "$folder"/*/{spiece.model,vocab.json,merges.txt} "$work/bundle" 2>/dev/null
"$program" models import -q "$folder/meanaudio_s_full.pth" "$folder/v1-16.pth" "$folder/best_netG.pt" \
  "$folder/music_speech_audioset_epoch_15_esc_89.98.pt" "$folder/flan-t5-large/model.safetensors" \
  -o "$work/bundle/meanaudio_s_full.mw"
small=(--model "$work/bundle/meanaudio_s_full.mw")
expect 0 "" generate -p "rain on a tin roof 😀" -t 0.2 -o "$work/p3.wav"
check "the bundle sounds otherwise" cmp -s "$work/p1.wav" "$work/p3.wav"
small=(--model "$folder" --vocoder "$data/golden/sound/vocoder.safetensors")
refused 3 "a vocoder of its own" -p rain
small=(--model "$folder")
head -c 100000 "$golden/vae_decoder/v1_tiny.pth" >"$folder/v1-16.pth"
refused 3 "v1-16.pth" -p rain
cp "$golden/vae_decoder/v1_tiny.pth" "$folder/v1-16.pth"
cp "$golden/tokenizers/spiece.model" "$folder/flan-t5-large"
refused 3 "do not belong together" -p rain
rm "$folder/flan-t5-large/spiece.model"
refused 3 "there is no spiece.model in it" -p rain

# a disk without room: told, and nothing is left
small=(--model "$data/golden/sound/sound.safetensors" --vocoder "$data/golden/sound/vocoder.safetensors")
(ulimit -f 4; trap '' XFSZ; refused 1 "is the disk full?" -p dog -t 1
 [ "$failed" = 0 ]) || bad "a full disk"
expect 1 "a.wav/x.wav" generate -p dog -o "$work/a.wav/x.wav"

# Ctrl-C: the files that are done stay, nothing else does
"$program" generate "${small[@]}" -j 1 -p dog -t 60 -n 500 -o "$work/stopped/" 2>"$work/err" &
pid=$!
wait_for 10 eval '[ "$(ls "$work/stopped" | wc -l)" -ge 2 ]'
kill -INT $pid
wait $pid
check "exit code of a stopped run" test $? = 1
holds "left; --resume goes on with them" "$work/err"
check "a half file stayed" [ -z "$(find "$work/stopped" -name '*.part')" ]
check "no bar without a terminal" test -z "$(grep -a $'\r' "$work/err")"

finish
