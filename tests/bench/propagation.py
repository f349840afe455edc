"""propagation: a site's visitors are online with release 1, whole and idle, on the links of the lab (8 up / 16 down Mbit/s, the site
32 Mbit/s, 20 ms); release 2 changes 1 MiB of 5, and one of them opens a page. The rest is told by visitors.

propagation.known_p95_s     95 of 100 know of it and the site has confirmed it; at most 60 s after the upload
propagation.held_p95_s      and hold what it has changed, though no page has asked for it; at most 300 s
propagation.origin_copies   bytes of the changed file that left the site, in copies; at most 1.3
propagation.looks_each      how often each has asked the site for the release's signature; at most 1
propagation.peak_by_mean    the busiest five seconds at the site by the mean; less than 2

    --visitors N   others than 10,000 (those need 2 GB and some minutes)
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import figure  # noqa: E402

PROGRAM = pathlib.Path(os.environ["FRINGE_BUILD"]) / "tests/bench/sim_propagation"
TARGETS = {"known_p95_s": ("s", 60), "held_p95_s": ("s", 300), "origin_copies": ("copies", 1.3), "looks_each": ("requests", 1), "peak_by_mean": ("ratio", 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=10000)
    options = parser.parse_args()
    print(f"{options.visitors} visitors ...", file=sys.stderr)
    done = subprocess.run([PROGRAM, str(options.visitors)], stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        raise SystemExit(f"sim_propagation ended with status {done.returncode}")
    row = json.loads(done.stdout)
    print(json.dumps(row), file=sys.stderr)
    for name, (unit, target) in TARGETS.items():
        figure(f"propagation.{name}", row[name], ours=row[name], unit=unit, target=target, visitors=row["visitors"])
    if done.returncode != 0:
        raise SystemExit("not all of them have it")


if __name__ == "__main__":
    main()
