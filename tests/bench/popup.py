"""popup: how long the visitor waits for the popup, with 1,000 sites known to the host.

popup.open_ms  from the click (the popup's page begins to load) until it has drawn what the host said; target at most 100. The slower
               of the two browsers. The peer is an empty page of the same extension: what the browser itself takes.
popup.chromium.open_ms, popup.firefox.open_ms
               each browser by itself.
"""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from bench import figure  # noqa: E402


def main():
    done = subprocess.run(["node", HERE / "popup.mjs"], stdout=subprocess.PIPE, check=True)
    times = json.loads(done.stdout)
    for browser, (popup, empty) in times.items():
        figure(f"popup.{browser}.open_ms", popup, ours=popup, peer=empty, unit="ms")
    slower = max(times.values())
    figure("popup.open_ms", slower[0], ours=slower[0], peer=slower[1], unit="ms", target=100)


if __name__ == "__main__":
    main()
