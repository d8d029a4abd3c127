# %% [markdown]
# # 17 · From triplets to CLIP
#
# - *You will see:* two encoders that learn to find a drawing by a description of its strokes; the two losses of
#   image-text models, with what they learn beside the weights; and what hard negatives and nested sizes bring here.
# - *Time:* 30 minutes.
# - *Needs:* lesson 06 (verification) and lesson 10 (one softmax).

# %%
from functools import partial
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, encoders, evaluate, losses, networks, optimizers, pairwise, samplers, train, tree
from minisiam.course.lesson import show
from minisiam.datasets.pen_glyphs import skeletons
from minisiam.plots import style

# %% [markdown]
# ## Two modalities
#
# The first is a drawing. The second describes the strokes of the printed letter: in each of 4 × 4 cells, how much line
# there is in each of four directions. A letter has one description and six drawings. Unseen alphabets are for tests.

# %%
raw = datasets.pen_glyphs(drawers=6, size=14)
sharp = datasets.split(raw)[1].images  # of the unseen letters, for the figure
seen, unseen = datasets.split(raw._replace(images=datasets.blurred(datasets.centred(raw.images))))
bones, steps = skeletons().bones, ((0, 1), (1, 0), (1, 1), (1, -1))
lines = [(bones & np.roll(bones, step, axis=(1, 2))).reshape(-1, 4, 16, 4, 16).sum(axis=(2, 4)) for step in steps]
strokes = np.sqrt(np.stack(lines, axis=1)).reshape(len(bones), 64).astype(np.float32) / 4  # (letters, 4 · 4 · 4)


def batches(classes=64):
    """Pairs of a drawing and the strokes of its letter; no letter twice, or it would be its own negative."""
    for index in samplers.pk_indices(seen.labels, np.random.default_rng(0), classes, per_class=2):
        yield seen.images[index[::2]], strokes[seen.labels[index[::2]]]


# %% [markdown]
# ## Two towers
#
# Here each branch has its own encoder, and only the size of the embedding is common. So the gradients of the
# branches are *not* added. With equal weights, and added, they are those of a siamese network:

# %%
tower, (x1, x2) = encoders.mlp(256, 32, normalize=True), next(batches())
towers = networks.two_towers(tower, tower, pairwise.dot, losses.info_nce)
views = networks.two_view(tower, pairwise.dot, losses.info_nce)
shared = views.init(np.random.default_rng(1), (64,))
(of_views,) = views(shared, x2, x2[::-1])[1](1.0)
(of_towers,) = towers(shared | {"encoder": (shared["encoder"],) * 2}, x2, x2[::-1])[1](1.0)
both = tree.leaves(tree.add(*of_towers["encoder"]))
assert all(np.allclose(a, b) for a, b in zip(tree.leaves(of_views["encoder"]), both, strict=True))

# %% [markdown]
# ## Softmax in both directions, or one question per pair
#
# A batch gives a square of logits $x_{ij} = e^s \cos_{ij} + b$, which are $-D_{ij}$.
#
# - **CLIP** (Radford et al. 2021) asks each row which column belongs to it, and each column which row: `info_nce`.
# - **SigLIP** (Zhai et al. 2023) asks each of the $n^2$ entries whether it is a pair: a verification, lesson 06. With
#   $z_{ij} = \pm 1$ it is $\frac 1 n \sum_{ij} -\log \sigma(z_{ij} x_{ij})$, and $\partial \ell / \partial x_{ij} =
#   (\sigma(x_{ij}) - [i = j]) / n$: the exercise of this lesson.
#
# A softmax needs whole rows. The sigmoid is a sum over blocks, which machines can compute one by one.

# %%
ONE = partial(losses.info_nce, temperature=1.0)
D = 10 + 10 * pairwise.dot(*(tower(shared["encoder"], x2 + k)[0] for k in (0, 0.01)))[0]
rows, columns = (losses.softmax_cross_entropy(square, np.arange(64))[1](0.5)[0] for square in (D, D.T))
assert np.allclose(ONE(D)[1](1.0)[0], rows + columns.T, atol=1e-7)

value, pull = losses.pairwise_sigmoid(D)
terms = np.logaddexp(0, np.where(np.eye(64), D, -D)) / 64
assert np.isclose(value, sum(block.sum() for block in np.array_split(terms, 4, axis=1)))  # four machines
assert np.allclose(pull(1.0)[0], (np.eye(64) - 1 / (1 + np.exp(D))) / 64, atol=1e-7)

# %% [markdown]
# ## What is learned beside the weights
#
# A cosine is between −1 and 1, and $e^1$ against $e^{-1}$ says little. So the scale $e^s$ is learned, from 1/0.07 in
# CLIP, and kept below 100. In SigLIP 1 of $n$ entries is a pair, and with $b = 0$ the first steps only push. It begins
# at $b = -10$ and $e^s = 10$, where nearly every logit says "no".


# %%
def trained(distance, loss, data, size=32, normalize=True):
    """The parameters, the embeddings of unseen drawings and letters, the loss and the scale and bias of each step."""
    tower = encoders.mlp(256, size, normalize=normalize)
    network = networks.two_towers(tower, tower, distance, loss)
    start, history = network.init(np.random.default_rng(0), (14, 14, 1), (64,)), []
    optimizer = optimizers.projected(optimizers.adam(3e-3), networks.clamp_log_scale)
    for _, value, params in train.fit(network, start, optimizer, islice(data, 200)):
        history.append([value, *map(float, params["distance"])])
    z = [evaluate.embed(tower, params["encoder"][k], x) for k, x in enumerate((unseen.images, strokes[letters]))]
    return params, z, np.array(history)


def recall(z, size=None):
    """How many drawings have the strokes of their own letter as the nearest of all unseen letters."""
    return (letters[pairwise.cosine(*(rows[:, :size] for rows in z))[0].argmin(axis=1)] == unseen.labels).mean()


letters = np.unique(unseen.labels)
clip = trained(pairwise.tempered(pairwise.dot), ONE, batches())
siglip = trained(pairwise.tempered(pairwise.dot, 10, -10), losses.pairwise_sigmoid, batches())
unbiased = trained(pairwise.tempered(pairwise.dot, 10), losses.pairwise_sigmoid, batches())
for name, (_, z, history) in {"CLIP": clip, "SigLIP": siglip, "SigLIP, no bias": unbiased}.items():
    print(f"{name:16} recall {recall(z):.1%} of {len(letters)} unseen letters; scale {np.exp(history[-1, 1]):.1f}")
assert recall(clip[1]) > 50 / len(letters) and recall(siglip[1]) > 50 / len(letters)
assert recall(unbiased[1]) < recall(siglip[1]) / 2

# %% [markdown]
# ## Hard negatives
#
# Give each drawing one more wrong description: of a random letter, or of one of the eight that a trained network puts
# nearest to the right one.

# %%
known = np.unique(seen.labels)
z = evaluate.embed(tower, clip[0]["encoder"][1], strokes[known])
nearest = known[evaluate.search.nearest(z, z, 9, pairwise.cosine)[1]]


def with_negatives(hard):
    """Batches of 32 with 32 more descriptions, without those that are right for another drawing."""
    rng = np.random.default_rng(0)
    for index in samplers.pk_indices(seen.labels, np.random.default_rng(0), 32, per_class=2):
        own = seen.labels[index[::2]]
        more = nearest[np.searchsorted(known, own), rng.integers(1, 9, 32)] if hard else rng.choice(known, 32)
        yield seen.images[index[::2]], strokes[[*own, *more[~np.isin(more, own)]]], np.arange(32)


rectangle = pairwise.tempered(pairwise.dot), losses.softmax_cross_entropy  # each row has a right column
random, hard = (recall(trained(*rectangle, with_negatives(hard))[1]) for hard in (False, True))
print(f"recall with random negatives {random:.1%}, with hard ones {hard:.1%}")
assert abs(random - hard) < 0.04
assert 0.1 < ((pairwise.cosine(strokes[known], strokes[known])[0] < 0.05).sum(axis=1) > 1).mean() < 0.25

# %% [markdown]
# Hard negatives gain little or nothing here. One letter in six has almost the same strokes as another letter, as O has
# in many scripts, so a hard negative may be right. Look at yours before you train with them.
#
# ## Nested sizes
#
# Kusupati et al. (2022) train embeddings that can be cut, with the sum of the losses of the first 4, 8, 16, … numbers.
# Cut to 8, it is far better than a plain embedding, and nearly as good as that of a network with 8. Whole, it is worse.

# %%
sizes = (4, 8, 16, 32)
cosine = pairwise.tempered(pairwise.cosine)
nested = trained(pairwise.nested(cosine, sizes), losses.nested(ONE), batches(), normalize=False)
shares = {name: [100 * recall(z, k) for k in sizes] for name, z in {"nested": nested[1], "plain": clip[1]}.items()}
alone = 100 * recall(trained(cosine, ONE, batches(), size=8)[1])
print(*(f"{name}: {np.round(share, 1)} %" for name, share in shares.items()), f"trained with 8: {alone:.1f} %")
assert shares["nested"][1] > max(1.5 * shares["plain"][1], alone - 5) and shares["nested"][3] > shares["plain"][3] - 7

# %% [markdown]
# ## Search across modalities
#
# Left, the description of a letter of an unseen alphabet; beside it, the six nearest of all unseen drawings.

# %%
D, _ = pairwise.dot(clip[1][1], clip[1][0])
places = (figure := Figure(figsize=(8.4, 6.2), layout="constrained")).subplots(6, 7)
for axes_row, query in zip(places, np.random.default_rng(3).choice(len(letters), 6), strict=True):
    for (direction, row, column), ink in np.ndenumerate(strokes[letters[query]].reshape(4, 4, 4)):
        dy, dx = 0.4 * np.array(steps[direction])
        axes_row[0].plot([column - dx, column + dx], [row - dy, row + dy], color="black", linewidth=2.5 * ink)
    axes_row[0].set(xlim=(-0.7, 3.7), ylim=(3.7, -0.7), aspect="equal")
    for axes, drawing in zip(axes_row[1:], np.argsort(D[query]), strict=False):
        axes.imshow(sharp[drawing, ..., 0], cmap="gray_r")
        axes.spines[:].set(color=style.COLOURS[1 if unseen.labels[drawing] == letters[query] else 5], linewidth=2.5)
for axes in places.flat:
    axes.set(xticks=[], yticks=[])
figure.suptitle("Strokes, and the nearest unseen drawings: blue is the same letter")
show(figure, "17_search")

# %%
left, middle, right = (figure := Figure(figsize=(9.6, 3.4), layout="constrained")).subplots(1, 3)
for number, (name, (_, _, history)) in enumerate({"CLIP": clip, "SigLIP": siglip, "no bias": unbiased}.items()):
    left.semilogy(history[:, 0], color=style.COLOURS[number], label=name)
    middle.plot(np.exp(history[:, 1]), color=style.COLOURS[number], label=name)
for number, (name, share) in enumerate(shares.items()):
    right.plot(sizes, share, color=style.COLOURS[number + 3], marker=style.MARKERS[number], label=name)
left.set(title="loss of a batch", xlabel="step")
middle.set(title="scale $e^s$", xlabel="step", ylim=(0, None))
right.set(title="recall at 1, %", xlabel="numbers of the embedding", xticks=sizes, ylim=(0, None))
for axes in (left, middle, right):
    style.plain(axes)
    axes.legend(frameon=False, fontsize=8)
show(figure, "17_clip")

# %% [markdown]
# ## Your turn
#
#     minisiam learn start sigmoid       # which of all pairs are pairs? the gradient of SigLIP's loss
