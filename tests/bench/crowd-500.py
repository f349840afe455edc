"""crowd-500: 16 visitors at once, a page of 500 files and 32 MiB, beside stock libtorrent, tuned and as it comes.

crowd-500.copies  what left the origin's interface, in copies of the content; target at most 1.25
crowd-500.t100_s  until the last visitor's page had everything; target at most 40
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "crowd"))
from case import run  # noqa: E402
from content import many_files  # noqa: E402

if __name__ == "__main__":
    run("crowd-500", many_files(500, 32), {"copies": 1.25, "t100_s": 40})
