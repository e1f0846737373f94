#!/bin/sh
# Runs each fuzzer (or those named) for a number of seconds, from its corpus; what crashes is
# kept, and run again for ever by the unit tests. Words: tests/fuzz/dict. Where recorded traffic
# is at hand, what was cut out of it is read too (tests/fuzz/seeds.lua).
#
#     fuzz.sh SECONDS FOLDER-OF-FUZZERS [NAME...]
set -u
failed=0
passed=0
seconds=$1
folder=$2
shift 2
mkdir -p tests/fuzz/crashes build/fuzz
luajit tests/fuzz/seeds.lua build/fuzz/seeds || exit 1
[ $# -gt 0 ] || set -- $(for fuzzer in "$folder"/fuzz_*; do basename "$fuzzer" | cut -c 6-; done)

# what NAME-OF-A-NUMBER LOG: libFuzzer's own statistics.
what() { sed -n "s/stat::$1: *//p" "$2"; }

for name in "$@"; do
  fuzzer=$folder/fuzz_$name
  [ -x "$fuzzer" ] || continue
  work=build/fuzz/corpus/fuzz_$name
  log=build/fuzz/fuzz_$name.log
  mkdir -p "$work"
  set -- "$work"
  for seeds in "tests/fuzz/corpus/$name" "build/fuzz/seeds/$name"; do
    [ -d "$seeds" ] && set -- "$@" "$seeds"
  done
  case $name in
  upstream | answer | doors | usage) set -- -detect_leaks=0 "$@" ;; # fuzz_leaks() of fuzz.h; or LuaJIT
  esac
  [ -f "tests/fuzz/dict/$name.dict" ] && set -- "-dict=tests/fuzz/dict/$name.dict" "$@"
  if "$fuzzer" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="tests/fuzz/crashes/$name-" -print_final_stats=1 "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "fuzz_$name: $(what number_of_executed_units "$log") runs," \
      "$(what average_exec_per_sec "$log") a second, ${edges:-0} edges, no finding"
  else
    failed=$((failed + 1))
    tail -n 40 "$log"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
