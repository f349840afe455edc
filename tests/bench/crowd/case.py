"""Runs one crowd: our daemons and stock libtorrent in turn, each on a fresh network of the same links; prints the figures."""
import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / part) for part in ("interop", "lib")]
from bench import figure  # noqa: E402
from network import Network, enter  # noqa: E402
from ours import Ours  # noqa: E402
from theirs import BEST, DEFAULT  # noqa: E402
from website import Website  # noqa: E402

VISITORS = 16
UP, DOWN, ORIGIN_UP = 8e6, 16e6, 32e6  # bit/s
CLIENTS = {"ours": Ours(), "tuned": BEST, "default": DEFAULT}
UNITS = {"copies": "copies of the content sent by the origin", "head_s": "s, worst visitor", "t50_s": "s", "t100_s": "s"}


def arguments(clients):
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "3")))
    parser.add_argument("--clients", default=",".join(clients), help="of ours, tuned, default")
    parser.add_argument("--visitors", type=int, default=VISITORS)
    parser.add_argument("--keep", metavar="FOLDER", help="copies logs there")
    parser.add_argument("--watch", action="store_true", help="says every second on standard error what goes over the links")
    return parser.parse_args()


class Watch(threading.Thread):
    """What leaves the origin and the visitors, every second."""

    def __init__(self, network, at):
        super().__init__(daemon=True)
        self.network, self.at, self.over = network, at, threading.Event()
        self.start()

    def sent(self, name):
        enter(name)
        for line in pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines():
            if line.strip().startswith("p0:"):
                return int(line.split()[9])

    def run(self):
        before = None
        while not self.over.wait(1):
            sent = [self.sent(name) for name, *_ in self.network.hosts]
            if before is not None:
                mbit = [(b - a) * 8 / 1e6 for a, b in zip(before, sent)]
                print(f"{time.time() - self.at:6.1f} s: origin {mbit[0]:5.1f} Mbit/s, visitors {sum(mbit[2:]):6.1f}: " +
                      " ".join(f"{value:.1f}" for value in mbit[2:]), file=sys.stderr)
            before = sent


def one_run(client, website, case, options):
    count = options.visitors
    with tempfile.TemporaryDirectory(prefix="fringe-crowd-") as folder, \
            Network(count, UP, DOWN, case["origin_up"]) as network:
        run = pathlib.Path(folder)
        run.chmod(0o755)  # nginx's worker and the tracker are other users
        network.callback(keep_logs, options, client, run)
        website.serve(network, run)
        website.track(network, run, [client.infohash(website)])
        client.start(network, website, run, count)
        at = time.time() + 1.5 + 0.12 * count
        watch = Watch(network, at) if options.watch else None
        answers = client.visit([at + number * case["every_s"] for number in range(count)])
        if watch:
            watch.over.set()
            watch.join()
        details = client.details()
        traffic = network.traffic()
        time.sleep(0.2)  # nginx logs a request when its connection has gone
        return summary(answers, traffic, website, details)


def keep_logs(options, client, run):
    if options.keep:
        target = pathlib.Path(options.keep) / client.label
        shutil.copytree(run, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("data", "s", "site", "static"))


def percentile(values, percent):
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def summary(answers, traffic, website, details):
    ends = [end for _, end in answers]
    requests = website.requests()
    result = {"copies": traffic[0]["sent"] / website.bytes, "t50_s": percentile(ends, 50), "t100_s": max(ends),
              "head_s": max(head for head, _ in answers), "requests": len(requests),
              "copies_of_files": sum(length for _, length, path in requests if path.startswith("/static/")) / website.bytes,
              "lost_up": sum(host["lost_up"] for host in traffic), "lost_down": sum(host["lost_down"] for host in traffic),
              "peer_copies": sum(host["sent"] for host in traffic[2:]) / website.bytes, **details, "load": os.getloadavg()[0]}
    print("heads:", " ".join(f"{head:.1f}" for head, _ in sorted(answers)), file=sys.stderr)
    return {name: round(value, 3) for name, value in result.items()}


def run(name, files, targets, origin_up=ORIGIN_UP, every_s=0, clients=("ours", "tuned", "default")):
    """Targets: figure -> what it should be at most."""
    options = arguments(clients)
    chosen = options.clients.split(",")
    case = {"origin_up": origin_up, "every_s": every_s}
    results = {client: [] for client in chosen}
    with tempfile.TemporaryDirectory(prefix="fringe-site-") as folder:
        pathlib.Path(folder).chmod(0o755)
        website = Website(pathlib.Path(folder), files)
        for number in range(options.rounds):
            for client in chosen:
                results[client].append(one_run(CLIENTS[client], website, case, options))
                print(f"round {number + 1}, {CLIENTS[client].label}: {json.dumps(results[client][-1])}", file=sys.stderr)
    for what, target in targets.items():
        values = {client: [result[what] for result in rounds] for client, rounds in results.items()}
        middle = {client: statistics.median(rounds) for client, rounds in values.items()}
        figure(f"{name}.{what}", middle.get("ours"), ours=middle.get("ours"), peer=middle.get("tuned"), unit=UNITS[what], target=target,
               peer_default=middle.get("default"), rounds=values.get("ours"), load=round(os.getloadavg()[0], 1))
