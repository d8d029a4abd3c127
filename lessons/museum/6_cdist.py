# %% [markdown]
# # Exhibit 6 · The matrix product that loses the distance
#
# $\|a\|^2 - 2\, a \cdot b + \|b\|^2$ in float32 (lesson 12). Found in pytorch/pytorch#42479, where two points 109 apart
# came out as 0 apart, and in scikit-learn/scikit-learn#9354.

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, encoders, losses, networks, optimizers, pairwise, plots, samplers, train
from minisiam.course.lesson import show

# %% [markdown]
# ## The code


# %%
def wrong(a, b, /):
    """All L2 distances by one product, as printed; 0 where rounding makes the square negative."""
    square = (a * a).sum(axis=1)[:, None] - 2 * a @ b.T + (b * b).sum(axis=1)
    D = np.sqrt(np.maximum(square, 0))

    def pullback(dD):
        W = np.divide(dD, D, out=np.zeros_like(D), where=D > 0)
        return W.sum(axis=1)[:, None] * a - W @ b, W.sum(axis=0)[:, None] * b - W.T @ a

    return D, pullback


# %% [markdown]
# ## What it looks like
#
# Only distances between points matter, and still it matters where the points are. Here the last bias starts at 10,000,
# and a distance below $\sqrt{2^{-24}} \cdot 10^4 \sqrt2 = 3.5$ is noise: whether a pair is moved, and how far, is
# random.

# %%
points, labels = datasets.plane(np.random.default_rng(0))
axes = (figure := Figure(figsize=(5, 2.8), layout="constrained")).add_subplot()
last = {}
for name, distance, style in (("minisiam", pairwise.l2, "-"), ("as printed", wrong, "--")):
    rng = np.random.default_rng(1)
    network = networks.batch(encoders.mlp(32, 2), distance, losses.all_pairs(losses.contrastive))
    params = network.init(rng, (2,))
    params["encoder"][-1][1][:] = 10_000  # (W, b) of the last layer
    batches = islice(samplers.pk(points, labels, rng, classes=3, per_class=8), 300)
    training = train.fit(network, params, optimizers.adam(0.01), batches)
    values = [value for _, value, _ in training]
    last[name] = np.mean(values[-50:])
    axes.plot(values, style, color=plots.style.COLOURS[len(last) - 1], label=name)
axes.set(xlabel="step", title="loss", ylim=(0, None))
axes.legend(frameon=False)
plots.style.plain(axes)
show(figure, "museum_6_cdist")
assert last["as printed"] > 2 * last["minisiam"]

# %% [markdown]
# ## The property that would have caught it
#
# *Adding one vector to all points changes no distance.* Whole numbers, so that the sums themselves are exact.


# %%
def is_blind_to_a_shift(distance):
    z = np.arange(12, dtype=np.float32).reshape(6, 2)
    here, there = distance(z, z)[0], distance(z + 4096, z + 4096)[0]
    return np.allclose(here, there, rtol=1e-5)


assert not is_blind_to_a_shift(wrong)
assert is_blind_to_a_shift(pairwise.l2)
