# %% [markdown]
# # Exhibit 4 · The root of zero
#
# $\partial \sqrt s = \partial s / (2 \sqrt s)$, and two equal embeddings make it $0 / 0$. One pair in one batch is
# enough. Found in HIPS/autograd#183 after "an embarrassingly long time doing other checks".

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, distances, encoders, losses, networks, optimizers, plots, samplers, train
from minisiam.course.lesson import show

# %% [markdown]
# ## The code


# %%
def wrong(a, b, /):
    """The Euclidean distance and its derivative, as on paper."""
    u = a - b
    d = np.sqrt((u * u).sum(axis=1))

    def pullback(dd):
        da = (dd / d)[:, None] * u
        return da, -da

    return d, pullback


# %% [markdown]
# ## What it looks like
#
# A healthy curve that ends. Here image 7 is in the data twice; the step after the two meet has no loss.

# %%
points, labels = datasets.plane(np.random.default_rng(0))
points, labels = np.concatenate([points, points[7:8]]), np.append(labels, labels[7])
axes = (figure := Figure(figsize=(5, 2.8), layout="constrained")).add_subplot()
lengths = {}
for name, distance, style in (("slope 0 at 0", distances.l2, "-"), ("as on paper", wrong, "--")):
    rng = np.random.default_rng(1)
    network = networks.siamese(encoders.mlp(32, 2), distance, losses.contrastive)
    batches = islice(samplers.pairs(points, labels, rng), 400)
    training = train.fit(network, network.init(rng, (2,)), optimizers.adam(0.01), batches)
    values = []
    try:
        with np.errstate(invalid="ignore"):
            values.extend(value for _, value, _ in training)
    except FloatingPointError as error:
        print(error)
        axes.plot(len(values), values[-1], "X", color="black", markersize=9)
    lengths[name] = len(values)
    axes.plot(values, style, color=plots.style.COLOURS[len(lengths)], label=name)
axes.set(xlabel="step", title="loss; ×: nan", ylim=(0, None))
axes.legend(frameon=False)
plots.style.plain(axes)
show(figure, "museum_4_nan")
assert lengths["as on paper"] < lengths["slope 0 at 0"] == 400

# %% [markdown]
# ## The property that would have caught it
#
# *The gradient is finite at equal points.* Random inputs never try this; a list of corners does
# (`minisiam.gradcheck.kinks`).


# %%
def is_finite_at_equal_points(distance):
    a = np.ones((3, 2))
    with np.errstate(all="ignore"):
        return bool(np.isfinite(distance(a, a)[1](np.ones(3))).all())


assert not is_finite_at_equal_points(wrong)
assert is_finite_at_equal_points(distances.l2)
