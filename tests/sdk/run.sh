#!/bin/sh
# The official clients of OpenAI, Anthropic and Google against the built binary. Each is installed from its registry, at the
# versions pinned here, into build/; where that cannot be, it is skipped, and this says so.
set -u

here=$PWD/tests/sdk
work=$PWD/build/sdk
bin=${MOONGATE_BIN:-$PWD/build/moongate}
passed=0
failed=0
mkdir -p "$work"

node_ready() {
  command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || return 1
  cp "$here/package.json" "$here/package-lock.json" "$here"/*.mjs "$work" || return 1
  cmp -s "$here/package-lock.json" "$work/node_modules/installed" && return 0
  (cd "$work" && timeout 120 npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) || return 1
  cp "$here/package-lock.json" "$work/node_modules/installed"
}

python_ready() {
  cmp -s "$here/requirements.txt" "$work/venv/installed" && return 0
  python3 -m venv "$work/venv" >"$work/venv.log" 2>&1 || return 1
  timeout 180 "$work/venv/bin/pip" install -q --disable-pip-version-check \
    -r "$here/requirements.txt" >"$work/pip.log" 2>&1 || return 1
  cp "$here/requirements.txt" "$work/venv/installed"
}

# Everything is fetched first; the rest is alone with itself.
if [ "${1:-}" != installed ]; then
  node_ready && node_is=yes || node_is=
  python_ready && python_is=yes || python_is=
  export node_is python_is
  exec sh "$PWD/tests/clients/alone.sh" sh "$0" installed
fi

# Four free ports, below those that outgoing connections are given.
ports=$(luajit -e 'package.path = "./tests/?.lua;" .. package.path
  local free = require("helper").free_port
  print(free() .. " " .. free() .. " " .. free() .. " " .. free())')
set -- $ports
port=$1
admin=$2
gemini=$3
media=$4
data=$(mktemp -d)
# An upstream of each family: the gateway itself in two dialects, and a small Gemini.
cat routes.lua - >"$data/routes.lua" <<END
model "by-openai" {
  provider "openai_compatible" { name = "self-openai", base_url = "http://127.0.0.1:$port/v1" } "mock",
}
model "by-anthropic" {
  provider "anthropic" { name = "self-anthropic", api_key = "any", base_url = "http://127.0.0.1:$port/v1" } "mock",
}
model "by-responses" {
  provider "openai" { name = "self-responses", api_key = "any", base_url = "http://127.0.0.1:$port/v1" } "mock",
}
model "by-gemini" {
  provider "gemini" { name = "a-gemini", api_key = "any", base_url = "http://127.0.0.1:$gemini" } "gemini-3-pro",
}
do -- what is no chat
  local media = provider "openai" { name = "media", api_key = "any", base_url = "http://127.0.0.1:$media/v1" }
  model "paints" { media "gpt-image-1" }
  model "speaks" { media "tts-1" }
  model "hears" { media "whisper-1" }
  model "judges" { media "omni-moderation-latest" }
  model "files" { media "gpt-4o-mini" }
  model "zz-batches" {
    provider "anthropic" { name = "media-messages", api_key = "any", base_url = "http://127.0.0.1:$media/v1" } "m",
  }
end
END
families="mock by-openai by-anthropic by-gemini"
env -u OPENAI_API_KEY -u ANTHROPIC_API_KEY -u GEMINI_API_KEY -u AZURE_API_KEY \
  "$bin" serve --routes "$data/routes.lua" --listen "127.0.0.1:$port" --admin "127.0.0.1:$admin" \
  --data "$data" >"$work/log" 2>&1 &
pid=$!
other=
kept=
trap 'kill $pid $other $kept 2>/dev/null; wait $pid $other $kept 2>/dev/null; rm -rf "$data"' EXIT

# await WHAT LOG REQUEST...: somebody answers it within half a minute; else this is the end.
await() {
  what=$1 log=$2
  shift 2
  for _ in $(seq 150); do
    curl -s -o /dev/null "$@" && return
    sleep 0.2
  done
  echo "$what did not start:"
  cat "$log"
  echo "0 passed, 1 failed"
  exit 1
}
await "the gateway" "$work/log" -f "http://127.0.0.1:$port/healthz"

# tally NAME COMMAND...: adds what its last line counts.
tally() {
  name=$1
  shift
  timeout 300 "$@" >"$work/$name.log" 2>&1
  status=$?
  cat "$work/$name.log"
  set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/$name.log" | tail -n 1)
  passed=$((passed + ${1:-0}))
  failed=$((failed + ${2:-1}))
  [ "$status" = 0 ] || [ "${2:-1}" != 0 ] || failed=$((failed + 1))
}

if [ -n "$node_is" ]; then
  node "$work/gemini.mjs" "$gemini" >"$work/gemini.log" 2>&1 &
  other=$!
  node "$work/media_server.mjs" "$media" >"$work/media.log" 2>&1 &
  kept=$!
  await "the small Gemini" "$work/gemini.log" "http://127.0.0.1:$gemini" \
    -d '{"contents":[{"parts":[{"text":"hi"}]}]}'
  await "the small provider" "$work/media.log" "http://127.0.0.1:$media/v1/files/none"
  tally node node "$work/chat.mjs" "http://127.0.0.1:$port/v1"
  tally node-messages node "$work/messages.mjs" "http://127.0.0.1:$port" $families
  tally node-responses node "$work/responses.mjs" "http://127.0.0.1:$port/v1" $families by-responses
  tally node-media node "$work/media.mjs" "http://127.0.0.1:$port"
  tally node-genai node "$work/genai.mjs" "http://127.0.0.1:$port" $families
else
  echo "node: no client could be installed; skipped"
fi
[ -n "$other" ] || families="mock by-openai by-anthropic"
if [ -n "$python_is" ]; then
  tally python "$work/venv/bin/python" "$here/chat.py" "http://127.0.0.1:$port/v1"
  tally python-messages "$work/venv/bin/python" "$here/messages.py" "http://127.0.0.1:$port" $families
  [ -z "$kept" ] || tally python-media "$work/venv/bin/python" "$here/media.py" "http://127.0.0.1:$port"
  tally python-responses "$work/venv/bin/python" "$here/responses.py" "http://127.0.0.1:$port/v1" $families by-responses
else
  echo "python: no client could be installed; skipped"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
