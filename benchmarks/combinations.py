"""Methods of the command line, each trained for at most a minute.

The rows have nearly the same number of encoded images, 0.62 to 0.72 million: 2,500 steps of 256 images for a batch,
5,000 of 64 pairs or 48 triplets. Their times differ (37 to 60 s on two cores). The intervals are over episodes: they
hold for these alphabets and this seed.

python benchmarks/combinations.py            about ten minutes on two cores
python benchmarks/combinations.py --all      every loss of every network and every distance of a pair: about an hour
python benchmarks/combinations.py --steps 500 --only cosine
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import product
from pathlib import Path

from minisiam.analysis import _markdown
from minisiam.app import data_spec, loss_options, report, trainer
from minisiam.app.config import Config

HEAD = ["network", "loss", "distance", "margin", "20-way one-shot, unseen alphabets", "pairs", "steps", "seconds"]
SHOWN = [
    ("batch", "supcon", None),
    ("batch", "nt-xent", None),
    ("batch", "cosface", None),
    ("batch", "prototypical", None),
    ("batch", "soft-margin", "l2"),
    ("batch", "contrastive", "l2"),
    ("triplet", "soft-margin", "l2"),
    ("triplet", "hinge", "cosine"),
    ("siamese", "contrastive", "l2"),
    ("siamese", "contrastive", "cosine"),
    ("verification", "cross-entropy", "cosine"),
]
PAIRED = [("siamese", "contrastive"), ("triplet", "hinge"), ("triplet", "ratio"), ("verification", "cross-entropy")]
EVERY = [
    *(("batch", loss, None) for loss in loss_options.OF_NETWORK["batch"]),
    *(
        (network, loss, distance)
        for (network, loss), distance in product(PAIRED, ("l2", "l1", "weighted-l1", "cosine"))
    ),
]


def main() -> None:
    """Train and evaluate each, and print its row when it is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, help="batches for each (default: as many as `minisiam train` takes)")
    parser.add_argument("--only", metavar="WORD", help="the rows of one network, loss or distance")
    parser.add_argument("--all", action="store_true", help="all losses, not only those of docs/papers.md")
    arguments = parser.parse_args()
    print(_markdown.heading(HEAD))
    data = data_spec.load("pen-glyphs")
    for network, loss, distance in EVERY if arguments.all else SHOWN:
        chosen = Config(network=network, distance=distance, loss=loss, steps=arguments.steps)
        if arguments.only not in (None, network, loss, chosen.distance):
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = trainer.train(chosen, data, Path(folder), lambda line: None)
            results = report.evaluate(run, data)
        shot, pairs = results["one_shot"], results["verification"]
        low, high = shot["intervals"]["network"]
        score = f"{100 * shot['accuracy']['network']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        margin = "" if chosen.margin is None else f"{chosen.margin:g}"
        seconds = f"{run.training['train_seconds']:.0f}"
        named = f"{loss} over {chosen.miner}" if chosen.miner else loss
        row = [
            network,
            named,
            chosen.distance,
            margin,
            score,
            f"{100 * pairs['accuracy']:.1f} %",
            run.training["steps"],
            seconds,
        ]
        print(_markdown.row(row), flush=True)


if __name__ == "__main__":
    main()
