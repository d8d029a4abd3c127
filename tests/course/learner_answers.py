"""Correct answers that differ from the library, as learners may write them: the graders must accept them."""

from __future__ import annotations

import numpy as np

from minisiam import tree
from minisiam.evaluate.thresholds import t_975
from minisiam.networks import Network
from minisiam.typing import Array, Bool, Float, Int


def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):
    def pullback(dd):
        da = np.stack([2 * g * (x - y) for g, x, y in zip(dd, a, b, strict=True)])
        return da, -da

    return np.array([((x - y) ** 2).sum() for x, y in zip(a, b, strict=True)]), pullback


def contrastive(d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0):
    slack = np.maximum(0, margin - d)
    value = 0.5 * np.mean(np.where(same, d**2, slack**2))

    def pullback(dl):
        return (np.where(same, d, -slack) * d.dtype.type(dl) / d.dtype.type(len(d)),)

    return value, pullback


def triplet_hinge(positive: Float[Array, "n"], negative: Float[Array, "n"], /, margin: float = 1.0):
    x = positive - negative + margin

    def pullback(dl):
        slope = (x > 0).astype(x.dtype) * x.dtype.type(dl / len(x))
        return slope, -slope

    return np.mean(np.maximum(0, x)), pullback


def triplet_soft_margin(positive: Float[Array, "n"], negative: Float[Array, "n"], /, margin: float = 0.0):
    x = positive - negative + margin

    def pullback(dl):
        slope = np.exp(-np.logaddexp(0, -x)) * x.dtype.type(dl / len(x))
        return slope, -slope

    return np.mean(np.logaddexp(0, x)).astype(x.dtype), pullback


def siamese(encoder, distance, loss) -> Network:
    def apply(params, /, x1, x2, same):
        z1, pull_z1 = encoder(params["encoder"], x1, input_grad=False)
        z2, pull_z2 = encoder(params["encoder"], x2, input_grad=False)
        d, pull_d = distance(z1, z2, *params["distance"])
        value, pull_loss = loss(d, *params["loss"], same)

        def pullback(dl):
            dd, *dloss = pull_loss(dl)
            dz1, dz2, *ddistance = pull_d(dd)
            dtheta = tree.add(pull_z1(dz1)[0], pull_z2(dz2)[0])
            return ({"loss": tuple(dloss), "distance": tuple(ddistance), "encoder": dtheta},)

        return value, pullback

    return Network(None, apply)


def dense(x: Float[Array, "n i"], W: Float[Array, "i o"], b: Float[Array, "o"], /):
    return np.einsum("ni,io->no", x, W) + b, lambda dz: (
        np.einsum("no,io->ni", dz, W),
        np.einsum("ni,no->io", x, dz),
        np.einsum("no->o", dz),
    )


def relu(x: Float[Array, "..."], /):
    return np.where(x > 0, x, 0), lambda dy: (np.where(x > 0, dy, 0),)


def cross_entropy(logits: Float[Array, "n"], /, same: Bool[Array, "n"]):
    value = np.mean(np.where(same, np.logaddexp(0, -logits), np.logaddexp(0, logits)))

    def pullback(dl):
        p = np.exp(-np.logaddexp(0, -logits))
        q = np.exp(-np.logaddexp(0, logits))
        return (np.where(same, -q, p) * logits.dtype.type(dl / len(logits)),)

    return value, pullback


def l2(a: Float[Array, "n d"], b: Float[Array, "m d"], /):
    u = a[:, None] - b
    D = np.sqrt((u**2).sum(axis=2))

    def pullback(dD):
        slope = np.where(D > 0, dD / np.where(D > 0, D, 1), 0).astype(a.dtype)[:, :, None] * u
        return slope.sum(axis=1), -slope.sum(axis=0)

    return D, pullback


def all_pairs(D: Float[Array, "n n"], labels: Int[Array, "n"]):
    pairs = [(i, j, labels[i] == labels[j]) for i in range(len(labels)) for j in range(i + 1, len(labels))]
    return tuple(np.array([pair[k] for pair in reversed(pairs)]) for k in range(3))


def batch_hard(D: Float[Array, "n n"], labels: Int[Array, "n"]):
    found = []
    for a in range(len(labels)):
        positives = [p for p in range(len(labels)) if labels[p] == labels[a] and p != a]
        negatives = [n for n in range(len(labels)) if labels[n] != labels[a]]
        if positives:
            found.append((a, max(positives, key=lambda p: D[a, p]), min(negatives, key=lambda n: D[a, n])))
    return tuple(np.array(part) for part in zip(*found, strict=True))


def semi_hard_facenet(D: Float[Array, "n n"], labels: Int[Array, "n"], margin: float = 0.2):
    found = []
    for a in range(len(labels)):
        for p in range(len(labels)):
            if labels[a] == labels[p] and a != p:
                some = [n for n in range(len(labels)) if labels[n] != labels[a] and 0 < D[a, n] - D[a, p] <= margin]
                found += [(a, p, min(some, key=lambda n: D[a, n]))] if some else []
    return tuple(np.array([row[k] for row in found], int) for k in range(3))


def log_sum_exp(x: Float[Array, "n m"]):
    top = x.max(axis=1, keepdims=True)
    e = np.exp(x - np.where(np.isinf(top), 0, top))
    total = e.sum(axis=1, keepdims=True)
    total[total == 0] = 1
    return np.log(total[:, 0]) + np.where(np.isinf(top), 0, top)[:, 0], e / total


def softmax_cross_entropy(D: Float[Array, "n m"], /, targets: Int[Array, "n"], temperature: float = 1.0):
    value, p = log_sum_exp(-D / temperature)
    hot = np.eye(D.shape[1], dtype=D.dtype)[targets]

    def pullback(dl):
        return ((hot - p) * D.dtype.type(dl / temperature / len(D)),)

    return np.mean(value + (D * hot).sum(axis=1) / temperature), pullback


def conv2d(x: Float[Array, "n h w c"], W: Float[Array, "k k c o"], b: Float[Array, "o"], /):
    k = len(W)
    p, q = x.shape[1] - k + 1, x.shape[2] - k + 1
    places = list(np.ndindex(k, k))
    z = b + sum(x[:, i : i + p, j : j + q] @ W[i, j] for i, j in places)

    def pullback(dz):
        dx, dW = np.zeros_like(x), np.zeros_like(W)
        for i, j in places:
            dx[:, i : i + p, j : j + q] += dz @ W[i, j].T
            dW[i, j] = np.einsum("npqc,npqo->co", x[:, i : i + p, j : j + q], dz)
        return dx, dW, dz.sum(axis=(0, 1, 2))

    return z, pullback


def max_pool(x: Float[Array, "n h w c"], /, size: int = 2):
    n, h, w, c = x.shape
    p, q = h // size, w // size
    blocks = x[:, : p * size, : q * size].reshape(n, p, size, q, size, c).transpose(0, 1, 3, 5, 2, 4)
    blocks = blocks.reshape(n, p, q, c, size * size)
    winner = blocks.argmax(axis=-1)[..., None]

    def pullback(dy):
        sent = np.zeros_like(blocks)
        np.put_along_axis(sent, winner, dy[..., None], axis=-1)
        dx = np.zeros_like(x)
        sent = sent.reshape(n, p, q, c, size, size).transpose(0, 1, 4, 2, 5, 3)
        dx[:, : p * size, : q * size] = sent.reshape(n, p * size, q * size, c)
        return (dx,)

    return np.take_along_axis(blocks, winner, axis=-1)[..., 0], pullback


def recall_at_k(z: Float[Array, "n d"], labels: Int[Array, "n"], k: int = 1):
    found = []
    for i in range(len(z)):
        d = np.sqrt(((z - z[i]) ** 2).sum(axis=1))
        own = [d[j] for j in range(len(z)) if labels[j] == labels[i] and j != i]
        if own:
            found.append(sum(d[j] <= min(own) for j in range(len(z)) if labels[j] != labels[i]) < k)
    return sum(found) / len(found)


def pk_indices(labels: Array, rng, classes: int = 16, per_class: int = 4):
    piles: dict = {}

    def deal(name, cards, size):
        pile = piles.get(name, [])
        if len(pile) < size:
            fresh = list(rng.permutation(cards))
            pile = pile + [x for x in fresh if x not in pile] + [x for x in fresh if x in pile]
        piles[name] = pile[size:]
        return pile[:size]

    while True:
        chosen = deal("classes", np.unique(labels), classes)
        yield np.concatenate([deal(c, np.flatnonzero(labels == c), per_class) for c in chosen])


def threshold_at(d: Float[Array, "n"], same: Bool[Array, "n"], false_accept: float = 0.01):
    best = -np.inf
    for t in sorted(set(d.tolist())):
        if np.mean(d[~same] <= t) <= false_accept:
            best = t
    return best


def choose_threshold(d: Float[Array, "n"], same: Bool[Array, "n"], groups: Int[Array, "n"], rate: float = 0.01):
    def errors(d, same, t):
        return np.mean(d[~same] <= t), np.mean(d[same] > t)

    value = threshold_at(d, same, rate)
    rates = []
    for g in set(groups.tolist()):
        own = groups == g
        rates.append(errors(d[own], same[own], threshold_at(d[~own], same[~own], rate)))
    intervals = []
    for known, x in zip(errors(d, same, value), np.transpose(rates), strict=True):
        s = np.sqrt(((x - sum(x) / len(x)) ** 2).sum() / (len(x) - 1))
        half = t_975(len(x) - 1) * np.sqrt(s**2 / len(x) + s**2)
        intervals.append((known, np.clip(np.mean(x) - half, 0, 1), np.clip(np.mean(x) + half, 0, 1)))
    return value, *intervals


def identify(gallery, z: Float[Array, "m d"], threshold: float):
    answers = []
    for query in z:
        nearest: dict = {}
        for name, entry in zip(gallery.names, gallery.embeddings, strict=True):
            d = np.linalg.norm(entry - query)
            nearest[name] = min(d, nearest.get(name, np.inf))
        ranked = sorted(nearest.items(), key=lambda item: item[1])
        tie = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
        answers.append(None if tie or ranked[0][1] > threshold else ranked[0][0])
    return answers


def recomputed(encoder, chunk: int):
    def apply(params, x, /, input_grad=True):
        z = []
        for start in range(0, len(x), chunk):
            part, _ = encoder(params, x[start : start + chunk])
            z += list(part)

        def pullback(dz):
            dparams, dx = tree.map(np.zeros_like, params), np.zeros_like(x)
            for start in range(0, len(x), chunk):
                some = slice(start, start + chunk)
                _, pull = encoder(params, x[some], input_grad=input_grad)
                more, dpart = pull(dz[some])
                dparams = tree.add(dparams, more)
                if input_grad:
                    dx[some] = dpart
            return dparams, dx if input_grad else None

        return np.array(z), pullback

    return apply


def all_gather(z: Float[Array, "b d"], /, ranks):
    sizes = [int(size[0]) for size in ranks.gather(np.array([len(z)]))]
    start = sum(sizes[: ranks.rank])
    Z = np.zeros((sum(sizes), *z.shape[1:]), z.dtype)
    Z[start : start + len(z)] = z
    Z = sum(ranks.exchange([Z for _ in sizes]))

    def pullback(dZ):
        dz = np.zeros_like(z)
        for copy in ranks.gather(dZ):
            dz += copy[start : start + len(z)]
        return (dz,)

    return Z, pullback


def batch_norm(
    x: Float[Array, "n ... c"], scale: Float[Array, "c"], shift: Float[Array, "c"], /, epsilon: float = 1e-5
):
    every = tuple(range(x.ndim - 1))
    centred = x - x.mean(axis=every)
    deviation = np.sqrt((centred**2).mean(axis=every) + x.dtype.type(epsilon))
    unit = centred / deviation

    def pullback(dy):
        dunit = scale * dy
        dx = (dunit - dunit.mean(axis=every) - unit * (dunit * unit).mean(axis=every)) / deviation
        return dx, (dy * unit).sum(axis=every), dy.sum(axis=every)

    return scale * unit + shift, pullback


def group_norm(
    x: Float[Array, "n ... c"],
    scale: Float[Array, "c"],
    shift: Float[Array, "c"],
    /,
    groups: int = 8,
    epsilon: float = 1e-5,
):
    members, one = np.split(np.arange(x.shape[-1]), groups), tuple(range(1, x.ndim))
    every = tuple(range(x.ndim - 1))

    def means(a):
        return np.concatenate(
            [np.broadcast_to(a[..., some].mean(axis=one, keepdims=True), a[..., some].shape) for some in members],
            axis=-1,
        )

    centred = x - means(x)
    deviation = np.sqrt(means(centred**2) + x.dtype.type(epsilon))
    unit = centred / deviation

    def pullback(dy):
        dunit = scale * dy
        dx = (dunit - means(dunit) - unit * means(dunit * unit)) / deviation
        return dx, (dy * unit).sum(axis=every), dy.sum(axis=every)

    return scale * unit + shift, pullback


def supcon(D: Float[Array, "n n"], /, labels: Int[Array, "n"], temperature: float = 0.1):
    n, dD = len(D), np.zeros_like(D)
    x = -D / temperature
    values = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        positives = [j for j in others if labels[j] == labels[i]]
        if positives:
            (value,), (p,) = log_sum_exp(x[i : i + 1, others])
            values.append(value - x[i, positives].mean())
            dD[i, others] = -p / temperature
            dD[i, positives] += 1 / (len(positives) * temperature)
    return np.mean(values), lambda dl: (dD * D.dtype.type(dl / len(values)),)


def pairwise_sigmoid(D: Float[Array, "n n"], /):
    pair = np.eye(len(D), dtype=bool)
    x = np.where(pair, D, -D)
    total = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    slope = np.where(pair, 1, -1) * np.exp(-np.maximum(-x, 0)) / (1 + np.exp(-np.abs(x)))
    return total.sum() / D.dtype.type(len(D)), lambda dl: (slope * D.dtype.type(dl / len(D)),)


def proxy_anchor(D: Float[Array, "n m"], /, targets: Int[Array, "n"], margin: float = 0.1, scale: float = 32.0):
    dD, near, far = np.zeros_like(D), [], []
    for k in range(D.shape[1]):
        for sums, some, sign in ((near, targets == k, 1), (far, targets != k, -1)):
            x = scale * (margin + sign * (D[some, k] - 1))
            top = max(0, x.max(initial=0))
            e = np.exp(x - top)
            total = e.sum() + np.exp(-top)
            sums.append(top + np.log(total))
            dD[some, k] = sign * scale * e / total
    present = len(np.unique(targets))
    own = targets[:, None] == np.arange(D.shape[1])
    counts = np.where(own, present, D.shape[1]).astype(D.dtype)
    value = sum(near) / present + sum(far) / D.shape[1]
    return D.dtype.type(value), lambda dl: (dD / counts * D.dtype.type(dl),)


def arcface(D: Float[Array, "n m"], /, targets: Int[Array, "n"], margin: float = 28.6, scale: float = 64.0):
    rows, turn = np.arange(len(D)), np.deg2rad(margin)
    d = np.clip(D[rows, targets], 0, 2)
    cos, sin = 1 - d, np.sqrt(d * (2 - d))
    far = np.arccos(cos) > np.pi - turn
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.cos(turn) + np.where(sin > 0, np.sin(turn) * cos / sin, 0)
    logits = scale * (1 - D)
    logits[rows, targets] = scale * np.where(far, cos - turn * np.sin(turn), cos * np.cos(turn) - sin * np.sin(turn))
    value, p = log_sum_exp(logits)
    hot = np.eye(D.shape[1], dtype=D.dtype)[targets]

    def pullback(dl):
        dD = (hot - p) * D.dtype.type(dl * scale / len(D))
        dD[rows, targets] *= np.where(far, 1, slope).astype(D.dtype)
        return (dD,)

    return (value - logits[rows, targets]).mean(), pullback


def scores(z: Float[Array, "n d"], labels: Int[Array, "n"]):
    found = []
    for i in range(len(z)):
        d = np.sqrt(((z - z[i]) ** 2).sum(axis=1))
        own = np.sort(d[[j for j in range(len(z)) if labels[j] == labels[i] and j != i]])
        if len(own):
            ranks = [k + int((d[labels != labels[i]] <= nearest).sum()) for k, nearest in enumerate(own, start=1)]
            hits = [(k, r) for k, r in enumerate(ranks, start=1) if r <= len(own)]
            found.append((ranks[0] == 1, len(hits) / len(own), sum(k / r for k, r in hits) / len(own)))
    return tuple(np.mean(found, axis=0))
