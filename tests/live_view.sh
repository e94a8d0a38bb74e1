#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The view of meanwave live in a pseudo-terminal, narrow and wide: all of it is there, keys do what
# they say, Ctrl-Z and fg leave terminal and view as they should.
. "$(dirname "$0")/common.bash"
. "$(dirname "$0")/sound_server.bash"
if ! command -v pulseaudio >/dev/null || ! command -v pactl >/dev/null; then
  finish 1 "the view, pulseaudio is not installed"
fi
start_pulse || bad "the sound server did not start: $(<"$work/server.log")"
for columns in 40 200; do
  $first python3 "$here/live_view.py" $columns "$program" live -V birch -i pulse -o pulse \
    >"$work/view.$columns" 2>&1 &
  eval "view_$columns=\$!"
done
wait $view_40
check "the view at 40 columns: $(<"$work/view.40")" test "$(<"$work/view.40")" = ""
wait $view_200
check "the view at 200 columns: $(<"$work/view.200")" test "$(<"$work/view.200")" = ""
finish
