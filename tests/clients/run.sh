#!/bin/sh
# Real clients against the built binary, each with a provider of every family behind it.
#
#     run.sh [STAGE | GROUP...]
#
# A stage is a list of groups: `quick` installs in seconds, and is part of `make test`; `sdk` (the
# default) is all libraries, `cli` the command lines. A group is a folder here: what is pinned in it is
# installed into build/clients/GROUP, and skipped, and told so, where that cannot be. What follows runs
# in a network namespace of its own, where there is one to be had: nothing leaves the machine.
set -u

here=$PWD/tests/clients
work=$PWD/build/clients
export MOONGATE_BIN="${MOONGATE_BIN:-$PWD/build/moongate}"
export MOONGATE_TOOLS="${MOONGATE_TOOLS:-$PWD/build/tests}"

quick="official official-python vercel langchain llamaindex agents genai-python"
sdk="$quick langchain-python agents-python llamaindex-python"
cli="codex gemini-cli opencode claude-code"
runner=run.lua
case ${1:-sdk} in
  quick) groups=$quick ;;
  sdk) groups=$sdk ;;
  cli) groups=$cli ;;
  *) groups=$* ;;
esac

# Command lines are run otherwise than libraries: a call runs the one or the other.
for group in $cli; do
  case " $groups " in *" $group "*) runner=run_cli.lua ;; esac
done

# A group is installed again when what it pins changes, and only then.
fresh() { cmp -s "$1" "$2/installed"; }

install_node() {
  command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || return 1
  least=$(sed -n 's/.*"node": ">=\([0-9]*\)".*/\1/p' "$here/$1/package.json")
  has=$(node -p 'process.versions.node.split(".")[0]')
  if [ "$has" -lt "${least:-0}" ]; then
    printf 'node is %s, and it needs %s; ' "$has" "$least"
    return 1
  fi
  cp "$here/$1"/package.json "$here/$1"/package-lock.json "$work/$1" || return 1
  fresh "$here/$1/package-lock.json" "$work/$1" && return 0
  (cd "$work/$1" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --prefer-offline \
    --fetch-retries 1 --fetch-retry-mintimeout 1000 >npm.log 2>&1) || return 1
  cp "$here/$1/package-lock.json" "$work/$1/installed"
}

install_python() {
  fresh "$here/$1/requirements.txt" "$work/$1" && return 0
  python3 -m venv "$work/$1/venv" >"$work/$1/pip.log" 2>&1 || return 1
  timeout 300 "$work/$1/venv/bin/pip" install -q --disable-pip-version-check --no-deps --retries 1 \
    -r "$here/$1/requirements.txt" >"$work/$1/pip.log" 2>&1 || return 1
  cp "$here/$1/requirements.txt" "$work/$1/installed"
}

install_group() {
  mkdir -p "$work/$1"
  if [ -f "$here/$1/package.json" ]; then install_node "$1"; else install_python "$1"; fi || return 1
  for file in "$here"/*.mjs "$here"/*.py "$here/$1"/*.mjs "$here/$1"/*.py; do
    [ -f "$file" ] && cp "$file" "$work/$1/"
  done
  return 0
}

ready=
for group in $groups; do
  printf '%s: installing … ' "$group"
  began=$(date +%s)
  if install_group "$group"; then
    echo "ready after $(($(date +%s) - began)) s"
    ready="$ready $group"
  else
    echo "no: it could not be installed ($work/$group/*.log say why); skipped"
  fi
done
if [ -z "$ready" ]; then
  echo "0 passed, 0 failed"
  exit 0
fi
# shellcheck disable=SC2086 # a list
exec sh "$here/alone.sh" luajit "$here/$runner" "$work" $ready
