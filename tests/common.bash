# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests in shell share: the program, a folder that goes with the test, checks that count.
# To be read (source) first; `finish` ends the test.
set -u
program=${MEANWAVE_PROGRAM:?the program under test}
data=$(cd "${MEANWAVE_TEST_DATA:?the data of the tests}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache"
passed=0
failed=0

good() { passed=$((passed + 1)); }
bad() {
  echo "FAILED: $*"
  failed=$((failed + 1))
}
# check WHAT COMMAND...: it succeeds
check() {
  local what=$1
  shift
  if "$@"; then good; else bad "$what"; fi
}
# gives CODE COMMAND...: its exit code; what it printed is in $work/out and $work/err
gives() {
  local code=$1 got
  shift
  "$@" >"$work/out" 2>"$work/err" </dev/null
  got=$?
  [ "$got" = "$code" ] && good || bad "$* gave $got, wanted $code: $(tail -n 5 "$work/err")"
}
# expect CODE WORDS COMMAND...: exit code, and text that standard error holds ('' for silence)
expect() {
  local code=$1 words=$2 got said
  shift 2
  "$@" >"$work/out" 2>"$work/err" </dev/null
  got=$?
  said=$(<"$work/err")
  if [[ $got != "$code" || ( -z $words && -n $said ) || $said != *"$words"* ]]; then
    bad "$* gave $got, wanted $code and '$words': $said"
  else
    good
  fi
}
# refuse CODE WORDS COMMAND...: the same, in one line
refuse() {
  expect "$@"
  check "not one line: $(<"$work/err")" test "$(wc -l <"$work/err")" = 1
}
says() { check "'$1' is not in: $(<"$work/err")" grep -qF -- "$1" "$work/err"; }
# holds TEXT [FILE]: standard output of the last command, or the file, has it
holds() { check "${2:-standard output} lacks '$1'" grep -qaF -- "$1" "${2:-$work/out}"; }
# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
  local tries=$(($1 * 20))
  shift
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.05
  done
}
# finish [SKIPPED WHY]
finish() {
  echo "[  PASSED  ] $passed test(s)."
  [ $# = 0 ] || echo "skipped $1: $2"
  [ "$failed" = 0 ] || { echo "[  FAILED  ] $failed test(s)."; exit 1; }
  exit 0
}
