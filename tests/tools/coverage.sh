#!/bin/sh
# Runs unit and live tests on the coverage build; prints files whose lines are below 80 %.
set -u
dir=$PWD/build/coverage
rm -f "$dir"/*.profraw
LLVM_PROFILE_FILE="$dir/%p.profraw" VARIANT=coverage sh tests/tools/run.sh c unit live
llvm-profdata-14 merge -o "$dir/all.profdata" "$dir"/*.profraw || exit 1
objects=
for program in "$dir"/tests/test_* "$dir/tests/engine.so"; do
  [ -e "$program" ] && objects="$objects -object $program"
done
# shellcheck disable=SC2086 # a list of arguments
llvm-cov-14 report "$dir/moongate" $objects -instr-profile="$dir/all.profdata" engine >"$dir/report"
tail -n 1 "$dir/report"
awk '$10 ~ /%$/ && $10 + 0 < 80 && $1 != "TOTAL" { print $10, $1 }' "$dir/report" | sort -n
