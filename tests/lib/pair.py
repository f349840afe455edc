"""One seeder and one leecher over loopback, for benches: two of our daemons, or two stock libtorrent sessions.

Each end is a process of its own on both sides, so that CPU time is counted the same way.

What a machine keeps from one run to the next must not count for or against a side: see `ready` and `empty`.
"""
import json
import mmap
import os
import pathlib
import shutil
import statistics
import subprocess
import time

from bench import figure
from control import Control
from lab import free_port

# Prints when it listens and, of a torrent, when the first piece and all of it are there (seconds since it was added).
LIBTORRENT = """
import sys, time, json, os
import libtorrent as lt
torrent, folder, port, peer = sys.argv[1:5]
session = lt.session({"listen_interfaces": f"127.0.0.1:{port}", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
                      "enable_natpmp": False, "enable_incoming_utp": False, "enable_outgoing_utp": False, "in_enc_policy": 2, "out_enc_policy": 2,
                      "alert_mask": lt.alert.category_t.piece_progress_notification | lt.alert.category_t.status_notification})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = folder
params.trackers = []
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
params.flags |= lt.torrent_flags.override_web_seeds | lt.torrent_flags.override_trackers
if peer: params.peers = [("127.0.0.1", int(peer))]
start, first = time.monotonic(), None
handle = session.add_torrent(params)
while not handle.status().is_seeding:
    session.wait_for_alert(5)
    for alert in session.pop_alerts():
        if first is None and isinstance(alert, lt.piece_finished_alert): first = time.monotonic() - start
print(json.dumps({"seconds": time.monotonic() - start, "first": first, "cpu": sum(os.times()[:2])}), flush=True)
if not peer: sys.stdin.read()
"""


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ready(size):
    """Before each run of either side. A virtual machine gives memory that lies free for seconds back to its host, and whoever takes
    it next pays for that: up to 2 s for 512 MiB. So as much as a run takes is taken and freed here."""
    with mmap.mmap(-1, 3 * size + (256 << 20)) as memory:
        block = b"\1" * (1 << 20)
        while memory.tell() + len(block) <= len(memory):
            memory.write(block)


def empty(folder):
    """After each run of either side. Deleting the files would slow down the next run: for minutes ext4 looks at every file deleted
    before it makes a new one in the same place (`recently_deleted`). So they stay until the end, without their content."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)


def spread(folder):
    """Once: gives each folder in it a place of its own on an ext4 disk, away from what earlier tests have deleted (see `empty`)."""
    if shutil.which("chattr"):
        subprocess.run(["chattr", "+T", folder], stderr=subprocess.DEVNULL, check=False)  # other file systems have no such flag


class Ours:
    def __init__(self, lab, paths, size):
        self.lab, self.paths, self.size, self.runs = lab, paths, size, 0
        self.seed = lab.daemon("seed")
        self.fetch(self.seed)

    def fetch(self, daemon):
        """Seconds until every byte of the paths is in the daemon's cache, from the wish on."""
        with Control(daemon.socket) as control:
            start = time.monotonic()
            for number, path in enumerate(self.paths):
                control.send({"id": 1000 + number, "type": "asset.want", "site": self.lab.site, "seq": 1, "path": f"/static/{path}",
                              "doc": "bench"})
            for _ in self.paths:
                answer = control.receive()
                assert answer["via"] == "gateway", answer
            while True:
                total = control.request("status")["total"]
                if total["peers"] + total["origin"] >= self.size:
                    return time.monotonic() - start, total
                time.sleep(0.005)

    def measure(self):
        self.runs += 1
        leech = self.lab.daemon(f"leech{self.runs}", peers=[self.seed.address()])
        before = cpu_of(self.seed.process.pid)
        seconds, total = self.fetch(leech)
        cpu = cpu_of(self.seed.process.pid) - before + cpu_of(leech.process.pid)
        assert total["origin"] == 0, total
        leech.stop()
        empty(leech.dir)
        return {"seconds": seconds, "cpu": cpu}


class Libtorrent:
    def __init__(self, lab):
        self.lab, self.runs, self.port = lab, 0, free_port()
        self.seed = self.start(lab.web, self.port)
        lab.callback(lab.end, self.seed)
        self.seed.stdout.readline()

    def start(self, folder, port, peer=""):
        return subprocess.Popen(["/usr/bin/python3", "-c", LIBTORRENT, str(self.lab.torrent), str(folder), str(port), str(peer)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self):
        self.runs += 1
        folder = self.lab.dir / f"lt{self.runs}"
        before = cpu_of(self.seed.pid)
        leech = self.start(folder, free_port(), self.port)
        result = json.loads(leech.stdout.readline())
        leech.wait()
        result["cpu"] += cpu_of(self.seed.pid) - before
        empty(folder)
        return result


def compare(name, ours, theirs, rounds, targets):
    """Both in turn, in every second round the other one first; prints the ratios of the medians."""
    runs = []
    for number in range(rounds):
        result = {}
        for side in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            ready(ours.size)
            result[side] = side.measure()
        runs.append((result[ours], result[theirs]))
    for what, key, unit in (("time_ratio", "seconds", "s"), ("cpu_ratio", "cpu", "CPU s")):
        a, b = (statistics.median(pair[side][key] for pair in runs) for side in (0, 1))
        figure(f"{name}.{what}", a / b, ours=a, peer=b, unit=unit, **({"target": targets[what]} if what in targets else {}))
