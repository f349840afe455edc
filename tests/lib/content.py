"""What sites are made of, for benches: path -> length."""
import math
import os
import random

SUFFIXES = ("js", "css", "html", "png", "webp", "svg", "woff2", "json")


def one_file(mib):
    """One big file; and a small one, since a torrent of a lone file in a folder confuses stock clients."""
    return {"big.bin": mib << 20, "note.txt": 75}


def many_files(count, mib, seed=4):
    """Lengths as on real sites: log-normal, most of a few KiB and some of megabytes."""
    rng = random.Random(seed)
    sizes = [math.exp(rng.gauss(math.log(12288), 1.72)) for _ in range(count)]
    scale = (mib << 20) / sum(sizes)
    return {f"d{i % 20:02d}/a{i:04d}.{SUFFIXES[i % 8]}": max(64, int(size * scale)) for i, size in enumerate(sizes)}


def write(folder, files):
    for path, size in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with open(folder / path, "wb") as file:
            for done in range(0, size, 1 << 20):
                file.write(os.urandom(min(1 << 20, size - done)))
