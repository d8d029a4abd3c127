# %% [markdown]
# # Exhibit 1 · Labels the wrong way round
#
# Hadsell, Chopra & LeCun (2006) print $(1 - Y)\,\tfrac12 D^2 + Y\,\tfrac12 \max(0, m - D)^2$ with $Y = 0$ for a
# *similar* pair. The cross-entropy (lesson 06) has 1 for "same", and so have many libraries. Found in
# keras-team/keras#13584, which cost its author "several hours".

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, distances, encoders, losses, networks, optimizers, plots, samplers, train
from minisiam.course.lesson import show

# %% [markdown]
# ## The code


# %%
def wrong(d, y, margin=1.0):
    """Equation 4 of the paper, to the letter, called with y = 1 for two images of one class."""
    y = y.astype(d.dtype)
    gap = np.maximum(0, margin - d)
    value = ((1 - y) * d**2 + y * gap**2).mean() / 2

    def pullback(dl):
        return (dl * ((1 - y) * d - y * gap) / len(d),)

    return value, pullback


# %% [markdown]
# ## What it looks like
#
# A loss that falls a little and stays. The loss asks the network to pull different classes together and to push each
# class apart, and both cannot be: $d(a, a') \le d(a, b) + d(b, a')$. It ends with one mixture of all classes.

# %%
points, labels = datasets.plane(np.random.default_rng(0))
encoder = encoders.mlp(32, 2)
left, right = (figure := Figure(figsize=(7, 2.8), layout="constrained")).subplots(1, 2)
ends = {}
for name, loss, style in (("right", losses.contrastive, "-"), ("wrong", wrong, "--")):
    rng = np.random.default_rng(1)
    network = networks.siamese(encoder, distances.l2, loss)
    params = network.init(rng, (2,))
    batches = islice(samplers.pairs(points, labels, rng), 400)
    values, after = zip(
        *((v, p) for _, v, p in train.fit(network, params, optimizers.adam(0.01), batches)), strict=True
    )
    x1, x2, same = next(samplers.pairs(points, labels, np.random.default_rng(2), size=1000))
    d, _ = distances.l2(*(encoder(after[-1]["encoder"], x)[0] for x in (x1, x2)))
    ends[name] = d[same].mean(), d[~same].mean()
    left.plot(values, style, color=plots.style.COLOURS[len(ends) - 1], label=name)
places = np.arange(2)
right.bar(places - 0.2, [end[0] for end in ends.values()], 0.4, color=plots.style.SAME, label="same class")
right.bar(places + 0.2, [end[1] for end in ends.values()], 0.4, color=plots.style.DIFFERENT, label="two classes")
left.set(xlabel="step", title="loss", ylim=(0, None))
right.set(title="mean distance at the end")
right.set_xticks(places, list(ends))
for axes in (left, right):
    axes.legend(frameon=False)
    plots.style.plain(axes)
show(figure, "museum_1_labels")
assert 5 * ends["right"][0] < ends["right"][1]
assert ends["wrong"][0] > 0.8 * ends["wrong"][1]  # the distance no longer says who is who

# %% [markdown]
# ## The property that would have caught it
#
# *A step down the gradient shortens the distance of a pair of one class, and not that of two.* No label convention
# occurs in it. (And the library takes booleans named `same`, and refuses 0 and 1.)


# %%
def pulls_together(loss):
    d, same = np.array([0.5, 0.5]), np.array([True, False])
    (slope,) = loss(d, same)[1](1.0)
    return bool(slope[0] > 0 >= slope[1])


assert not pulls_together(wrong)
assert pulls_together(losses.contrastive)
