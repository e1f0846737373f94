#!/bin/sh
# Runs each fuzzer for a number of seconds, from its corpus; what crashes is kept, and run again
# for ever by the unit tests.
#
#     fuzz.sh SECONDS FOLDER-OF-FUZZERS
set -u
failed=0
passed=0
mkdir -p tests/fuzz/crashes
for fuzzer in "$2"/fuzz_*; do
  [ -x "$fuzzer" ] || continue
  name=$(basename "$fuzzer")
  seeds=tests/fuzz/corpus/${name#fuzz_}
  work=build/fuzz/corpus/$name
  mkdir -p "$work"
  [ -d "$seeds" ] || seeds=
  # shellcheck disable=SC2086 # no seeds: no argument
  if "$fuzzer" -max_total_time="$1" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="tests/fuzz/crashes/${name#fuzz_}-" -print_final_stats=1 "$work" $seeds \
    >"build/fuzz/$name.log" 2>&1; then
    passed=$((passed + 1))
    echo "$name: $(sed -n 's/stat::number_of_executed_units: *//p' "build/fuzz/$name.log") runs, no finding"
  else
    failed=$((failed + 1))
    tail -n 40 "build/fuzz/$name.log"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
