"""The text of the capstone: the task, and a hint for each step."""

TEXTS: dict[str, str] = {
    "capstone": """
Write a siamese network with NumPy and nothing else: distance, loss, encoder, two branches, pairs, training, and a
test on letters that it has never seen. `draw`, `init` and `main` are given. There are twelve steps. A function with
two steps returns its value first, as `return value, None`, and its pullback next. The file is yours: it needs no
minisiam.

u = a - b, and the length of a row is the root of the sum over its features: axis 1.

∂d/∂a = (a − b) / d for each row, times dd[:, None], and ∂d/∂b is the opposite. Where d = 0 divide by 1 instead, and
multiply by 0.

Two springs: ½ d² where same, ½ slack² elsewhere, with slack = np.maximum(margin - d, 0). np.where chooses; take the
mean.

One spring pulls, d, and the other pushes, −slack. The value is a mean, so divide by len(d); multiply by dl; return a
tuple with one gradient, (dd,).

y = x W + b. Each dW[p, q] collects x[n, p] dy[n, q] over the rows n: x.T @ dy. The bias is added to every row, so db
is a sum over rows. Return (dx, dW, db).

The slope is 1 where x > 0 and 0 elsewhere: (dy * (x > 0),).

h, pull_h = dense(x, W1, b1), then relu, then dense with W2 and b2. The pullback calls theirs in reverse order, and
returns a tuple with one list, ([dW1, db1, dW2, db2],).

Encode x1 and x2 with the same params, take the distance, then the loss. In the pullback each branch gives a list of
gradients; add them entry by entry: [a + b for a, b in zip(first, second)].

Draw i, and let same be np.arange(n) < n // 2. For each i, which images may be its partner? A table of booleans, (n,
images): equal labels where same, other labels elsewhere, and never i itself. Then choose one of these at random.

In each step: pairs(labels, batch, rng), the network on images[i] and images[j], pullback(1.0), and new params, p -
rate * dp for each. Do not change the arrays that you were given.

The distances of all queries from all examples: np.linalg.norm(queries[:, None] - examples, axis=2). The right example
of query k is example k. It must be nearer than every other one: a tie is an error.

`main` is given, and your functions are right. If it fails, compare it with that of a fresh file: minisiam learn
reset.
""",
}
