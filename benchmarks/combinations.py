"""Every method of the command line, trained for the same number of steps: the table in the README.

python benchmarks/combinations.py            about fifteen minutes on two cores
python benchmarks/combinations.py --steps 500 --only cosine
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import product
from pathlib import Path

from minisiam import runs
from minisiam.methods import Settings

WIRINGS = [("siamese", "contrastive"), ("triplet", "hinge"), ("triplet", "ratio"), ("verification", "cross-entropy")]
DISTANCES = ["l2", "l1", "weighted-l1", "cosine"]
BATCHED = [("batch", "l2", "soft-margin"), ("batch", "l2", "contrastive"), ("triplet", "l2", "soft-margin")]


def main() -> None:
    """Train and examine each, and print its row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=Settings().steps, help="batches for each (default: %(default)s)")
    parser.add_argument("--only", metavar="WORD", help="the rows of one network, loss or distance")
    arguments = parser.parse_args()
    steps = arguments.steps
    grid = [(network, distance, loss) for (network, loss), distance in product(WIRINGS, DISTANCES)]
    rows = [row for row in BATCHED[:1] + grid + BATCHED[1:] if arguments.only in (None, *row)]
    print("| network | loss | distance | margin | 20-way one-shot, unseen alphabets | pairs | steps | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    data = runs.load("pen-glyphs")
    for network, distance, loss in rows:
        settings = Settings(network=network, distance=distance, loss=loss, steps=steps)
        with tempfile.TemporaryDirectory() as folder:
            report = runs.train(settings, data, Path(folder), lambda line: None).report
        shot, pairs = report["one_shot"], report["verification"]
        low, high = shot["interval"]
        score = f"{100 * shot['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        margin = "" if settings.margin is None else f"{settings.margin:g}"
        seconds = f"{report['train_seconds']:.0f}"
        row = [network, loss, distance, margin, score, f"{100 * pairs['accuracy']:.1f} %", report["steps"], seconds]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    for name in ("centred_blurred_pixels", "pixels"):
        print(f"{name}: {100 * report['one_shot'][name]:.1f} %")


if __name__ == "__main__":
    main()
