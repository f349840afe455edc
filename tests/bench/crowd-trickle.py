"""crowd-trickle: a visitor every 2 s, 16 in all, one file of 32 MiB, beside stock libtorrent, tuned and as it comes.

crowd-trickle.copies  what left the origin's interface, in copies of the content; target at most 1.4
crowd-trickle.t50_s   half of the visitors had everything so long after their own arrival; target at most 30
crowd-trickle.head_s  until the worst visitor's page had the first tenth in order; target at most 6
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "crowd"))
from case import run  # noqa: E402
from content import one_file  # noqa: E402

if __name__ == "__main__":
    run("crowd-trickle", one_file(32), {"copies": 1.4, "t50_s": 30, "head_s": 6}, every_s=2)
