"""The results of `docs/derivations`, written again as loops.

A function here is the transcription of the formula after "Result" in `docs/derivations/NAME.md`, with the letters of
that page. It must not be written from the op: then an error in the page would not be found.
"""

from itertools import product

import numpy as np

RESULTS = {}


def result(function):
    """Register the transcription of a page: `losses_contrastive` is for losses.contrastive."""
    RESULTS[function.__name__.replace("_", ".", 1)] = function
    return function


# parts that many pages share


def sigma(x):
    return np.exp(-np.logaddexp(0, -x))


def lse(terms):
    return np.logaddexp.reduce(list(terms)) if len(terms) else 0.0


def softmax(logits, extra=()):
    """The softmax of a dict of logits; the logits of `extra` are in the denominator only."""
    total = lse([*logits.values(), *extra])
    return {key: np.exp(x - total) for key, x in logits.items()}


def share(dl, terms, reduction, entry=lambda key: key):
    """What multiplies the slope of each term, as "Other reductions" says; `terms` is a dict of the ℓᵢ."""
    if reduction == "none":
        return {key: dl[entry(key)] for key in terms}
    active = sum(bool(value > 0) for value in terms.values())
    count = {"mean": len(terms), "sum": 1, "mean_active": active}[reduction]
    return {key: dl / max(1, count) for key in terms}


def positives_and_negatives(labels):
    everyone = range(len(labels))
    P = [[j for j in everyone if labels[j] == labels[i] and j != i] for i in everyone]
    N = [[j for j in everyone if labels[j] != labels[i]] for i in everyone]
    return P, N


def entries(*arrays):
    return product(*map(range, np.shape(arrays[0])))


# distances


def both(push):
    """da, and db = −da."""
    return push, -push


@result
def distances_squared_l2(dd, a, b):
    da = np.zeros_like(a)
    for i, k in entries(a):
        da[i, k] = 2 * dd[i] * (a[i, k] - b[i, k])
    return both(da)


@result
def distances_l2(dd, a, b):
    da = np.zeros_like(a)
    for i, k in entries(a):
        d = np.hypot.reduce(a[i] - b[i])
        da[i, k] = dd[i] * (a[i, k] - b[i, k]) / d if d > 0 else 0
    return both(da)


@result
def distances_l1(dd, a, b):
    da = np.zeros_like(a)
    for i, k in entries(a):
        da[i, k] = dd[i] * np.sign(a[i, k] - b[i, k])
    return both(da)


@result
def distances_weighted_l1(dd, a, b, w, bias):
    da, dw = np.zeros_like(a), np.zeros_like(w)
    for i, k in entries(a):
        u = a[i, k] - b[i, k]
        da[i, k] = dd[i] * w[k] * np.sign(u)
        dw[k] += dd[i] * abs(u)
    return *both(da), dw, sum(dd)


SHORT = np.sqrt(np.finfo(float).tiny)  # a shorter row counts as zeros


@result
def distances_cosine(dd, a, b):
    da, db = np.zeros_like(a), np.zeros_like(b)
    for i in range(len(a)):
        da[i], db[i] = cosine_slopes(a[i], b[i])
    return dd[:, None] * da, dd[:, None] * db


def cosine_slopes(a, b):
    size_a, size_b = np.sqrt(a @ a), np.sqrt(b @ b)
    if size_a <= SHORT or size_b <= SHORT:
        return 0 * a, 0 * b
    unit_a, unit_b = a / size_a, b / size_b
    d = 1 - unit_a @ unit_b
    return (unit_a - unit_b - d * unit_a) / size_a, (unit_b - unit_a - d * unit_b) / size_b


@result
def distances_dot(dd, a, b):
    da, db = np.zeros_like(a), np.zeros_like(b)
    for i, k in entries(a):
        da[i, k], db[i, k] = -dd[i] * b[i, k], -dd[i] * a[i, k]
    return da, db


# every row against every row: the last step of each page


def every_pair(dD, a, b, slope):
    """The sums over a row of D for a, and over a column of D for b, of dD[i, j] · slope(aᵢ, bⱼ)."""
    da, db = np.zeros_like(a), np.zeros_like(b)
    for i, j in entries(dD):
        for_a, for_b = slope(a[i], b[j])
        da[i] += dD[i, j] * for_a
        db[j] += dD[i, j] * for_b
    return da, db


@result
def pairwise_squared_l2(dD, a, b):
    return every_pair(dD, a, b, lambda a, b: both(2 * (a - b)))


@result
def pairwise_l2(dD, a, b):
    def slope(a, b):
        d = np.hypot.reduce(a - b)
        return both((a - b) / d if d > 0 else 0 * a)

    return every_pair(dD, a, b, slope)


@result
def pairwise_l1(dD, a, b):
    return every_pair(dD, a, b, lambda a, b: both(np.sign(a - b)))


@result
def pairwise_weighted_l1(dD, a, b, w, bias):
    dw = sum(dD[i, j] * np.abs(a[i] - b[j]) for i, j in entries(dD))
    return *every_pair(dD, a, b, lambda a, b: both(w * np.sign(a - b))), dw, dD.sum()


@result
def pairwise_cosine(dD, a, b):
    return every_pair(dD, a, b, cosine_slopes)


@result
def pairwise_dot(dD, a, b):
    return every_pair(dD, a, b, lambda a, b: (-b, -a))


# pairs


@result
def losses_contrastive(dl, d, same, margin=1.0, reduction="mean"):
    terms = {i: d[i] ** 2 / 2 if same[i] else max(0, margin - d[i]) ** 2 / 2 for i in range(len(d))}
    slope = [d[i] if same[i] else -max(0, margin - d[i]) for i in range(len(d))]
    return (weighted(share(dl, terms, reduction), slope),)


def weighted(shares, slopes):
    return np.array([shares[i] * slope for i, slope in enumerate(slopes)])


@result
def losses_double_margin(dl, d, same, positive_margin=0.2, negative_margin=1.0, reduction="mean"):
    q = [
        max(0, x - positive_margin) if one_class else max(0, negative_margin - x)
        for x, one_class in zip(d, same, strict=True)
    ]
    slope = [x if one_class else -x for x, one_class in zip(q, same, strict=True)]
    return (weighted(share(dl, {i: x**2 / 2 for i, x in enumerate(q)}, reduction), slope),)


@result
def losses_pair_hinge(dl, d, same, positive_margin=0.0, negative_margin=1.0, reduction="mean"):
    q = [
        max(0, x - positive_margin) if one_class else max(0, negative_margin - x)
        for x, one_class in zip(d, same, strict=True)
    ]
    slope = [(1 if one_class else -1) * (x > 0) for x, one_class in zip(q, same, strict=True)]
    return (weighted(share(dl, dict(enumerate(q)), reduction), slope),)


@result
def losses_margin_loss(dl, d, beta, same, margin=0.2, reduction="mean"):
    t = [1 if one_class else -1 for one_class in same]
    r = [t[i] * (d[i] - beta) + margin for i in range(len(d))]
    shares = share(dl, {i: max(0, x) for i, x in enumerate(r)}, reduction)
    dd = weighted(shares, [t[i] * (r[i] > 0) for i in range(len(d))])
    return dd, -sum(dd)


@result
def losses_cosine_embedding(dl, d, same, margin=0.0, reduction="mean"):
    terms = {i: d[i] if same[i] else max(0, 1 - d[i] - margin) for i in range(len(d))}
    slope = [1 if same[i] else -(d[i] < 1 - margin).astype(int) for i in range(len(d))]
    return (weighted(share(dl, terms, reduction), slope),)


@result
def losses_binary_cross_entropy(dl, x, same, reduction="mean"):
    terms = {i: np.logaddexp(0, -x[i] if same[i] else x[i]) for i in range(len(x))}
    return (weighted(share(dl, terms, reduction), [sigma(x[i]) - same[i] for i in range(len(x))]),)


# triplets


@result
def losses_triplet_hinge(dl, p, q, margin=1.0, reduction="mean"):
    v = [p[i] - q[i] + margin for i in range(len(p))]
    terms = {i: max(0, x) for i, x in enumerate(v)}
    return both(weighted(share(dl, terms, reduction), [float(x > 0) for x in v]))


@result
def losses_triplet_soft_margin(dl, p, q, margin=0.0, reduction="mean"):
    v = [p[i] - q[i] + margin for i in range(len(p))]
    terms = {i: np.logaddexp(0, x) for i, x in enumerate(v)}
    return both(weighted(share(dl, terms, reduction), [sigma(x) for x in v]))


@result
def losses_triplet_ratio(dl, p, q, reduction="mean"):
    s = [sigma(p[i] - q[i]) for i in range(len(p))]
    terms = {i: 2 * x**2 for i, x in enumerate(s)}
    return both(weighted(share(dl, terms, reduction), [4 * x**2 * (1 - x) for x in s]))


# softmax losses


@result
def losses_softmax_cross_entropy(dl, D, targets, temperature=1.0, margin=0.0, others_only=False, reduction="mean"):
    dD, terms, P = np.zeros_like(D), {}, {}
    for i, t in enumerate(targets):
        x = {j: -(D[i, j] + margin * (j == t)) / temperature for j in range(D.shape[1])}
        inside = {j: x[j] for j in x if not (others_only and j == t)}
        terms[i], P[i] = lse(inside.values()) - x[t], softmax(inside)
    shares = share(dl, terms, reduction)
    for i, j in entries(D):
        dD[i, j] = shares[i] / temperature * ((j == targets[i]) - P[i].get(j, 0))
    return (dD,)


@result
def losses_info_nce(dl, D, temperature=0.07):
    n, dD = len(D), np.zeros_like(D)
    P = [softmax({k: -D[i, k] / temperature for k in range(n)}) for i in range(n)]
    Q = [softmax({k: -D[k, j] / temperature for k in range(n)}) for j in range(n)]
    for i, j in entries(D):
        dD[i, j] = dl / (2 * n * temperature) * (2 * (i == j) - P[i][j] - Q[j][i])
    return (dD,)


@result
def losses_pairwise_sigmoid(dl, D):
    dD = np.zeros_like(D)
    for i, j in entries(D):
        dD[i, j] = dl / len(D) * ((i == j) - sigma(-D[i, j]))
    return (dD,)


@result
def losses_n_pair(dl, D, labels, reduction="mean"):
    P, _ = positives_and_negatives(labels)
    classes = sorted({labels[i] for i in range(len(D)) if P[i]})
    chosen = [[i for i in range(len(D)) if labels[i] == c][:2] for c in classes]
    dD, every = np.zeros_like(D), range(len(classes))
    E = [[D[chosen[k][0], chosen[r][1]] for r in every] for k in every]
    shares = share(dl, {k: lse([-E[k][r] for r in every]) + E[k][k] for k in every}, reduction)
    for k in every:
        P = softmax({r: -E[k][r] for r in every})
        for r in every:
            dD[chosen[k][0], chosen[r][1]] = shares[k] * ((k == r) - P[r])
    return (dD,)


@result
def losses_matching(dl, D, same, temperature=1.0, reduction="mean"):
    dD, terms, slopes = np.zeros_like(D), {}, {}
    for i in range(len(D)):
        x = {j: -D[i, j] / temperature for j in range(D.shape[1])}
        right = {j: x[j] for j in x if same[i, j]}
        if right:
            P, R = softmax(x), softmax(right)
            terms[i] = lse(x.values()) - lse(right.values())
            slopes[i] = {j: R.get(j, 0) - P[j] for j in x}
    shares = share(dl, terms, reduction)
    for i in slopes:
        for j, slope in slopes[i].items():
            dD[i, j] = shares[i] / temperature * slope
    return (dD,)


@result
def losses_supcon(dl, D, labels, temperature=0.1, reduction="mean"):
    P, _ = positives_and_negatives(labels)
    A = [i for i in range(len(D)) if P[i]]
    x = {i: {j: -D[i, j] / temperature for j in range(len(D)) if j != i} for i in A}
    terms = {i: lse(x[i].values()) - sum(x[i][p] for p in P[i]) / len(P[i]) for i in A}
    shares, dD = share(dl, terms, reduction), np.zeros_like(D)
    for i in A:
        for j, S in softmax(x[i]).items():
            dD[i, j] = shares[i] / temperature * ((j in P[i]) / len(P[i]) - S)
    return (dD,)


@result
def losses_nca(dl, D, labels, temperature=1.0, reduction="mean"):
    P, _ = positives_and_negatives(labels)
    A = [i for i in range(len(D)) if P[i]]
    x = {i: {j: -D[i, j] / temperature for j in range(len(D)) if j != i} for i in A}
    terms = {i: lse(x[i].values()) - lse([x[i][p] for p in P[i]]) for i in A}
    shares, dD = share(dl, terms, reduction), np.zeros_like(D)
    for i in A:
        R = softmax({p: x[i][p] for p in P[i]})
        for j, S in softmax(x[i]).items():
            dD[i, j] = shares[i] / temperature * (R.get(j, 0) - S)
    return (dD,)


def first(pair):
    """With "none", a pair has the upstream gradient of its anchor."""
    return pair[0]


@result
def losses_nt_xent(dl, D, labels, temperature=0.07, reduction="mean"):
    P, N = positives_and_negatives(labels)
    x = -D / temperature
    w = {(i, p): lse([x[i, k] for k in N[i]]) - x[i, p] for i in range(len(D)) for p in P[i]}
    shares = share(dl, {pair: np.logaddexp(0, w[pair]) for pair in w}, reduction, first)
    dD = np.zeros_like(D)
    for i, p in w:
        push = shares[i, p] / temperature * sigma(w[i, p])
        dD[i, p] = push
        for k, q in softmax({k: x[i, k] for k in N[i]}).items():
            dD[i, k] -= push * q
    return (dD,)


# losses that weight the pairs of a batch


def in_order(pairs):
    """With "none", ordered pairs have one upstream gradient each, sorted by row."""
    return {pair: place for place, pair in enumerate(sorted(pairs))}.get


@result
def losses_lifted(dl, D, labels, margin=1.0, reduction="mean"):
    P, N = positives_and_negatives(labels)
    A = [lse([margin - D[i, k] for k in N[i]]) for i in range(len(D))]
    J = {(i, j): D[i, j] + np.logaddexp(A[i], A[j]) for i in range(len(D)) for j in P[i]}
    shares = share(dl, {pair: max(0, x) ** 2 / 2 for pair, x in J.items()}, reduction, in_order(J))
    c, dD = {pair: shares[pair] * max(0, J[pair]) for pair in J}, np.zeros_like(D)
    for i in range(len(D)):
        b = sum((c[i, j] + c[j, i]) * sigma(A[i] - A[j]) for j in P[i])
        for j in P[i]:
            dD[i, j] = c[i, j]
        for k, q in softmax({k: margin - D[i, k] for k in N[i]}).items():
            dD[i, k] = -b * q
    return (dD,)


@result
def losses_generalised_lifted(dl, D, labels, margin=1.0, reduction="mean"):
    P, N = positives_and_negatives(labels)
    n, dD = range(len(D)), np.zeros_like(D)
    total = [lse([D[i, p] for p in P[i]]) + lse([margin - D[i, k] for k in N[i]]) for i in n]
    shares = share(dl, {i: max(0, total[i]) for i in n}, reduction)
    for i in n:
        for p, q in softmax({p: D[i, p] for p in P[i]}).items():
            dD[i, p] = shares[i] * (total[i] > 0) * q
        for k, q in softmax({k: margin - D[i, k] for k in N[i]}).items():
            dD[i, k] = -shares[i] * (total[i] > 0) * q
    return (dD,)


@result
def losses_multi_similarity(dl, D, labels, alpha=2.0, beta=50.0, threshold=0.5, reduction="mean"):
    P, N = positives_and_negatives(labels)
    dD, near, far = np.zeros_like(D), {}, {}
    for i in range(len(D)):
        near[i] = {p: alpha * (D[i, p] - threshold) for p in P[i]}
        far[i] = {k: beta * (threshold - D[i, k]) for k in N[i]}
    terms = {i: lse([0, *near[i].values()]) / alpha + lse([0, *far[i].values()]) / beta for i in near}
    shares = share(dl, terms, reduction)
    for i in near:
        for p, w in softmax(near[i], extra=[0]).items():
            dD[i, p] = shares[i] * w
        for k, w in softmax(far[i], extra=[0]).items():
            dD[i, k] = -shares[i] * w
    return (dD,)


@result
def losses_circle(dl, D, labels, margin=0.4, scale=80.0, detached=True, reduction="mean"):
    P, N = positives_and_negatives(labels)
    A, m = [i for i in range(len(D)) if P[i] and N[i]], margin
    u = {i: {p: scale * max(0, D[i, p] + m) * (D[i, p] - m) for p in P[i]} for i in A}
    v = {i: {k: scale * max(0, 1 + m - D[i, k]) * (1 - m - D[i, k]) for k in N[i]} for i in A}
    total = {i: lse(u[i].values()) + lse(v[i].values()) for i in A}
    shares, dD = share(dl, {i: np.logaddexp(0, total[i]) for i in A}, reduction), np.zeros_like(D)
    for i in A:
        for p, q in softmax(u[i]).items():
            slope = max(0, D[i, p] + m) + (0 if detached else (D[i, p] + m > 0) * (D[i, p] - m))
            dD[i, p] = shares[i] * sigma(total[i]) * q * scale * slope
        for k, q in softmax(v[i]).items():
            slope = max(0, 1 + m - D[i, k]) + (0 if detached else (1 + m - D[i, k] > 0) * (1 - m - D[i, k]))
            dD[i, k] = -shares[i] * sigma(total[i]) * q * scale * slope
    return (dD,)


# losses with an angle


def angle_of(d):
    """θ, and cot θ, which is 0 where it would be infinite; a distance outside [0, 2] counts as the nearest end."""
    angle = np.arccos(1 - min(max(d, 0), 2))
    return angle, np.cos(angle) / np.sin(angle) if 0 < angle < np.pi else 0


@result
def losses_tuplet_margin(dl, D, labels, margin=5.73, scale=64.0, reduction="mean"):
    P, N = positives_and_negatives(labels)
    m, x, dD = np.deg2rad(margin), scale * (1 - D), np.zeros_like(D)
    pairs = [(i, p) for i in range(len(D)) for p in P[i]]
    w = {(i, p): lse([x[i, k] for k in N[i]]) - scale * np.cos(angle_of(D[i, p])[0] - m) for i, p in pairs}
    shares = share(dl, {pair: np.logaddexp(0, w[pair]) for pair in w}, reduction, first)
    for i, p in pairs:
        push = shares[i, p] * scale * sigma(w[i, p])
        dD[i, p] = push * (np.cos(m) - angle_of(D[i, p])[1] * np.sin(m))
        for k, q in softmax({k: x[i, k] for k in N[i]}).items():
            dD[i, k] -= push * q
    return (dD,)


@result
def losses_angular(dl, D, labels, angle=40.0, reduction="mean"):
    P, N = positives_and_negatives(labels)
    T, S, dD = np.tan(np.deg2rad(angle)) ** 2, 1 - D, np.zeros_like(D)
    pairs = [(i, p) for i in range(len(D)) for p in P[i]]
    f = {(i, p): {k: 4 * T * (S[i, k] + S[p, k]) - 2 * (1 + T) * S[i, p] for k in N[i]} for i, p in pairs}
    shares = share(dl, {pair: lse([0, *f[pair].values()]) for pair in pairs}, reduction, in_order(pairs))
    w = {(*pair, k): shares[pair] * x for pair in pairs for k, x in softmax(f[pair], extra=[0]).items()}
    for i, p in pairs:
        dD[i, p] = 2 * (1 + T) * sum(w[i, p, k] for k in N[i])
    for i in range(len(D)):
        for k in N[i]:
            dD[i, k] = -4 * T * sum(w[i, p, k] + w[p, i, k] for p in P[i])
    return (dD,)


@result
def losses_arcface(dl, D, targets, margin=28.6, scale=64.0, reduction="mean"):
    mu, dD, terms, slopes = np.deg2rad(margin), np.zeros_like(D), {}, {}
    for i, t in enumerate(targets):
        angle, cot = angle_of(D[i, t])
        inside = angle <= np.pi - mu
        right = np.cos(angle + mu) if inside else np.cos(angle) - mu * np.sin(mu)
        z = {j: scale * (right if j == t else 1 - D[i, j]) for j in range(D.shape[1])}
        P, slope = softmax(z), np.cos(mu) + cot * np.sin(mu) if inside else 1
        terms[i] = lse(z.values()) - z[t]
        slopes[i] = {j: (1 - P[t]) * slope if j == t else -P[j] for j in z}
    shares = share(dl, terms, reduction)
    for i, j in entries(D):
        dD[i, j] = shares[i] * scale * slopes[i][j]
    return (dD,)


# proxies


@result
def losses_proxy_anchor(dl, D, targets, margin=0.1, scale=32.0):
    (n, m), dD = D.shape, np.zeros_like(D)
    present = len(set(targets.tolist()))
    for k in range(m):
        own = [i for i in range(n) if targets[i] == k]
        others = [i for i in range(n) if targets[i] != k]
        for i, p in softmax({i: scale * (margin - (1 - D[i, k])) for i in own}, extra=[0]).items():
            dD[i, k] = dl * scale * p / present
        for i, q in softmax({i: scale * ((1 - D[i, k]) + margin) for i in others}, extra=[0]).items():
            dD[i, k] = -dl * scale * q / m
    return (dD,)


@result
def losses_soft_triple_distance(dd, D, centres=10, gamma=0.1):
    dD = np.zeros_like(D)
    for i, k in entries(dd):
        x = {c: D[i, k * centres + c] for c in range(centres)}
        p = softmax({c: -x[c] / gamma for c in x})
        d = sum(p[c] * x[c] for c in x)
        for c in x:
            dD[i, k * centres + c] = dd[i, k] * p[c] * (1 - (x[c] - d) / gamma)
    return (dD,)


# histograms


@result
def losses_histogram(dl, D, labels, bins=100):
    P, N = positives_and_negatives(labels)
    R, n, dD = bins, range(len(D)), np.zeros_like(D)
    kinds = ([(i, j) for i in n for j in P[i]], [(i, j) for i in n for j in N[i] if P[i] or P[j]])
    x = np.clip((2 - D) * R / 2, 0, R)
    h = [[sum(max(0, 1 - abs(x[pair] - q)) for pair in kind) / len(kind) for q in range(R + 1)] for kind in kinds]
    below, above = [sum(h[0][: q + 1]) for q in range(R + 1)], [sum(h[1][r:]) for r in range(R + 1)]
    for kind, A in zip(kinds, (above, below), strict=True):
        for i, j in kind:
            low = min(int(np.floor(x[i, j])), R - 1)
            dD[i, j] = dl * R / 2 * (0 <= D[i, j] <= 2) * (A[low] - A[low + 1]) / len(kind)
    return (dD,)


@result
def losses_fast_ap(dl, D, labels, bins=10, largest=4.0, reduction="mean"):
    P, _ = positives_and_negatives(labels)
    nodes, dD, terms, slopes = range(bins + 1), np.zeros_like(D), {}, {}
    triangle = lambda x, b: max(0, 1 - abs(x - b))
    triangle_slope = lambda x, b: np.sign(b - x) if abs(x - b) < 1 else 0
    ratio = lambda above, below: above / below if below > 0 else 0
    for i in (i for i in range(len(D)) if P[i]):
        x = {j: bins / largest * D[i, j] for j in range(len(D)) if j != i}
        h = [sum(triangle(x[j], b) for j in x) for b in nodes]
        h_pos = [sum(triangle(x[p], b) for p in P[i]) for b in nodes]
        H, H_pos = np.cumsum(h), np.cumsum(h_pos)
        V = [ratio(H_pos[c], H[c]) + sum(ratio(h_pos[b], H[b]) for b in nodes if b >= c) for c in nodes]
        U = [sum(ratio(h_pos[b] * H_pos[b], H[b] ** 2) for b in nodes if b >= c) for c in nodes]
        terms[i] = 1 - sum(ratio(h_pos[b] * H_pos[b], H[b]) for b in nodes) / len(P[i])
        slopes[i] = {j: sum((U[c] - (j in P[i]) * V[c]) * triangle_slope(x[j], c) for c in nodes) for j in x}
    shares = share(dl, terms, reduction)
    for i in slopes:
        for j, slope in slopes[i].items():
            dD[i, j] = shares[i] * bins / (largest * len(P[i])) * slope
    return (dD,)


# embeddings and weights


@result
def losses_vicreg(dl, z1, z2, invariance=25.0, variance=25.0, covariance=1.0, epsilon=1e-4):
    n, F = z1.shape

    def G(z):
        y, found = z - z.mean(axis=0), np.zeros_like(z)
        C = [[sum(y[i, j] * y[i, k] for i in range(n)) / (n - 1) for k in range(F)] for j in range(F)]
        for i, k in entries(z):
            deviation = np.sqrt(C[k][k] + epsilon)
            spread = -variance / (2 * F) * (deviation < 1) / deviation * y[i, k]
            found[i, k] = spread + 4 * covariance / F * sum(y[i, j] * C[j][k] for j in range(F) if j != k)
        return found / (n - 1)

    together = 2 * invariance / (n * F) * (z1 - z2)
    return dl * (G(z1) + together), dl * (G(z2) - together)


@result
def losses_l2_penalty(dl, W, strength=1e-4):
    dW = np.zeros_like(W)
    for j in entries(W):
        dW[j] = 2 * strength * dl * W[j]
    return (dW,)


# the ops of a network


@result
def ops_dense(dz, x, W, b):
    dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
    for (i, j), k in product(entries(dz), range(len(W))):
        dx[i, k] += dz[i, j] * W[k, j]
        dW[k, j] += x[i, k] * dz[i, j]
    for i, j in entries(dz):
        db[j] += dz[i, j]
    return dx, dW, db


@result
def ops_flatten(dy, x):
    dx = np.zeros_like(x)
    for place in entries(x):
        dx[place] = dy[place[0], np.ravel_multi_index(place[1:], x.shape[1:])]
    return (dx,)


@result
def ops_relu(dy, x):
    return (np.array([g if v > 0 else 0 for g, v in zip(dy.flat, x.flat, strict=True)]).reshape(x.shape),)


@result
def ops_prelu(dy, x, slope):
    dx = [g if v > 0 else slope * g for g, v in zip(dy.flat, x.flat, strict=True)]
    return np.array(dx).reshape(x.shape), sum(g * min(0, v) for g, v in zip(dy.flat, x.flat, strict=True))


@result
def ops_tanh(dy, x):
    return ((1 - np.tanh(x) ** 2) * dy,)


@result
def ops_sigmoid(dy, x):
    return (sigma(x) * (1 - sigma(x)) * dy,)


@result
def ops_normalize(dy, x):
    dx = np.zeros_like(x)
    for i in range(len(x)):
        size = np.sqrt(sum(x[i] ** 2))
        if size > SHORT:
            y = x[i] / size
            dx[i] = (dy[i] - y * sum(dy[i] * y)) / size
    return (dx,)


@result
def ops_conv2d(dz, x, W, b, padding="valid", stride=1):
    k, s = len(W), stride
    before = (k - 1) // 2 if padding == "same" else 0
    after = k // 2 if padding == "same" else 0
    border = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    dborder, dW = np.zeros_like(border), np.zeros_like(W)
    for (a, i, j, o), u, v in product(entries(dz), range(k), range(k)):
        dborder[a, s * i + u, s * j + v] += dz[a, i, j, o] * W[u, v, :, o]
        dW[u, v, :, o] += border[a, s * i + u, s * j + v] * dz[a, i, j, o]
    h, w = x.shape[1:3]
    return dborder[:, before : before + h, before : before + w], dW, dz.sum(axis=(0, 1, 2))


@result
def ops_max_pool(dy, x, size=2):
    dx = np.zeros_like(x)
    for a, i, j, c in entries(dy):
        block = {(u, v): x[a, size * i + u, size * j + v, c] for u, v in product(range(size), range(size))}
        u, v = min(place for place in block if block[place] == max(block.values()))
        dx[a, size * i + u, size * j + v, c] = dy[a, i, j, c]
    return (dx,)


@result
def ops_batch_norm(dy, x, scale, shift, epsilon=1e-5, mean=None, variance=None):
    dx, dscale, dshift = np.zeros_like(x), np.zeros_like(scale), np.zeros_like(shift)
    for c in range(len(scale)):
        values, g = x[..., c] - x[..., c].flat[0] * (mean is None), dy[..., c]
        mu, spread = (values.mean(), values.var()) if mean is None else (mean[c], variance[c])
        s = np.sqrt(spread + epsilon)
        unit = (values - mu) / s
        removed = 0 if mean is not None else g.mean() + unit * (g * unit).mean()
        dx[..., c] = scale[c] / s * (g - removed)
        dscale[c], dshift[c] = (g * unit).sum(), g.sum()
    return dx, dscale, dshift


@result
def ops_group_norm(dy, x, scale, shift, groups=8, epsilon=1e-5):
    dx, dscale, dshift = np.zeros_like(x), np.zeros_like(scale), np.zeros_like(shift)
    for example, channels in product(range(len(x)), np.split(np.arange(len(scale)), groups)):
        values, g = x[example][..., channels], dy[example][..., channels]
        values = values - values.flat[0]
        s = np.sqrt(values.var() + epsilon)
        unit = (values - values.mean()) / s
        scaled = scale[channels] * g
        dx[example][..., channels] = (scaled - scaled.mean() - unit * (scaled * unit).mean()) / s
        for place, c in enumerate(channels):
            dscale[c] += (g * unit)[..., place].sum()
            dshift[c] += g[..., place].sum()
    return dx, dscale, dshift


@result
def ops_layer_norm(dy, x, scale, shift, epsilon=1e-5):
    return ops_group_norm(dy, x, scale, shift, 1, epsilon)
