# Building Fringe. Sourced, never run; say.sh comes first, and $repo is the checkout.
# shellcheck shell=bash disable=SC2154

# build_fringe FOLDER [CMAKE OPTION]...: configures, then builds what changed.
build_fringe() {
  local folder=$1
  shift
  cmake -S "$repo" -B "$folder" -G Ninja "$@" || return 1
  cmake --build "$folder" --parallel "${FRINGE_JOBS:-$(nproc)}"
}

# The Node.js packages of the tests and the demo site, exactly as locked.
npm_install() {
  local lock=$repo/tests/package-lock.json done=$repo/tests/node_modules/.package-lock.json
  if [ -f "$done" ] && [ ! "$lock" -nt "$done" ]; then return 0; fi
  say_step "Installing the locked npm packages"
  (cd "$repo/tests" && npm ci --no-progress </dev/null)
}
