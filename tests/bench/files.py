"""files: a page of 2,000 small files, 100 MiB, from one peer over loopback, our daemons beside stock libtorrent.

files.time_ratio  ours / theirs, from the wish to the last piece verified and written; target at most 0.33
files.cpu_ratio   CPU seconds of both ends, ours / theirs
"""
import os
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from content import many_files, write  # noqa: E402
from lab import Lab  # noqa: E402
from pair import Libtorrent, Ours, compare, spread  # noqa: E402

FILES = many_files(2000, 100, seed=3)


def main():
    with Lab() as lab:
        spread(lab.dir)
        write(lab.static, FILES)
        lab.publish()
        lab.origin()
        ours = Ours(lab, list(FILES), sum(FILES.values()))
        compare("files", ours, Libtorrent(lab), int(os.environ.get("BENCH_ROUNDS", "5")), {"time_ratio": 0.33})


if __name__ == "__main__":
    main()
