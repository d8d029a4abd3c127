# %% [markdown]
# # 05 · The triplet loss
#
# - *You will see:* a loss that asks for order and not for distance; its three forms, the hinge, the soft margin and
#   Hoffer and Ailon's ratio; and easy, semi-hard and hard negatives as rings around an anchor.
# - *Time:* 20 minutes.
# - *Needs:* lessons 02 and 04.

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

import minisiam as ms
from minisiam import plots
from minisiam.analysis import counts
from minisiam.course.lesson import show

# %% [markdown]
# ## One number
#
# A triplet is an anchor $a$, a positive $p$ of its class and a negative $n$ of another. Let $d_+ = d(a, p)$ and
# $d_- = d(a, n)$. Each of the three losses below is a function of $x = d_+ - d_-$ alone. Negative $x$ is right: the
# positive is nearer.
#
# $$\text{hinge: } \max(0,\ x + m) \qquad \text{soft margin: } \log(1 + e^x) \qquad \text{ratio: } 2\,\sigma(x)^2$$
#
# Here $\sigma(x) = 1 / (1 + e^{-x})$. The hinge is Weinberger and Saul's (2009), made famous by FaceNet (Schroff,
# Kalenichenko and Philbin 2015); the soft margin is Hermans, Beyer and Leibe's (2017).
#
# The ratio is what Hoffer and Ailon's *triplet network* (2015) really minimises, and it is often quoted as the hinge.
# They take a softmax of the two distances, $s_\pm = e^{d_\pm} / (e^{d_+} + e^{d_-})$, and ask for
# $(s_+, s_-) = (0, 1)$. Divide above and below by $e^{d_+}$ to see that $s_+ = \sigma(x)$, and since $s_- - 1 = -s_+$,
#
# $$\|(s_+,\ s_- - 1)\|^2 = 2 s_+^2.$$
#
# A loss is a mean over its triplets; `reduction="none"` gives one number for each.

# %%
near, far = np.array([0.3, 1.0, 2.0]), np.array([1.5, 1.0, 0.5])  # d₊ and d₋: right, undecided, wrong
e = np.exp(np.stack([near, far]))
softmax = e / e.sum(axis=0)  # (2, 3)
printed = ((softmax - [[0.0], [1.0]]) ** 2).sum(axis=0)
assert np.allclose(ms.losses.triplet_ratio(near, far, reduction="none")[0], printed)
assert np.allclose(ms.losses.triplet_hinge(near, far, margin=1.0, reduction="none")[0], [0, 1, 2.5])

# %% [markdown]
# ## Order, not distance
#
# Add any constant to both distances and none of the three changes. The contrastive loss of lesson 04 would: it wants
# every class to shrink to a point. A triplet loss lets a class be as long and wide as it likes, if the others are
# farther away. It compares, as people do when they are asked "which of these two is more like that one?"

# %%
for loss in (ms.losses.triplet_hinge, ms.losses.triplet_soft_margin, ms.losses.triplet_ratio):
    assert np.isclose(loss(near, far)[0], loss(near + 5, far + 5)[0])
same = np.full(3, True)
assert ms.losses.contrastive(near + 5, same)[0] > ms.losses.contrastive(near, same)[0] + 12.5

# %% [markdown]
# ## Three slopes
#
# The slope says how strongly a triplet acts on the network. The hinge has 1 or 0: a switch. The soft margin has
# $\frac{d}{dx} \log(1 + e^x) = \frac{e^x}{1 + e^x} = \sigma(x)$: a dimmer that never quite turns off. (Compute it as
# $\max(0, x) + \log(1 + e^{-|x|})$, which is the same: $e^{1000}$ is more than a computer can hold.) For the ratio,
# $\sigma' = \sigma (1 - \sigma)$ and so
#
# $$\frac{d}{dx}\, 2\sigma^2 = 4 \sigma \cdot \sigma (1 - \sigma) = 4 \sigma^2 (1 - \sigma).$$
#
# It vanishes on both sides: for a triplet that is right, and for one that is far from right. Setting the derivative of
# $\sigma^2 - \sigma^3$ to zero gives $\sigma = 2/3$, $x = \log 2$: there the slope is largest, $16/27$. Outliers and
# wrong labels have little effect.

# %%
x = np.linspace(-5, 5, 1001)
zero = np.zeros_like(x)
forms = {
    "hinge, m = 1": ms.losses.triplet_hinge(x, zero, margin=1.0, reduction="none"),
    "soft margin": ms.losses.triplet_soft_margin(x, zero, reduction="none"),
    "ratio": ms.losses.triplet_ratio(x, zero, reduction="none"),
}
slopes = {name: pullback(np.ones_like(x))[0] for name, (_, pullback) in forms.items()}
sigma = 1 / (1 + np.exp(-x))
assert np.array_equal(slopes["hinge, m = 1"], x > -1)
assert np.allclose(slopes["soft margin"], sigma)
assert np.allclose(forms["soft margin"][0], np.maximum(0, x) + np.log(1 + np.exp(-abs(x))))
assert np.allclose(slopes["ratio"], 4 * sigma**2 * (1 - sigma))
assert abs(x[slopes["ratio"].argmax()] - np.log(2)) < 0.01
assert abs(slopes["ratio"].max() - 16 / 27) < 1e-4

figure = Figure(figsize=(10, 3.9), layout="constrained")
left, right = figure.subplots(1, 2)
for name, style in zip(forms, ("-", "--", ":"), strict=True):
    left.plot(x, forms[name][0], style, color="black", linewidth=2, label=name)
    right.plot(x, slopes[name], style, color="black", linewidth=2, label=name)
left.set(title="loss of one triplet", xlabel="x = d₊ − d₋   (left of 0: in order)", ylim=(0, 4), xlim=(-4, 4))
right.set(title="slope: how strongly it acts", xlabel="x = d₊ − d₋", ylim=(0, 1.05), xlim=(-5, 5))
left.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
show(figure, "05_forms")

# %% [markdown]
# A network that maps everything to one point has $x = 0$ for every triplet. The loss is then $m$, or $\log 2 = 0.693$,
# or $\tfrac12$. If your training log stands still at one of these numbers, look at the distances: if all are equal, the
# network has collapsed (lesson 09). The loss alone does not say so: half of the triplets right and half wrong give a
# mean hinge of $m$ too.

# %%
point = np.zeros(4)
assert ms.losses.triplet_hinge(point, point, margin=0.2)[0] == 0.2
assert np.isclose(ms.losses.triplet_soft_margin(point, point)[0], np.log(2))
assert ms.losses.triplet_ratio(point, point)[0] == 0.5
half = np.array([0.1, -0.1, 0.15, -0.15])  # d₊ − d₋, two triplets right and two wrong
assert np.isclose(ms.losses.triplet_hinge(1 + half, point + 1, margin=0.2)[0], 0.2)

# %% [markdown]
# ## Three forces
#
# With L2, let $\hat u = (a - p)/d_+$ and $\hat v = (a - n)/d_-$, both of length 1. While the hinge is active the
# forces on the three points are
#
# $$\text{on } a:\ -\hat u + \hat v, \qquad \text{on } p:\ \hat u, \qquad \text{on } n:\ -\hat v,$$
#
# and they add up to zero: the forces do not move the centre of mass of the three embeddings. FaceNet takes the
# *squared* distance. Then the gradient at the anchor is $2(a - p) - 2(a - n) = 2(n - p)$, in which $a$ has dropped out,
# and the push on the negative, of length $2 d_-$, is weakest for the negative that is nearest.

# %%
a, p, n = np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]), np.array([[0.0, 0.1]])
for distance, on_a, on_n in (
    (ms.distances.l2, [[1, -1]], [[0, 1]]),
    (ms.distances.squared_l2, [[2, -0.2]], [[0, 0.2]]),
):
    near, pull_near = distance(a, p)
    far, pull_far = distance(a, n)
    _, pullback = ms.losses.triplet_hinge(near, far)
    dnear, dfar = pullback(1.0)
    (da, dp), (da_far, dn) = pull_near(dnear), pull_far(dfar)
    assert np.allclose(-(da + da_far), on_a)
    assert np.allclose(-dn, on_n)
    assert np.allclose(da + da_far + dp + dn, 0)

# %% [markdown]
# ## Rings
#
# Fix the anchor and a positive at distance $d_+$, and ask where a negative may lie. Nearer than the positive,
# $d_- \le d_+$: **hard**. Farther, but by no more than the margin: **semi-hard**. Beyond $d_+ + m$: **easy**, loss 0
# and gradient 0. On the plane these are a disc, a ring and the rest. Arrows show the way down. On the right the loss
# is drawn over $d_- - d_+ = -x$, so that it reads like the rings, from the anchor outwards. `minisiam explore triplet`
# opens this picture as a window in which every point can be dragged.

# %%
show(plots.scene("triplet"), "05_rings")

# %% [markdown]
# How many are there of each? Take sixteen held-out letters, four drawings of each: 64 images make
# $64 \cdot 3 \cdot 60 = 11520$ triplets. Before training, many are hard or semi-hard. After five hundred batches of
# random triplets most are easy. (`adam` steps downhill like `sgd`, and gives each weight its own step size.)

# %%
rng = np.random.default_rng(0)
data, held_out = ms.datasets.split(ms.datasets.pen_glyphs(drawers=10))
images, labels = next(
    ms.samplers.pk(held_out.images, held_out.labels, rng, classes=16, per_class=4, groups=held_out.groups)
)

encoder = ms.encoders.mlp(128, 32, normalize=True)
objective = ms.networks.triplet(
    encoder, ms.distances.l2, lambda near, far: ms.losses.triplet_hinge(near, far, margin=0.2)
)
start = objective.init(rng, (28, 28, 1))
batches = islice(ms.samplers.triplets(data.images, data.labels, rng, size=64, groups=data.groups), 500)
*_, (_, _, params) = ms.train.fit(objective, start, ms.optimizers.adam(1e-3), batches)

share = {}
for name, weights in (("before", start), ("after", params)):
    z = ms.evaluate.embed(encoder, weights["encoder"], images)
    D, _ = ms.pairwise.l2(z, z)
    count = counts.count(D, labels, margin=0.2)
    assert sum(count) == 64 * 3 * 60
    share[name] = np.array(count) / sum(count)
    print("{:7} easy {:.0%}, semi-hard {:.0%}, hard {:.0%}".format(name, *share[name]))
assert share["after"][0] > share["before"][0] + 0.2
assert share["after"][2] < share["before"][2] / 2

# %% [markdown]
# An easy triplet has no gradient, so the better the network, the more of a random batch is computed for nothing. The
# remedy is to choose triplets. FaceNet takes semi-hard negatives, since the very hardest "can result in a collapsed
# model". Lesson 08 chooses them from a whole batch at once.

# %% [markdown]
# ## Your turn
#
#     minisiam learn start triplet
#     minisiam learn start soft-margin
