#!/bin/sh
# Runs a command in a network namespace of its own, in which nothing but the loopback is up; where the
# system permits none, says so, and runs it as it is.
#
#     alone.sh COMMAND...
here=$(dirname "$0")

for how in "unshare -n" "unshare -rn"; do
  if $how luajit "$here/loopback.lua" 2>/dev/null; then
    echo "in a network namespace ($how): nothing leaves it"
    exec $how luajit "$here/loopback.lua" "$@"
  fi
done
echo "no network namespace is permitted here: what clients send elsewhere is not kept in"
exec "$@"
