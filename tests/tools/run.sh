#!/bin/sh
# Runs the suites named (all where none is), adds up what each counted, and prints as its last
# line `N passed, N failed`. Exit status 0 only where nothing failed.
#
#     run.sh [build] [c] [unit] [live] [fire] [rows] [sdk] [exact] [lint]
#
# `rows` are those of the fault matrix that $ROWS names, wherever their tests are.
set -u

variant=${VARIANT:-release}
out=build
[ "$variant" = release ] || out=build/$variant
export MOONGATE_BIN="${MOONGATE_BIN:-$PWD/$out/moongate}"
export MOONGATE_TOOLS="${MOONGATE_TOOLS:-$PWD/$out/tests}"
export MOONGATE_TRAFFIC="${MOONGATE_TRAFFIC:-../shared/traffic}"
passed=0
failed=0
failures=
logs=$(mktemp -d)
mkdir -p build
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

# count NAME STATUS P F: adds to the sums; a suite that ended badly without saying how is one failure.
count() {
  suite=$1 status=$2 p=$3 f=$4
  if [ "$status" != 0 ] && [ "$f" = 0 ]; then
    echo "$suite ended with status $status"
    f=1
  fi
  passed=$((passed + p))
  failed=$((failed + f))
  [ "$f" = 0 ] || failures="$failures $suite"
  printf '== %s: %d passed, %d failed\n' "$suite" "$p" "$f"
}

# counted NAME COMMAND...: its output says `N passed, N failed` or busted's summary; the last one counts.
counted() {
  suite=$1
  shift
  log=$logs/$suite
  { timeout "${SUITE_SECONDS:-1200}" "$@" 2>&1; echo "status $?" >"$log.status"; } | tee "$log"
  status=$(sed 's/status //' "$log.status")
  set -- $(awk '
    match($0, /[0-9]+ passed, [0-9]+ failed/) { p = $1; f = $3 }
    /[0-9]+ success(es)? \/ [0-9]+ failures? \/ [0-9]+ errors? \/ [0-9]+ pending/ { p = $1; f = $4 + $7 }
    END { print p + 0, f + 0 }' "$log")
  count "$suite" "$status" "$1" "$2"
}

# checked NAME COMMAND...: one check; passes where the command does.
checked() {
  suite=$1
  shift
  log=$logs/$suite
  if timeout "${SUITE_SECONDS:-1200}" "$@" >"$log" 2>&1; then
    count "$suite" 0 1 0
  else
    tail -n 60 "$log"
    count "$suite" 0 0 1
  fi
}

has() { command -v "$1" >/dev/null 2>&1; }

suite_build() {
  checked build make --no-print-directory -j2 VARIANT="$variant" all check-tools
}

suite_c() {
  for program in "$out"/tests/test_* "$out"/tests/embed_test; do
    [ -x "$program" ] && counted "$(basename "$program")" "$program"
  done
}

# lua_suite NAME HOW: all files in one go, or each by itself: then the log says which one did not
# end in time, and none inherits what another left.
lua_suite() {
  if ! has busted; then
    echo "busted is missing: $1 skipped"
    return
  fi
  if [ "$1" = unit ] && [ -x "$out/tests/host" ]; then # a luajit that can load what is sanitized
    counted "$1" "$out/tests/host" "$(command -v busted)" --ignore-lua --cpath="./$out/tests/?.so" \
      -o plainTerminal tests/unit
    return
  fi
  # Else busted loads the module into a plain luajit: never the sanitized one.
  [ "$variant" = release ] || make --no-print-directory VARIANT=release build/tests/engine.so
  if [ "$2" = together ]; then
    counted "$1" busted -o plainTerminal "tests/$1"
    return
  fi
  for file in "tests/$1"/*_spec.lua; do
    counted "$1-$(basename "$file" _spec.lua)" busted -o plainTerminal "$file"
  done
}

suite_unit() { lua_suite unit together; }
suite_live() { lua_suite live apart; }
suite_fire() { lua_suite fire apart; }
# shellcheck disable=SC2086 # a list
suite_rows() { counted rows luajit tests/matrix/matrix.lua $ROWS; }
suite_sdk() {
  counted sdk sh tests/sdk/run.sh
  counted clients sh tests/clients/run.sh quick
}
suite_exact() { counted exact sh tests/tokens/run.sh 4000; }
suite_lint() { counted lint sh tests/tools/lint.sh; }

[ $# -gt 0 ] || set -- build c unit live fire sdk exact lint
for name in "$@"; do "suite_$name"; done

# Once more, at the end: many a reader sees only that. What comes first of each says most.
for suite in $failures; do
  echo "-- $suite"
  { sed -n '/^Failure ->/,$p; /^Error ->/,$p; /: not so: /p' "$logs/$suite" | grep . ||
    tail -n 8 "$logs/$suite"; } | head -n 8
done

# What a sanitized build cannot show, each once (tests/support/sanitizer.lua).
cat "$logs"/* 2>/dev/null | grep '^not shown by this build: ' | sort -u
echo "$passed passed, $failed failed" | tee build/verdict
[ "$failed" = 0 ]
