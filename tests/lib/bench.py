"""What every bench prints and how it measures: one JSON object a line, medians of interleaved rounds."""
import json
import statistics
import sys


def figure(name, value, ours=None, peer=None, unit="", **more):
    """One line for people and machines: what we reached, beside what the other program did in the same run."""
    print(json.dumps({"figure": name, "value": rounded(value), "ours": rounded(ours), "peer": rounded(peer), "unit": unit, **more}), flush=True)


def rounded(value):
    return float(f"{value:.4g}") if isinstance(value, float) else value


def interleaved(rounds, *measures):
    """Runs the measures in turn, so that a busy machine is busy for all of them; answers the median of each."""
    results = [[] for _ in measures]
    for number in range(rounds):
        for measure, values in zip(measures, results):
            values.append(measure())
        print(f"round {number + 1} of {rounds}: " + ", ".join(f"{values[-1]:.4g}" for values in results), file=sys.stderr)
    return [statistics.median(values) for values in results]
