"""loopback: a 512 MiB bundle from one peer over loopback, our daemons beside stock libtorrent.

loopback.time_ratio  ours / theirs, from the wish to the last piece verified and written; target at most 0.67
loopback.cpu_ratio   CPU seconds of both ends, ours / theirs; target at most 0.5
"""
import os
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from content import one_file, write  # noqa: E402
from lab import Lab  # noqa: E402
from pair import Libtorrent, Ours, compare, spread  # noqa: E402

FILES = one_file(int(os.environ.get("BENCH_LOOPBACK_MIB", "512")))


def main():
    with Lab() as lab:
        spread(lab.dir)
        write(lab.static, FILES)
        lab.publish()
        lab.origin()
        ours = Ours(lab, ["big.bin"], FILES["big.bin"])
        compare("loopback", ours, Libtorrent(lab), int(os.environ.get("BENCH_ROUNDS", "3")), {"time_ratio": 0.67, "cpu_ratio": 0.5})


if __name__ == "__main__":
    main()
