# %% [markdown]
# # 08 · The batch
#
# - *You will see:* that 64 images hold 11,520 triplets, and that all of them, and their gradient, can be read from one
#   64 × 64 matrix without writing a single triplet down.
# - *Time:* 25 minutes.
# - *Needs:* lessons 02 (distances), 04 (contrastive loss) and 05 (triplet loss).

# %%
import time

import numpy as np
from matplotlib.figure import Figure

from minisiam import fast, losses, miners, pairwise, plots, samplers
from minisiam.analysis import counts, forces
from minisiam.course.lesson import show

# %% [markdown]
# ## Encoding is expensive, comparing is cheap
#
# A siamese network that draws its pairs one by one encodes two images to compare them once. Encode instead a batch of
# $n$ images and compare each with each: $n(n-1)/2$ pairs for $n$ encodings.
#
# The batch should hold positives, and a random batch may have none. Draw 100 images from 10,000 classes: the
# probability that no two share a class is $\prod_{i<100} (1 - i/10000)$, the birthday problem. So one draws $P$
# classes and $K$ images of each, a *P×K batch* (Hermans, Beyer & Leibe 2017). It holds $PK(K-1)/2$ positive pairs, and
# each of the $PK$ anchors has $K-1$ positives and $(P-1)K$ negatives. Classes are dealt like cards, and so are the
# images of each: shuffled once, dealt until none is left, and shuffled again. So every class is used before any is used
# twice, and within a class every image. If all classes have the same size, a multiple of $K$, so are all images.

# %%
assert round(np.prod(1 - np.arange(100) / 10_000), 2) == 0.61  # six batches in ten would have no positive pair
there = counts.population(np.repeat(np.arange(16), 4))
assert there.positive_pairs + there.negative_pairs == 64 * 63 // 2 == 2016
assert there.triplets == 64 * 3 * 60 == 11_520
for sizes, batches, most in (((8, 8, 8, 8), 4, 1), ((4, 40, 40), 15, 10)):  # until every image has been seen
    of = np.repeat(np.arange(len(sizes)), sizes)
    dealt = samplers.pk_indices(of, np.random.default_rng(0), classes=2, per_class=4)
    seen = sum(np.bincount(next(dealt), minlength=len(of)) for _ in range(batches))  # how often each image
    assert all(np.ptp(seen[of == c]) <= 1 for c in of)  # within a class none twice before all once
    assert (seen.min(), seen.max()) == (1, most)  # an image of the small class ten times

# %% [markdown]
# ## One matrix, and the way back
#
# Here is a batch to look at: 8 classes, 4 points each, in the plane, wide enough to overlap. $D_{ij} = \|z_i - z_j\|$.
#
# Suppose a loss hands us $G_{ij} = \partial \ell / \partial D_{ij}$. The derivative of $D_{ij}$ in $z_i$ is the unit
# vector $(z_i - z_j) / D_{ij}$, and $z_i$ stands in row $i$ and in column $i$, so
#
# $$\frac{\partial \ell}{\partial z_i} = \sum_j F_{ij} (z_i - z_j) = \Big(\sum_j F_{ij}\Big) z_i - (Fz)_i,
#   \qquad F_{ij} = \frac{G_{ij} + G_{ji}}{D_{ij}}.$$
#
# Two products of matrices, whatever the loss. Where $D_{ij} = 0$ there is no direction and $F_{ij} = 0$ (lesson 02).

# %%
rng = np.random.default_rng(0)
z, labels = forces.example(rng, classes=8, per_class=4)  # (32, 2), (32,)
D, pull_D = pairwise.l2(z, z)  # (32, 32)

G = rng.normal(size=D.shape)
F = np.divide(G + G.T, D, out=np.zeros_like(D), where=D > 0)
dz_rows, dz_columns = pull_D(G)
assert np.allclose(dz_rows + dz_columns, F.sum(axis=1)[:, None] * z - F @ z)

# %% [markdown]
# So from here on a loss is a function of $D$ and the labels, and its gradient an $n \times n$ matrix. Which entries a
# loss reads is a question of indices. A *miner* chooses them, and `losses.with_miner(loss, miner)` is the loss over the
# chosen entries. All pairs, for instance:

# %%
same = labels[:, None] == labels  # (32, 32)
i, j = np.triu_indices(32, k=1)
value, pull = losses.contrastive(D[i, j], same[i, j], margin=1.0)
assert np.isclose(value, losses.with_miner(losses.contrastive, miners.all_pairs)(D, labels, margin=1.0)[0])

# %% [markdown]
# ## Three kinds of triplet
#
# A hinge with margin $m$ asks for $d_{an} \ge d_{ap} + m$. With $\text{gap} = d_{an} - d_{ap}$ a triplet is *easy* if
# gap $> m$ (no gradient), *semi-hard* if $0 <$ gap $\le m$ (right order, too close), *hard* if gap $\le 0$.
#
# **Batch-hard** (Hermans et al., eq. 5) keeps, for each anchor, its farthest positive and its nearest negative. Two
# masks, an `argmax` and an `argmin`:

# %%
margin, positive, negative = 0.5, same & ~np.eye(32, dtype=bool), ~same
p = np.where(positive, D, -np.inf).argmax(axis=1)  # the farthest positive
n = np.where(negative, D, np.inf).argmin(axis=1)  # the nearest negative
hard = miners.batch_hard(D, labels)
assert np.array_equal([hard.positive, hard.negative], [p, n])

# %% [markdown]
# The hardest triplets are often the mislabelled and the unreadable ones, and in lesson 09 they lead a network into
# collapse. **Semi-hard** (Schroff, Kalenichenko & Philbin 2015, §3.2) keeps for each anchor and positive the nearest
# negative that is *farther* than the positive, within the margin. **Batch-all** keeps every triplet.

# %%
semi = miners.semi_hard_facenet(D, labels, margin)
every = miners.all_triplets(D, labels)
for name, chosen in (("batch-hard", hard), ("semi-hard", semi), ("batch-all", every)):
    print(f"{name:11}{len(chosen.anchor):5} triplets, of these", counts.count_mined(D, chosen, margin))

gap = D[semi.anchor, semi.negative] - D[semi.anchor, semi.positive]
assert 0 < gap.min() <= gap.max() <= margin
assert len(hard.anchor) == 32
assert len(every.anchor) == 32 * 3 * 28 == sum(counts.count(D, labels, margin))

# %% [markdown]
# The figure shows the gradient $\partial \ell / \partial D$ of the hinge under the three choices, blue where a distance
# should shrink, orange where it should grow. Rows are anchors, and the squares on the diagonal are the classes.
# Batch-hard changes at most two distances per row, batch-all every one that violates the margin, each a little.

# %%
choices = {
    "batch-hard": miners.batch_hard,
    "semi-hard": lambda D, labels: miners.semi_hard_facenet(D, labels, margin),
    "batch-all": miners.all_triplets,
}
figure = Figure(figsize=(9.6, 3.5), layout="constrained")
panels = figure.subplots(1, 3)
for axes, (name, miner) in zip(panels, choices.items(), strict=True):
    value, pull = losses.with_miner(losses.triplet_hinge, miner)(D, labels, margin=margin)
    (dD,) = pull(1.0)
    assert dD[positive].min() >= 0 >= dD[negative].max()
    assert name != "batch-hard" or (dD != 0).sum(axis=1).max() <= 2
    row, column = np.nonzero(dD)
    size = 28 * np.sqrt(np.abs(dD[row, column]) / np.abs(dD).max())
    pulled = dD[row, column] > 0
    axes.scatter(column[pulled], row[pulled], size[pulled], plots.style.SAME, marker="s", label="shrink")
    axes.scatter(column[~pulled], row[~pulled], size[~pulled], plots.style.DIFFERENT, marker="o", label="grow")
    for c in range(8):
        axes.plot(4 * c + np.array([-0.5, 3.5, 3.5, -0.5, -0.5]), 4 * c + np.array([-0.5, -0.5, 3.5, 3.5, -0.5]), "0.7")
    axes.set(title=f"{name}: {len(row)} entries", xlim=(-1, 32), ylim=(32, -1), xticks=[], yticks=[], aspect="equal")
panels[0].set(ylabel="anchor", xlabel="partner")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
show(figure, "08_gradient")

# %% [markdown]
# ## All triplets, without a list
#
# There are $n (K-1)(n-K)$ triplets, but only $n^2$ distances, and the hinge is piecewise linear. So for one anchor with
# positives at distances $p_k$ and negatives at $q_l$, count instead of listing:
#
# $$\sum_{k,l} \max(0,\; p_k - q_l + m) = \sum_k c_k\,(p_k + m) - \sum_l C_l\, q_l,$$
#
# where $c_k$ is the number of negatives nearer than $p_k + m$, and $C_l$ the number of positives with $p_k + m > q_l$.
# Each active triplet adds one $p_k + m$ and takes away one $q_l$; the rest add nothing. While no triplet changes sides
# the counts are constant, so the gradient is the counts themselves: $\partial/\partial p_k = c_k$ and
# $\partial/\partial q_l = -C_l$. And a count below a bound is a search in a sorted list: sort each row once,
# $O(n \log n)$, and all $n$ rows take $O(n^2 \log n)$, whatever $K$.

# %%
a = 0
reach, q = D[a, positive[a]] + margin, D[a, negative[a]]  # (3,), (28,)
c = np.searchsorted(np.sort(q), reach)  # (3,) negatives within each positive's reach
C = len(reach) - np.searchsorted(np.sort(reach), q, side="right")  # (28,) positives that reach each negative
one_by_one = np.maximum(0, reach[:, None] - q)  # (3, 28), the list that we do not want
assert np.isclose((c * reach).sum() - (C * q).sum(), one_by_one.sum())
assert np.array_equal(c, (one_by_one > 0).sum(axis=1))
assert np.array_equal(C, (one_by_one > 0).sum(axis=0))

# %% [markdown]
# `fast.all_triplets` does this for every row. Against `losses.all_triplets`, which lists them, on 512 images of 128
# classes: the same value, the same gradient. (Few positives a row it counts by comparing, many by sorting; `many=1`
# makes it sort.)

# %%
z, labels = forces.example(rng, classes=128, per_class=4, dimensions=16)
D, _ = pairwise.l2(z, z)
answers = {}
for name, loss in (
    ("listed", losses.all_triplets(losses.triplet_hinge)),
    ("compared", fast.all_triplets(losses.triplet_hinge)),
    ("sorted", fast.all_triplets(losses.triplet_hinge, many=1)),
):
    start = time.perf_counter()
    value, pull = loss(D, labels, margin=margin)
    answers[name] = value, pull(1.0)[0]
    print(f"{name:9} value {value:.12f}   {1000 * (time.perf_counter() - start):6.1f} ms")
assert counts.population(labels).triplets == 512 * 3 * 508 == 780_288
for name in ("compared", "sorted"):
    assert np.isclose(answers[name][0], answers["listed"][0], rtol=1e-12)
    assert np.allclose(answers[name][1], answers["listed"][1], rtol=1e-9, atol=1e-15)

# %% [markdown]
# (The soft margin has no such form: $\log(1 + e^{p - q})$ is not a function of $p$ plus one of $q$.) And $D$ need not
# be in memory either: `fast.blockwise(pairwise.l2)` computes a few rows at a time and propagates their gradient, so
# 32,768 images, 3.2 billion triplets, fit in 214 MB. Nor need the activations of the encoder: `fast.cached` keeps
# only the embeddings, and encodes each chunk of the batch again when its gradient has arrived.

# %% [markdown]
# ## Your turn
#
#     minisiam learn start pairwise         # every embedding against every other, and its pullback
#     minisiam learn start all-pairs        # every pair of a batch, as indices
#     minisiam learn start batch-hard       # the hardest triplet of each anchor
#     minisiam learn start semi-hard        # negatives a little farther than the positive
#     minisiam learn start cached           # a batch larger than the memory of its activations
