"""million: a site of 1,000,000 files (of 20 bytes, in folders of 100 and of 1,000), really published; a visitor opens one page.

million.release_bytes    release.json; target at most 4096
million.lookup_us        from a path to its file, with what that takes in memory; at most 20
million.metadata_share   what a visitor loads of the metadata for a page of 30 files (release, signature, key, catalog, torrents: as the
                         site's own log says) / all of it; at most 0.01
million.daemon_mb        more memory in that visitor's daemon than in one that has opened nothing

The files lie in /dev/shm where there is room for them (6 GB of memory), else in the temporary folder.
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("lib", "interop")]
from bench import figure  # noqa: E402
from lab import BUILD, FRINGE, Lab  # noqa: E402

FILES = int(os.environ.get("BENCH_FILES", "1000000"))
TARGETS = {"release_bytes": 4096, "lookup_us": 20, "metadata_share": 0.01}


def path_of(number):
    """Half of them in folders of 1,000, half in folders of 100."""
    if number < FILES // 2:
        return f"img/{number // 1000:04}/picture-{number:07}.png"
    return f"data/{number // 100 % 100:02}/{number // 10000:03}/item-{number:07}.json"


def write_files(static):
    made = set()
    for number in range(FILES):
        path = path_of(number)
        folder = path.rsplit("/", 1)[0]
        if folder not in made:
            (static / folder).mkdir(parents=True, exist_ok=True)
            made.add(folder)
        with open(static / path, "wb", buffering=0) as out:
            out.write(b"file %014d\n" % number)
        if number % 100000 == 0:
            print(f"writing {number} of {FILES}", file=sys.stderr)


def lookups(folder, page):
    paths = [path_of(number) for number in random.Random(1).sample(range(FILES), 200)] + page
    done = subprocess.run([BUILD / "tests/bench/catalog_lookup", folder], input="\n".join(paths), capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["found"] == len(paths), seen
    return seen


def room():
    """Where a million files fit."""
    shm = pathlib.Path("/dev/shm")
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return str(shm) if shm.is_dir() and os.access(shm, os.W_OK) and free > 6e9 * FILES / 1e6 + 2e9 else None


def metadata_sent(lab):
    lines = (line.split(" ") for line in (lab.dir / "access.log").read_text().splitlines())
    return sum(int(size) for _, size, path in lines if path.startswith("/.well-known/fringe/"))


def measure(lab):
    write_files(lab.static)
    start = time.monotonic()
    lab.fringe("keygen", "--out", str(lab.dir / "key"), "--no-password")
    subprocess.run([FRINGE, "publish", lab.static, "--site", lab.site, "--base", "/static/", "--key", lab.dir / "key.key", "--out", lab.web],
                   check=True, stdout=sys.stderr)
    took = time.monotonic() - start
    folder = lab.web / ".well-known/fringe"
    lab.seq = 1
    lab.origin()
    idle, ours = lab.daemon("idle"), lab.daemon("ours")
    page = [path_of(500 + number) for number in range(30)]
    answers = ours.visit(lab.site, [f"/static/{path}" for path in page])
    assert all(status == 200 for status, _ in answers.values()), answers
    loaded, everything = metadata_sent(lab), sum(path.stat().st_size for path in folder.iterdir() if path.name != "history.json")
    seen = lookups(folder, page)
    more = {"files": FILES, "publish_s": round(took, 1), "bundles": len(list(folder.glob("*.torrent"))), "pages": len(list(folder.glob("*.catalog")))}
    figure("million.release_bytes", (folder / "release.json").stat().st_size, unit="bytes", target=TARGETS["release_bytes"], **more)
    figure("million.lookup_us", seen["us"], unit="us", target=TARGETS["lookup_us"], paths=seen["paths"])
    figure("million.metadata_share", loaded / everything, ours=loaded, peer=everything, unit="of all metadata", target=TARGETS["metadata_share"])
    figure("million.daemon_mb", (ours.memory_kb() - idle.memory_kb()) / 1000, unit="MB")


def main():
    tempfile.tempdir = room()
    with Lab() as lab:
        measure(lab)
        shutil.rmtree(lab.web)


if __name__ == "__main__":
    main()
