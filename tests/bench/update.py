"""update: what a visitor who has version 1 of a 100 MB app downloads for version 2, of which 3% of the bytes are new.

The app is like a game on the web: an archive of 40 MB, a program of 12 MB, 8 scripts of 2.5 MB together, 250 pictures and sounds of 64 to
250 KB, 900 small files. Version 2 has: in the archive 19 entries of 60 to 120 KB in other ones' places, five of them longer, so that all behind
them moves; in the program 2,500 operands of 4 bytes each and a new function of 150 KB; in every script 5% of the lines; 6 pictures and 25 small files
that are wholly new. New bytes are random, so that nothing packs them; lines are words.

update.download_mb   all that the site sent for the update: release, torrents, patches, whole files; target at most 5
                     beside it stock libtorrent, which has version 1's folder, checks it and takes version 2's torrent from a seeder; rsync: what
                     `rsync -a --no-whole-file` from version 2's folder sends and receives
update.seconds       from the page's wish until it has read every file of version 2, beside libtorrent's from adding the torrent to having all of it
update.publish_s     `fringe publish --previous`; beside it without
"""
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from bench import figure  # noqa: E402
from lab import Lab, tool, wait_for  # noqa: E402

RNG = random.Random(42)
WORDS = ["".join(RNG.choices("abcdefghijklmnopqrstuvwxyz", k=RNG.randint(2, 9))) for _ in range(4000)]


def line():
    return (" ".join(RNG.choices(WORDS, k=8)) + ";\n").encode()


class Counted:
    """A file and its next version; counts what is new in it."""
    new_bytes = 0

    def __init__(self, data):
        self.old, self.data = data, data

    def put(self, at, data, in_place_of):
        self.data = self.data[:at] + data + self.data[at + in_place_of:]
        Counted.new_bytes += len(data)


def archive():
    file = Counted(RNG.randbytes(40_000_000))
    for number in range(19):
        length = RNG.randint(60_000, 120_000)
        file.put(RNG.randrange(39_000_000), RNG.randbytes(length), length if number % 4 else length - 7_000)
    return file


def program():
    file = Counted(b"".join(RNG.choices([RNG.randbytes(6) for _ in range(3000)], k=2_000_000)))
    data = bytearray(file.data)
    for _ in range(2500):
        at = RNG.randrange(len(data) - 4)
        data[at:at + 4] = RNG.randbytes(4)
    Counted.new_bytes += 2500 * 4
    file.data = bytes(data)
    file.put(7_000_000, RNG.randbytes(150_000), 0)
    return file


def script(length):
    lines = [line() for _ in range(length // 50)]
    file = Counted(b"".join(lines))
    for number in RNG.sample(range(len(lines)), len(lines) // 20):
        lines[number] = line()
        Counted.new_bytes += len(lines[number])
    file.data = b"".join(lines)
    return file


def wholes(count, low, high, new):
    """Pictures: some are replaced, none is changed a little."""
    files = [Counted(RNG.randbytes(RNG.randint(low, high))) for _ in range(count)]
    for file in RNG.sample(files, new):
        file.put(0, RNG.randbytes(len(file.data)), len(file.data))
    return files


def app():
    files = {"assets.pack": archive(), "game.wasm": program()}
    files |= {f"js/{i}.js": script(2_500_000 // 8) for i in range(8)}
    files |= {f"img/{i}.webp": file for i, file in enumerate(wholes(250, 64_000, 250_000, 6))}
    files |= {f"small/{i % 30}/{i}.svg": file for i, file in enumerate(wholes(900, 500, 14_000, 25))}
    return files


def write(folder, files):
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / path).exists() or (folder / path).read_bytes() != data:
            (folder / path).write_bytes(data)


def visit(lab, daemon, files):
    start = time.monotonic()
    got = daemon.visit(lab.site, [f"/static/{path}" for path in files])
    seconds = time.monotonic() - start
    for path, data in files.items():
        status, body = got[f"/static/{path}"]
        assert status == 200 and body == data, (path, status, len(body))
    return seconds


def libtorrent(lab, before):
    """Bytes and seconds; `before` is the web root of version 1."""
    seeder = lab.libtorrent(lab.web, seed=True)[0]
    start = time.monotonic()
    handle = lab.libtorrent(before, peers=[f"127.0.0.1:{seeder.listen_port()}"])[1]
    wait_for("libtorrent", lambda: handle.status().is_seeding, 300)
    return handle.status().total_download, time.monotonic() - start


def rsync(source, target):
    done = subprocess.run([tool("rsync", "rsync"), "-a", "--no-whole-file", "--stats", f"{source}/", f"{target}/"], check=True, capture_output=True,
                          text=True)
    return sum(int(number.replace(",", "")) for number in re.findall(r"Total bytes (?:sent|received): ([\d,]+)", done.stdout))


def timed_publish(lab, *options):
    start = time.monotonic()
    lab.publish(*options)
    return time.monotonic() - start


def main():
    with Lab() as lab:
        files = app()
        write(lab.static, {path: file.old for path, file in files.items()})
        publish_alone = timed_publish(lab)
        lab.origin()
        visitor = lab.daemon("visitor")
        visit(lab, visitor, {path: file.old for path, file in files.items()})
        before = lab.dir / "before"
        for name in ("before", "for-rsync"):
            shutil.copytree(lab.static, lab.dir / name / "static")
        update = {path: file.data for path, file in files.items()}
        write(lab.static, update)
        publish_patches = timed_publish(lab, "--previous", str(before / "static"))
        sent = lab.origin_bytes("/")
        seconds = visit(lab, visitor, update)
        ours = lab.origin_bytes("/") - sent
        by_rsync = rsync(lab.static, lab.dir / "for-rsync/static")
        theirs, their_seconds = libtorrent(lab, before)
        size = sum(map(len, update.values()))
        figure("update.download_mb", ours / 1e6, ours=ours / 1e6, peer=theirs / 1e6, unit="MB", target=5, rsync_mb=by_rsync / 1e6, app_mb=size / 1e6,
               new_bytes_share=Counted.new_bytes / size, patches_mb=lab.origin_bytes("/.well-known/fringe/delta/") / 1e6)
        figure("update.seconds", seconds / their_seconds, ours=seconds, peer=their_seconds, unit="s")
        figure("update.publish_s", publish_patches, ours=publish_patches, peer=publish_alone, unit="s")


if __name__ == "__main__":
    main()
