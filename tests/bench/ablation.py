"""ablation: what each part of the scheduler brings. Crowds in the simulator on the links of the lab (sim-scale), with one part left
out at a time: 16 visitors at once, one every two seconds, and at once with a quarter that leaves after 5 s. Not a figure with a target; a table.
"""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import figure  # noqa: E402

PROGRAM = pathlib.Path(os.environ["FRINGE_BUILD"]) / "tests/bench/sim_scale"
PARTS = ("", "sparing", "claims", "rank", "claims,rank", "rarest", "head", "assist", "hedge", "endgame", "hurry")
CASES = (("at once", ("16", "32")), ("trickle", ("16", "32", "every_ms=2000")), ("vanish", ("16", "32", "vanish=25")))
KEYS = ("copies", "t50_s", "t100_s", "head_s", "wasted")


def play(without, arguments):
    result = subprocess.run([PROGRAM, *arguments], env={**os.environ, "SIM_WITHOUT": without}, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout)


def main():
    print(" " * 14 + "".join(f"| {name:<43}" for name, _ in CASES), file=sys.stderr)
    print("without       " + ("| " + "".join(f"{key:>8}" for key in KEYS) + "   ") * len(CASES), file=sys.stderr)
    for without in PARTS:
        rows = [play(without, arguments) for _, arguments in CASES]
        cells = ["".join(f"{row[key]:8.3f}" for key in KEYS) + ("   " if row["finished"] else " ! ") for row in rows]
        print(f"{without or '(nothing)':<14}| " + "| ".join(cells), file=sys.stderr, flush=True)
        for (name, _), row in zip(CASES, rows):
            label = without.replace(",", "-and-") or "nothing"
            figure(f"ablation.{name.replace(' ', '-')}.without-{label}.copies", row["copies"], ours=row["copies"], unit="copies", t50_s=row["t50_s"], t100_s=row["t100_s"])


if __name__ == "__main__":
    main()
