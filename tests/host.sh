#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The program as a user meets it: exit codes, where words go, files that stay whole.
. "$(dirname "$0")/common.bash"

# same A B yes|no: whether two files are to be equal
same() {
  if cmp -s "$1" "$2"; then local equal=yes; else local equal=no; fi
  check "$1 and $2 equal: $equal, wanted $3" test "$equal" = "$3"
}

expect 2 "usage: meanwave VERB" "$program"
expect 0 "" "$program" --help
holds "bench"
expect 0 "" "$program" --version
holds "GPL-3.0-or-later"
expect 0 "" "$program" vocode --help
holds "--output FILE"
expect 2 "unknown verb 'sing'" "$program" sing
expect 2 "unknown option --loud" "$program" vocode --loud
expect 2 "wants a value" "$program" vocode -o
expect 2 "takes no value" "$program" vocode --yes=1 a
expect 2 "wants a whole number" "$program" bench kernels --repeat=many
expect 2 "say what goes where" "$program" vocode
expect 1 "none.wav" "$program" vocode "$work/none.wav" -o "$work/x.wav"
expect 3 "no vocoder.safetensors" env MEANWAVE_MODELS="$work" HOME="$work" XDG_DATA_HOME="$work" "$program" vocode a -o b.wav
# right after the build, with nothing told and nothing installed
bare=(env -u MEANWAVE_MODELS -u MEANWAVE_PRESETS HOME="$work" XDG_DATA_HOME="$work" XDG_DATA_DIRS="$work" "$program")
expect 0 "" "${bare[@]}" voice list
holds "birch"
expect 0 "" "${bare[@]}" presets list
holds "rain"
expect 0 "" "${bare[@]}" generate -q --prompt rain --seconds 0.2 -o "$work/bare.wav"
expect 2 "no size 'huge'" "$program" bench voice --size huge
expect 2 "no size 'huge': s, l or default" "$program" bench sound --size huge
expect 2 "--dtype is f32, f16, bf16 or int8" "$program" bench sound --dtype f12
expect 0 "" "$program" bench sound --size default --seconds 1 --json
expect 0 "" "$program" bench voice --size default --repeat 5 --json
holds '"name":"total","rtf":'
expect 0 "" "$program" --man
holds ".SS meanwave vocode"
expect 0 "" "$program" --completion bash
check "bash completion" bash -n "$work/out"
expect 0 "" "$program" --completion zsh
holds "#compdef meanwave"
! command -v zsh >/dev/null || check "zsh completion" zsh -n "$work/out"
expect 0 "" "$program" help live
holds "--virtual-mic"
# completes WORDS WORD...: what bash would offer for the last word
completes() {
  local wanted=$1
  shift
  check "completion of $*: $(complete_words "$@")" test "$(complete_words "$@")" = "$wanted"
}
complete_words() {
  (. <("$program" --completion bash)
   cd "$work"
   COMP_WORDS=(meanwave "$@") COMP_CWORD=$#
   _meanwave
   printf '%s;' "${COMPREPLY[@]}")
}
: >"$work/two words"
completes "devices;" de
completes "show;" presets sh
completes "info;import;" models i
completes "--recursive;" convert --rec
completes "--record;" live --rec
completes "two words;" convert tw

# two seconds of noise as a WAV: 44-byte header, 16 bit, 22050 Hz, mono
{
  printf 'RIFF\xac\x58\x01\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x22\x56\x00\x00\x44\xac\x00\x00\x02\x00\x10\x00data\x88\x58\x01\x00'
  head -c 88200 /dev/urandom
} >"$work/in.wav"
{
  head -c 44 "$work/in.wav"
  head -c 88200 /dev/zero
} >"$work/silent.wav"
expect 0 "" "$program" -h
expect 0 "" "$program" vocode -q "$work/in.wav" -y -o "$work/first.wav"
expect 0 "out.wav" "$program" vocode "$work/in.wav" -o "$work/out.wav"
expect 1 "exists already" "$program" vocode "$work/in.wav" -o "$work/out.wav"
expect 2 "say what goes where" "$program" vocode -- "$work/in.wav" -o "$work/out.wav"
expect 1 "name it .wav" "$program" vocode "$work/in.wav" -o "$work/out.mp9"
expect 0 "" "$program" voice list
holds "birch"
expect 0 "" "$program" voice list --json
holds '"voice":"birch"'
expect 2 "say what to do" "$program" voice
expect 2 "say what to do" "$program" voice make "$work/in.wav"
expect 3 "no voice.safetensors" env MEANWAVE_MODELS="$work" HOME="$work" XDG_DATA_HOME="$work" "$program" voice list
check "one line about a missing model" test "$(wc -l <"$work/err")" = 1
expect 0 "" "$program" voice make -q "$work/in.wav" -o "$work/own.voice" --name own --consent "mine"
check "the voice is kept" test "$(find "$work/cache" -name '*.voice' | wc -l)" = 1
expect 1 "exists already" "$program" voice make "$work/in.wav" -o "$work/own.voice"
expect 0 "who allowed its use" "$program" voice mix birch cedar -o "$work/mix.voice"
expect 0 "" "$program" voice mix -q --share 0.2 "$work/own.voice" cedar -o "$work/mix2.voice"
expect 0 "" "$program" convert -q -V "$work/mix2.voice" "$work/in.wav" -o "$work/mixed.wav"
expect 0 "" "$program" voice show "$work/own.voice" birch
holds "consent: mine"
holds "source: sha256"
mkdir -p "$work/near/meanwave/voices" "$work/far/meanwave/voices"
cp "$work/own.voice" "$work/near/meanwave/voices/anna.voice"
cp "$work/own.voice" "$work/near/meanwave/voices/birch.voice"
cp "$work/own.voice" "$work/far/meanwave/voices/anna.voice"
cp "$work/own.voice" "$work/far/meanwave/voices/far.voice"
data=(env XDG_DATA_HOME="$work/near" XDG_DATA_DIRS="$work/far")
expect 0 "" "${data[@]}" "$program" voice list
holds "cedar"
holds "anna  (own: $work/near/meanwave/voices/anna.voice)"
holds "birch.voice  (own: $work/near/meanwave/voices/birch.voice)"
holds "far  (own: $work/far/meanwave/voices/far.voice)"
check "a name is listed once" test "$(grep -c "^anna" "$work/out")" = 1
expect 0 "" "${data[@]}" "$program" voice list --json
holds "\"voice\":\"anna\",\"own\":\"$work/near/meanwave/voices/anna.voice\""
expect 0 "" "${data[@]}" "$program" voice show anna birch.voice far
check "what is listed can be had" test "$(grep -c "consent: mine" "$work/out")" = 3
expect 0 "" "$program" voice show --json "$work/own.voice"
holds '"name":"own","reference_s":2'
expect 3 "there is no voice" "$program" voice show nobody
# a voice in the user's data has a name; a name in a file tells a terminal nothing
export XDG_DATA_HOME="$work/data"
mkdir -p "$work/data/meanwave/voices"
"$program" voice make -q "$work/in.wav" -o "$work/data/meanwave/voices/anna.voice" --name $'\e[31manna'
expect 0 "" "$program" voice show anna anna.voice
holds "name: ?[31manna"
expect 0 "" "$program" convert -q --voice anna -i "$work/in.wav" -o "$work/anna.wav"
check "a voice of the user's data" test -s "$work/anna.wav"
expect 2 "from 0 to 1" "$program" voice mix --share 2 birch cedar -o "$work/mix3.voice"
expect 1 "silen" "$program" voice make "$work/silent.wav" -o "$work/silent.voice"
expect 2 "say what becomes what" "$program" convert "$work/in.wav"
expect 3 "there is no voice 'nobody'" "$program" convert -V nobody "$work/in.wav" -o "$work/v.wav"
expect 2 "from 1 to 16" "$program" convert -V birch --steps 0 "$work/in.wav" -o "$work/v.wav"
expect 0 "" "$program" convert -q -V birch "$work/in.wav" -o "$work/v1.wav"
expect 0 "" "$program" convert -q -V birch "$work/in.wav" -o "$work/v2.wav"
expect 0 "" "$program" convert -q -V birch --seed=7 "$work/in.wav" -o "$work/v3.wav"
expect 0 "" "$program" convert -q -V "$work/in.wav" "$work/in.wav" -o "$work/v4.wav"
same "$work/v1.wav" "$work/v4.wav" no
head -c 20044 "$work/in.wav" >"$work/short.wav"
expect 1 "at least a second" "$program" convert -V "$work/short.wav" "$work/in.wav" -o "$work/v5.wav"
expect 1 "none.wav" "$program" convert -V "$work/none.wav" "$work/in.wav" -o "$work/v5.wav"
sleep 1.1 # a time stamp in the file would show
expect 0 "" "$program" convert -q -y -V birch "$work/in.wav" -o "$work/v2.wav"
same "$work/v1.wav" "$work/v2.wav" yes
same "$work/v1.wav" "$work/v3.wav" no
# 44100 frames of 32-bit float: the length of the input
check "the length of the converted sound" \
  test "$(stat -c %s "$work/v1.wav")" = "$(stat -c %s "$work/first.wav")"
check "no temporary file stays" test -z "$(find "$work" -name '*.part')"

finish
