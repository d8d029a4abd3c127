"""No result depends on the order of the rows, with ties of all kinds."""

import numpy as np
import pytest

from minisiam import distances, evaluate, fast, losses, miners, pairwise
from minisiam.analysis import registry

SEEDS = range(6)


def batch(seed):
    """Embeddings on a coarse grid, so that many distances tie, with labels in any order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.concatenate([[5, 5, -2, -2], rng.choice([5, -2, 10**12, 7], 12)]))
    return rng.integers(0, 3, (16, 2)).astype(float), labels, rng.permutation(16)


EVALUATIONS = {
    "recall@1": evaluate.recall_at_k,
    "recall@3": lambda z, labels: evaluate.recall_at_k(z, labels, k=3, chunk=5),
    "retrieval": lambda z, labels: evaluate.retrieval.scores(z, labels, chunk=3),
    **{
        f"{k} neighbours": lambda z, labels, k=k: evaluate.knn_accuracy(z, labels, GRID, CLASSES, k)
        for k in range(1, 9)
    },
    **{
        f.__name__: lambda z, labels, f=f: f(z.sum(axis=1), labels == 5)
        for f in (evaluate.roc, evaluate.auc, evaluate.equal_error, evaluate.threshold_at)
    },
}
GRID = np.stack(np.meshgrid(range(3), range(3)), axis=-1).reshape(-1, 2).astype(float)
CLASSES = np.resize([5, -2, 7], 9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_evaluation_does_not_depend_on_the_order_of_the_rows(name, seed):
    z, labels, order = batch(seed)
    ours, truth = EVALUATIONS[name](z[order], labels[order]), EVALUATIONS[name](z, labels)
    pairs = zip(ours, truth, strict=True) if isinstance(ours, tuple) else [(ours, truth)]
    for mine, right in pairs:
        np.testing.assert_allclose(mine, right, rtol=1e-13)


@pytest.mark.parametrize("k", range(1, 9))
@pytest.mark.parametrize("seed", SEEDS)
def test_k_neighbours_vote_as_unluckily_as_ties_allow(seed, k):
    z, labels, _ = batch(seed)
    rng = np.random.default_rng(seed)
    right = 0
    for query, own in zip(GRID, CLASSES, strict=True):
        d = distances.l2(np.tile(query, (16, 1)), z)[0]
        orders = [np.lexsort((rng.random(16), d))[:k] for _ in range(60)]  # ties in random order
        votes = [[np.sum(labels[order] == c) for c in (5, -2, 10**12, 7)] for order in orders]
        mine = [5, -2, 10**12, 7].index(own)
        right += all(vote[mine] > max(vote[:mine] + vote[mine + 1 :]) for vote in votes)
    assert evaluate.knn_accuracy(z, labels, GRID, CLASSES, k) == right / 9


DETERMINISTIC = {
    name: mine for name, mine in registry.MINERS.items() if name not in ("random-triplets", "distance-weighted")
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_a_miner_finds_the_same_distances_in_any_order(name, seed):
    z, labels, order = batch(seed)
    D = pairwise.l2(z, z)[0]
    found = []
    for some in (np.arange(16), order):
        chosen = DETERMINISTIC[name](D[np.ix_(some, some)], labels[some])
        entries = [D[some[i], some[j]] for i, j in chosen.entries]
        anchors = some[chosen.entries[0][0]]
        found.append(sorted(zip(anchors.tolist(), *map(list, entries), strict=True)))
    if name == "all-pairs":  # i < j: either end is the row
        found = [sorted(d for _, d in each) for each in found]
    if name == "hardest-pairs":  # of the pairs that tie for the last place, any
        found = [sorted(d for _, d in each) for each in found]
    assert found[0] == found[1]


BATCH_LOSSES = (
    "supcon nt_xent nca lifted generalised_lifted multi_similarity circle tuplet_margin angular histogram fast_ap"
)
BATCH = {
    **{name: getattr(losses, name) for name in BATCH_LOSSES.split()},
    "all_pairs": losses.all_pairs(losses.contrastive),
    "all_triplets": losses.all_triplets(losses.triplet_hinge),
    "batch_hard": losses.with_miner(losses.triplet_hinge, miners.batch_hard),
}


@pytest.mark.parametrize("seed", SEEDS[:4])
@pytest.mark.parametrize("name", BATCH)
def test_a_loss_on_a_batch_does_not_depend_on_the_order_of_the_rows(name, seed):
    z, labels, order = batch(seed)
    D = pairwise.l2(z, z)[0] / 2
    value, pullback = BATCH[name](D, labels)
    shuffled, shuffled_pullback = BATCH[name](D[np.ix_(order, order)], labels[order])
    assert shuffled == pytest.approx(value, rel=1e-12)
    if name != "batch_hard":  # of several hardest images, the first gets the gradient
        np.testing.assert_allclose(shuffled_pullback(1.0)[0], pullback(1.0)[0][np.ix_(order, order)], atol=1e-12)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "proxy_anchor", "arcface", "matching"])
def test_a_loss_on_columns_does_not_depend_on_the_order_of_rows_and_columns(name, rng):
    D, targets, rows, columns = (
        rng.integers(0, 3, (8, 5)) / 2,
        rng.integers(0, 5, 8),
        rng.permutation(8),
        rng.permutation(5),
    )
    loss = getattr(losses, name)
    if name == "matching":
        same = rng.random((8, 5)) < 0.5
        value, shuffled = loss(D, same)[0], loss(D[np.ix_(rows, columns)], same[np.ix_(rows, columns)])[0]
    else:
        value, shuffled = loss(D, targets)[0], loss(D[np.ix_(rows, columns)], np.argsort(columns)[targets[rows]])[0]
    assert shuffled == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("name", ["l2", "squared_l2", "l1", "cosine", "dot"])
def test_a_distance_matrix_does_not_depend_on_the_order_of_the_rows(name, rng):
    z, order = rng.normal(size=(16, 3)), rng.permutation(16)
    for distance in (getattr(pairwise, name), lambda a, b: (blocks(getattr(pairwise, name), a, b), None)):
        np.testing.assert_allclose(distance(z[order], z)[0], distance(z, z)[0][order], rtol=1e-12, atol=1e-14)


def blocks(distance, a, b):
    return np.vstack(fast.blockwise(distance)(a, b)[0].map_rows(lambda rows, some: rows.copy()))
