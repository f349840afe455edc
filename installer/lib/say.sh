# Words for people: steps, results, complaints. Colours only on a terminal. Sourced by the scripts, never run.
# shellcheck shell=bash

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  say_bold=$'\e[1m' say_green=$'\e[32m' say_red=$'\e[31m' say_off=$'\e[0m'
else
  say_bold='' say_green='' say_red='' say_off=''
fi

say_step() { printf '%s==> %s%s\n' "$say_bold" "$*" "$say_off"; }
say_done() { printf '  %sdone%s  %s\n' "$say_green" "$say_off" "$*"; }
say_note() { printf '        %s\n' "$*"; }
say_fail() { printf '  %sfail%s  %s\n' "$say_red" "$say_off" "$*" >&2; }

# Ends the script with a reason and, when given, what to do about it (one line each).
die() {
  say_fail "$1"
  shift
  for hint in "$@"; do printf '        %s\n' "$hint" >&2; done
  exit 1
}
