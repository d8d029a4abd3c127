# %% [markdown]
# # Exhibit 8 · An operation that the tape misses
#
# autograd records what is called from `autograd.numpy`. Plain NumPy is mostly forwarded to it, but not all of it, and
# what is not is treated as a constant: its gradient is zero. Found in HIPS/autograd#8, and true of `np.tensordot` to
# this day.

# %%
import warnings
from itertools import islice

import numpy as np
from autograd import grad
from matplotlib.figure import Figure

from minisiam import datasets, distances, encoders, losses, networks, optimizers, plots, samplers, train
from minisiam.course.lesson import show

# %% [markdown]
# ## The code


# %%
def similarity(a, b):
    return np.tensordot(a, b, 1)  # np, and not autograd.numpy


def wrong(a, b, /):
    """1 − a·b of unit vectors, pair by pair, with autograd's derivative."""
    pairs = list(zip(a, b, strict=True))
    s = np.array([similarity(*pair) for pair in pairs])
    with warnings.catch_warnings(action="ignore"):  # "Output seems independent of input", if anybody reads it
        slopes = [np.stack([grad(similarity, k)(*pair) for pair in pairs]) for k in (0, 1)]
    return 1 - s, lambda dd: tuple(-dd[:, None] * slope for slope in slopes)


# %% [markdown]
# ## What it looks like
#
# The values are right, the loss is right, and it is a horizontal line apart from the noise of the batches.

# %%
points, labels = datasets.plane(np.random.default_rng(0))
axes = (figure := Figure(figsize=(5, 2.8), layout="constrained")).add_subplot()
last = {}
for name, distance, style in (("minisiam", distances.cosine, "-"), ("np.tensordot", wrong, "--")):
    rng = np.random.default_rng(1)
    network = networks.siamese(encoders.mlp(32, 3, normalize=True), distance, losses.contrastive)
    batches = islice(samplers.pairs(points, labels, rng, size=32), 150)
    training = train.fit(network, network.init(rng, (2,)), optimizers.adam(0.01), batches)
    values = [value for _, value, _ in training]
    last[name] = np.mean(values[-50:])
    axes.plot(values, style, color=plots.style.COLOURS[len(last) - 1], label=name)
axes.set(xlabel="step", title="loss", ylim=(0, None))
axes.legend(frameon=False)
plots.style.plain(axes)
show(figure, "museum_8_plain_numpy")
assert last["np.tensordot"] > 2 * last["minisiam"]

# %% [markdown]
# ## The property that would have caught it
#
# *The gradient is that of differences*, which need no tape and miss nothing.


# %%
def agrees_with_differences(distance, h=1e-5):
    a, b, step = np.array([[0.6, 0.8]]), np.array([[1.0, 0.0]]), np.array([[-0.8 * h, 0.6 * h]])  # along the circle
    slope = (distance(a + step, b)[0] - distance(a - step, b)[0]) / (2 * h)
    return np.allclose((distance(a, b)[1](np.ones(1))[0] * step).sum() / h, slope)


assert not agrees_with_differences(wrong)
assert agrees_with_differences(distances.cosine)
