# %% [markdown]
# # 00 · Pullbacks
#
# - *You will see:* a function that returns two things, its value and a second function that carries a gradient back;
#   and three ways to the same gradient, by hand, by differences and by autograd, which agree.
# - *Time:* 15 minutes.
# - *Needs:* the chain rule, NumPy arrays, and `python -m pip install -e '.[figures,check]'`.

# %%
import inspect

import numpy as np
from matplotlib.figure import Figure

from minisiam import distances, losses, ops
from minisiam.course.lesson import show
from minisiam.gradcheck import reference
from minisiam.gradcheck.inputs import Case
from minisiam.gradcheck.oracles import by_autograd, by_differences

# %% [markdown]
# ## A value, and a way back
#
# Take the squared distance of two points, $d = \|a - b\|^2 = \sum_j u_j^2$ with $u = a - b$. Its partial derivatives
# are $\partial d / \partial a_j = 2 u_j$ and $\partial d / \partial b_j = -2 u_j$.
#
# That gradient is not needed for its own sake. The distance goes into a loss $\ell$, and what training needs is
# $\partial \ell / \partial a$. If someone hands us the number $g = \partial \ell / \partial d$, the chain rule does
# the rest: $\partial \ell / \partial a = g \cdot 2u$. So the useful thing is not the gradient but the *function*
# $g \mapsto (2gu, -2gu)$. It is called the **pullback**: it pulls a gradient from the output back to the inputs.
#
# Every operation of this library returns its value and its pullback. Rows are examples: here one pair of points in the
# plane. The operation is five lines long. Here is its source; `_difference` is $a - b$ with a check of the shapes.

# %%
a = np.array([[3.0, 1.0]])  # (1, 2): one example, two features
b = np.array([[1.0, 0.0]])
print(inspect.getsource(distances.squared_l2).split('"""')[2])  # what follows its docstring

d, pullback = distances.squared_l2(a, b)  # u = (2, 1)
da, db = pullback(np.ones(1))
assert d == [5]  # 2² + 1²
assert np.array_equal(da, [[4, 2]])  # 2u
assert np.array_equal(db, -da)
assert np.array_equal(pullback(np.full(1, 10.0))[0], 10 * da)  # linear in what is handed to it

# %% [markdown]
# ## Chaining
#
# Values flow forward, and pullbacks are called in the opposite order. Each takes what the one after it returned. That
# is all of backpropagation. Below, a point is put on the unit circle, its squared distance to $b$ is taken, and then
# the contrastive loss of that. Lesson 04 is about this loss; all we need here is that for a pair of one class it is
# $\ell = d^2 / 2$, so that $\partial \ell/\partial d = d$.

# %%
y, pull_y = ops.normalize(a)  # (1, 2) → (1, 2)
d, pull_d = distances.squared_l2(y, b)  # → (1,)
value, pull_value = losses.contrastive(d, np.array([True]))  # True: one class; → a number

(dd,) = pull_value(1.0)  # ∂ℓ/∂ℓ = 1
dy, _ = pull_d(dd)
(da,) = pull_y(dy)  # ∂ℓ/∂a
assert np.allclose(dd, d)

# %% [markdown]
# One thing can be checked without any computation. `normalize` forgets the length of $a$, so a step along $a$ changes
# nothing, and the gradient must be perpendicular to $a$.

# %%
assert np.allclose((da * a).sum(), 0)

# %% [markdown]
# ## Why a function and not a matrix
#
# In general $y = f(x)$ has a Jacobian $J$, $J_{ij} = \partial y_i / \partial x_j$, and the chain rule says
# $\partial \ell / \partial x_j = \sum_i g_i J_{ij}$. So a pullback is $g \mapsto J^\top g$. We can find $J$ by asking
# for one row at a time, with $g$ a unit vector. For `normalize` at $a = (3, 1)$ that gives
# $J = (I - y y^\top) / \|a\|$, which is what you get by differentiating $x_i / \|x\|$ on paper:
#
# $$\frac{\partial}{\partial x_j} \frac{x_i}{\|x\|} = \frac{\delta_{ij}}{\|x\|} - \frac{x_i x_j}{\|x\|^3}
#   = \frac{\delta_{ij} - y_i y_j}{\|x\|}.$$

# %%
J = np.concatenate([pull_y(unit[None])[0] for unit in np.eye(2)])  # (2, 2), row i = gradient of yᵢ
assert np.allclose(J, (np.eye(2) - y.T @ y) / np.sqrt(10))
assert np.allclose(pull_y(dy)[0], dy @ J)

# %% [markdown]
# The matrix is fine for two numbers. For 64 images of 784 pixels that become 64 embeddings of 64 numbers, it would
# have $4096 \times 50176$ entries, 1.6 gigabytes in float64, nearly all of them zero. The pullback never writes it
# down.

# %% [markdown]
# ## Three columns
#
# A derivation by hand may be wrong, so we compare it with two methods that do not use it.
#
# **Differences** need no formula for a derivative: $f'(x) \approx (f(x + h) - f(x - h)) / 2h$, one entry at a time.
# **Autograd** is a package that records the operations of a formula and applies the chain rule to them (lesson 14). It
# gets the printed formula, which is in `minisiam.gradcheck.reference` and shares no line with the code above. A `Case`
# is one input for all three: variables, constants, and the $g$ that is handed to the pullback.

# %%
rng = np.random.default_rng(0)
case = Case({"a": rng.normal(size=(1, 3)), "b": rng.normal(size=(1, 3))}, constants={}, upstream=np.ones(1))  # g = 1

print(f"{'∂d/∂a':10}{'by hand':>18}{'by differences':>18}{'by autograd':>18}")
for name in ("squared_l2", "l2", "l1", "cosine"):
    formula = getattr(reference, name)
    _, pullback = case.call(getattr(distances, name))
    by_hand = pullback(case.upstream)[0]
    differences = by_differences(formula, case, "a", h=1e-5)
    autograd = by_autograd(formula, case)[1][0]
    for row in zip(by_hand[0], differences[0], autograd[0], strict=True):
        print(f"{name:10}" + "".join(f"{number:18.12f}" for number in row))
    assert np.allclose(by_hand, autograd, rtol=1e-12, atol=1e-14)
    assert np.allclose(by_hand, differences, rtol=1e-7, atol=1e-9)

# %% [markdown]
# ## How near is near enough?
#
# Autograd agrees to the last digits. For most functions, differences do not, whatever the step $h$. Taylor's theorem
# gives the error of the two-sided quotient as $\tfrac{h^2}{6} f'''$, so small $h$ looks good; but $f(x \pm h)$ is
# rounded to a relative $\varepsilon = 2 \cdot 10^{-16}$, and dividing by $2h$ turns that into $\varepsilon |f| / h$,
# so small $h$ is bad. If $f$ and $f'''$ are of size 1, the sum is least at $h \approx \sqrt[3]{\varepsilon} \approx
# 10^{-5}$, and there an error of about $10^{-11}$ is left. (For a parabola $f'''$ is 0, and $h = 1$ is exact.) The
# one-sided quotient $(f(x+h) - f(x)) / h$ errs by $\tfrac h2 f''$ and is best at $h \approx \sqrt \varepsilon \approx
# 10^{-8}$, with $10^{-8}$ left. That is why the tests of this library require agreement to $10^{-6}$ with differences
# and to $10^{-10}$ with autograd.


# %%
def length(x):  # f(3, 1) = √10
    return distances.l2(x, np.zeros_like(x))[0][0]


truth = 3 / np.sqrt(10)  # ∂√(x² + y²)/∂x = x / √(x² + y²)
steps = 10.0 ** np.arange(-14, 0)
e = np.array([[1.0, 0.0]])
two_sided = np.array([abs((length(a + h * e) - length(a - h * e)) / (2 * h) - truth) for h in steps])
one_sided = np.array([abs((length(a + h * e) - length(a)) / h - truth) for h in steps])

assert 1e-6 <= steps[two_sided.argmin()] <= 1e-4
assert 1e-9 <= steps[one_sided.argmin()] <= 1e-7
assert 1e-13 < two_sided.min() < 1e-10 < 1e-9 < one_sided.min() < 1e-7
assert (3.0 + 1) ** 2 - (3.0 - 1) ** 2 == 2 * (2 * 3.0)  # (f(x + h) − f(x − h)) = 2h f′ for f = x², h = 1

figure = Figure(figsize=(7.2, 4.6), layout="constrained")
axes = figure.add_subplot()
axes.loglog(steps, one_sided, "s--", color="0.45", label="one-sided: (f(x + h) − f(x)) / h")
axes.loglog(steps, two_sided, "o-", color="black", label="two-sided: (f(x + h) − f(x − h)) / 2h")
arrow = {"arrowstyle": "->"}
axes.annotate("rounding: ε / h", (1e-10, 5e-8), xytext=(1e-12, 1e-10), ha="center", arrowprops=arrow)
axes.annotate("curvature: h", (1e-4, 2e-6), xytext=(1e-5, 1e-4), ha="center", arrowprops=arrow)
axes.annotate("curvature: h²", (1e-3, 4e-9), xytext=(4e-3, 1e-11), ha="center", arrowprops=arrow)
axes.set(
    xlabel="step h",
    ylabel="error of the derivative",
    title="√(x² + y²) at (3, 1): two-sided differences reach eleven digits",
)
axes.legend(frameon=False, loc="upper center")
axes.spines[["top", "right"]].set_visible(False)
show(figure, "00_pullbacks")

# %% [markdown]
# ## No state
#
# A pullback is a closure: it remembers the input of the call that made it, and nothing else remembers anything. So an
# operation may run a second time before the first pullback is used. A siamese network does just that (lesson 03).

# %%
_, first = distances.squared_l2(a, b)
_, second = distances.squared_l2(a + 1, b)
assert np.array_equal(first(np.ones(1))[0], 2 * (a - b))
assert np.array_equal(second(np.ones(1))[0], 2 * (a + 1 - b))

# %% [markdown]
# ## Your turn
#
# Derive what you have just read, as code. The checker shows you the smallest input on which you are wrong: a value
# beside the definition's, a gradient in the three columns of this lesson.
#
#     minisiam learn start squared-distance            # the value alone
#     minisiam learn start squared-distance-gradient
