"""cache: how often the cache's policy (S3-FIFO by file) misses, beside LRU and FIFO of the same size, on power-law traces:
20,000 files (log-normal, median 12 KB), 400,000 independent requests, popularity ~ rank^-1, from an empty cache.

cache.miss_vs_lru   misses / LRU's: the mean over caches of 1, 5 and 10 % of all bytes and five seeds; target at most 0.9
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import figure  # noqa: E402

PROGRAM = pathlib.Path(os.environ["FRINGE_BUILD"]) / "tests/bench/cache_trace"
SEEDS, PERMILLE = range(1, 6), (10, 50, 100)
FILES, REQUESTS, ALPHA = 20000, 400000, 1.0


def play(seed, permille):
    command = [PROGRAM, *map(str, (seed, FILES, REQUESTS, ALPHA, permille))]
    row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    print(f"seed {seed}, cache {permille / 10:g} %: misses {row['ours']:.3f}, LRU {row['lru']:.3f}, FIFO {row['fifo']:.3f}; "
          f"against LRU {row['ours'] / row['lru']:.3f}", file=sys.stderr)
    return row


def main():
    rows = [play(seed, permille) for permille in PERMILLE for seed in SEEDS]
    ratios = [row["ours"] / row["lru"] for row in rows]
    mean = {name: statistics.mean(row[name] for row in rows) for name in ("ours", "lru", "fifo")}
    figure("cache.miss_vs_lru", statistics.mean(ratios), ours=mean["ours"], peer=mean["lru"], unit="ratio", target=0.9,
           fifo=mean["fifo"], worst=max(ratios), alpha=ALPHA, files=FILES, requests=REQUESTS)


if __name__ == "__main__":
    main()
