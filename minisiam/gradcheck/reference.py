"""The definitions: every op's printed formula, once, in autograd.numpy, so that autograd can differentiate it.

This is the specification that the library is tested against. It shares no line with the ops: their code is
fast and careful, this is what they must equal. `specify` adds what a formula does not say.
"""

from __future__ import annotations

import autograd.numpy as np


def specify(
    corner=None,
    degree=1,
    sizes=None,
    cases=({},),
    scales=(-8, 8),
    unit=0.0,
    labels=(0, 0, 1),
    reach=1.0,
    domain=None,
    held=None,
):
    """Attach to a definition what the universal test needs to know of it.

    Parameters
    ----------
    corner, degree
        Where the formula has no derivative: a function of its arguments that is 0 there, and how it grows with them.
    sizes
        Which sizes a dimension may have, where 1 to 5 will not do.
    cases
        The constants to try.
    scales
        The powers of ten of its input for which the printed formula itself can be computed.
    unit
        The size below which a value is rounding: 1 for a cosine, 0 for a length.
    labels
        Classes that are in every batch, whatever else is: most losses on a batch need a positive and a negative.
    reach
        How far wild inputs go: to the power `reach` of the largest that are tried.
    domain
        The interval to which the variables belong, if it is not the whole line.
    held
        What the gradient holds constant although it depends on the variables: a function of the arguments that gives it
        as further arguments of the definition, which then computes with it instead of its own.
    """

    def mark(definition):
        definition.corner, definition.degree = corner, degree
        definition.sizes, definition.cases = sizes or {}, cases
        definition.scales, definition.unit = scales, unit
        definition.labels, definition.reach, definition.domain = labels, reach, domain
        definition.held = held
        return definition

    return mark


def specified(definition):
    """The definition, marked if it is not yet: a learner's formula is judged at ordinary sizes."""
    return definition if hasattr(definition, "corner") else specify(scales=(-1, 1), unit=1.0)(definition)


def of(op):
    """The definition of an op, found by its name; a matrix distance is its row form on every pair."""
    definition = globals().get(op.__name__)
    if not hasattr(definition, "corner"):
        raise ValueError(
            f"there is no definition of {op.__name__} in minisiam.gradcheck.reference: give its formula as definition"
        )
    return matrix(definition) if op.__module__.endswith(".pairwise") else definition


def matrix(definition):
    """A distance of rows on every row of a against every row of b."""

    def every_pair(a, b, *rest):
        return definition(a[:, None], b[None], *rest)

    corner = definition.corner and (lambda a, b, *rest: definition.corner(a[:, None], b[None], *rest))
    return specify(corner, definition.degree, scales=definition.scales, unit=definition.unit)(every_pair)


# ops

SAME_BY_THREE = {"padding": "same", "stride": 3}


@specify(corner=lambda x: x)
def relu(x):  # noqa: D103
    return np.maximum(0, x)


@specify(corner=lambda x, **_: x, cases=({}, {"slope": 0.2}))
def leaky_relu(x, slope=0.01):  # noqa: D103
    return np.maximum(0, x) + slope * np.minimum(0, x)


@specify(corner=lambda x, slope: x)
def prelu(x, slope):  # noqa: D103
    return np.maximum(0, x) + slope * np.minimum(0, x)


@specify(scales=(-8, 1), unit=1.0)
def tanh(x):  # noqa: D103
    return np.tanh(x)


@specify(scales=(-8, 1), unit=1.0)
def sigmoid(x):  # noqa: D103
    return 1 / (1 + np.exp(-x))


@specify()
def dense(x, W, b):  # noqa: D103
    return np.dot(x, W) + b


@specify()
def flatten(x):  # noqa: D103
    return np.reshape(x, (len(x), -1))


@specify(cases=({}, {"rate": 0.2}))
def dropout(x, keep, rate=0.5):  # noqa: D103
    return np.where(keep, x / (1 - rate), 0)


@specify(corner=lambda x: np.sum(x**2, axis=-1), degree=2, unit=1.0)
def normalize(x):  # noqa: D103
    return x / np.sqrt(np.sum(x**2, axis=-1, keepdims=True))


def _standard(x, axes, epsilon):
    variance = np.mean((x - np.mean(x, axis=axes, keepdims=True)) ** 2, axis=axes, keepdims=True)
    return (x - np.mean(x, axis=axes, keepdims=True)) / np.sqrt(variance + epsilon)


# three values or more in every mean: of two both are ±1, and the gradient is little but rounding
GIVEN = {"mean": np.array([0.3, -0.2]), "variance": np.array([0.5, 2.0])}


@specify(sizes={"n": (3, 5), "c": (2, 2)}, unit=1.0, cases=({}, {"epsilon": 0.3}, GIVEN))
def batch_norm(x, scale, shift, epsilon=1e-5, mean=None, variance=None):  # noqa: D103
    if mean is not None:
        return scale * (x - mean) / np.sqrt(variance + epsilon) + shift
    return scale * _standard(x, tuple(range(np.ndim(x) - 1)), epsilon) + shift


@specify(sizes={"c": (6, 6)}, unit=1.0, cases=({"groups": 2}, {"groups": 1}, {"groups": 2, "epsilon": 0.3}))
def group_norm(x, scale, shift, groups=8, epsilon=1e-5):  # noqa: D103
    parts = np.split(x, groups, axis=-1)
    every = tuple(range(1, np.ndim(x)))
    return scale * np.concatenate([_standard(part, every, epsilon) for part in parts], axis=-1) + shift


@specify(sizes={"c": (3, 4)}, unit=1.0, cases=({}, {"epsilon": 0.3}))
def layer_norm(x, scale, shift, epsilon=1e-5):  # noqa: D103
    return scale * _standard(x, tuple(range(1, np.ndim(x))), epsilon) + shift


@specify(sizes={"h": (4, 6), "w": (4, 6), "k": (1, 4)}, cases=({}, {"padding": "same"}, {"stride": 2}, SAME_BY_THREE))
def conv2d(x, W, b, padding="valid", stride=1):  # noqa: D103
    k = len(W)
    if padding == "same":
        x = np.pad(x, ((0, 0), ((k - 1) // 2, k // 2), ((k - 1) // 2, k // 2), (0, 0)), mode="constant")
    h, w = x.shape[1] - k + 1, x.shape[2] - k + 1
    every = b + sum(np.dot(x[:, i : i + h, j : j + w], W[i, j]) for i in range(k) for j in range(k))
    return every[:, ::stride, ::stride]


def _blocks(x, size=2):
    n, h, w, c = x.shape
    x = x[:, : h // size * size, : w // size * size]
    blocks = np.reshape(x, (n, h // size, size, w // size, size, c))
    return np.reshape(np.transpose(blocks, (0, 1, 3, 5, 2, 4)), (n, h // size, w // size, c, size * size))


def _gap_to_second(x, size=2):
    ranked = np.sort(_blocks(x, size), axis=-1)
    return ranked[..., -1:] - ranked[..., :-1]


@specify(corner=_gap_to_second, sizes={"h": (2, 5), "w": (2, 5)}, cases=({}, {"size": 1}))
def max_pool(x, size=2):  # noqa: D103
    return np.max(_blocks(x, size), axis=-1)


# the fast forms of these: whatever they do, this is what they must equal

conv2d_im2row = conv2d_winograd = conv2d
pool_2x2 = max_pool


# what cancels exactly does so here only up to rounding: scales from 1 up, so that 1 is the least size there is; and a
# spectrum is as large as the sum of an image
@specify(sizes=conv2d.sizes, cases=({}, {"padding": "same"}), scales=(0, 8), unit=1.0, reach=0.9)
def conv2d_fft(x, W, b, padding="valid"):  # noqa: D103
    return conv2d(x, W, b, padding)


def _where_four_tie_or_0(x, W, b, **padding):
    z = conv2d(x, W, b, **padding)
    return np.append(_gap_to_second(z), max_pool(z))


@specify(_where_four_tie_or_0, 2, sizes={"h": (4, 5), "w": (4, 5), "k": (1, 3)}, cases=conv2d_fft.cases)
def conv_pool_relu(x, W, b, padding="valid"):  # noqa: D103
    return relu(max_pool(conv2d(x, W, b, padding)))


# distances, on the last axis: rows, and with `matrix` every pair of rows


@specify()
def squared_l2(a, b):  # noqa: D103
    return np.sum((a - b) ** 2, axis=-1)


@specify(corner=lambda a, b: np.sum((a - b) ** 2, axis=-1), degree=2)
def l2(a, b):  # noqa: D103
    return np.sqrt(np.sum((a - b) ** 2, axis=-1))


@specify(corner=lambda a, b: a - b)
def l1(a, b):  # noqa: D103
    return np.sum(np.abs(a - b), axis=-1)


@specify(corner=lambda a, b, w, bias: a - b)
def weighted_l1(a, b, w, bias):  # noqa: D103
    return np.sum(w * np.abs(a - b), axis=-1) + bias


@specify(corner=lambda a, b: np.sum(a**2, axis=-1) * np.sum(b**2, axis=-1), degree=4, unit=1.0)
def cosine(a, b):  # noqa: D103
    return 1 - np.sum(a * b, axis=-1) / np.sqrt(np.sum(a**2, axis=-1) * np.sum(b**2, axis=-1))


@specify()
def dot(a, b):  # noqa: D103
    return -np.sum(a * b, axis=-1)


# losses on pairs and triplets, and the four ways to reduce their terms


def reduce(terms, reduction):
    """mean, mean_active, sum or none of an array of terms."""
    if reduction == "mean_active":
        return np.sum(terms) / max(1, sum(bool(t > 0) for t in np.ravel(terms)))
    return {"mean": np.mean, "sum": np.sum, "none": lambda terms: terms}[reduction](terms)


def each_way(*cases):
    """The cases of a loss, and its reductions: one word goes with one case."""
    words = ("mean", "sum", "mean_active", "none")
    return tuple({**cases[i % len(cases)], "reduction": word} for i, word in enumerate(words))


@specify(corner=lambda d, same, margin=1.0, **_: np.where(same, d, margin - d), cases=each_way({}, {"margin": 0.3}))
def contrastive(d, same, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.where(same, d**2, np.maximum(0, margin - d) ** 2) / 2, reduction)


MARGINS = {"positive_margin": 0.3, "negative_margin": 2.0}


@specify(
    lambda d, same, positive_margin=0.2, negative_margin=1.0, **_: np.where(
        same, d - positive_margin, negative_margin - d
    ),
    cases=each_way({}, MARGINS),
)
def double_margin(d, same, positive_margin=0.2, negative_margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(
        np.where(same, np.maximum(0, d - positive_margin), np.maximum(0, negative_margin - d)) ** 2 / 2, reduction
    )


@specify(
    lambda d, same, positive_margin=0.0, negative_margin=1.0, **_: np.where(
        same, d - positive_margin, negative_margin - d
    ),
    cases=each_way({}, MARGINS),
)
def pair_hinge(d, same, positive_margin=0.0, negative_margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.where(same, np.maximum(0, d - positive_margin), np.maximum(0, negative_margin - d)), reduction)


def _boundary(d, beta, same, margin=0.2, **_):
    return np.where(same, d - beta, beta - d) + margin


@specify(_boundary, cases=each_way({}, {"margin": 1.3}))
def margin_loss(d, beta, same, margin=0.2, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, _boundary(d, beta, same, margin)), reduction)


@specify(lambda d, same, margin=0.0, **_: np.where(same, d, 1 - d - margin), cases=each_way({}, {"margin": 0.3}))
def cosine_embedding(d, same, margin=0.0, reduction="mean"):  # noqa: D103
    return reduce(np.where(same, d, np.maximum(0, 1 - d - margin)), reduction)


@specify(unit=1.0, cases=each_way({}))
def binary_cross_entropy(logits, same, reduction="mean"):  # noqa: D103
    return reduce(
        np.where(same, np.logaddexp(0, -logits), np.logaddexp(0, logits)), reduction
    )  # −log σ(x) = log(1 + e⁻ˣ)


@specify(lambda positive, negative, margin=1.0, **_: positive - negative + margin, cases=each_way({}, {"margin": 0.3}))
def triplet_hinge(positive, negative, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, positive - negative + margin), reduction)


@specify(unit=1.0, cases=each_way({}, {"margin": 0.3}))
def triplet_soft_margin(positive, negative, margin=0.0, reduction="mean"):  # noqa: D103
    return reduce(np.logaddexp(0, positive - negative + margin), reduction)


@specify(scales=(-8, 2), unit=1.0, cases=each_way({}))
def triplet_ratio(positive, negative, reduction="mean"):  # noqa: D103
    total = np.exp(positive) + np.exp(negative)
    return reduce((np.exp(positive) / total) ** 2 + (np.exp(negative) / total - 1) ** 2, reduction)


# losses on a batch: D is (n, n), an anchor a row; on two sets it is (n, m)


def anchors(labels):
    """(i, its positives, its negatives) for every anchor."""
    everyone = range(len(labels))
    return [
        (i, [j for j in everyone if labels[j] == labels[i] and j != i], [j for j in everyone if labels[j] != labels[i]])
        for i in everyone
    ]


def lse(terms):
    """log Σ e^x; of nothing it is 0."""
    return np.log(sum(np.exp(x) for x in terms)) if len(terms) else 0.0


@specify(scales=(-1, 1), unit=1.0)
def log_sum_exp(x):  # noqa: D103
    return np.array([lse(list(row)) for row in x])


def log_softmax(logits, j):
    """−log of the softmax of a list, at one of its places."""
    return lse(logits) - logits[j]


BATCH = {"sizes": {"n": (3, 5)}, "scales": (-1, 0), "unit": 1.0}
TARGETS = {"sizes": {"n": (1, 4), "m": (2, 4)}, "scales": (-1, 0), "unit": 1.0}
TAU = {"temperature": 0.7}


@specify(**TARGETS, cases=each_way({}, {"temperature": 0.7, "margin": 0.35}, {"others_only": True}))
def softmax_cross_entropy(D, targets, temperature=1.0, margin=0.0, others_only=False, reduction="mean"):  # noqa: D103
    def term(d, t):
        right = -(d[t] + margin) / temperature
        wrong = [-d[j] / temperature for j in range(len(d)) if j != t]
        return lse(wrong if others_only else [right, *wrong]) - right

    return reduce(np.array([term(d, t) for d, t in zip(D, targets)]), reduction)  # noqa: B905


@specify(sizes={"n": (1, 4)}, scales=(-1, 0), unit=1.0, cases=({}, {"temperature": 0.7}))
def info_nce(D, temperature=0.07):  # noqa: D103
    n = len(D)
    rows = sum(log_softmax([-D[i, j] / temperature for j in range(n)], i) for i in range(n))
    columns = sum(log_softmax([-D[j, i] / temperature for j in range(n)], i) for i in range(n))
    return (rows + columns) / (2 * n)


@specify(sizes={"n": (4, 6)}, scales=(-1, 1), unit=1.0, labels=(0, 0, 1, 1), cases=each_way({}))
def n_pair(D, labels, reduction="mean"):  # noqa: D103
    pairs = [
        (i, i + 1 + later.index(c))
        for i, c in enumerate(labels)
        if c not in labels[:i]
        for later in [list(labels[i + 1 :])]
        if c in later
    ]
    pairs.sort(key=lambda pair: labels[pair[0]])
    return reduce(np.array([log_softmax([-D[a, p] for _, p in pairs], k) for k, (a, _) in enumerate(pairs)]), reduction)


@specify(**BATCH, cases=each_way(TAU, {"temperature": 2.0}))
def supcon(D, labels, temperature=0.1, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        return sum(
            D[i, p] / temperature + lse([-D[i, j] / temperature for j in positives + negatives]) for p in positives
        ) / len(positives)

    return _reduce_anchors([term(*a) if a[1] else None for a in anchors(labels)], reduction)


def _reduce_anchors(terms, reduction):
    """Anchors that do not count, None, are 0 in "none" and in no mean."""
    if reduction == "none":
        return np.array([0.0 if t is None else t for t in terms])
    return reduce(np.array([t for t in terms if t is not None]), reduction)


@specify(**BATCH, cases=each_way(TAU, {"temperature": 2.0}))
def nt_xent(D, labels, temperature=0.07, reduction="mean"):  # noqa: D103
    def term(i, p, negatives):
        return log_softmax([-D[i, j] / temperature for j in [p, *negatives]], 0)

    return _reduce_pairs(
        [[term(i, p, negatives) for p in positives] for i, positives, negatives in anchors(labels)], reduction
    )


def _reduce_pairs(terms, reduction):
    """Terms a positive pair, in one list an anchor: "none" is the sum of each list."""
    if reduction == "none":
        return np.array([sum(own) + 0.0 for own in terms])
    return reduce(np.array([t for own in terms for t in own]), reduction)


@specify(**BATCH, cases=each_way({}, TAU))
def nca(D, labels, temperature=1.0, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        logit = lambda among: [-D[i, j] / temperature for j in among]
        return lse(logit(positives + negatives)) - lse(logit(positives))

    return _reduce_anchors([term(*a) if a[1] else None for a in anchors(labels)], reduction)


@specify(sizes={"n": (1, 3), "m": (1, 4)}, scales=(-1, 0), unit=1.0, cases=each_way({}, TAU))
def matching(D, same, temperature=1.0, reduction="mean"):  # noqa: D103
    def term(x, own):
        return lse(list(x)) - lse([v for v, mine in zip(x, own) if mine])  # noqa: B905

    terms = [term(x, own) if own.any() else None for x, own in zip(-D / temperature, same)]  # noqa: B905
    return _reduce_anchors(terms, reduction) if same.any() else 0.0 * np.sum(D, axis=1 if reduction == "none" else None)


def _lifted_sums(D, labels, margin):
    far = [[margin - D[i, n] for n in negatives] for i, _, negatives in anchors(labels)]
    return [D[i, j] + lse(far[i] + far[j]) for i, positives, _ in anchors(labels) for j in positives]


@specify(
    lambda D, labels, margin=1.0, **_: np.array(_lifted_sums(D, labels, margin)),
    **BATCH,
    cases=each_way({}, {"margin": 0.3}),
)
def lifted(D, labels, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, np.array(_lifted_sums(D, labels, margin))) ** 2 / 2, reduction)


def _generalised(D, labels, margin=1.0, **_):
    return np.array(
        [
            lse([D[i, p] for p in positives]) + lse([margin - D[i, n] for n in negatives])
            for i, positives, negatives in anchors(labels)
        ]
    )


@specify(_generalised, **BATCH, cases=each_way({}, {"margin": 0.3}))
def generalised_lifted(D, labels, margin=1.0, reduction="mean"):  # noqa: D103
    return reduce(np.maximum(0, _generalised(D, labels, margin)), reduction)


@specify(
    sizes={"n": (3, 5)}, scales=(-1, 0), unit=1.0, cases=each_way({}, {"alpha": 3.0, "beta": 5.0, "threshold": 0.3})
)
def multi_similarity(D, labels, alpha=2.0, beta=50.0, threshold=0.5, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        near = lse([0.0, *(alpha * (D[i, p] - threshold) for p in positives)]) / alpha
        return near + lse([0.0, *(beta * (threshold - D[i, n]) for n in negatives)]) / beta

    return reduce(np.array([term(*a) for a in anchors(labels)]), reduction)


def _until_rest(D, labels, margin=0.4, **_):
    return np.where(labels[:, None] == labels, D + margin, 1 + margin - D)


def _weights(D, labels, detached=True, **rest):
    return {"weights": np.maximum(0, _until_rest(D, labels, **rest))} if detached else {}


@specify(
    _until_rest,
    sizes={"n": (3, 5)},
    scales=(-1, 0),
    unit=1.0,
    reach=0.8,
    cases=(
        *each_way({"scale": 8.0}, {"margin": 0.25, "scale": 2.0}),
        *each_way({"scale": 8.0, "detached": False}, {"margin": 0.25, "scale": 2.0, "detached": False}),
    ),
    held=_weights,
)
def circle(D, labels, margin=0.4, scale=80.0, detached=True, reduction="mean", weights=None):  # noqa: D103
    weights = np.maximum(0, _until_rest(D, labels, margin)) if weights is None else weights

    def term(i, positives, negatives):
        near = [scale * weights[i, p] * (D[i, p] - margin) for p in positives]
        far = [scale * weights[i, n] * (1 - margin - D[i, n]) for n in negatives]
        return np.logaddexp(0, lse(near) + lse(far))

    return _reduce_anchors([term(*a) if a[1] and a[2] else None for a in anchors(labels)], reduction)


COSINES = {"domain": (0.0, 2.0), "unit": 1.0}  # cosine distances; an angle has no slope at either end


def _ends(D, labels, **_):
    return np.array([D[i, p] * (2 - D[i, p]) for i, positives, _ in anchors(labels) for p in positives])


@specify(_ends, sizes={"n": (3, 5)}, **COSINES, cases=each_way({"scale": 8.0}, {"margin": 30.0, "scale": 2.0}))
def tuplet_margin(D, labels, margin=5.73, scale=64.0, reduction="mean"):  # noqa: D103
    def term(i, p, negatives):
        eased = np.cos(np.arccos(1 - D[i, p]) - np.deg2rad(margin))
        return lse([0.0, *(scale * (1 - D[i, n] - eased) for n in negatives)])

    return _reduce_pairs(
        [[term(i, p, negatives) for p in positives] for i, positives, negatives in anchors(labels)], reduction
    )


@specify(sizes={"n": (3, 5)}, scales=(-1, 0), unit=1.0, cases=each_way({}, {"angle": 20.0}))
def angular(D, labels, angle=40.0, reduction="mean"):  # noqa: D103
    tan2 = np.tan(np.deg2rad(angle)) ** 2

    def term(a, p, negatives):
        f = lambda n: 4 * tan2 * ((1 - D[a, n]) + (1 - D[p, n])) - 2 * (1 + tan2) * (1 - D[a, p])
        return lse([0.0, *(f(n) for n in negatives)])

    return reduce(
        np.array([term(a, p, negatives) for a, positives, negatives in anchors(labels) for p in positives]), reduction
    )


def _targets(D, targets):
    return np.array([D[i, t] for i, t in enumerate(targets)])


@specify(
    lambda D, targets, margin=28.6, **_: np.array(
        [(d * (2 - d)) * (np.arccos(1 - d) + np.deg2rad(margin) - np.pi) for d in _targets(D, targets)]
    ),
    sizes=TARGETS["sizes"],
    **COSINES,
    cases=each_way({"scale": 8.0}, {"margin": 70.0, "scale": 2.0}),
)
def arcface(D, targets, margin=28.6, scale=64.0, reduction="mean"):  # noqa: D103
    m = np.deg2rad(margin)

    def term(d, t):
        angle = np.arccos(1 - d[t])
        right = np.cos(angle + m) if angle <= np.pi - m else 1 - d[t] - m * np.sin(m)
        return log_softmax([scale * right, *(scale * (1 - d[j]) for j in range(len(d)) if j != t)], 0)

    return reduce(np.array([term(d, t) for d, t in zip(D, targets)]), reduction)  # noqa: B905


@specify(sizes=TARGETS["sizes"], scales=(-1, 0), unit=1.0, cases=({"scale": 8.0}, {"margin": 0.3, "scale": 2.0}))
def proxy_anchor(D, targets, margin=0.1, scale=32.0):  # noqa: D103
    s, (n, m) = 1 - D, D.shape
    near = [
        lse([0.0, *(scale * (margin - s[i, k]) for i in range(n) if targets[i] == k)]) for k in range(m) if k in targets
    ]
    far = [lse([0.0, *(scale * (margin + s[i, k]) for i in range(n) if targets[i] != k)]) for k in range(m)]
    return sum(near) / len(near) + sum(far) / m


@specify(
    sizes={"m": (4, 4)},
    scales=(-1, 0),
    unit=1.0,
    cases=({"centres": 2, "gamma": 0.3}, {"centres": 1}, {"centres": 4, "gamma": 2.0}),
)
def soft_triple_distance(D, centres=10, gamma=0.1):  # noqa: D103
    d = np.reshape(D, (len(D), -1, centres))
    p = np.exp(-d / gamma)
    return np.sum(p * d, axis=-1) / np.sum(p, axis=-1)


def _triangle(x, node):
    return np.maximum(0, 1 - np.abs(x - node))


def _nodes(D, bins, width):
    """How far every distance is from the next node of a grid."""
    return (D * bins / width) - np.round(D * bins / width)


@specify(
    lambda D, labels, bins=100: _nodes(D, bins, 2),
    sizes={"n": (3, 5)},
    **COSINES,
    cases=({"bins": 4}, {"bins": 1}, {"bins": 3}),
)
def histogram(D, labels, bins=100):  # noqa: D103
    shares = lambda d: np.array([np.sum(_triangle((2 - d) * bins / 2, node)) / len(d) for node in range(bins + 1)])
    alone = {i for i, positives, _ in anchors(labels) if not positives}
    positive = shares(np.array([D[i, p] for i, positives, _ in anchors(labels) for p in positives]))
    negative = shares(
        np.array([D[i, n] for i, _, negatives in anchors(labels) for n in negatives if not {i, n} <= alone])
    )
    return sum(negative[q] * positive[r] for q in range(bins + 1) for r in range(q + 1))


@specify(
    lambda D, labels, bins=10, largest=4.0, **_: _nodes(D, bins, largest),
    sizes={"n": (3, 5)},
    domain=(0.0, 4.0),
    unit=1.0,
    # an AP of 1 leaves terms of 10⁻¹⁶, which mean_active would count here
    cases=tuple(c for c in each_way({}, {"bins": 3, "largest": 5.0}) if c["reduction"] != "mean_active"),
)
def fast_ap(D, labels, bins=10, largest=4.0, reduction="mean"):  # noqa: D103
    def term(i, positives, negatives):
        place = lambda j: D[i, j] * bins / largest
        h_positive = [sum(_triangle(place(j), b) for j in positives) for b in range(bins + 1)]
        h = [sum(_triangle(place(j), b) for j in positives + negatives) for b in range(bins + 1)]
        rows = [(h_positive[b] * sum(h_positive[: b + 1]), sum(h[: b + 1])) for b in range(bins + 1)]
        return 1 - sum(above / below for above, below in rows if below > 0) / len(positives)

    return _reduce_anchors([term(*a) if a[1] else None for a in anchors(labels)], reduction)


# losses on embeddings and on weights


def _short(z, epsilon):
    return 1 - np.sqrt(np.sum((z - np.mean(z, axis=0)) ** 2, axis=0) / (len(z) - 1) + epsilon)


@specify(
    lambda z1, z2, epsilon=1e-4, **_: np.concatenate([_short(z1, epsilon), _short(z2, epsilon)]),
    sizes={"n": (2, 5)},
    scales=(-2, 2),
    reach=0.4,
    cases=({}, {"invariance": 2.0, "variance": 3.0, "covariance": 0.5, "epsilon": 0.1}),
)
def vicreg(z1, z2, invariance=25.0, variance=25.0, covariance=1.0, epsilon=1e-4):  # noqa: D103
    def spread(z):
        centred = z - np.mean(z, axis=0)
        C = np.dot(centred.T, centred) / (len(z) - 1)
        pairs = [(j, k) for j in range(z.shape[1]) for k in range(z.shape[1]) if j != k]
        return (
            variance * np.mean(np.maximum(0, _short(z, epsilon))) / 2
            + covariance * sum(C[j, k] ** 2 for j, k in pairs) / z.shape[1]
        )

    return invariance * np.mean((z1 - z2) ** 2) + spread(z1) + spread(z2)


@specify(cases=({}, {"strength": 0.3}))
def l2_penalty(W, strength=1e-4):  # noqa: D103
    return strength * np.sum(W**2)
