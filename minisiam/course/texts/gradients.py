"""The texts of lessons 00 to 03: values, gradients and distances, and one network used twice."""

TEXTS: dict[str, str] = {
    "squared-distance": """
Return only the value; its gradient is the next exercise.

One number per row: subtract, square, sum over the features. You need no loop.

‖u‖² = Σⱼ uⱼ² with u = a − b, and a row is axis 0, so the sum is over axis 1.

u = a - b
""",
    "squared-distance-gradient": """
Return the value and a pullback. The pullback receives dd, one number per row: the derivative of the loss with
respect to d. It returns the derivatives with respect to a and to b: a tuple of two arrays.

Take one row and one feature: d = (a − b)². How does it change with a? And with b? Then multiply by dd.

∂(a − b)²/∂a = 2 (a − b), and ∂/∂b is the same with the opposite sign. dd has one number per row: dd[:, None].

u = a - b  # in row i, da is dd[i] times a multiple of u
""",
    "l2": """
A pair of equal points has no direction: where d = 0, set the gradient to 0 instead of dividing by zero.

d is the square root of the squared distance. Chain rule: the slope of the root times the gradient of that.

∂√s/∂s = 1 / (2 √s), so ∂d/∂a = (a − b) / d: the unit vector from b to a. At d = 0 it is 0 by convention.

slope = np.divide(dd, d, out=np.zeros_like(d), where=d > 0)
""",
    "normalize": """
A row of zeros has no direction: it stays 0 and its gradient is 0.

Making x longer does not change y, so the gradient has no component along x: subtract the component along y.

With y = x / r and r = ‖x‖, ∂r/∂x = y, so dx = (dy − y (y·dy)) / r: the product rule, row by row.

norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
""",
    "cosine": """
For a row of zeros the cosine is 0, so d = 1 and the gradient is 0.

The cosine is the dot product of two unit vectors; the last exercise has the gradient of a unit vector.

∂cos/∂a = (b̂ − cos · â) / ‖a‖, and d = 1 − cos changes the sign.

cos = (unit_a * unit_b).sum(axis=1, keepdims=True)
""",
    "dense": """
Compute three gradients from dz, an (n, o) array, each in the shape of its variable.

Write one entry: zₙₒ = Σᵢ xₙᵢ Wᵢₒ + bₒ. In which entries of z does Wᵢₒ occur? Sum the products over them.

dW = xᵀ dz, dx = dz Wᵀ, and b occurs in every row, so db is the sum of the rows of dz. The shapes allow nothing else.

dx = dz @ W.T
""",
    "relu": """
x may have any shape. At x = 0 the slope is 0.

Where x > 0 the gradient passes unchanged; elsewhere it is 0.

∂max(0, x)/∂x is 1 for x > 0 and 0 for x ≤ 0. A pullback returns a tuple, even for one variable.

y = np.maximum(x, 0)
""",
    "two-branches": """
Write the inner function: encode both images with the same params, and compare the embeddings.
Everything is an op: z, pull_z = encoder(params["encoder"], x, input_grad=False); pull_z(dz) gives
(dtheta, None), where dtheta is a tree of the shape of params["encoder"]; `tree.add` adds two trees.
A distance or a loss may be learned. Its parameters are a tuple, () for most: distance(z1, z2, *params["distance"])
and loss(d, *params["loss"], same), and their pullbacks give the gradients of the parameters after the others.
The pullback returns one tree: ({"encoder": dtheta, "distance": ddistance, "loss": dloss},).

The weights are used twice, so a small change of them changes the loss in two ways.

θ enters through z₁ and through z₂: dℓ/dθ = (∂z₁/∂θ)ᵀ dz₁ + (∂z₂/∂θ)ᵀ dz₂. Shared weights: gradients add.

z1, pull_z1 = encoder(params["encoder"], x1, input_grad=False)
""",
}
