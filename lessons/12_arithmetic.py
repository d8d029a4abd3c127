# %% [markdown]
# # 12 · The arithmetic
#
# - *You will see:* four formulas of this course that are right on paper and wrong in a computer, each failing before
#   your eyes; and beside each an equal formula that keeps the digits.
# - *Time:* 25 minutes.
# - *Needs:* lesson 02 (distances), lesson 10 (one softmax), and `python -m pip install -e '.[figures,check]'`.

# %%
from functools import partial

import autograd.numpy as anp
import numpy as np
from autograd import grad
from matplotlib.figure import Figure

from minisiam import distances, losses, ops, pairwise, plots
from minisiam._numerics import softplus
from minisiam.course.lesson import show

rng = np.random.default_rng(0)
quietly = partial(np.errstate, all="ignore")  # NumPy warns of every failure below, though not in a web page

# %% [markdown]
# ## Twenty-four bits
#
# A float32 is $\pm 1.f \cdot 2^e$ with 23 bits for $f$: seven decimal digits, wherever the point is. The result of an
# operation is rounded to the nearest such number, a relative error of at most $\varepsilon = 2^{-24} = 6 \cdot
# 10^{-8}$. The largest is $3.4 \cdot 10^{38}$; beyond it is `inf`. A float64 has 53 bits and sixteen digits.
#
# We train in float32: half the memory, and products twice as fast. Whether a step *stays* in float32 is another matter.
# In NumPy a Python number adapts to the array, but a NumPy float64 number does not: one of them turns everything that
# follows into float64, without any symptom but the time.

# %%
assert np.float32(2**24) + np.float32(1) == 2**24  # the seventeen-millionth pixel counts for nothing
d = rng.random(8, dtype=np.float32)
assert (d * 0.5).dtype == np.float32
assert (d * np.float64(0.5)).dtype == np.float64
value, pull = losses.contrastive(d, np.arange(8) < 4)
assert value.dtype == pull(1.0)[0].dtype == np.float32  # this op keeps the precision of its input

# %% [markdown]
# ## 1 · A root at zero
#
# $d = \sqrt s$ with $s = \|a - b\|^2$, so $\partial d / \partial a = \frac{1}{2 \sqrt s} \cdot 2 (a - b)$. At $a = b$
# that is $\frac10 \cdot 0$, in a computer $\infty \cdot 0 = $ `nan`. One such pair in a batch, two copies of an image
# will do, makes the gradient `nan`, then all weights, then everything (HIPS/autograd#151).
#
# Masking the *result* does not help. The derivative of `where(s > 0, sqrt(s), 0)` multiplies the branch that was not
# taken by 0, and $0 \cdot \infty$ is `nan` again. The root must never see the zero: mask the *argument* as well.


# %%
def root(u):
    return anp.sqrt(anp.sum(u * u))


def masked(u):
    s = anp.sum(u * u)
    return anp.where(s > 0, anp.sqrt(s), 0.0)


def twice_masked(u):
    s = anp.sum(u * u)
    return anp.where(s > 0, anp.sqrt(anp.where(s > 0, s, 1.0)), 0.0)


with quietly():
    assert np.isnan(grad(root)(np.zeros(3))).all()
    assert np.isnan(grad(masked)(np.zeros(3))).all()
assert np.array_equal(grad(twice_masked)(np.zeros(3)), [0, 0, 0])

same_point = np.ones((1, 3))
d, pull = distances.l2(same_point, same_point)
assert np.array_equal(pull(np.ones(1))[0], [[0, 0, 0]])  # by hand: one np.divide(…, where=d > 0)

# %% [markdown]
# Why 0? At the tip of the cone $\|u\|$ every vector of length at most 1 is a subgradient. Zero is the shortest, and the
# only one that prefers no direction.
#
# ## 2 · A sum of exponentials
#
# $\log \sum_j e^{x_j}$ with $x = (1000, 1001)$ is about 1001.3. But $e^{89}$ is more than a float32 holds, and
# $e^{710}$ more than a float64. A cosine of 1 divided by a temperature of 0.01 is 100 already. Take out the largest, $M
# = \max_j x_j$:
#
# $$\log \sum_j e^{x_j} = \log \Big( e^M \sum_j e^{x_j - M} \Big) = M + \log \sum_j e^{x_j - M}.$$
#
# No exponent is positive now, one term is exactly 1, and what underflows is too small to matter.

# %%
x = np.array([1000.0, 1001.0])
with quietly():
    assert np.log(np.exp(x).sum()) == np.inf
assert np.isclose(x.max() + np.log(np.exp(x - x.max()).sum()), 1001 + np.log1p(np.exp(-1)))
value, pull = losses.softmax_cross_entropy(-x[None].astype(np.float32), np.array([0]))
assert np.isclose(value, np.log1p(np.e), atol=1e-4)  # −log p₀ = log(1 + e), to seven digits of 1001
assert np.isfinite(pull(1.0)[0]).all()

# %% [markdown]
# The soft margin $\log(1 + e^x)$ is the sum of two, $e^0 + e^x$. In float32 it fails at both ends: at $x = 100$ it
# overflows, and at $x = -20$ the 1 swallows $e^x = 2 \cdot 10^{-9}$ and the value is 0, with no correct digit. (The
# true slope $\sigma(-20)$ is $2 \cdot 10^{-9}$ too, so training does not notice.) `log1p(y)` computes $\log(1 + y)$
# without forming $1 + y$, and $\log(1 + e^x) = \max(0, x) + \log(1 + e^{-|x|})$.

# %%
x = np.array([-20, 0, 100], np.float32)
with quietly():
    direct = np.log(1 + np.exp(x))
assert (direct[0], direct[2]) == (0, np.inf)
assert np.allclose(softplus(x), [np.exp(-20), np.log(2), 100], rtol=1e-6, atol=0)
assert np.isclose(1 / (1 + np.exp(20.0)), 2e-9, rtol=0.05)  # the slope

# %% [markdown]
# ## 3 · A small angle
#
# $1 - \cos \theta \approx \theta^2 / 2$. At $\theta = 10^{-4}$ that is $5 \cdot 10^{-9}$, less than the rounding of
# $\cos \theta$, which is a number near 1. Near neighbours are at distance 0 or below it, and their order is lost. On
# the unit sphere $\tfrac12 \|\hat a - \hat b\|^2 = \tfrac12 (1 - 2 \cos \theta + 1) = 1 - \cos \theta$ is better.
#
# How many digits? The subtraction $\hat a - \hat b$ adds a relative error of at most $\varepsilon$, but the unit
# vectors have been rounded before, each by about $\varepsilon$. So $\|\hat a - \hat b\| \approx \theta$ is known to a
# relative $\varepsilon / \theta$. At $\theta = 10^{-4}$ in float32 that is $6 \cdot 10^{-4}$: three digits, where the
# first formula has none. Below are a thousand pairs in random directions.

# %%
turn, theta = 2 * np.pi * rng.random((1000, 1)), 10 ** rng.uniform(-5, -2, (1000, 1))
a, b = (np.hstack([np.cos(t), np.sin(t)]).astype(np.float32) for t in (turn, turn + theta))  # (1000, 2)
a_hat, b_hat = ops.normalize(a)[0], ops.normalize(b)[0]
u, eps, theta, truth = a_hat - b_hat, 2.0**-24, theta[:, 0], 2 * np.sin(theta[:, 0] / 2) ** 2  # 1 − cos θ
assert np.allclose(u, a_hat.astype(float) - b_hat, rtol=eps, atol=0)
assert (1 - (a_hat * b_hat).sum(axis=1) <= 0)[theta < 1e-4].mean() > 0.9  # no digit at all
for d in ((u * u).sum(axis=1) / 2, np.diag(pairwise.cosine(a, b)[0])):
    error = np.abs(d / truth - 1)
    assert (error < 6 * eps / theta).all()  # four roundings in the plane, each of at most ε / √2, and a square
    assert error[theta < 1e-4].max() > 1e-4  # about ε / θ, so not exact

# %% [markdown]
# ## 4 · The matrix of distances
#
# $\|a - b\|^2 = \|a\|^2 - 2\, a \cdot b + \|b\|^2$ turns $n^2$ differences into one product of matrices. Each of the
# three terms is of size $\|a\|^2$ and is rounded by $\varepsilon \|a\|^2$. Their sum is $d^2$, and if that is small the
# terms cancel and leave the roundings: a relative error of about $\varepsilon\, (\|a\| / d)^2$. All digits are gone at
#
# $$d \approx \sqrt \varepsilon\, \|a\| = 2.4 \cdot 10^{-4}\, \|a\|.$$
#
# Below, the printed formula gives 0, or something negative whose root is `nan`. Two points that are 109 apart were
# found to be 0 apart by a well-known library (pytorch/pytorch#42479). And a network that collapses (lesson 09) is made
# of close points far from the origin: just when you want to look, there is nothing to see.


# %%
def printed(a, b):
    return (a * a).sum(axis=1)[:, None] - 2 * a @ b.T + (b * b).sum(axis=1)


a, b = np.full((1, 1), 512695, np.float32), np.full((1, 1), 512804, np.float32)
assert abs(np.sqrt(np.maximum(printed(a, b), 0)) - 109).item() > 30
assert pairwise.l2(a, b)[0].item() == 109

# %% [markdown]
# What helps, in this order: subtract the mean of all points, which changes no distance and shortens the vectors; take
# the product in float64, which buys nine digits; and what is close all the same, compute again by differences.
# `minisiam/_gram.py` does these three. Below are two narrow clouds far from each other, so that the mean is of no use
# and the other two have to do it.

# %%
scale = 10.0 ** np.arange(-6, 1)  # how wide a cloud is
errors = {"as printed, float32": [], "as printed, float64": [], "minisiam, float32": []}
i, j = np.triu_indices(100, k=1)  # pairs of one cloud
for s in scale:
    cloud = (1 + s * rng.normal(size=(100, 64))).astype(np.float32)  # ‖z‖ = √64 = 8, distances of about √128 s
    z = np.concatenate([cloud, -cloud])  # (200, 64)
    wide = z.astype(np.float64)
    truth = ((wide[i] - wide[j]) ** 2).sum(axis=1)
    for name, S in zip(errors, (printed(z, z), printed(wide, wide), pairwise.squared_l2(z, z)[0]), strict=True):
        errors[name].append((np.abs(S[i, j] - truth) / truth).max())
assert errors["as printed, float32"][0] > 1  # no digit left
assert 1e-5 < errors["as printed, float64"][0] < 1e-2  # three or four left of sixteen
assert max(errors["minisiam, float32"]) < 1e-6

axes = (figure := Figure(figsize=(7.2, 4.2), layout="constrained")).add_subplot()
ratio = np.sqrt(128) * scale / 8
for number, (name, error) in enumerate(errors.items()):
    look = {"color": plots.style.COLOURS[number], "marker": plots.style.MARKERS[number], "label": name}
    axes.loglog(ratio, np.maximum(error, 2.0**-24), **look)
axes.loglog(ratio, 2.0**-24 / ratio**2, "--", color="0.5", label="ε (‖a‖ / d)²")
axes.axhline(1, color="0.8", zorder=0)
axes.set(xlabel="d / ‖a‖", ylabel="largest relative error of d²", title="Cancellation destroys small distances")
axes.legend(frameon=False)
plots.style.plain(axes)
show(figure, "12_cancellation")

# %% [markdown]
# ## Your turn
#
# Five gradients, each with one bug of this course. Find for each the smallest input that shows it.
#
#     minisiam learn start find-the-bug
