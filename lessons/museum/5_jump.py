# %% [markdown]
# # Exhibit 5 · A loss that rises when things improve
#
# The mean over the *active* triplets, those whose hinge is above 0. Found in
# omoindrot/tensorflow-triplet-loss#6, where a loss stays near the margin, and the answer is that it need not fall.

# %%
from functools import partial
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, encoders, losses, networks, optimizers, pairwise, plots, samplers, train
from minisiam.course.lesson import show

# %% [markdown]
# ## The code


# %%
def wrong(near, far, margin=1.0):
    """The triplet hinge; satisfied triplets are not counted, "since they contribute nothing"."""
    violation = np.maximum(0, near - far + margin)
    active = violation > 0
    value = violation[active].mean()  # and nan where all are satisfied

    def pullback(dl):
        slope = dl * active / active.sum()
        return slope, -slope

    return value, pullback


# %% [markdown]
# ## What it looks like
#
# A loss that stands still, or rises, while triplet after triplet comes to rest. The weighting has its uses: it keeps
# the steps large, and the library has it as `reduction="mean_active"`. As a measure of progress it is misleading.
# Below, one run, read in two ways: in the first twenty steps the mean over all falls by a third, and the mean over the
# active rises.

# %%
points, labels = datasets.plane(np.random.default_rng(0))
hinge = losses.all_triplets(losses.triplet_hinge)
network = networks.batch(encoders.mlp(32, 2), pairwise.l2, partial(hinge, reduction="mean_active"))
watch = networks.batch(encoders.mlp(32, 2), pairwise.l2, hinge)
rng = np.random.default_rng(1)
params = network.init(rng, (2,))
all_of_them = points[::2], labels[::2]
batches = islice(samplers.pk(points, labels, rng, classes=3, per_class=16), 100)
readings = []
training = train.fit(network, params, optimizers.adam(0.01), batches)
for step, _, params in training:
    if step % 2 == 1:
        readings.append((step, network(params, *all_of_them)[0], watch(params, *all_of_them)[0]))
steps, over_active, over_all = np.transpose(readings)
axes = (figure := Figure(figsize=(5, 2.8), layout="constrained")).add_subplot()
axes.plot(steps, over_active, "s--", color=plots.style.COLOURS[1], markersize=3, label="mean over the active")
axes.plot(steps, over_all, "-", color="black", label="mean over all")
axes.set(xlabel="step", title="one run, two readings", ylim=(0, None))
axes.legend(frameon=False)
plots.style.plain(axes)
show(figure, "museum_5_jump")
assert over_all[9] < 0.67 * over_all[0]
assert over_active[9] > 1.1 * over_active[0]

# %% [markdown]
# ## The property that would have caught it
#
# *Moving a negative farther away never raises the loss.* Here are a thousand random batches of two triplets, of which
# the first stays active and the negative of the second moves away. For instance, they violate the margin by 1 and by
# 0.1; when the second is satisfied, the mean over the active goes from 0.55 to 1.


# %%
def is_monotone(loss):
    rng = np.random.default_rng(0)
    near, far, step = rng.random((3, 1000, 2))
    near[:, 0], far[:, 1], step[:, 0] = 1, far[:, 1] + 0.5, 0
    return all(loss(p, n + dn)[0] <= loss(p, n)[0] for p, n, dn in zip(near, far, step, strict=True))


first, _ = wrong(np.array([0.5, 0.5]), np.array([0.5, 1.4]))
then, _ = wrong(np.array([0.5, 0.5]), np.array([0.5, 1.6]))
assert np.allclose([first, then], [0.55, 1])


assert not is_monotone(wrong)
assert is_monotone(losses.triplet_hinge)
