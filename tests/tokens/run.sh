#!/bin/sh
# The engine's counts against OpenAI's own tokenizer: run.sh [MANY HOSTILE STRINGS], or their
# speed: run.sh speed (beside Python's too, where PYTHON has tiktoken). Where npm has none of it and
# cannot get it, or there are no vocabularies, it says so and passes.
set -u

tools=${MOONGATE_TOOLS:-build/tests}
if [ ! -e build/vocabularies/made ]; then
  echo "no vocabularies: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi
if [ ! -d tests/tokens/node_modules ] &&
  ! (cd tests/tokens && npm ci --ignore-scripts --no-audit --no-fund --silent); then
  echo "npm has no tokenizers to compare with: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi
if [ "${1:-}" = speed ]; then
  node tests/tokens/speed.mjs "$tools/speed" build/vocabularies "${PYTHON:-python3}"
  exec luajit tests/tokens/bodies.lua
fi
exec node tests/tokens/exact.mjs "$tools/counter" build/vocabularies "${1:-4000}"
