"""first-piece: from a peer's address to the first verified piece, over loopback, a new daemon each time, beside stock libtorrent.

first-piece.ms  ours from site.open to the page's first byte: with the release, its torrent, and the connection; target at most 30.
                libtorrent has the torrent already: from adding it to its first finished piece.
"""
import http.client
import os
import pathlib
import shutil
import statistics
import sys
import time
import urllib.parse

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from bench import figure  # noqa: E402
from content import one_file, write  # noqa: E402
from control import Control  # noqa: E402
from lab import Lab  # noqa: E402
from pair import Libtorrent, Ours  # noqa: E402

FILES = one_file(32)
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))


def first_byte(lab, seed, number):
    leech = lab.daemon(f"leech{number}", peers=[seed.address()])
    with Control(leech.socket) as control:
        start = time.monotonic()
        control.request("site.open", site=lab.site, seq=1, doc="bench")
        answer = control.request("asset.want", site=lab.site, seq=1, path="/static/big.bin", doc="bench")
        url = urllib.parse.urlsplit(answer["url"])
        connection = http.client.HTTPConnection(url.netloc)
        connection.request("GET", url.path)
        assert connection.getresponse().read(1)
        seconds = time.monotonic() - start
        connection.close()
        assert control.request("status")["total"]["origin"] == 0, "the origin was quicker"
    leech.stop()
    shutil.rmtree(leech.dir)
    return seconds


def main():
    with Lab() as lab:
        write(lab.static, FILES)
        lab.publish()
        lab.origin()
        ours, theirs = Ours(lab, ["big.bin"], FILES["big.bin"]), Libtorrent(lab)
        runs = [(first_byte(lab, ours.seed, number), theirs.measure()["first"]) for number in range(ROUNDS)]
        mine, other = (1000 * statistics.median(run[side] for run in runs) for side in (0, 1))
        figure("first-piece.ms", mine, ours=mine, peer=other, unit="ms", target=30, slowest=1000 * max(run[0] for run in runs))


if __name__ == "__main__":
    main()
