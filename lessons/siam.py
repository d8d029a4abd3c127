"""A siamese network on one page: NumPy, and nothing else.     python siam.py

    x1 ─ encoder ─ z1 ┐
          params      ├ distance ─ d ─ contrastive ─ loss          one encoder, used twice
    x2 ─ encoder ─ z2 ┘

A function returns its value and a pullback. The pullback takes the gradient of the loss with respect to that value,
and returns a tuple: the gradients with respect to what the function was given.
"""

import numpy as np


def distance(a, b):
    """d = ‖a − b‖ for each row: (n, k), (n, k) → (n,). pullback(dd) = (da, db), which are 0 where d = 0."""
    u = a - b
    d = np.sqrt((u * u).sum(axis=1))

    def pullback(dd):
        da = (dd * (d > 0) / np.where(d > 0, d, 1))[:, None] * u  # ∂d/∂a = (a − b) / d, and ∂d/∂b is the opposite
        return da, -da

    return d, pullback


def contrastive(d, same, margin=1.0):
    """The mean of ½ d² for the same letter, of ½ max(0, margin − d)² for two letters. pullback(dl) = (dd,)."""
    slack = np.maximum(margin - d, 0)

    def pullback(dl):
        return (dl * np.where(same, d, -slack) / len(d),)  # one spring pulls, the other pushes up to the margin

    return np.mean(np.where(same, d, slack) ** 2) / 2, pullback


def dense(x, W, b):
    """y = x W + b: (n, p), (p, q), (q,) → (n, q). pullback(dy) = (dx, dW, db)."""
    return x @ W + b, lambda dy: (dy @ W.T, x.T @ dy, dy.sum(axis=0))


def relu(x):
    """y = max(x, 0). pullback(dy) = (dx,), which is 0 where x = 0."""
    return np.maximum(x, 0), lambda dy: (dy * (x > 0),)


def encoder(params, x):
    """z = relu(x W1 + b1) W2 + b2 with params = [W1, b1, W2, b2]. pullback(dz) = (dparams,), a list like params."""
    W1, b1, W2, b2 = params
    h, pull_h = dense(x, W1, b1)
    r, pull_r = relu(h)
    z, pull_z = dense(r, W2, b2)

    def pullback(dz):
        dr, dW2, db2 = pull_z(dz)
        (dh,) = pull_r(dr)
        _, dW1, db1 = pull_h(dh)
        return ([dW1, db1, dW2, db2],)

    return z, pullback


def siamese(params, x1, x2, same):
    """The contrastive loss of the pairs (x1, x2), a number. pullback(dl) = (dparams,)."""
    z1, pull_z1 = encoder(params, x1)
    z2, pull_z2 = encoder(params, x2)
    d, pull_d = distance(z1, z2)
    value, pull_loss = contrastive(d, same)

    def pullback(dl):
        (dd,) = pull_loss(dl)
        dz1, dz2 = pull_d(dd)
        (first,), (second,) = pull_z1(dz1), pull_z2(dz2)
        return ([a + b for a, b in zip(first, second, strict=True)],)  # the weights are used twice: add

    return value, pullback


def pairs(labels, n, rng):
    """n random pairs of two images: their rows i and j, and `same`. The first n // 2 pairs show one letter twice."""
    i, same = rng.integers(len(labels), size=n), np.arange(n) < n // 2
    fits = (labels[i][:, None] == labels) == same[:, None]  # (n, images): the partners that row i may have
    fits[np.arange(n), i] = False
    return i, (rng.random(fits.shape) * fits).argmax(axis=1), same


def train(params, images, labels, rng, steps, batch=64, rate=0.6):
    """The params after `steps` steps of gradient descent, params − rate · dparams, each on new random pairs."""
    for _ in range(steps):
        i, j, same = pairs(labels, batch, rng)
        _, pullback = siamese(params, images[i], images[j], same)
        (dparams,) = pullback(1.0)
        params = [p - rate * dp for p, dp in zip(params, dparams, strict=True)]
    return params


def one_shot(examples, queries):
    """The share of queries nearer to the example of their letter, which has the same row, than to any other."""
    D = np.linalg.norm(queries[:, None] - examples, axis=2)
    own = np.diag(D).copy()
    np.fill_diagonal(D, np.inf)
    return np.mean(own < D.min(axis=1))  # a tie is an error: an encoder that makes all images equal scores 0


def init(sizes, rng):
    """Random weights [W1, b1, W2, b2] for inputs, hidden units and embeddings of these sizes (He et al., 2015)."""
    p, q, k = sizes
    return [rng.normal(0, (2 / p) ** 0.5, (p, q)), np.zeros(q), rng.normal(0, (1 / q) ** 0.5, (q, k)), np.zeros(k)]


def draw(letters, rng, size=12):
    """A new drawing of each letter, (n, size²). A letter is a line through points; a drawing moves it and them."""
    n, points, _ = letters.shape
    moved = letters + rng.normal(0, 0.04, letters.shape) + rng.normal(0, 0.08, (n, 1, 2))
    t = np.linspace(0, points - 1, 8 * points)
    k = np.minimum(t.astype(int), points - 2)
    line = moved[:, k] + (t - k)[:, None] * (moved[:, k + 1] - moved[:, k])  # (n, dots, 2)
    pen = np.exp(-(((np.linspace(0, 1, size) - line[..., None]) / 0.08) ** 2))  # (n, dots, 2, size)
    return (pen[:, :, 0, :, None] * pen[:, :, 1, None, :]).max(axis=1).reshape(n, -1)


def main(steps=2000):
    """Train on 200 letters; then recognise 20 letters that the network has never seen, by one example of each."""
    rng = np.random.default_rng(0)
    letters = rng.uniform(0.15, 0.85, (220, 4, 2))
    seen, unseen = letters[:200], letters[200:]
    images, labels = np.concatenate([draw(seen, rng) for _ in range(8)]), np.tile(np.arange(200), 8)
    start = init((144, 128, 32), rng)
    params = train(start, images, labels, rng, steps)
    tests = [(draw(unseen, rng), draw(unseen, rng)) for _ in range(50)]  # examples and queries
    ways = {
        "pixels": lambda x: x,
        "before training": lambda x: encoder(start, x)[0],
        "after training": lambda x: encoder(params, x)[0],
    }
    print("new drawings of 20 unseen letters that are recognised from one example of each (chance: 5 %):")
    for name, embed in ways.items():
        shares = [one_shot(embed(examples), embed(queries)) for examples, queries in tests]
        print(f"{name:>15} {100 * np.mean(shares):5.1f} %")


if __name__ == "__main__":
    main()
