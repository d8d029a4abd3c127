# %% [markdown]
# # 03 · Two branches, one set of weights
#
# - *You will see:* an encoder that appears twice in one formula, so that its gradient is a sum of two; the same
#   numbers from one stacked batch; and what happens to a library whose layers remember their input.
# - *Time:* 15 minutes.
# - *Needs:* lessons 00 and 02.

# %%
import inspect

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, distances, encoders, losses, networks, samplers, tree
from minisiam.course.lesson import show

# %% [markdown]
# ## The network
#
# A siamese network encodes two images with the *same* encoder, measures how far apart the two embeddings are, and lets
# a loss say whether that is right (Bromley et al. 1993; Chopra, Hadsell and LeCun 2005):
#
# $$z_1 = f(x_1; \theta), \qquad z_2 = f(x_2; \theta), \qquad d = \|z_1 - z_2\|, \qquad \ell(d;\ \text{same}).$$
#
# People ask where the second network is. There is none. There is one function and one $\theta$, called twice. Here the
# loss is $\tfrac12 d^2$ for a pair of one letter and $\tfrac12 \max(0, m - d)^2$ for a pair of two, with $m = 10$;
# lesson 04 says why.

# %%
rng = np.random.default_rng(0)
data = datasets.pen_glyphs(drawers=2)
x1, x2, same = next(samplers.pairs(data.images, data.labels, rng, size=6))  # (6, 28, 28, 1) twice, (6,)

encoder = encoders.mlp(32, 8)  # 784 → 32 → ReLU → 8
theta, _ = encoder.init(rng, (28, 28, 1))  # a list, one entry a layer: (), (W, b), (), (W, b)
theta, x1, x2 = tree.cast(theta, np.float64), x1.astype(np.float64), x2.astype(np.float64)  # digits for differences

z1, pull_z1 = encoder(theta, x1)  # (6, 8)
z2, pull_z2 = encoder(theta, x2)  # (6, 8)
d, pull_d = distances.l2(z1, z2)  # (6,)
value, pull_value = losses.contrastive(d, same, margin=10.0)  # a number

# %% [markdown]
# ## A sum of two
#
# For a moment give each branch its own $\theta$, $L(\theta_1, \theta_2)$. What we have is
# $\ell(\theta) = L(\theta, \theta)$, and when $\theta$ moves, both arguments move:
#
# $$\frac{d\ell}{d\theta} = \frac{\partial L}{\partial \theta_1} + \frac{\partial L}{\partial \theta_2}.$$
#
# Each pullback gives one of the terms, in the shape of $\theta$: a list of layers with arrays in it. `tree.add` adds
# two such trees leaf by leaf. **Where weights are shared, gradients add.**

# %%
(dd,) = pull_value(1.0)
dz1, dz2 = pull_d(dd)
dtheta1, _ = pull_z1(dz1)
dtheta2, _ = pull_z2(dz2)
dtheta = tree.add(dtheta1, dtheta2)

# %% [markdown]
# To see that the terms are what the formula says, move one entry of the first weight matrix in one branch only, then
# in the other, then in both, and compare with differences.


# %%
def loss_with(theta1, theta2):
    d, _ = distances.l2(encoder(theta1, x1)[0], encoder(theta2, x2)[0])
    return losses.contrastive(d, same, margin=10.0)[0]


W1, W2 = dtheta1[1][0], dtheta2[1][0]  # (784, 32); layer 1 is the first dense one, after Flatten; its entry 0 is W
pixel, unit = np.unravel_index(np.abs(W1 * W2).argmax(), W1.shape)  # where both branches contribute
h = 1e-5
step = tree.map(np.zeros_like, theta)
step[1][0][pixel, unit] = h
up, down = tree.add(theta, step), tree.map(np.subtract, theta, step)

assert np.isclose(W1[pixel, unit], (loss_with(up, theta) - loss_with(down, theta)) / (2 * h), rtol=1e-6)
assert np.isclose(W2[pixel, unit], (loss_with(theta, up) - loss_with(theta, down)) / (2 * h), rtol=1e-6)
assert np.isclose(dtheta[1][0][pixel, unit], (loss_with(up, up) - loss_with(down, down)) / (2 * h), rtol=1e-6)
assert min(abs(W1[pixel, unit]), abs(W2[pixel, unit])) > 1e-3

# %% [markdown]
# ## `siamese` is exactly these lines
#
# The library's wiring is what you have just read; here is its source. Two things are new. `input_grad=False` leaves out
# the gradient of the images, which training does not need. And a distance and a loss may have parameters (lesson 06);
# here they have none, `()`.

# %%
source = inspect.getsource(networks.siamese)
print(source[source.index("    def apply") : source.index("    return Network")])

objective = networks.siamese(encoder, distances.l2, lambda d, same: losses.contrastive(d, same, margin=10.0))
again, pullback = objective({"encoder": theta, "distance": (), "loss": ()}, x1, x2, same)
(gradient,) = pullback(1.0)
assert again == value
assert all(np.array_equal(g, h) for g, h in zip(tree.leaves(gradient["encoder"]), tree.leaves(dtheta), strict=True))

# %% [markdown]
# ## What the sum looks like
#
# A dense layer computes $z_{io} = \sum_k x_{ik} W_{ko} + b_o$, row $i$ by row. The weight $W_{ko}$ meets input $k$ of
# every row, so $\partial \ell / \partial W_{ko} = \sum_i x_{ik}\, \partial \ell / \partial z_{io}$; in matrices
# $dW = x^\top dz$, and likewise $dx = dz\, W^\top$ and $db = \sum_i dz_i$. ReLU is $\max(0, z)$: it lets $dz$ pass
# where $z$ was positive.
#
# So the gradient of the weights that lead into one hidden unit *is a picture*: a sum of input images, each times a
# number. For one pair, the first branch contributes a multiple of the first image and the second branch a multiple of
# the second. Since $dz_2 = -dz_1$, a unit that is on for both images gets opposite multiples, and the sum is a
# multiple of $x_1 - x_2$: it shows where the two letters disagree.

# %%
pair = np.flatnonzero(~same)[0]
dh = {}  # gradient at the hidden units, from each branch; the encoder's parts are run one by one
for name, dz, x in (("first", dz1, x1), ("second", dz2, x2)):
    h, pull_h = encoder.parts[1](theta[1], x.reshape(6, 784))  # dense 784 → 32
    hidden, pull_hidden = encoder.parts[2]((), h)  # ReLU
    _, pull_out = encoder.parts[3](theta[3], hidden)  # dense 32 → 8
    dh[name] = pull_hidden(pull_out(dz)[1])[1]  # (6, 32)

assert np.allclose(x1.reshape(6, 784).T @ dh["first"], dtheta1[1][0])
best = np.minimum(abs(dh["first"][pair]), abs(dh["second"][pair])).argmax()  # a unit that both images reach
assert np.allclose(dh["first"][pair, best], -dh["second"][pair, best])
first, second = dh["first"][pair, best] * x1[pair, ..., 0], dh["second"][pair, best] * x2[pair, ..., 0]

figure = Figure(figsize=(10, 2.7), layout="constrained")
panels = {"x₁": x1[pair, ..., 0], "x₂": x2[pair, ..., 0]}
panels |= {"from branch 1": first, "from branch 2": second, "sum": first + second}
for axes, (title, image) in zip(figure.subplots(1, 5), panels.items(), strict=True):
    reach = abs(image).max()
    axes.imshow(image, cmap="gray_r", vmin=0 if title in ("x₁", "x₂") else -reach, vmax=reach)
    axes.set(title=title, xticks=[], yticks=[])
figure.suptitle("The gradient of one hidden unit's weights for one pair. Black is positive, white negative, grey zero")
show(figure, "03_sum")

# %% [markdown]
# ## The same number from one stacked batch
#
# Encode all twelve images at once, split the result, put the two gradients on top of each other, and pull back once. A
# pullback sums over rows, so it has added the branches already. It is one matrix product instead of two.

# %%
z, pull_z = encoder(theta, np.concatenate([x1, x2]))  # (12, 8)
assert np.allclose(z, np.concatenate([z1, z2]))
stacked, _ = pull_z(np.concatenate([dz1, dz2]))
assert all(np.allclose(g, h) for g, h in zip(tree.leaves(stacked), tree.leaves(dtheta), strict=True))

# %% [markdown]
# ## What state does to it
#
# In several teaching libraries a layer stores its input in `self.x` and reads it when the gradient arrives. The second
# call overwrites what the first one stored, and *both* gradients then go back through the second image. We can imitate
# that by using `pull_z2` for both.
#
# A distance that depends on $z_1 - z_2$ alone has $dz_2 = -dz_1$, and pullbacks are linear. The sum is then
# $\text{pull}_2(dz_1) + \text{pull}_2(-dz_1) = 0$: not a slightly wrong gradient but none at all. Training runs,
# prints a loss, and never learns.

# %%
assert np.array_equal(dz2, -dz1)
overwritten = tree.add(pull_z2(dz1)[0], pull_z2(dz2)[0])
assert all(np.abs(leaf).max() < 1e-15 for leaf in tree.leaves(overwritten))
assert max(np.abs(leaf).max() for leaf in tree.leaves(dtheta)) > 0.01

# %% [markdown]
# ## One entry that is zero for good
#
# Add a constant to the bias of the last layer. Both embeddings move by it, their difference does not, and the loss
# does not either. So the gradient of that bias is zero whatever the data: $db = \sum_i (dz_1 + dz_2)_i = 0$. If an
# encoder ends in a dense layer and its distance depends on $z_1 - z_2$ alone, as L1 and L2 do, the last bias has no
# gradient and no effect. If the encoder normalises its output after that layer, it has both.

# %%
assert np.abs(dtheta[-1][1]).max() < 1e-15
assert np.abs(dtheta1[-1][1]).max() > 1e-3  # each branch alone would move it

sphere = networks.siamese(encoders.mlp(32, 8, normalize=True), distances.l2, losses.contrastive)
(on_sphere,) = sphere({"encoder": [*theta, ()], "distance": (), "loss": ()}, x1, x2, same)[1](1.0)
assert np.abs(on_sphere["encoder"][-2][1]).max() > 1e-3

# %% [markdown]
# ## Your turn
#
#     minisiam learn start dense
#     minisiam learn start relu           # and what happens at zero
#     minisiam learn start two-branches   # the body of the function printed above
