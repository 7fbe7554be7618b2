#!/bin/bash
# Installs the Debian packages of tests/packages.txt that are missing, as root or through sudo.
#
#   tests/install_packages.sh build    what building the compiler needs
#   tests/install_packages.sh all      and what the tests need
set -euo pipefail

missing=()
section=
while read -r package; do
  case "$package" in
  '' | '#'*) continue ;;
  '['*) section=$package ;;
  *)
    [ "$1" = all ] || [ "$section" = '[build]' ] || continue
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -q '^installed$' ||
      missing+=("$package")
    ;;
  esac
done <"$(dirname "$0")/packages.txt"

if [ ${#missing[@]} -eq 0 ]; then
  echo "all packages are there"
  exit
fi
echo "installing ${missing[*]}"
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)
"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
  "${missing[@]}"
