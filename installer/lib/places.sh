# Where things go for the current user, and which browsers are there. Sourced, never run.
# shellcheck shell=bash disable=SC2034

: "${HOME:?HOME is not set}"
config_home=${XDG_CONFIG_HOME:-$HOME/.config}
data_home=${XDG_DATA_HOME:-$HOME/.local/share}

bin_folder=${XDG_BIN_HOME:-$HOME/.local/bin}
extension_folder=$data_home/fringe-extension
# Where `fringe daemon` keeps its cache and the visitor's choices.
cache_folder=$data_home/fringe
# Its socket; see host/base/paths.h.
socket_folder=${XDG_RUNTIME_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}}/fringe
programs=(fringe fringe-native)
manifest_name=org.fringe.host.json

# Browser|manifest family|its folder|where it looks for native-messaging manifests|programs that tell it is installed
browsers=(
  "Chromium|chromium|$config_home/chromium|$config_home/chromium/NativeMessagingHosts|chromium chromium-browser"
  "Google Chrome|chromium|$config_home/google-chrome|$config_home/google-chrome/NativeMessagingHosts|google-chrome google-chrome-stable"
  "Microsoft Edge|chromium|$config_home/microsoft-edge|$config_home/microsoft-edge/NativeMessagingHosts|microsoft-edge microsoft-edge-stable"
  "Brave|chromium|$config_home/BraveSoftware/Brave-Browser|$config_home/BraveSoftware/Brave-Browser/NativeMessagingHosts|brave-browser brave-browser-stable"
  "Vivaldi|chromium|$config_home/vivaldi|$config_home/vivaldi/NativeMessagingHosts|vivaldi vivaldi-stable"
  "Firefox|firefox|$HOME/.mozilla|$HOME/.mozilla/native-messaging-hosts|firefox firefox-esr"
)

# browser_is_here FOLDER PROGRAMS: it was started once, or can be started.
browser_is_here() {
  local program
  [ -d "$1" ] && return 0
  for program in $2; do command -v "$program" >/dev/null && return 0; done
  return 1
}
