"""publish: how fast `fringe publish` hashes a folder, beside libtorrent's own hashing of the same folder.

publish.hash_mb_s  MB/s of the whole program, from its start to the signed release; target at least 1000 on two cores with SHA-NI.
                   The peer is libtorrent's set_piece_hashes alone, v2 only, with the same piece length.
publish.cpu_ratio  CPU seconds, ours / libtorrent's: steady on a busy machine, where the first figure is not
"""
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import figure, interleaved  # noqa: E402

try:
    import libtorrent as lt
except ImportError:
    raise SystemExit("libtorrent's Python module is missing: install the package python3-libtorrent") from None

BUILD = pathlib.Path(os.environ["FRINGE_BUILD"])
MIB = int(os.environ.get("BENCH_PUBLISH_MIB", "1024"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
PIECE = 65536


def fill(folder):
    """Half in one big file, half in files of 1 MiB and a little; all in the page cache when it returns."""
    block = os.urandom(1 << 20)
    with open(folder / "big.bin", "wb") as file:
        for number in range(MIB // 2):
            file.write(number.to_bytes(8, "big") + block[8:])
    for number in range(MIB // 2):
        (folder / f"{number % 16}").mkdir(exist_ok=True)
        (folder / f"{number % 16}" / f"{number}.bin").write_bytes(number.to_bytes(8, "big") + block[8 + number:])
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def cpu_seconds(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def ours(folder, root, key, cpu):
    before = cpu_seconds(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([BUILD / "bin/fringe", "publish", folder, "--site", "https://bench.example", "--base", "/static/", "--key", key,
                    "--out", root], check=True, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - start
    cpu.append(cpu_seconds(resource.RUSAGE_CHILDREN) - before)
    return taken


def theirs(folder, cpu):
    storage = lt.file_storage()
    lt.add_files(storage, str(folder))
    torrent = lt.create_torrent(storage, piece_size=PIECE, flags=lt.create_torrent.v2_only)
    before = cpu_seconds(resource.RUSAGE_SELF)
    start = time.perf_counter()
    lt.set_piece_hashes(torrent, str(folder.parent))
    taken = time.perf_counter() - start
    cpu.append(cpu_seconds(resource.RUSAGE_SELF) - before)
    return taken


def main():
    with tempfile.TemporaryDirectory(prefix="fringe-bench-") as name:
        root = pathlib.Path(name)
        folder = root / "static"
        folder.mkdir()
        megabytes = fill(folder) / 1e6
        subprocess.run([BUILD / "bin/fringe", "keygen", "--out", root / "k", "--no-password"], check=True, stdout=subprocess.DEVNULL)
        cpu, other_cpu = [], []
        mine, other = interleaved(ROUNDS, lambda: ours(folder, root, root / "k.key", cpu), lambda: theirs(folder, other_cpu))
        figure("publish.hash_mb_s", megabytes / mine, ours=megabytes / mine, peer=megabytes / other, unit="MB/s", target=1000)
        mine, other = statistics.median(cpu), statistics.median(other_cpu)
        figure("publish.cpu_ratio", mine / other, ours=mine / megabytes * 1e3, peer=other / megabytes * 1e3, unit="CPU s per GB")


if __name__ == "__main__":
    main()
