# %% [markdown]
# # 16 · Many machines
#
# - *You will see:* that copying is pulled back by adding; four ways to get it wrong, two of which turn the gradient;
#   and what a larger batch gains on the letters.
# - *Time:* 25 minutes.
# - *Needs:* lesson 08 (the batch) and lesson 10 (one softmax).

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import distributed, encoders, evaluate, losses, networks, optimizers, pairwise, samplers, train, tree
from minisiam.course.lesson import show
from minisiam.datasets import pen_glyphs, split
from minisiam.plots import style

# %% [markdown]
# ## A batch that does not split
#
# Processes that compute together are called *ranks*. Give each of $R$ ranks $b$ images. If the loss is a mean over
# images, its gradient is the mean of the ranks' gradients. But a loss on a batch compares every image with every other,
# and of these $(Rb)^2$ distances a rank can compute $b^2$ alone.
#
# So each rank embeds its own images, $z_r$, and sends them to all others. `all_gather` gives every rank a copy of
# $Z = (z_0, \dots, z_{R-1})$. From it rank $r$ computes $\ell_r$, and the objective is the sum $L = \sum_r \ell_r$.
#
# ## Copying is pulled back by adding
#
# A row $z$ of one rank has a copy in the $Z$ of each. Move the row by $dz$, and all copies move:
#
# $$dL = \sum_r \Big\langle \frac{\partial \ell_r}{\partial Z}[z],\; dz \Big\rangle, \qquad\text{so}\qquad
#   \frac{\partial L}{\partial z} = \sum_r \frac{\partial \ell_r}{\partial Z}[z].$$
#
# Rank $r$ knows its own $\partial \ell_r / \partial Z$, for the rows of all ranks. So every rank sends the others their
# rows and adds what it receives: a *reduce-scatter*. No factor $R$ or $1/R$ appears. Here are three ranks with one, two
# and three rows, each with another $\ell_r = \langle Z, W_r Z \rangle$. They are threads, or take turns in a browser.

# %%
rng = np.random.default_rng(0)
ends, W = [0, 1, 3, 6], rng.normal(size=(3, 6, 6))


def objective(z):
    def work(ranks):
        Z, pull_Z = distributed.all_gather(z[ends[ranks.rank] : ends[ranks.rank + 1]], ranks)
        mine = W[ranks.rank]
        return (Z * (mine @ Z)).sum(), *pull_Z((mine + mine.T) @ Z)

    values, gradients = zip(*distributed.run(work, 3), strict=True)
    return sum(values), np.concatenate(gradients)


z = rng.normal(size=(6, 2))
steps = 1e-5 * np.eye(12).reshape(12, 6, 2)
assert np.allclose(objective(z)[1].ravel(), [(objective(z + s)[0] - objective(z - s)[0]) / 2e-5 for s in steps])

# %% [markdown]
# ## Four ways in use, and a right one
#
# Frameworks average or sum the ranks' gradients of the parameters. What a rank computes is left to the user.
#
# | way | anchors of a rank's loss | gradient through the gather | found in |
# |---|---|---|---|
# | A | all | no: the rows of other ranks are constants | pytorch-metric-learning#363, lightly#1920, lightly#1977 |
# | B | all | yes | open_clip#616 |
# | C | its own | no | lightly#1528, NVIDIA-NeMo/Automodel#2283 |
# | D | its own, in its own images: no gather | | Lightning-Universe/lightning-bolts#179 |
# | E | its own | yes: right, if averaged | open_clip#894: `--local-loss --gather-with-grad` |
#
# Here they are on up to eight ranks: SupCon on 64 images of 16 letters, with a network that was trained for 50 steps.

# %%
seen, unseen = split(pen_glyphs(drawers=6, size=14))
encoder = encoders.mlp(256, 64)
network = networks.batch(encoder, pairwise.cosine, losses.supcon)


def batches(size, seed=0):
    return samplers.pk(seen.images, seen.labels, np.random.default_rng(seed), classes=size // 4, per_class=4)


def of_rank(way, theta, x, labels, ranks):
    """The loss and the gradient that one rank computes."""
    own = distributed.share(len(x), ranks)
    z, pull_z = encoder(theta, x[own], input_grad=False)
    Z, pull_Z = distributed.all_gather(z, distributed.Single() if way == "D" else ranks)
    D, pull_D = pairwise.cosine(Z, Z)
    value, pull = losses.supcon(D, labels[own] if way == "D" else labels)
    (dD,) = pull(1.0)
    if way in "CE":  # a mean over the own anchors, which are the own rows of D
        dD[: own.start] = dD[own.stop :] = 0
        dD *= ranks.size
    dZ = sum(pull_D(dD))
    return value, pull_z(dZ[own] if way in "AC" else pull_Z(dZ)[0])[0]


def averaged(way, size):
    """The network whose gradient is the mean over the ranks."""

    def apply(params, x, labels):
        results = distributed.run(lambda ranks: of_rank(way, params["encoder"], x, labels, ranks), size)
        mean = tree.map(lambda g: g / size, tree.add(*(gradient for _, gradient in results)))
        return results[0][0], lambda dl: ({"encoder": mean, "distance": (), "loss": ()},)

    return networks.Network(network.init, apply)


def gradient(network, params, x):
    return np.concatenate([leaf.ravel() for leaf in tree.leaves(network(params, x, labels)[1](1.0)[0])])


start = network.init(rng, (14, 14, 1))
*_, (_, _, params) = train.fit(network, start, optimizers.adam(3e-3), islice(batches(128), 50))
x, labels = next(batches(64, seed=1))
truth, sizes = gradient(network, params, x), np.array([1, 2, 4, 8])
G = np.array([[gradient(averaged(way, size), params, x) for size in sizes] for way in "ABCDE"])
length = np.linalg.norm(G, axis=2) / np.linalg.norm(truth)  # (ways, sizes)
cosine = G @ truth / length / (truth @ truth)
for way, c, ratio in zip("ABCDE", cosine[:, 2], length[:, 2], strict=True):
    print(f"{way}: cosine {c:.3f}, size {ratio:.2f} if averaged over the ranks, {4 * ratio:.2f} if summed")
assert np.allclose(cosine[[0, 1, 4]], 1, atol=1e-5)
assert np.allclose(length[[0, 1, 4]], [1 / sizes, 0 * sizes + 1, 0 * sizes + 1], rtol=1e-4)
assert (np.diff(cosine[2:4]) < -0.02).all() and cosine[2, 2] < 0.85

# %% [markdown]
# A and B have the right direction and a size that depends on $R$: A is right if gradients are summed, B if they are
# averaged. So a factor is added until it fits: pytorch-metric-learning multiplies A by $R$, and when a user asked why
# (#732), the maintainer could not remember. **C and D have another direction**, which no factor repairs and which gets
# worse with every rank. In C the anchors of other ranks do not push the images that are their negatives.
#
# In `distributed` every value and gradient is that of the whole batch, on every rank; $R$ appears nowhere. Batch norm
# takes means over the batch, so a rank with the means of its own images has another network, and the ranks exchange its
# two sums as well. The pullback of a sum is a copy, and that of the copies on all ranks a sum.

# %%
normed = encoders.conv2(16, norm="batch")
plain = networks.batch(normed, pairwise.cosine, losses.supcon)
weights = plain.init(rng, (14, 14, 1))


def on_a_rank(ranks):
    encoder, distance = distributed.encoder(normed, ranks), distributed.rows(pairwise.cosine, ranks)
    return gradient(networks.batch(encoder, distance, losses.supcon), weights, distributed.own(x, ranks))


alone = gradient(plain, weights, x)
assert all(np.abs(g - alone).max() < 1e-4 * np.abs(alone).max() for g in distributed.run(on_a_rank, 3))
assert not np.allclose(normed(weights["encoder"], x[:32])[0], normed(weights["encoder"], x)[0][:32], atol=0.01)

# %% [markdown]
# ## What it costs, and what a larger batch gains
#
# Train on 12,800 images: C and D with four ranks and a batch of 128; and with the true gradient, which is the same for
# any number of ranks, with batches of 32 to 256.


# %%
def accuracy(network, size, rate):
    *_, (_, _, params) = train.fit(network, start, optimizers.adam(rate), islice(batches(size), 12_800 // size))
    z = evaluate.embed(encoder, params["encoder"], unseen.images)
    return evaluate.few_shot(z, unseen.labels, np.random.default_rng(0), pairwise.cosine, episodes=200)


batch_sizes = (32, 64, 128, 256)
scores = {f"step {rate}": [accuracy(network, size, rate) for size in batch_sizes] for rate in (0.003, 0.01)}
scores |= {f"{way}, step 0.01": [accuracy(averaged(way, 4), 128, 0.01)] for way in "CD"}
for name, row in scores.items():
    print(f"{name:14}", *row, sep="   ")
small, large, (C,), (D,) = scores.values()
assert C.high < D.low and D.accuracy < large[2].accuracy
assert large[0].accuracy < large[2].accuracy and small[3].accuracy < small[1].accuracy

# %% [markdown]
# C is worse than D: here a gather without gradient costs more than no gather. And a larger batch is no gain by itself,
# since the same images make fewer steps: with small steps 256 is worse than 64; with large ones 128 is better than 32.

# %%
left, middle, right = (figure := Figure(figsize=(9.6, 3.4), layout="constrained")).subplots(1, 3)
for axes, y in ((left, cosine), (middle, length)):
    for row, way in enumerate("ABCD"):
        axes.plot(sizes, y[row], color=style.COLOURS[row], marker=style.MARKERS[row], label=way)
for number, (name, row) in zip((4, 5, 2, 3), scores.items(), strict=True):
    share, low, high = 100 * np.array(row).T[:3]
    look = {"color": style.COLOURS[number], "marker": style.MARKERS[number], "capsize": 3, "label": name}
    right.errorbar(range(4) if row[1:] else 2, share, [share - low, high - share], **look)
left.set(title="cosine with the true gradient", xlabel="ranks")
middle.set(title="size, if averaged over ranks", xlabel="ranks", ylim=(0, None))
right.set(title="20-way one-shot accuracy, %", xlabel="batch", xticks=range(4), xticklabels=batch_sizes)
for axes in (left, middle, right):
    style.plain(axes)
    axes.legend(frameon=False, fontsize=8)
show(figure, "16_many_machines")

# %% [markdown]
# ## Your turn
#
#     minisiam learn start all-gather       # every rank gets the rows of all, and the gradient of every copy
