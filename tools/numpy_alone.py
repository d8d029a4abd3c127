"""Train one step, evaluate, save and load, in an environment that has minisiam and NumPy and nothing else.

`make test-numpy` makes the environment: NumPy's oldest allowed version, and its newest.
"""

import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

import minisiam as ms

installed = {distribution.metadata["Name"] for distribution in distributions()}
if installed != {"minisiam", "numpy"}:
    sys.exit(f"expected minisiam and numpy alone, but {sorted(installed)} are installed: run make test-numpy")

rng = np.random.default_rng(0)
train, test = ms.datasets.split(ms.datasets.pen_glyphs(drawers=2))
encoder = ms.encoders.mlp(256, 64)
network = ms.networks.batch(encoder, ms.pairwise.cosine, ms.losses.nt_xent)
params = network.init(rng, shape=(28, 28, 1))
batches = ms.samplers.pk(train.images, train.labels, rng, classes=64, per_class=2)
_, before, params = next(ms.train.fit(network, params, ms.optimizers.adam(0.001), batches))

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "params.npz"
    ms.checkpoint.save(file, params, settings={})
    params = ms.checkpoint.load(file)

z = ms.evaluate.embed(encoder, params["encoder"], test.images)
score = ms.evaluate.few_shot(z, test.labels, rng, groups=test.groups, drawers=test.drawers, distance=ms.pairwise.cosine)
print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}: loss {before:.3f}, then {score}")
if not score.accuracy > 0.2:
    sys.exit("after one step, 20-way one-shot accuracy must be above 20 %; chance is 5 %")
