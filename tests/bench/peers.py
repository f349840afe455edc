"""peers: a second visitor's share of the bundle's bytes that came from the first one's host.

peers.second_visitor_share  at least 0.95; the site's own access log must agree
"""
import json
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from bench import figure  # noqa: E402
from lab import Lab  # noqa: E402

FILES = {f"img/{i}.png": 900 + 971 * i % 90_000 for i in range(150)} | {"app.js": 600_000, "game.wasm": 4_000_000, "music.ogg": 9_000_000}


def fetch_all(lab, daemon, files):
    for path, data in files.items():
        assert daemon.get(f"{lab.site}/static/{path}") == data, path


def main():
    with Lab() as lab:
        files = {path: lab.write(path, size) for path, size in FILES.items()}
        lab.publish()
        lab.origin()
        first = lab.daemon("first")
        fetch_all(lab, first, files)
        before = lab.origin_bytes()
        second = lab.daemon("second", peers=[first.address()])
        fetch_all(lab, second, files)
        whole = sum(map(len, files.values()))
        from_site = lab.origin_bytes() - before
        total = second.status()["total"]
        assert abs(total["origin"] - from_site) <= 0, (total, from_site, "the log of the site disagrees")
        figure("peers.second_visitor_share", total["peers"] / whole, ours=total["peers"], peer=from_site, unit="share of bytes")
        print(json.dumps({"figure": "peers.origin_copies", "value": lab.origin_bytes() / whole, "unit": "copies sent by the site to two visitors"}))


if __name__ == "__main__":
    main()
