# %% [markdown]
# # Exhibit 2 · A distance that is a sigmoid
#
# A network ends in one sigmoid unit on top of the distance, and a loss made for distances, with margin 1, is put on
# that. Found in a tutorial, keras-team/keras-io#2230.

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, distances, encoders, losses, networks, optimizers, plots, samplers, train
from minisiam.lesson import show
from minisiam.numerics import logistic

# %% [markdown]
# ## The code


# %%
def wrong(a, b, /):
    """σ(‖a − b‖): between ½ and 1 whatever the points are. A learned scale and bias move the floor, no more."""
    d, pull = distances.l2(a, b)
    p = logistic(d)

    def pullback(dp):
        return pull(dp * p * (1 - p))

    return p, pullback


# %% [markdown]
# ## What it looks like
#
# The loss falls, and stops at a floor. Two images of one class have at best $\sigma(0) = \tfrac12$, which costs
# $\tfrac12 \cdot \tfrac14$; with half of the pairs of one class that is $\tfrac1{16}$, and no training goes below it.

# %%
points, labels = datasets.plane(np.random.default_rng(0))
axes = (figure := Figure(figsize=(5, 2.8), layout="constrained")).add_subplot()
last = {}
for name, distance, style in (("distance", distances.l2, "-"), ("sigmoid of it", wrong, "--")):
    rng = np.random.default_rng(1)
    network = networks.siamese(encoders.mlp(32, 2), distance, losses.contrastive)
    batches = islice(samplers.pairs(points, labels, rng), 400)
    training = train.fit(network, network.init(rng, (2,)), optimizers.adam(0.01), batches)
    values = [value for _, value, _ in training]
    last[name] = np.mean(values[-50:])
    axes.plot(values, style, color=plots.style.COLOURS[len(last) - 1], label=name)
axes.axhline(1 / 16, color="0.6", linewidth=1)
axes.set(xlabel="step", title="loss; grey: 1/16", ylim=(0, 0.25))
axes.legend(frameon=False)
plots.style.plain(axes)
show(figure, "museum_2_sigmoid")
assert last["sigmoid of it"] > 1 / 16 > 2 * last["distance"]

# %% [markdown]
# ## The property that would have caught it
#
# *A thing is at distance 0 from itself, and there are things farther apart than the margin.*


# %%
def is_a_distance(distance, margin=1.0):
    near, far = np.zeros((1, 2)), np.full((1, 2), 100.0)
    return bool(distance(near, near)[0] == 0 and distance(near, far)[0] > margin)


assert not is_a_distance(wrong)
assert is_a_distance(distances.l2)
