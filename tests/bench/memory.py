"""memory: what an idle host takes, and what each further idle bundle of 100 files adds, beside stock libtorrent (in Python).

memory.rss_mb     resident memory of a daemon that knows no site; of a libtorrent session with no torrent; target at most 20
memory.bundle_kb  for each further bundle, complete and ready to be shared; target at most 20
"""
import json
import pathlib
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from bench import figure  # noqa: E402
from content import many_files, write  # noqa: E402
from control import Control  # noqa: E402
from lab import Lab  # noqa: E402

FILES = {path: size for path, size in many_files(100, 4, seed=5).items()}
FEW, MANY = 4, 60

LIBTORRENT = """
import sys, time, json
import libtorrent as lt
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
def resident():
    time.sleep(1)
    return int(open("/proc/self/statm").read().split()[1]) * 4096
said = [resident()]
handles = []
for count in (int(sys.argv[1]), int(sys.argv[2])):
    for torrent in sys.argv[3 + len(handles):3 + count]:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
        params.save_path = torrent.rsplit("/", 3)[0]
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        params.flags |= lt.torrent_flags.override_web_seeds | lt.torrent_flags.override_trackers
        handles.append(session.add_torrent(params))
        params = None
    while not all(handle.status().is_seeding for handle in handles): time.sleep(0.05)
    said.append(resident())
print(json.dumps(said))
"""


def publish(lab, count):
    """`count` bundles of other files each; answers their torrents."""
    for number in range(count):
        folder = lab.web / f"b{number}"
        write(folder, FILES)
        lab.fringe("publish", str(folder), "--site", lab.site, "--base", f"/b{number}/", "--key", str(lab.dir / "key.key"), "--out",
                   str(lab.web))
    release = json.loads((lab.web / ".well-known/fringe/release.json").read_text())
    assert len(release["bundles"]) == count
    return release["seq"], [str(lab.web / f".well-known/fringe/{bundle['infohash']}.torrent") for bundle in release["bundles"]]


def resident(daemon):
    time.sleep(1)
    return int(pathlib.Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * 4096


def fetch_all(lab, daemon, seq, count):
    with Control(daemon.socket) as control:
        for bundle in range(count):
            for path in FILES:
                answer = control.request("asset.want", site=lab.site, seq=seq, path=f"/b{bundle}/{path}", doc="bench")
                assert answer["via"] == "gateway", answer
        while sum(control.request("status")["total"][source] for source in ("peers", "origin")) < count * sum(FILES.values()):
            time.sleep(0.05)


def measure(count):
    """Resident bytes of a daemon started anew over a cache that has `count` whole bundles, and open for all of them."""
    with Lab() as lab:
        lab.fringe("keygen", "--out", str(lab.dir / "key"), "--no-password")
        seq, torrents = publish(lab, count)
        lab.origin()
        daemon = lab.daemon("idle")
        empty = resident(daemon)
        fetch_all(lab, daemon, seq, count)
        daemon.stop()
        daemon.start()
        with Control(daemon.socket) as control:
            assert control.request("site.open", site=lab.site, seq=seq, doc="bench")["state"] == "ready"
            for bundle in range(count):
                control.request("asset.want", site=lab.site, seq=seq, path=f"/b{bundle}/{next(iter(FILES))}", doc="bench")
        full = resident(daemon)
        theirs = None
        if count == MANY:
            theirs = json.loads(subprocess.run(["/usr/bin/python3", "-c", LIBTORRENT, str(FEW), str(MANY), *torrents], check=True,
                                               capture_output=True, text=True).stdout)
        return empty, full, theirs


def main():
    _, few, _ = measure(FEW)
    empty, many, theirs = measure(MANY)
    figure("memory.rss_mb", empty / 1e6, ours=empty / 1e6, peer=theirs[0] / 1e6, unit="MB", target=20)
    bundle, their_bundle = ((b - a) / (MANY - FEW) / 1e3 for a, b in ((few, many), theirs[1:]))
    figure("memory.bundle_kb", bundle, ours=bundle, peer=their_bundle, unit="KB", target=20)


if __name__ == "__main__":
    main()
