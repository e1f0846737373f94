#!/bin/sh
# Formatting: `fmt.sh write` mends it, `fmt.sh check` says what it would mend.
set -u

command -v clang-format >/dev/null 2>&1 || { echo "clang-format is missing"; exit 1; }
c_files=$(find engine tests -name '*.[ch]')
lua_files=$(find engine scripts providers tests routes.lua -name '*.lua')

if [ "${1:-check}" = write ]; then
  # shellcheck disable=SC2086
  clang-format -i $c_files
  for file in $lua_files; do
    sed -i -e 's/[[:space:]]*$//' -e '$a\' "$file"
  done
  exit 0
fi

bad=0
# shellcheck disable=SC2086
clang-format --dry-run -Werror $c_files || bad=1
for file in $lua_files; do
  if grep -qE '[[:space:]]+$' "$file" || [ -n "$(tail -c 1 "$file")" ]; then
    echo "$file: trailing blanks, or no newline at its end"
    bad=1
  fi
done
exit $bad
