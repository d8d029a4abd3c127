# %% [markdown]
# # 10 · One softmax
#
# - *You will see:* that N-pair, InfoNCE, NT-Xent, SupCon, proxy losses and prototypical networks are one function, the
#   softmax cross-entropy, given different columns of a distance matrix; and how NCA differs by one sum.
# - *Time:* 25 minutes.
# - *Needs:* lesson 08 (the batch).

# %%
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minisiam import losses, miners, ops, pairwise, plots
from minisiam.course.lesson import show
from minisiam.losses import softmax_cross_entropy

# %% [markdown]
# ## A question with several answers
#
# A triplet asks: is the positive nearer than this one negative? Ask instead: *which of these $m$ candidates is of my
# class?* Turn the distances of one image into probabilities, nearer meaning likelier, and let the loss be minus the
# logarithm of the probability of the right one, $y$:
#
# $$p_j = \frac{e^{-d_j/\tau}}{\sum_k e^{-d_k/\tau}}, \qquad
#   \ell = -\log p_y = \frac{d_y}{\tau} + \log \sum_k e^{-d_k / \tau}.$$
#
# The temperature $\tau$ has the units of the distance. The gradient is short, because the derivative of a log-sum-exp
# is the softmax itself, $\partial \log \sum_k e^{x_k} / \partial x_j = e^{x_j} / \sum_k e^{x_k} = p_j$, with
# $x_j = -d_j / \tau$:
#
# $$\frac{\partial \ell}{\partial d_j} = \frac{[j = y] - p_j}{\tau}.$$
#
# The right candidate is pulled by what it lacks, $1 - p_y$. The others are pushed by the probability that they hold.
# Pull and push cancel in the sum, so each row of the gradient adds up to 0.
#
# In code the largest is taken out first, $\log \sum_k e^{x_k} = t + \log \sum_k e^{x_k - t}$ with $t = \max_k x_k$:
# $e^{1000}$ is more than a computer can hold, and $e^{x_k - t}$ is at most 1 (lesson 12).

# %%
d = np.array([[1.0, 1.5, 3.0]])  # one image, three candidates; the first is the right one
p = np.exp(-d) / np.exp(-d).sum()  # 0.57, 0.35, 0.08
value, pull = softmax_cross_entropy(d, np.array([0]), temperature=1.0)
(dd,) = pull(1.0)
assert np.isclose(value, -np.log(p[0, 0]))
assert np.allclose(dd, [[1, 0, 0]] - p)
assert np.isclose(softmax_cross_entropy(1000 * d, np.array([1]))[0], 500)  # 1500 − 1000, the nearest

# %% [markdown]
# ## The same function, again and again
#
# Twelve embeddings on the unit sphere, four classes of three, and $\tau = 0.2$. Everything below but
# NCA is `softmax_cross_entropy`. What changes is which images stand in the columns, and which column is right.

# %%
rng = np.random.default_rng(0)
labels = np.repeat(np.arange(4), 3)
z, _ = ops.normalize(rng.normal(size=(4, 6))[labels] + 0.5 * rng.normal(size=(12, 6)))  # (12, 6)
D, _ = pairwise.cosine(z, z)  # (12, 12)
tau = 0.2
first, second, own = np.arange(0, 12, 3), np.arange(1, 12, 3), np.arange(4)  # an image of each class, and another
asked = {}  # name: distances with inf where a candidate is left out, right columns

# %% [markdown]
# **N-pair** (Sohn 2016). One anchor of each class in the rows, their partners in the columns: the right ones are on
# the diagonal. The paper's similarity is the dot product, so $d = -z \cdot z'$ and $\tau = 1$.

# %%
dots, _ = pairwise.dot(z, z)
N_pair = dots[np.ix_(first, second)]  # (4, 4)
assert np.isclose(softmax_cross_entropy(N_pair, own)[0], losses.n_pair(dots, labels)[0])
asked["N-pair, InfoNCE"] = N_pair, np.eye(4, dtype=bool)

# %% [markdown]
# **InfoNCE** (van den Oord, Li & Vinyals 2018; CLIP, Radford et al. 2021). The same square on another distance; CLIP
# takes the mean of rows and columns. No labels are needed: a partner is another view of the same thing.

# %%
square, _ = pairwise.cosine(z[first], z[second])
both_ways = (softmax_cross_entropy(square, own, tau)[0] + softmax_cross_entropy(square.T, own, tau)[0]) / 2
assert np.isclose(both_ways, losses.info_nce(square, tau)[0])

# %% [markdown]
# **NT-Xent** (SimCLR, Chen et al. 2020). All $2n$ views are rows and columns; oneself is left out, infinitely far away.

# %%
views = np.sort(np.concatenate([first, second]))  # (8,) two of each class
others = np.where(np.eye(8), np.inf, D[np.ix_(views, views)])
partner = np.arange(8) ^ 1  # 1 0 3 2 5 4 7 6
nt_xent, _ = losses.nt_xent(D[np.ix_(views, views)], labels[views], tau)
assert np.isclose(softmax_cross_entropy(others, partner, tau)[0], nt_xent)
asked["NT-Xent"] = others, partner[:, None] == np.arange(8)

# %% [markdown]
# **SupCon** (Khosla et al. 2020, eq. 2). With labels an image has several right columns. Ask for each of them in turn,
# with all other images in the columns, and take the mean: $\frac{1}{|P|} \sum_{p \in P} -\log p_p$.
#
# **NCA** (Goldberger et al. 2005) adds the right probabilities first: $-\log \sum_{p \in P} p_p$, the second objective
# of the paper; the first is the sum itself. One near positive satisfies it, so a class may stay in several clusters;
# SupCon wants all near. The logarithm is concave, so by Jensen's inequality NCA $\le$ SupCon $- \log |P|$.

# %%
others = np.where(np.eye(12), np.inf, D)
i, j = np.nonzero((labels[:, None] == labels) & ~np.eye(12, dtype=bool))  # 24 ordered positive pairs
supcon, _ = losses.supcon(D, labels, tau)
assert np.isclose(softmax_cross_entropy(others[i], j, tau)[0], supcon)

P = np.exp(-others / tau)
P /= P.sum(axis=1, keepdims=True)
right = np.bincount(i, P[i, j])  # (12,) what each image gives to its own class
assert np.isclose(-np.log(right).mean(), losses.nca(D, labels, tau)[0])
assert losses.nca(D, labels, tau)[0] <= supcon - np.log(2)
asked["SupCon, NCA"] = others, (labels[:, None] == labels) & ~np.eye(12, dtype=bool)

# %% [markdown]
# **Proxies.** A learned point for each class in the columns: normalised softmax, proxy-NCA++, CosFace with a margin
# added to the right distance. Proxy-NCA as printed (Movshovitz-Attias et al. 2017, eq. 4) leaves the right proxy out of
# the denominator, so its value may be negative: a right proxy at 0 and one other at 5 give $\log e^{-5} = -5$.

# %%
W, _ = ops.normalize(rng.normal(size=(4, 6)))  # (4, 6), parameters like any other
to_proxies, _ = pairwise.cosine(z, W)  # (12, 4)
value, _ = softmax_cross_entropy(to_proxies, labels, tau)
printed, _ = softmax_cross_entropy(to_proxies, labels, tau, others_only=True)
assert printed < value  # a smaller sum under the logarithm
assert np.isclose(softmax_cross_entropy(np.array([[0.0, 5.0]]), np.array([0]), others_only=True)[0], -5)
asked["proxies"] = to_proxies, labels[:, None] == own

# %% [markdown]
# **Prototypical networks** (Snell, Swersky & Zemel 2017, eq. 2). The means of a few support images in the columns,
# here of two per class; the third is the query. The distance is the squared L2 one, which on the sphere is twice the
# cosine distance. So with one support image per class this is the square of InfoNCE again, with $2\tau$ for $\tau$.

# %%
means = np.stack([z[[3 * c, 3 * c + 1]].mean(axis=0) for c in own])  # (4, 6)
to_means, _ = pairwise.squared_l2(z[2::3], means)
assert softmax_cross_entropy(to_means, own)[0] < np.log(4)  # better than guessing
one_shot, _ = pairwise.squared_l2(z[first], z[second])
assert np.isclose(softmax_cross_entropy(one_shot, own, 2 * tau)[0], softmax_cross_entropy(square, own, tau)[0])
asked["prototypes"] = to_means, np.eye(4, dtype=bool)

# %% [markdown]
# A collapsed network makes all candidates equally far, and then each value is a count. One right column among $m$:
# $\ell = \log m$, so $\log 4$ in the squares, and $\log 11$ for SupCon, which asks for one right column at a time. NCA
# adds up the $|P|$ right ones, $\log (m / |P|) = \log \tfrac{11}{2}$ here. Proxy-NCA counts the others only: $\log 3$.

# %%
for D0, mask in asked.values():
    value, _ = softmax_cross_entropy(np.where(np.isfinite(D0), 0.7, np.inf), mask.argmax(axis=1), tau)
    assert np.isclose(value, np.log(np.isfinite(D0[0]).sum()))
equal = np.full((12, 12), 0.7)
assert np.isclose(losses.supcon(equal, labels, tau)[0], np.log(11))
assert np.isclose(losses.nca(equal, labels, tau)[0], np.log(11 / 2))
assert np.isclose(softmax_cross_entropy(equal[:, :4], labels, tau, others_only=True)[0], np.log(3))

figure = Figure(figsize=(10, 2.9), layout="constrained")
rows = ["anchors", "views", "images", "images", "queries"]
columns = ["their partners", "the same views", "the same images", "learned points", "class means"]
for number, (axes, (name, (D0, mask))) in enumerate(zip(figure.subplots(1, 5), asked.items(), strict=True)):
    axes.imshow(np.where(np.isfinite(D0), D0, np.nan), cmap="Greys_r", aspect="auto")
    for r, c in np.argwhere(mask):
        axes.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, fill=False, edgecolor=plots.style.COLOURS[2], linewidth=2))
    axes.plot(*np.argwhere(np.isinf(D0)).T[::-1], "x", color="black", markersize=5)
    axes.set(title=name, xlabel=columns[number], ylabel=rows[number], xticks=[], yticks=[])
figure.supxlabel("dark: near    orange: the right ones    ×: left out", fontsize="medium")
show(figure, "10_columns")

# %% [markdown]
# ## What the temperature does
#
# Multiply the loss by $\tau$ and let $\tau \to 0$. The largest term of a log-sum-exp takes all, so
#
# $$\tau \ell = d_y + \tau \log \sum_k e^{-d_k/\tau} \;\to\; d_y - \min_k d_k = \max(0,\; d_y - \min_{k \ne y} d_k):$$
#
# the triplet of $y$ and the nearest negative, without a margin. If each anchor has one positive, as in NT-Xent, that is
# batch-hard (lesson 08). If it has several, SupCon tends to the mean over them, and the other positives stand among the
# rivals; batch-hard takes the farthest positive. A high temperature pushes all rivals alike. Between, $\tau$ is how far
# behind the nearest a rival may be and still count: at a distance $\tau$ behind it, by $e^{-1} = 0.37$.

# %%
hard = miners.batch_hard(D[np.ix_(views, views)], labels[views])
near, far = (D[np.ix_(views, views)][entries] for entries in hard.entries)
for tau in (1.0, 0.1, 0.01, 0.001):
    values, _ = losses.nt_xent(D[np.ix_(views, views)], labels[views], tau, reduction="none")
    print(f"τ = {tau:<6} τ ℓ = {np.round(tau * values, 3)}")
assert np.allclose(tau * values, np.maximum(0, near - far), atol=3 * tau)

near, far = (D[entries] for entries in miners.batch_hard(D, labels).entries)  # two positives for each anchor
limit = D[i, j].reshape(12, 2).mean(axis=1) - others.min(axis=1)
assert np.allclose(tau * losses.supcon(D, labels, tau, reduction="none")[0], limit, atol=3 * tau)
assert not np.allclose(limit, np.maximum(0, near - far), atol=0.01)  # not batch-hard

# %% [markdown]
# ## Your turn
#
#     minisiam learn start log-sum-exp              # a sum of exponentials that does not overflow
#     minisiam learn start softmax-cross-entropy    # and the loss of this lesson
#     minisiam learn start supcon                   # several right columns
#     minisiam learn start proxy-anchor             # proxies again: here the proxy is the anchor
#     minisiam learn start arcface                  # a margin in the softmax, which is an angle
