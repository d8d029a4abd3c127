# %% [markdown]
# # Exhibit 9 · A factor R, by trial
#
# Four ranks share a batch (lesson 16). Somewhere a gradient is R times too small or too large, and a factor is tried.
# Found as R in mlfoundations/open_clip#616, as 1/R in lightly-ai/lightly#1920 and #1977. In
# KevinMusgrave/pytorch-metric-learning#732 a user asks what the factor is for, and the maintainer cannot remember.

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, distributed, encoders, losses, networks, optimizers, pairwise, samplers, train, tree
from minisiam.course.lesson import show
from minisiam.plots import style

# %% [markdown]
# ## The code


# %%
def wrong(z, ranks):
    """The rows of all ranks; "gradients are averaged later, so multiply them by the number of ranks"."""
    Z, pullback = distributed.all_gather(z, ranks)
    return Z, lambda dZ: (ranks.size * pullback(dZ)[0],)


# %% [markdown]
# ## What it looks like
#
# With Adam, nothing at all: it divides the gradient by its own size, so that a constant factor cancels. With SGD the
# factor is a learning rate R times as large. If the rate is tuned with the factor in place, this goes unnoticed until
# the number of ranks changes.


# %%
def on_four_ranks(gather):
    """The batch network. Each rank has its own anchors, and the gradients of the ranks are summed."""

    def one(ranks, params, x, labels):
        own = distributed.share(len(x), ranks)
        z, pull_z = encoder(params["encoder"], x[own], input_grad=False)
        Z, pull_Z = gather(z, ranks)
        D, pull_D = pairwise.cosine(Z, Z)
        value, pull = losses.supcon(D, labels)
        (dD,) = pull(1.0)
        dD[: own.start] = dD[own.stop :] = 0  # the anchors of the other ranks
        return value, pull_z(pull_Z(sum(pull_D(dD)))[0])[0]

    def apply(params, *batch):
        values, gradients = zip(*distributed.run(lambda ranks: one(ranks, params, *batch), 4), strict=True)
        return values[0], lambda dl: ({"encoder": tree.add(*gradients), "distance": (), "loss": ()},)

    return networks.Network(networks.batch(encoder, pairwise.cosine, losses.supcon).init, apply)


points, labels = datasets.plane(np.random.default_rng(0), classes=10, per_class=48)
encoder = encoders.mlp(32, 16)
last = {}
panels = (figure := Figure(figsize=(7, 2.8), layout="constrained")).subplots(1, 2)
for axes, name, optimizer in zip(panels, ("Adam", "SGD"), (optimizers.adam(0.01), optimizers.sgd(0.03)), strict=True):
    for number, (label, gather) in enumerate((("minisiam", distributed.all_gather), ("times R", wrong))):
        network, rng = on_four_ranks(gather), np.random.default_rng(1)
        batches = islice(samplers.pk(points, labels, rng, classes=8, per_class=4), 150)
        values = [value for _, value, _ in train.fit(network, network.init(rng, (2,)), optimizer, batches)]
        last[name, label] = np.mean(values[-50:])
        axes.plot(values, "-" if number == 0 else "--", color=style.COLOURS[number], label=label)
    axes.set(xlabel="step", title=f"loss, {name}")
    axes.legend(frameon=False)
    style.plain(axes)
show(figure, "museum_9_factor")
assert abs(last["Adam", "times R"] - last["Adam", "minisiam"]) < 0.01 * last["Adam", "minisiam"]
assert abs(last["SGD", "times R"] - last["SGD", "minisiam"]) > 0.1 * last["SGD", "minisiam"]

# %% [markdown]
# ## The property that would have caught it
#
# *The number of ranks does not change the gradient.* One step on the same batch, with one rank and with four.


# %%
def is_the_same_on_any_number_of_ranks(gather):
    z = np.arange(8.0).reshape(8, 1)

    def gradient(ranks):
        own = distributed.share(8, ranks)
        Z, pullback = gather(z[own], ranks)
        anchors = np.isin(np.arange(8), np.arange(8)[own])[:, None]
        return pullback(anchors * (Z - Z.mean()))[0]  # of ½ Σ (z − mean)², the own rows

    one, four = (np.concatenate(distributed.run(gradient, size)) for size in (1, 4))
    return np.allclose(one, four)


assert not is_the_same_on_any_number_of_ranks(wrong)
assert is_the_same_on_any_number_of_ranks(distributed.all_gather)
