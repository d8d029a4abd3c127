"""The digits of scikit-learn, classified by three neighbours on pixels, PCA, NCA and embeddings of `MetricEncoder`.

python benchmarks/interop_digits.py                       the table of docs/interop.md: 15 minutes on one core
python benchmarks/interop_digits.py --components 2

Ten folds in the order of the data, in which the digits of a writer are near each other: most writers of a test fold are
not in its training folds. Each row has the mean accuracy of the folds and its standard error. Nothing was tuned: the
estimator has its defaults, except that in two dimensions, where a circle is too little, it has squared L2 and no
normalisation.

    pip install 'minisiam[interop-sklearn]'
"""

from __future__ import annotations

import argparse
import math
from functools import partial
from typing import Any

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from minisiam import encoders, layers
from minisiam.interop.sklearn import MetricEncoder


def convnet(size: int) -> layers.Layer:
    """Three 3×3 convolutions for 8×8 images."""
    Block = encoders.Block
    blocks = Block(32, pool=1, padding="same"), Block(64, padding="same"), Block(64, padding="same")
    return encoders.convnet(*blocks, head=[layers.Dense(size)])


def as_images(X: Any) -> Any:
    """Rows of 64 pixels as 8×8 images."""
    return X.reshape(-1, 8, 8)


def transformers(size: int) -> dict[str, list[Any]]:
    """The steps before the classifier, by name."""
    flat = {"distance": "squared_l2", "normalize": False} if size == 2 else {}
    ours = partial(MetricEncoder, n_components=size, random_state=0, **flat)
    return {
        "PCA": [PCA(size, random_state=0)],
        "NCA": [NeighborhoodComponentsAnalysis(size, max_iter=50, random_state=0)],
        "MetricEncoder": [ours()],
        "MetricEncoder, convnet": [
            FunctionTransformer(as_images),
            ours(encoder=partial(convnet, size), batch_size=128),
        ],
    }


def main() -> None:
    """Print a row for each transformer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--components", type=int, nargs="+", default=[2, 8, 32])
    sizes = parser.parse_args().components
    X, y = load_digits(return_X_y=True)

    def row(name: str, steps: list[Any]) -> None:
        model = make_pipeline(*steps, KNeighborsClassifier(3))
        scores = 100 * cross_val_score(model, X / 16, y, cv=StratifiedKFold(10))
        error = scores.std(ddof=1) / math.sqrt(len(scores))
        print(f"| {name} | {scores.mean():.1f} ± {error:.1f} |", flush=True)

    row("pixels", ["passthrough"])
    for size in sizes:
        for name, steps in transformers(size).items():
            row(f"{name}, {size}", steps)


if __name__ == "__main__":
    main()
