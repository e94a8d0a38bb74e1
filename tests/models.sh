#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# meanwave models: info and import as a user types them, exit codes and JSON.
. "$(dirname "$0")/common.bash"
small=$data/golden/meanvc

gives 0 "$program" models info "$small/vocos/vocos.pt"
holds "network: vocos-16k"
gives 0 "$program" models info --json "$small/vocos/vocos.pt"
check "one object per tensor" test "$(wc -l <"$work/out")" = 27
holds '"name":"head.istft.window","dtype":"F32","shape":[640]'
check "JSON" python3 -c 'import json,sys; [json.loads(line) for line in open(sys.argv[1])]' "$work/out"

gives 0 "$program" models import "$small/vocos/vocos.pt" "$small/dit_single/dit.safetensors" -o "$work/a.mw" \
  --dtype int8 --licence "CC0 1.0" --name "Two parts"
gives 0 "$program" models info "$work/a.mw"
holds "licence: CC0 1.0"
holds "name: Two parts"
holds "parts: vocoder=vocos-16k decoder=meanvc"
gives 1 "$program" models import "$small/vocos/vocos.pt" -o "$work/a.mw"
says "-y replaces it"
gives 0 "$program" models import "$small/vocos/vocos.pt" -o "$work/a.mw" -y

# small relatives of S and L; a bundle of several networks that lists none of them
gives 0 "$program" models info "$data/golden/meanaudio/transformer/meanaudio_tiny.pth"
holds "network: meanaudio-s is nearest, of other sizes:"
holds "meanaudio-l has [2560, 896, 7], meanaudio-s has [1280, 448, 7]"
gives 0 "$program" models info --json "$data/golden/sound/sound.safetensors"
tensors=$(wc -l <"$work/out")
gives 0 "$program" models import "$data/golden/sound/sound.safetensors" -o "$work/a.mw" -y
gives 0 "$program" models info --json "$work/a.mw"
check "no tensor is lost" test "$(wc -l <"$work/out")" = "$tensors"
gives 0 "$program" models import "$small/vocos/vocos.pt" -o "$work/a.mw" -y

gives 2 "$program" models
gives 2 "$program" models import "$small/vocos/vocos.pt"
gives 2 "$program" models import "$small/vocos/vocos.pt" -o "$work/b.mw" --dtype f12
gives 3 "$program" models info "$work/none.pt"
head -c 1000 "$small/vocos/vocos.pt" >"$work/cut.pt"
gives 3 "$program" models info "$work/cut.pt"
says "download"
gives 3 "$program" models import "$work/cut.pt" -o "$work/b.mw"
gives 3 "$program" models import "$work/none.pt" -o "$work/b.mw"
# a disk without room: told, and nothing is left
(ulimit -f 16; trap '' XFSZ; gives 1 "$program" models import "$small/dit_single/dit.safetensors" -o "$work/b.mw"
 [ "$failed" = 0 ]) || bad "a full disk"
# killed at any moment: the old file or the whole new one
before=$(sha256sum <"$work/a.mw")
for delay in 0 0.002 0.004 0.008 0.016; do
  "$program" models import "$small/dit_single/dit.safetensors" -o "$work/a.mw" -y 2>/dev/null &
  sleep $delay
  kill -KILL $! 2>/dev/null
  wait $! 2>/dev/null
  if [ "$(sha256sum <"$work/a.mw")" != "$before" ]; then
    gives 0 "$program" models info "$work/a.mw"
    holds "network: meanvc"
  fi
  rm -f "$work"/a.mw.*
done
check "left: $(ls "$work")" test "$(ls "$work" | sort | tr '\n' ' ')" = "a.mw cut.pt err out "
finish
