# %% [markdown]
# # 07 · Convolution
#
# - *You will see:* a convolution as windows and one matrix product; its pullback, which is a convolution again with
#   the kernel turned around; max pooling; and why images are stored with their channels last.
# - *Time:* 20 minutes.
# - *Needs:* lesson 00, and $dW = x^\top dz$, $dx = dz\,W^\top$ from lesson 03.

# %%
import timeit

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, ops
from minisiam.course.lesson import show
from minisiam.ops.convolution import as_matrix, windows

# %% [markdown]
# ## What a dense layer does not know
#
# Permute the pixels of every image in the same way, and the rows of its weights likewise, and a dense layer computes
# what it did before: it does not know that pixels have neighbours. A convolution looks at small windows, at all of them
# with the same weights:
#
# $$z[p] = \sum_{q} x[p + q]\, W[q] + b,$$
#
# where $p$ is a place in the output, and $q$ runs over the $k \times k$ places of the window. (Signal processing calls
# this cross-correlation and has $x[p - q]$ for convolution. Every neural network library uses the name for the formula
# above.) Shapes: $x$ is (images, height, width, channels), $W$ is $(k, k, \text{channels}, \text{outputs})$.

# %%
order = np.random.default_rng(0).permutation(784)
x, W = np.random.default_rng(1).normal(size=(2, 784)), np.random.default_rng(2).normal(size=(784, 3))
assert np.allclose(x[:, order] @ W[order], x @ W)

x = np.arange(16.0).reshape(1, 4, 4, 1)
W = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)  # each pixel minus its neighbour below to the right
z, _ = ops.conv2d(x, W, np.zeros(1))
assert z.shape == (1, 3, 3, 1)  # a 2×2 window fits into 4 pixels three times
assert (z == -5).all()  # 0 − 5, 1 − 6, …

# %% [markdown]
# ## Windows and one matrix product
#
# Write every window as a row. What was a sum over $q$ and the channels is now a dot product with a column of weights.
# With $W$ as a matrix of $k \cdot k \cdot c$ rows the whole layer is $Z = XW + b$: a dense layer whose "examples" are
# windows.

# %%
X = as_matrix(windows(x, 2))
print(X.astype(int))  # (9, 4): nine windows of four pixels; the first is 0 1 4 5
assert np.array_equal(X @ W.reshape(4, 1), z.reshape(9, 1))

rng = np.random.default_rng(0)
x, W, b = rng.normal(size=(2, 6, 6, 3)), rng.normal(size=(3, 3, 3, 5)), rng.normal(size=5)  # 3 channels → 5
z, pullback = ops.conv2d(x, W, b)  # (2, 4, 4, 5)
for n, i, j, o in np.ndindex(z.shape):  # the formula itself, one number at a time
    assert np.isclose(z[n, i, j, o], (x[n, i : i + 3, j : j + 3] * W[..., o]).sum() + b[o])

# %% [markdown]
# ## The pullback of the weights
#
# Nothing new has to be derived. From lesson 03, $dW = X^\top dZ$ and $db = \sum dZ$: a weight has met many windows, so
# its gradient is a sum over all of them, as over the branches of a siamese network. Undo the matrix:
# $dW[q] = \sum_p x[p + q]\, dz[p]$. Compare with the formula at the top. It is the *same operation*, with $dz$ instead
# of the kernel, and a sum over images instead of channels.

# %%
dz = rng.normal(size=z.shape)
dx, dW, db = pullback(dz)
assert np.allclose(dW, (as_matrix(windows(x, 3)).T @ dz.reshape(-1, 5)).reshape(W.shape))
assert np.allclose(db, dz.sum(axis=(0, 1, 2)))

same, _ = ops.conv2d(x.transpose(3, 1, 2, 0), dz.transpose(1, 2, 0, 3), np.zeros(5))  # channels ↔ images
assert np.allclose(same.transpose(1, 2, 0, 3), dW)

# %% [markdown]
# ## The pullback of the image: the same thing flipped
#
# A pixel $x[r]$ has been in every window $p$ with $p + q = r$, each time with the weight $W[q]$. So
#
# $$dx[r] = \sum_q dz[r - q]\, W[q].$$
#
# Here $q$ comes with a minus sign. Count it from the other end, $q' = k - 1 - q$:
#
# $$dx[r] = \sum_{q'} dz[r - (k - 1) + q']\ W[k - 1 - q'].$$
#
# That is an ordinary convolution again: of $dz$, with $k - 1$ zeros around it so that every window fits, with the
# kernel turned by 180°. Its two channel axes are exchanged as well, since the gradient flows from outputs to inputs.

# %%
around = np.pad(dz, ((0, 0), (2, 2), (2, 2), (0, 0)))  # (2, 8, 8, 5)
flipped = W[::-1, ::-1].swapaxes(2, 3)  # (3, 3, 5, 3)
again, _ = ops.conv2d(around, flipped, np.zeros(3))
assert again.shape == x.shape
assert np.allclose(again, dx)

# %% [markdown]
# ## Seeing it
#
# Four kernels, each looking for a stroke of one direction: positive along a line, negative beside it. ReLU keeps what
# was found. Pooling keeps the strongest response of each $2 \times 2$ block, and so forgets where in the block it was.
# The last row is the way back: the gradient of $\tfrac12 \sum y^2$ over the pooled responses $y$, which is $y$ itself,
# carried to the pixels. It shows where ink would strengthen the responses (black) and where it would weaken them
# (white).

# %%
line = np.array([[-1.0, -1, -1], [2, 2, 2], [-1, -1, -1]])
slope = np.array([[-1.0, -1, 2], [-1, 2, -1], [2, -1, -1]])
kernels = np.stack([line, line.T, slope, slope[:, ::-1]], axis=-1)[:, :, None]  # (3, 3, 1, 4)
letter = datasets.pen_glyphs(drawers=1).where(np.arange(1377) == 17).images.astype(np.float64)  # an R

z, pull_z = ops.conv2d(letter, kernels, np.zeros(4))  # (1, 26, 26, 4)
h, pull_h = ops.relu(z)
y, pull_y = ops.max_pool(h)  # (1, 13, 13, 4)

figure = Figure(figsize=(9.2, 6.4), layout="constrained")
grid = figure.subplots(3, 5)
names = ("horizontal", "vertical", "rising", "falling")
for k, name in enumerate(names):
    dy = np.zeros_like(y)
    dy[..., k] = y[..., k]
    (dh,) = pull_y(dy)
    (dz,) = pull_h(dh)
    back, _, _ = pull_z(dz)  # (1, 28, 28, 1)
    for axes, image, low in zip(grid[:, k + 1], (h[0, ..., k], y[0, ..., k], back[0, ..., 0]), (0, 0, -1), strict=True):
        axes.imshow(image, cmap="gray_r", vmin=low * abs(image).max(), vmax=abs(image).max())
    grid[0, k + 1].set_title(name)
grid[0, 0].imshow(letter[0, ..., 0], cmap="gray_r")
grid[0, 0].set_title("image, 28 × 28")
for axes in grid.ravel():
    axes.set(xticks=[], yticks=[])
for row, name in enumerate(("convolved, ReLU\n26 × 26", "pooled\n13 × 13", "pulled back\n28 × 28")):
    grid[row, 1].set_ylabel(name)
for axes in grid[1:, 0]:
    axes.set_axis_off()
show(figure, "07_strokes")

# %% [markdown]
# ## What it buys
#
# *Few weights.* From a 28 × 28 image to 26 × 26 × 4 responses a dense layer has 2.1 million weights, this one 36.
# *Equivariance.* Move the image, and the responses move along; nothing has to be learned again for each position. A
# dense layer sees a moved letter as a new one, as pixels did in lesson 01.

# %%
assert 28 * 28 * 26 * 26 * 4 == 2_119_936
moved, _ = ops.conv2d(np.roll(letter, 1, axis=2), kernels, np.zeros(4))
assert np.allclose(moved[:, :, 2:-1], z[:, :, 1:-2])

# %% [markdown]
# ## Max pooling
#
# The largest number of a block is a choice of one of four, and the gradient goes where the choice fell. At a tie any
# weights $w \ge 0$ with the sum 1 give a subgradient, since $\max_k (x_k + h_k) \ge \sum_k w_k (x_k + h_k)
# = \max_k x_k + w \cdot h$. The one of least norm would be $\tfrac14$ each at a tie of four; PyTorch and this library
# give everything to the first in reading order, which is a convention and needs no division. What is wrong is the sum
# 4: if all four of a tie got the whole gradient, a flat image would get it four times.

# %%
block = np.array([[3.0, 1.0], [3.0, 2.0]]).reshape(1, 2, 2, 1)
y, pull_y = ops.max_pool(block)
assert y.item() == 3
assert np.array_equal(pull_y(np.ones_like(y))[0][0, ..., 0], [[1, 0], [0, 0]])

h, w = rng.normal(size=(1000, 4)), rng.dirichlet(np.ones(4), size=1000)  # steps from a tie of four; weights with sum 1
assert (h.max(axis=1) >= (w * h).sum(axis=1)).all()
assert (np.linalg.norm(w, axis=1) >= np.linalg.norm(np.full(4, 0.25))).all()
assert (h.max(axis=1) < h.sum(axis=1)).any()  # four times the gradient is no subgradient

# %% [markdown]
# ## Why the channels come last
#
# The matrix $X$ is assembled from copied windows. With (images, height, width, channels), the $k$ pixels of a window's
# row and all of their channels lie side by side in memory: a window is $k$ runs of $k \cdot c$ numbers. With (images,
# channels, height, width) it is $k \cdot c$ runs of only $k$ numbers. And the product $XW$ has one row per position
# and one column per output: it *is* an image with channels last, ready for the next layer. (For channels first one
# writes windows as columns and multiplies from the left, $W^\top X^\top$, once for each image.)

# %%
last = rng.normal(size=(16, 28, 28, 64)).astype(np.float32)  # four bytes per number
first = np.ascontiguousarray(last.transpose(0, 3, 1, 2))
views = windows(last, 3), windows(first.transpose(0, 2, 3, 1), 3)  # the same windows, from two orders in memory
assert np.array_equal(*views)
assert views[0].strides[3:] == (4 * 28 * 64, 4 * 64, 4)  # within a row, each number follows the one before
assert views[1].strides[3:] == (4 * 28, 4, 4 * 28 * 28)  # the next channel is a whole plane away

for name, view in zip(("channels last", "channels first"), views, strict=True):
    seconds = min(timeit.repeat(lambda view=view: as_matrix(view), number=1, repeat=5))
    print(f"{name:15} {1000 * seconds:5.1f} ms to write down the windows")

# %% [markdown]
# ## Your turn
#
#     minisiam learn start convolution
#     minisiam learn start max-pool
#     minisiam learn start batch-norm     # a norm between two layers: here each image depends on the others
#     minisiam learn start group-norm     # and here on itself alone
