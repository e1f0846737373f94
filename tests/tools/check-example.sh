#!/bin/sh
# Runs `moongate check` on one routes.lua, with every environment variable that it names set.
set -u
file=$1
for name in $(grep -oE 'env\.[A-Z_][A-Z0-9_]*' "$file" | sed 's/env\.//' | sort -u) \
  AZURE_KEY_EU AZURE_KEY_US AZURE_KEY_APAC; do
  export "$name=mg-example-$name-0123456789"
done
providers=
[ -d tests/examples/providers ] && providers="--providers tests/examples/providers"
# shellcheck disable=SC2086 # a list of flags
exec build/moongate check $providers "$file"
