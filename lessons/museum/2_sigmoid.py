# %% [markdown]
# # Exhibit 2 · A distance that is a sigmoid
#
# A network ends in one sigmoid unit on top of the distance, and a loss made for distances, with margin 1, is put on
# that. Found in a tutorial, keras-team/keras-io#2230: the output stays below 1, and 1 is the margin.

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, distances, encoders, losses, networks, optimizers, plots, samplers, train
from minisiam._numerics import sigmoid
from minisiam.course.lesson import show
from minisiam.op import with_parameters

# %% [markdown]
# ## The code


# %%
@with_parameters(lambda rng, size: (np.ones((), np.float32), np.zeros((), np.float32)))
def wrong(a, b, scale=1.0, bias=0.0, /):
    """σ(w ‖a − b‖ + β), the sigmoid unit: between σ(β) and 1 whatever the points are."""
    d, pull = distances.l2(a, b)
    p = sigmoid(scale * d + bias)

    def pullback(dp):
        slope = dp * p * (1 - p)
        return (*pull(scale * slope), (slope * d).sum(), slope.sum())

    return p, pullback


def bare(a, b, /):
    """The sigmoid alone, σ(‖a − b‖): between ½ and 1."""
    p, pullback = wrong(a, b)
    return p, lambda dp: pullback(dp)[:2]


# %% [markdown]
# ## What it looks like
#
# The sigmoid alone has a *floor*. Two images of one class have at best $\sigma(0) = \tfrac12$, which costs
# $\tfrac12 \cdot \tfrac14$; with half of the pairs of one class the mean is at least $\tfrac1{16}$.
#
# A learned scale and bias, as in the tutorial, remove the floor: $\sigma(\beta)$ can be as small as the network likes,
# and the loss falls as it does on the distance. What stays is the *ceiling*, $p < 1 = m$. No pair of two classes ever
# reaches the margin, so each of them is pushed for ever, and "far enough" no longer exists: the right panel counts the
# pairs of two classes that have no gradient.

# %%
points, labels = datasets.plane(np.random.default_rng(0))
i, j = np.triu_indices(len(points), k=1)
same = labels[i] == labels[j]
encoder = encoders.mlp(32, 2)
left, right = (figure := Figure(figsize=(8, 2.8), layout="constrained")).subplots(1, 2, width_ratios=(3, 2))
last, at_rest = {}, {}
RUNS = ("distance", distances.l2, "-"), ("sigmoid", bare, "--"), ("learned sigmoid", wrong, ":")
for name, distance, style in RUNS:
    rng = np.random.default_rng(1)
    network = networks.siamese(encoder, distance, losses.contrastive)
    batches = islice(samplers.pairs(points, labels, rng), 400)
    history = list(train.fit(network, network.init(rng, (2,)), optimizers.adam(0.01), batches))
    values, (_, _, params) = [value for _, value, _ in history], history[-1]
    z, _ = encoder(params["encoder"], points)
    d, _ = distance(z[i], z[j], *params["distance"])
    (slope,) = losses.contrastive(d, same)[1](1.0)
    last[name], at_rest[name] = np.mean(values[-50:]), np.mean(slope[~same] == 0)
    left.plot(values, style, color=plots.style.COLOURS[len(last) - 1], label=name)
right.bar(range(3), [100 * share for share in at_rest.values()], color=plots.style.COLOURS[:3])
right.set(title="different pairs at rest, %", ylim=(0, 100))
right.set_xticks(range(3), [name.replace(" ", "\n") for name in last])
left.axhline(1 / 16, color="0.6", linewidth=1)
left.set(xlabel="step", title="loss; grey: 1/16", ylim=(0, 0.25))
left.legend(frameon=False)
for axes in (left, right):
    plots.style.plain(axes)
show(figure, "museum_2_sigmoid")
assert last["sigmoid"] > 1 / 16 > 10 * max(last["distance"], last["learned sigmoid"])
assert at_rest["distance"] > 0.7 > 0 == at_rest["sigmoid"] == at_rest["learned sigmoid"]

# %% [markdown]
# ## The property that would have caught it
#
# *A thing is at distance 0 from itself, and there are things farther apart than the margin.* The learned sigmoid fails
# both parts, whatever its scale and bias are. It is a model of a probability: train it with the cross-entropy (lesson
# 06).


# %%
def is_a_distance(distance, margin=1.0):
    near, far = np.zeros((1, 2)), np.full((1, 2), 100.0)
    return bool(distance(near, near)[0] == 0 and distance(near, far)[0] > margin)


assert not is_a_distance(wrong)
assert not any(is_a_distance(lambda a, b, s=s, t=t: wrong(a, b, s, t)) for s in (0.1, 4, 50) for t in (-6, 0, 6))
assert is_a_distance(distances.l2)
