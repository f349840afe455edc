"""loopback: a 512 MiB bundle from one peer over loopback, our daemons beside stock libtorrent.

loopback.time_ratio  ours / theirs, from the wish to the last piece verified and written; target at most 1.0
loopback.cpu_ratio   CPU seconds of both ends, ours / theirs
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from bench import figure  # noqa: E402
from control import Control  # noqa: E402
from lab import REPO, Lab, free_port, wait_for  # noqa: E402

SIZE = int(os.environ.get("BENCH_LOOPBACK_MIB", "512")) << 20
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fetch_whole(lab, daemon):
    """Seconds until every byte of the big file is in the daemon's cache."""
    with Control(daemon.socket) as control:
        start = time.monotonic()
        answer = control.request("asset.want", site=lab.site, seq=1, path="/static/big.bin", doc="bench")
        assert answer["via"] == "gateway", answer
        while True:
            total = control.request("status")["total"]
            if total["peers"] + total["origin"] >= SIZE:
                return time.monotonic() - start, total
            time.sleep(0.005)


def ours(lab, seed, number):
    leech = lab.daemon(f"leech{number}", peers=[seed.address()])
    before = cpu_of(seed.process.pid)
    seconds, total = fetch_whole(lab, leech)
    cpu = cpu_of(seed.process.pid) - before + cpu_of(leech.process.pid)
    assert total["origin"] == 0, total
    leech.stop()
    subprocess.run(["rm", "-rf", leech.dir], check=True)
    return seconds, cpu


# Each end of the other side is a process of its own too, so that CPU time is counted the same way.
LIBTORRENT = """
import sys, time, json
sys.path.insert(0, sys.argv[1])
import lab, libtorrent as lt, pathlib, os
torrent, folder, port, peer = sys.argv[2:6]
session = lt.session({"listen_interfaces": f"127.0.0.1:{port}", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
                      "enable_natpmp": False, "enable_incoming_utp": False, "enable_outgoing_utp": False, "in_enc_policy": 2, "out_enc_policy": 2})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = folder
params.trackers = []
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
params.flags |= lt.torrent_flags.override_web_seeds | lt.torrent_flags.override_trackers
if peer: params.peers = [("127.0.0.1", int(peer))]
start = time.monotonic()
handle = session.add_torrent(params)
while not handle.status().is_seeding: time.sleep(0.005)
print(json.dumps({"seconds": time.monotonic() - start, "cpu": sum(os.times()[:2])}), flush=True)
if not peer: sys.stdin.read()
"""


def start_libtorrent(lab, folder, port, peer=""):
    return subprocess.Popen(["/usr/bin/python3", "-c", LIBTORRENT, str(REPO / "tests/interop"), str(lab.torrent), str(folder), str(port), peer],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def theirs(lab, seed, seed_port, number):
    import json
    folder = lab.dir / f"lt{number}"
    before = cpu_of(seed.pid)
    leech = start_libtorrent(lab, folder, free_port(), str(seed_port))
    result = json.loads(leech.stdout.readline())
    leech.wait()
    cpu = cpu_of(seed.pid) - before + result["cpu"]
    subprocess.run(["rm", "-rf", folder], check=True)
    return result["seconds"], cpu


def main():
    with Lab() as lab:
        lab.write("note.txt", 64)
        with open(lab.static / "big.bin", "wb") as big:
            for _ in range(SIZE >> 20):
                big.write(os.urandom(1 << 20))
        lab.publish()
        lab.origin()
        seed = lab.daemon("seed")
        fetch_whole(lab, seed)
        port = free_port()
        lt_seed = start_libtorrent(lab, lab.web, port)
        lab.callback(lab.end, lt_seed)
        lt_seed.stdout.readline()
        mine, other = [], []
        for number in range(ROUNDS):
            mine.append(ours(lab, seed, number))
            other.append(theirs(lab, lt_seed, port, number))
        for index, name, unit in ((0, "time", "s"), (1, "cpu", "CPU s")):
            a, b = (statistics.median(r[index] for r in runs) for runs in (mine, other))
            figure(f"loopback.{name}_ratio", a / b, ours=a, peer=b, unit=unit)


if __name__ == "__main__":
    main()
