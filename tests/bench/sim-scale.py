"""sim-scale: crowds of 10 to 10,000 real nodes in the simulator, all at once, on the links of the lab (visitors 8 up / 16 down Mbit/s,
the site 32 Mbit/s, 20 ms round trip). One file in pieces of 64 KiB; every visitor has the release and the torrent already.

sim-scale.copies_1000        bytes that left the site, in copies of the file; target at most 1.3
sim-scale.copies_10000       target at most 1.5
sim-scale.time_ratio_10000   the last visitor's time / the fluid lower bound (the site gives one copy, the visitors the rest); at most 1.5

    --sizes 10,100,...   other crowds than all: 3,000 take 6 minutes and 5 GB, 10,000 take 22 minutes and 18 GB
    --mib N              another file than 32 MiB up to 1,000 visitors and 12 MiB above (there the machine sets the limit; a
                         smaller one is over before a crowd has come together, which is 4 s)
    --plot FILE.svg      how copies and time grow
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import figure  # noqa: E402

PROGRAM = pathlib.Path(os.environ["FRINGE_BUILD"]) / "tests/bench/sim_scale"
SIZES = (10, 30, 100, 300, 1000, 3000, 10000)
BIG = 1000  # larger crowds share a smaller file
TARGETS = {1000: 1.3, 10000: 1.5}
COLUMNS = (("visitors", "visitors", "{}"), ("mib", "MiB", "{}"), ("copies", "copies", "{:.3f}"), ("t50_s", "t50 s", "{:.1f}"), ("t100_s", "t100 s", "{:.1f}"),
           ("bound_s", "bound s", "{:.1f}"), ("ratio", "ratio", "{:.2f}"), ("head_s", "head s", "{:.1f}"), ("cpu_s", "CPU s", "{:.0f}"), ("rss_mb", "MB", "{}"))


def play(visitors, mib):
    result = subprocess.run([PROGRAM, str(visitors), str(mib)], stdout=subprocess.PIPE, text=True)
    if not result.stdout:
        raise SystemExit(f"{visitors} visitors: sim_scale ended with status {result.returncode}")
    row = json.loads(result.stdout)
    if not row["finished"]:
        raise SystemExit(f"{visitors} visitors: not all of them have the file")
    return {**row, "ratio": row["t100_s"] / row["bound_s"]}


def table_row(row):
    return "  ".join(format.format(row[key]).rjust(max(len(title), 7)) for key, title, format in COLUMNS)


def report(row):
    name = row["visitors"]
    if name in TARGETS:
        figure(f"sim-scale.copies_{name}", row["copies"], ours=row["copies"], unit="copies", target=TARGETS[name], mib=row["mib"])
    if name == 10000:
        figure(f"sim-scale.time_ratio_{name}", row["ratio"], ours=row["t100_s"], peer=row["bound_s"], unit="ratio", target=1.5, mib=row["mib"])


# --- the plot: two curves over the size of the crowd, by hand

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 60, 40, 50, 60


def place(row, key, top):
    lowest, highest = math.log10(SIZES[0]), math.log10(SIZES[-1])
    x = LEFT + (math.log10(row["visitors"]) - lowest) / (highest - lowest) * (WIDTH - LEFT - RIGHT)
    return x, HEIGHT - BOTTOM - row[key] / top * (HEIGHT - TOP - BOTTOM)


def curve(rows, key, top, colour, title, number):
    points = [place(row, key, top) for row in rows]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{row["visitors"]} visitors: {row[key]:.3f}</title></circle>'
                   for (x, y), row in zip(points, rows))
    text = f'<text x="{LEFT + 10 + 330 * number}" y="26" fill="{colour}">{title}</text>'
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}{text}'


def axes(top):
    marks = []
    for size in SIZES:
        x = place({"visitors": size, "y": 0}, "y", top)[0]
        marks.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle">{size:,}</text>')
    for step in range(int(top / 0.5) + 1):
        y = place({"visitors": SIZES[0], "y": step * 0.5}, "y", top)[1]
        marks.append(f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{step * 0.5:g}</text>')
        marks.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
    marks.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 14}" text-anchor="middle">visitors at once</text>')
    return "".join(marks)


def plot(rows, path):
    top = max(2.0, math.ceil(2 * max(max(row["copies"], row["ratio"]) for row in rows)) / 2)
    body = axes(top) + curve(rows, "copies", top, "#0a6", "copies that the site sends", 0) + curve(rows, "ratio", top, "#c40", "slowest visitor / lower bound", 1)
    pathlib.Path(path).write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">'
                                  f'<rect width="100%" height="100%" fill="white"/>{body}</svg>\n')
    print(f"the plot is in {path}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=SIZES)
    parser.add_argument("--mib", type=int)
    parser.add_argument("--plot")
    options = parser.parse_args()
    print("  ".join(title.rjust(max(len(title), 7)) for _, title, _ in COLUMNS), file=sys.stderr)
    rows = []
    for size in options.sizes:
        rows.append(play(size, options.mib or (32 if size <= BIG else 12)))
        print(table_row(rows[-1]), file=sys.stderr, flush=True)
        report(rows[-1])
        if options.plot:
            plot(rows, options.plot)


if __name__ == "__main__":
    main()
