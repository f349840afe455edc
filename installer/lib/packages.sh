# Debian packages: what is missing, and installing it. The one list is installer/packages.txt. Sourced, never run.
# shellcheck shell=bash

packages_list=$(dirname "${BASH_SOURCE[0]}")/../packages.txt

# Prints the missing packages of the given sections.
packages_missing() {
  local section
  for section in "$@"; do
    awk -v want="[$section]" '/^\[/ { inside = ($1 == want) } inside && /^[a-z0-9]/' "$packages_list"
  done | while read -r package program; do
    if [ -n "$program" ] && PATH=$PATH:/usr/sbin:/sbin command -v "${program#\?}" >/dev/null; then continue; fi
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Installs what is missing; does nothing, and needs no rights, when nothing is. Everything apt says goes to standard output.
packages_install() {
  local missing
  mapfile -t missing < <(packages_missing "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || { say_fail "this is no Debian system; please install: ${missing[*]}"; return 1; }
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say_fail "not root and no sudo; please have installed: ${missing[*]}"; return 1; }
    as_root=(sudo)
  fi
  say_step "Installing Debian packages: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  "${apt[@]}" update </dev/null || return 1
  "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null || return 1
}
