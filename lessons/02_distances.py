# %% [markdown]
# # 02 · Distances
#
# - *You will see:* five ways to say how far apart two embeddings are; which points each calls equally far, where each
#   pulls, and how hard. The value of a distance ranks neighbours; its gradient trains the network, and the two are
#   different choices.
# - *Time:* 15 minutes.
# - *Needs:* lesson 00.

# %%
import numpy as np
from matplotlib.figure import Figure

from minisiam import distances, ops, pairwise, plots
from minisiam.course.lesson import show
from minisiam.gradcheck import reference
from minisiam.gradcheck.inputs import Case
from minisiam.gradcheck.oracles import by_autograd

rng = np.random.default_rng(0)
a, b = rng.normal(size=(2, 1000, 8))  # a thousand pairs of points in eight dimensions
one = np.ones(1000)

# %% [markdown]
# ## L2 pulls with one strength everywhere
#
# Write $u = a - b$. For $d = \|u\| = \sqrt{\sum_j u_j^2}$ the chain rule through the root gives
#
# $$\frac{\partial d}{\partial a_j} = \frac{1}{2 \sqrt{\sum_k u_k^2}} \cdot 2 u_j = \frac{u_j}{d},
#   \qquad \text{a vector of length 1.}$$
#
# A training step subtracts a multiple of the gradient, so L2 moves two points equally far whether they are near or far
# apart. The squared distance $\|u\|^2$ has the gradient $2u$, of length $2d$: strong where points are far apart and
# nothing where they touch.

# %%
d, pull_l2 = distances.l2(a, b)
_, pull_squared = distances.squared_l2(a, b)
assert np.allclose(np.linalg.norm(pull_l2(one)[0], axis=1), 1)
assert np.allclose(np.linalg.norm(pull_squared(one)[0], axis=1), 2 * d)

# %% [markdown]
# ## L1 pulls along every axis alike
#
# For $d = \sum_j |u_j|$ the gradient is $\operatorname{sign}(u_j)$: each coordinate is drawn to its partner at the
# same speed, however near it already is. With a learned weight for each axis, $d = \sum_j w_j |u_j| + \beta$, the
# network may say which features matter; this is Koch's distance, and lesson 06 is about it.

# %%
_, pull_l1 = distances.l1(a, b)
w, bias = np.array([2.0, 0.5, 1, 1, 1, 1, 1, 1]), np.zeros(())
_, pull_weighted = distances.weighted_l1(a, b, w, bias)
assert np.array_equal(pull_l1(one)[0], np.sign(a - b))
da, db, dw, dbias = pull_weighted(one)  # a learned distance returns the gradient of its parameters too
assert np.array_equal(da, w * np.sign(a - b))
assert np.allclose(dw, np.abs(a - b).sum(axis=0))

# %% [markdown]
# ## Cosine turns and never pulls
#
# With $\hat a = a / \|a\|$ the cosine distance is $d = 1 - \hat a \cdot \hat b$. Lesson 00 had the pullback of
# $\hat a$, $g \mapsto (g - \hat a (\hat a \cdot g)) / \|a\|$. Here the gradient that reaches $\hat a$ is $-\hat b$, so
#
# $$\frac{\partial d}{\partial a} = - \frac{\hat b - \hat a \cos\theta}{\|a\|}.$$
#
# This is perpendicular to $a$: lengths never matter. Its own length is $\sin\theta / \|a\|$, since
# $\|\hat b - \hat a \cos\theta\|^2 = 1 - 2\cos^2\theta + \cos^2\theta = \sin^2\theta$; so long embeddings turn slowly.

# %%
d, pull_cosine = distances.cosine(a, b)
da, _ = pull_cosine(one)
length = np.linalg.norm(a, axis=1)
sine = np.sqrt(1 - (1 - d) ** 2)
assert np.allclose((da * a).sum(axis=1), 0)
assert np.allclose(np.linalg.norm(da, axis=1), sine / length)
assert np.allclose(distances.cosine(5 * a, b)[0], d)

# %% [markdown]
# Here are the five in the plane. The black line is the edge of the *unit ball*, all places with $d = 1$; darker grey
# is farther; an arrow at $a$ is $-\partial d / \partial a$, the way a training step moves it. For cosine this edge is a
# line through the origin: all points at a right angle to $b$.

# %%
fields = {
    "L2": (distances.l2, (0, 0)),
    "squared L2": (distances.squared_l2, (0, 0)),
    "L1": (distances.l1, (0, 0)),
    "weighted L1, w = (2, ½)": (lambda a, b: distances.weighted_l1(a, b, np.array([2, 0.5]), bias), (0, 0)),
    "cosine": (distances.cosine, (1, 0)),
}
show(plots.distance_fields(fields), "02_balls")

# %% [markdown]
# ## On the sphere three of them rank alike
#
# If $\|a\| = \|b\| = 1$, then
# $\|a - b\|^2 = \|a\|^2 + \|b\|^2 - 2\, a \cdot b = 2 - 2\cos\theta = 4 \sin^2(\theta / 2)$. So
#
# $$d_{\text{squared}} = 2\, d_{\cos}, \qquad d_{\text{L2}} = \sqrt{2\, d_{\cos}} = 2 \sin(\theta / 2).$$
#
# Each is an increasing function of the others. Up to rounding (lesson 12), they order the neighbours of any query in
# the same way, and a nearest-neighbour evaluation gives the same result for all three.

# %%
y, _ = ops.normalize(a)
matrices = [f(y[:50], y[50:])[0] for f in (pairwise.l2, pairwise.squared_l2, pairwise.cosine)]  # each (50, 950)
orders = [D.argsort(axis=1) for D in matrices]
assert np.allclose(matrices[1], 2 * matrices[2])
assert np.array_equal(orders[0], orders[2])
assert np.array_equal(orders[1], orders[2])

# %% [markdown]
# ## And pull differently
#
# Differentiate by $\theta$: $2 \sin(\theta/2)$ has the slope $\cos(\theta/2)$, $2 - 2\cos\theta$ has $2 \sin\theta$,
# and $1 - \cos\theta$ has $\sin\theta$. At a small angle L2 still pulls at full strength while the other two let go.
# For two points of different classes that have come too near this decides whether they part: **with a squared or
# cosine distance the push is weakest where it is needed most.** At $\theta = \pi$ L2 lets go as well: opposite points
# are as far apart as they can be.

# %%
theta = np.linspace(0.001, np.pi, 200)
circle = np.stack([np.cos(theta), np.sin(theta)], axis=1)
fixed = np.broadcast_to([1.0, 0.0], circle.shape).copy()
tangent = np.stack([-np.sin(theta), np.cos(theta)], axis=1)
strength = {}
for name, slope in {"l2": np.cos(theta / 2), "squared_l2": 2 * np.sin(theta), "cosine": np.sin(theta)}.items():
    _, pull = getattr(distances, name)(circle, fixed)
    strength[name] = (pull(np.ones(200))[0] * tangent).sum(axis=1)  # ∂d/∂θ
    assert np.allclose(strength[name], slope, atol=1e-9)

figure = Figure(figsize=(6.6, 4.2), layout="constrained")
axes = figure.add_subplot()
for (name, values), style in zip(strength.items(), ("-", "--", ":"), strict=True):
    axes.plot(np.degrees(theta), values, style, color="black", linewidth=2, label=name)
axes.annotate("only L2 acts here", (3, 1.0), xytext=(25, 1.95), ha="center", arrowprops={"arrowstyle": "->"})
axes.set(xlabel="angle between a and b on the unit circle (degrees)", ylabel="strength of the pull, ∂d/∂θ")
axes.set(title="One ranking, three gradients", xticks=range(0, 181, 45), ylim=(0, 2.15))
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(figure, "02_pull")

# %% [markdown]
# ## The kink at zero
#
# Where $a = b$, L2 has no derivative: whichever way $a$ goes, $d$ grows at the rate 1. The formula $u / d$ reads
# $0 / 0$, and autograd, which differentiates the root as $1 / 2\sqrt{0} = \infty$ and multiplies by 0, returns NaN.
# One NaN in one pair of one batch ends a training run.
#
# A convex function has *subgradients* there: every $s$ with $d(v) \ge d(0) + s \cdot v$ for all $v$. For L2 these are
# all vectors of length at most 1, since $s \cdot v \le \|s\| \|v\|$. The library takes the shortest of them, 0. The
# same rule gives $\operatorname{sign}(0) = 0$ for L1.

# %%
zero = np.zeros((1, 2))
d, pull = distances.l2(zero, zero)
assert d == 0
assert np.array_equal(pull(np.ones(1))[0], zero)
case = Case({"a": zero, "b": zero}, constants={}, upstream=np.ones(1))
assert np.isnan(by_autograd(reference.l2, case)[1][0]).all()

h = 1e-6 * rng.normal(size=(1000, 2))  # from 0 to anywhere
growth = distances.l2(h, np.zeros_like(h))[0] / np.linalg.norm(h, axis=1)
assert np.allclose(growth, 1)

# %% [markdown]
# The choice has a price, and it is stated so that you can see it coming: two *identical* embeddings of different
# classes feel no push at all. If every image has the same embedding, nothing moves ever again. That is collapse, and
# lesson 09.
#
# ## Which one?
#
# Distances with a unit, L2 and L1, need a margin in that unit (lessons 04 and 05). On the unit sphere L2 lies between
# 0 and 2 whatever the network, so margins carry over from one to the next. For a loss with a margin, L2 and L1 are a
# good first choice: their slope does not vanish where points have come near. A softmax over many candidates (lesson 10)
# gives each its own weight, and the default of `minisiam train` is a softmax on the cosine distance.

# %% [markdown]
# ## Your turn
#
#     minisiam learn start l2             # and what its gradient is where there is none
#     minisiam learn start normalize      # the radial part has to go
#     minisiam learn start cosine
