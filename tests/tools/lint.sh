#!/bin/sh
# Every linter that is here, one check each; the last line counts them.
set -u

passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# run NAME COMMAND...: one check.
run() {
  name=$1
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf -- '-- %s\n' "$name"
    tail -n 80 "$log"
  fi
}

# have PROGRAM: true, or a word that the check was skipped.
have() {
  command -v "$1" >/dev/null 2>&1 && return 0
  echo "$1 is missing: skipped"
  return 1
}

flags="-std=c11 -D_GNU_SOURCE -Iengine $(pkg-config --cflags libmicrohttpd libcurl luajit libcrypto sqlite3 hiredis libpq)"

# Only the findings: the notes that lead to one are clang-tidy's to tell by hand.
tidy() {
  findings=$(printf '%s\n' engine/*.c engine/tools/*.c | xargs -P 2 -n 1 sh -c \
    'clang-tidy --quiet "$@" -- '"$flags"' 2>/dev/null' tidy | grep -E ' (error|warning): ')
  echo "$findings"
  [ -z "$findings" ]
}

# Words that C code here may not use (CONTRIBUTING.md), outside comments and strings.
banned() {
  ! sed -e 's|/\*.*\*/||g' -e 's|"[^"]*"||g' engine/*.c engine/*.h engine/tools/*.c |
    grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|localtime|gmtime|system|alloca)[[:space:]]*\('
}

examples() {
  bad=0
  for file in routes.lua tests/examples/*.lua; do
    [ -e "$file" ] || continue
    sh tests/tools/check-example.sh "$file" || bad=1
  done
  return $bad
}

whitespace() {
  ! git grep -nI -E '[[:space:]]+$' -- '*.c' '*.h' '*.lua' '*.sh' '*.md' Makefile ':!tests/golden' ':!tests/fuzz'
}

have luacheck && run luacheck luacheck -q scripts providers tests routes.lua
have clang-format && run clang-format sh tests/tools/fmt.sh check
have cppcheck && run cppcheck cppcheck --enable=warning,style,performance,portability \
  --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem --suppress=unusedFunction \
  --quiet -j2 -Iengine engine
run "banned functions" banned
run "trailing blanks" whitespace
[ -x build/moongate ] && run examples examples
have clang-tidy && run clang-tidy tidy

if [ -x build/moongate ]; then
  strip -o "$log" build/moongate
  printf 'binary: %s bytes' "$(wc -c <"$log")"
  awk '/^[a-z].*\)$/ { name = $0; start = FNR } /^\}/ && name { n = FNR - start; if (n > most) { most = n; what = FILENAME ": " name }; name = "" }
    END { printf "; longest function: %d lines, %s\n", most, what }' engine/*.c
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
