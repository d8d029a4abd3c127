# %% [markdown]
# # 04 · The contrastive loss
#
# - *You will see:* two springs. One pulls pairs of a class together, the other pushes different pairs apart until they
#   are a margin away, and then has no effect. Then clusters forming in the plane, and a mistake with the labels that
#   tutorials make.
# - *Time:* 20 minutes.
# - *Needs:* lessons 02 and 03.

# %%
from itertools import islice

import numpy as np

import minisiam as ms
from minisiam import plots
from minisiam.course.lesson import show

# %% [markdown]
# ## Two springs
#
# Hadsell, Chopra and LeCun (2006) define the loss of a pair at distance $d$ as
#
# $$\ell(d) = \tfrac12 d^2 \ \text{ if it shows one class}, \qquad
#   \ell(d) = \tfrac12 \max(0,\ m - d)^2 \ \text{ if it shows two},$$
#
# with a margin $m > 0$. The slopes are $d$ and $-\max(0, m - d)$. A mean over $n$ pairs divides them by $n$. Take four
# pairs, near and far, same and different, with $m = 1$:

# %%
d = np.array([0.2, 2.0, 0.2, 2.0])
same = np.array([True, True, False, False])
value, pullback = ms.losses.contrastive(d, same, margin=1.0)
(dd,) = pullback(1.0)
assert np.isclose(value, (0.2**2 + 2.0**2 + 0.8**2 + 0) / 2 / 4)
assert np.allclose(4 * dd, [0.2, 2.0, -0.8, 0])

# %% [markdown]
# Now carry the slope back to the embedding $a$ of the first image. Lesson 02 had $\partial d/\partial a = u / d$, with
# $u = a - b$. A training step moves $a$ against the gradient, so the force on it is
#
# $$-\frac{\partial \ell}{\partial a} = -d \cdot \frac{u}{d} = -u \quad \text{(same)}, \qquad
#   -\frac{\partial \ell}{\partial a} = (m - d)\, \frac{u}{d} \quad \text{(different, } d < m).$$
#
# The first is Hooke's law for a spring of rest length zero: the force is the displacement, and no division by $d$ is
# left. The second is a spring of rest length $m$ that can be compressed but not stretched. The opposite force acts on
# $b$.

# %%
a, b = np.array([[0.6, 0.0]]), np.array([[0.0, 0.0]])
d, pull_d = ms.distances.l2(a, b)
for flag, force in ((True, [[-0.6, 0]]), (False, [[0.4, 0]])):
    _, pullback = ms.losses.contrastive(d, np.array([flag]), margin=1.0)
    da, db = pull_d(*pullback(1.0))
    assert np.allclose(-da, force)
    assert np.array_equal(db, -da)

show(plots.scene("contrastive"), "04_springs")  # five points; `minisiam explore contrastive` lets you drag them

# %% [markdown]
# ## Why both?
#
# With the pulling spring alone a constant embedding is optimal: every distance is 0, and so is the loss. The pushing
# spring makes that expensive, $m^2/2$ for each different pair.
#
# A different pair at $d \ge m$ has no gradient at all: the network may move it anywhere, as long as it stays outside.
# For the *loss*, $m$ is a unit of length: scale the embedding and the margin by $c$, and the loss is scaled by $c^2$.
# So where an embedding is free to grow, one margin can express what another can. (On the unit sphere it is not free.)
# For *training* $m$ matters all the same, since the size of the first embedding and the learning rate do not change
# with it. The end of this lesson trains with three margins from one start.

# %%
point = np.zeros(10)
assert ms.losses.contrastive(point, np.full(10, True))[0] == 0
assert ms.losses.contrastive(point, np.full(10, False), margin=3.0)[0] == 3**2 / 2

d, same = np.random.default_rng(0).random(10) * 2, np.arange(10) < 5
small, large = ms.losses.contrastive(d, same, margin=1.0), ms.losses.contrastive(7 * d, same, margin=7.0)
assert np.isclose(large[0], 49 * small[0])
assert np.array_equal(small[1](1.0)[0][~same] == 0, d[~same] >= 1)

# %% [markdown]
# ## Clusters
#
# Six Cyrillic letters by ten simulated drawers, an encoder with 64 hidden units and two outputs, 300 batches of 64
# pairs. Five more drawers are held out. Half the pairs are of one letter. `sgd` takes a step of 0.05 times the
# gradient, downhill; with `momentum` nine tenths of each step are repeated in the next.

# %%
data = ms.datasets.pen_glyphs(drawers=15)
cyrillic = data.where(data.groups == data.names.index("cyrillic"))
letters = cyrillic.where(np.isin(cyrillic.labels, np.unique(cyrillic.labels)[:6]))  # 90 images
known = letters.where(letters.drawers < 10)
encoder = ms.encoders.mlp(64, 2)


def trained(loss, steps=300, share=0.5):
    rng = np.random.default_rng(0)
    objective = ms.networks.siamese(encoder, ms.distances.l2, loss)
    start = objective.init(rng, (28, 28, 1))
    pairs = islice(ms.samplers.pairs(known.images, known.labels, rng, size=64, same=share), steps)
    history = list(ms.train.fit(objective, start, ms.optimizers.sgd(0.05, momentum=0.9), pairs))  # (step, loss, params)
    _, _, params = history[-1]
    return ms.evaluate.embed(encoder, params["encoder"], letters.images), [value for _, value, _ in history]


def apart(z):
    """Mean distance of same pairs and of different ones, and how many of these are beyond the margin."""
    z = z[letters.drawers < 10]
    D, _ = ms.pairwise.l2(z, z)
    alike = known.labels[:, None] == known.labels
    return D[alike & ~np.eye(len(z), dtype=bool)].mean(), D[~alike].mean(), (D[~alike] >= 1).mean()


(early, _), (late, values) = trained(ms.losses.contrastive, steps=20), trained(ms.losses.contrastive)
print(f"loss {values[0]:.3f} → {np.mean(values[-10:]):.1e}")
print("mean distance, same {:.3f}, different {:.3f}; different pairs beyond the margin {:.0%}".format(*apart(late)))
assert np.mean(values[-10:]) < 1e-3
assert apart(late)[0] < 0.05 < 1 < apart(late)[1]
assert apart(late)[2] > 0.95  # nearly all of them have no gradient any more

# %% [markdown]
# The loss is nearly zero: each letter of the ten drawers is nearly a point, and nearly all different pairs are at least
# a margin apart. How far apart? The neighbours among the six centres are at distance 1, or a little more. They were
# pushed to the margin and then had no gradient.

# %%
trained_on = letters.drawers < 10
centres = np.stack([late[trained_on & (letters.labels == c)].mean(axis=0) for c in np.unique(letters.labels)])
between, _ = ms.pairwise.l2(centres, centres)
nearest = (between + 1e9 * np.eye(6)).min(axis=1)
print("from each centre to the next:", np.round(nearest, 2))
assert np.allclose(nearest, 1.1, atol=0.2)

# %% [markdown]
# ## Only pulling
#
# Now pairs of one letter only. The loss goes to zero here too, and takes the embedding with it.

# %%
pulled, values = trained(ms.losses.contrastive, share=1.0)
print(f"loss → {np.mean(values[-10:]):.1e}, mean distance, same and different:", np.round(apart(pulled)[:2], 4))
assert np.mean(values[-10:]) < 1e-3
assert apart(pulled)[1] < 0.2 * apart(late)[1]

# %% [markdown]
# ## The label trap
#
# Hadsell prints $Y = 0$ for *similar* and $Y = 1$ for *dissimilar*. The cross-entropy of lesson 06 has 1 for *same*.
# Tutorials mix the two (exhibit 1 of the museum), and the mistake is silent: nothing fails, the loss is a plausible
# number, and it falls a little. Here it is on purpose: letters are pulled to other letters, and drawings of one letter
# are pushed apart.

# %%
swapped, values = trained(lambda d, same: ms.losses.contrastive(d, ~same))
print(f"loss {np.mean(values[:10]):.3f} → {np.mean(values[-10:]):.3f}")
print("mean distance, same {:.3f}, different {:.3f}".format(*apart(swapped)))
assert np.mean(values[-10:]) < np.mean(values[:10])  # it "learns"
assert apart(swapped)[0] > apart(swapped)[1]  # the same letter is farther away than another one

# %% [markdown]
# So this library has no $Y$. There is one argument, `same`, and it is boolean. Bare zeros and ones are refused with a
# sentence that names both conventions:

# %%
try:
    ms.losses.contrastive(np.ones(2), np.array([0, 1]))
    raise AssertionError("zeros and ones were accepted")
except TypeError as refusal:
    print(refusal)

# %%
new = ms.evaluate.knn_accuracy(late[trained_on], known.labels, late[~trained_on], letters.labels[~trained_on])
print(f"drawings by new drawers whose nearest neighbour is of their letter: {100 * new:.0f} %")
assert 0.4 < new < 1  # guessing is right one time in six

panels = {"after 20 steps": early, "after 300 steps": late, "pulled only": pulled, "labels swapped": swapped}
show(plots.clusters_side_by_side(panels, letters.labels, hollow=~trained_on), "04_clusters")

# %% [markdown]
# Outlines are the five held-out drawers. They lie near their letters and not on them. How a network treats the
# drawings it has seen says little about new ones, and only new ones can test it. (Each panel has its own scale; read
# the numbers on the third.)
#
# Last, the margins. From one start, $m = 0.3$, 1 and 3 all end with a loss near 0, but not with equally good
# embeddings: with $m = 0.3$ fewer of the 30 new drawings are recognised than with $m = 3$.

# %%
right = {1.0: new}
for m in (0.3, 3.0):
    z, values = trained(lambda d, same, m=m: ms.losses.contrastive(d, same, margin=m))
    assert np.mean(values[-10:]) < 1e-3 * m**2
    right[m] = ms.evaluate.knn_accuracy(z[trained_on], known.labels, z[~trained_on], letters.labels[~trained_on])
print("new drawings recognised, by margin:", {m: f"{right[m]:.0%}" for m in sorted(right)})
assert right[3.0] > right[0.3] + 0.1

# %% [markdown]
# ## Your turn
#
#     minisiam learn start contrastive
