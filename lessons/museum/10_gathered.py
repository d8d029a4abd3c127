# %% [markdown]
# # Exhibit 10 · A gradient that was not gathered
#
# The embeddings of all ranks are gathered, and those of other ranks are constants: an image learns from its own
# anchors, but not from the anchors of other ranks that it is compared with. Found in lightly-ai/lightly#1528, and in
# the review of NVIDIA-NeMo/Automodel#2283; asked about in facebookresearch/SLIP#31.

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
    """The rows of all ranks; the gradient of the own copy."""
    parts = ranks.gather(z)
    start = sum(len(part) for part in parts[: ranks.rank])
    return np.concatenate(parts), lambda dZ: (dZ[start : start + len(z)].copy(),)


# %% [markdown]
# ## What it looks like
#
# The loss is right at every step, on every rank, and it falls: later, and less far. Only a run on one rank shows that.
# The gradient has another direction, which no learning rate repairs (lesson 16: worse than not to gather at all).


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
axes = (figure := Figure(figsize=(5, 2.8), layout="constrained")).add_subplot()
for number, (label, gather) in enumerate((("minisiam", distributed.all_gather), ("not gathered", wrong))):
    network, rng = on_four_ranks(gather), np.random.default_rng(1)
    batches = islice(samplers.pk(points, labels, rng, classes=8, per_class=4), 150)
    values = [value for _, value, _ in train.fit(network, network.init(rng, (2,)), optimizers.adam(0.01), batches)]
    last[label] = np.mean(values[-50:])
    axes.plot(values, "-" if number == 0 else "--", color=style.COLOURS[number], label=label)
axes.set(xlabel="step", title="loss")
axes.legend(frameon=False)
style.plain(axes)
show(figure, "museum_10_gathered")
assert last["not gathered"] > 1.2 * last["minisiam"]

# %% [markdown]
# ## The property that would have caught it
#
# *A pullback is the transpose of its function*: for any $dz$ and $\bar Z$, $\langle \text{gather}(dz), \bar Z \rangle
# = \langle dz, \text{pullback}(\bar Z) \rangle$, each summed over the ranks. It needs no loss and no differences.


# %%
def is_a_transpose(gather):
    def products(ranks):
        rng = np.random.default_rng(ranks.rank)  # other numbers on each rank
        dz = rng.normal(size=(1 + ranks.rank, 2))  # and another number of rows
        dZ, pullback = gather(dz, ranks)
        upstream = rng.normal(size=dZ.shape)
        return (dZ * upstream).sum(), (dz * pullback(upstream)[0]).sum()

    forward, back = np.sum(distributed.run(products, 3), axis=0)
    return np.isclose(forward, back)


assert not is_a_transpose(wrong)
assert is_a_transpose(distributed.all_gather)
