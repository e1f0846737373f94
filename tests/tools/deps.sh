#!/bin/sh
# Installs the Debian packages that the named purposes need, and only those that are missing.
#
#     deps.sh [build] [test] [lint] [clang] [bench]
#
# Never fatal: what could not be installed is named, and who needs it fails or skips by itself.
set -u

wanted() {
  case $1 in
    build) echo gcc libc6-dev make pkg-config libmicrohttpd-dev libcurl4-openssl-dev \
      libluajit-5.1-dev libssl-dev libsqlite3-dev libhiredis-dev libpq-dev ca-certificates curl ;;
    test) echo luajit lua-busted lua-cjson lua-socket lua-filesystem nodejs npm openssl python3 python3-venv \
      redis-server postgresql-15 nginx haproxy ;; # what several gateways share; what may be in front
    lint) echo lua-check clang clang-tidy clang-format cppcheck git ;;
    clang) echo clang libclang-rt-14-dev llvm-14 ;; # sanitizers, fuzzers, coverage
    bench) echo nginx luajit lua-socket lua-cjson lua-filesystem ;;
  esac
}

# A package may be there under another name, or built by hand: then its program counts.
program() {
  case $1 in
    npm) echo npm ;;
    nodejs) echo node ;;
    openssl) echo openssl ;;
    python3) echo python3 ;;
    nginx) echo nginx ;;
    haproxy) echo haproxy ;;
    git) echo git ;;
    redis-server) echo redis-server ;;
  esac
}

installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' && return 0
  name=$(program "$1")
  [ -n "$name" ] && command -v "$name" >/dev/null 2>&1
}

missing=
for purpose in "$@"; do
  for package in $(wanted "$purpose"); do
    installed "$package" || missing="$missing $package"
  done
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "missing, and there is no apt-get to install them:$missing"
  exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
  as_root="sudo -n env DEBIAN_FRONTEND=noninteractive"
  if ! sudo -n true 2>/dev/null; then
    if [ -t 0 ] && command -v sudo >/dev/null 2>&1; then
      as_root="sudo env DEBIAN_FRONTEND=noninteractive"
    else
      echo "missing; install them as root: apt-get install -y$missing"
      exit 0
    fi
  fi
fi

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
install() { $as_root apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1; }
# shellcheck disable=SC2086 # a list
if ! install $missing; then
  $as_root apt-get update -q >>"$log" 2>&1
  if ! install $missing; then # one that conflicts must not keep the others away
    for package in $missing; do
      install "$package" || echo "could not install $package: $(tail -n 1 "$log")"
    done
  fi
fi
rm -f "$log"
exit 0
