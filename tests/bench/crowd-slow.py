"""crowd-slow: 16 visitors at once, one file of 32 MiB, an origin with 10 Mbit/s, beside stock libtorrent, tuned.

crowd-slow.copies  what left the origin's interface, in copies of the content; target at most 1.2
crowd-slow.t100_s  until the last visitor's page had everything; target at most 40
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "crowd"))
from case import run  # noqa: E402
from content import one_file  # noqa: E402

if __name__ == "__main__":
    run("crowd-slow", one_file(32), {"copies": 1.2, "t100_s": 40}, origin_up=10e6, clients=("ours", "tuned"))
