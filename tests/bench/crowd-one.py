"""crowd-one: 16 visitors at once, one file of 32 MiB, beside stock libtorrent, tuned and as it comes.

crowd-one.copies  what left the origin's interface, in copies of the content; target at most 1.2
crowd-one.t100_s  until the last visitor's page had everything; target at most 38
crowd-one.head_s  until the worst visitor's page had the first tenth in order; target at most 8
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "crowd"))
from case import run  # noqa: E402
from content import one_file  # noqa: E402

if __name__ == "__main__":
    run("crowd-one", one_file(32), {"copies": 1.2, "t100_s": 38, "head_s": 8})
