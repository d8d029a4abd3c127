"""The law: with any number of ranks, value and gradient are those of one process. Here the ranks are threads."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisiam import distances, distributed, encoders, fast, layers, losses, miners, networks, pairwise, tree
from minisiam.analysis.registry import CENTRES, EPISODES, MATRIX, MINERS, PAIRS, PROXIES, TRIPLETS, VIEWS
from minisiam.app import build

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 11, 6))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 2])
SAME = LABELS % 2 == 0
CUTS = {1: [0, 11], 2: [0, 2, 11], 3: [0, 5, 6, 11], 4: [0, 1, 4, 9, 11]}  # where the ranks' images end: uneven
MLP = encoders.mlp(5, 4)
NORMED = layers.serial(layers.Dense(5), layers.BatchNorm(), layers.Relu, layers.Dense(4))
DRAWN = {"random-triplets": {}, "distance-weighted": {"dimensions": 4}}  # miners that draw, and their constants


def mine(name):
    """A miner that draws the same on every rank."""
    if name not in DRAWN:
        return MINERS[name]
    return lambda D, labels: MINERS[name](D, labels, rng=np.random.default_rng(1), **DRAWN[name])


DISTANCES = {
    **{d.__name__: d for d in (pairwise.l2, pairwise.squared_l2, pairwise.l1, pairwise.weighted_l1, pairwise.cosine,
                               pairwise.dot)},
    "calibrated l2": pairwise.calibrated(pairwise.l2),
    "blockwise l2": fast.blockwise(pairwise.l2, threads=1),
    "blockwise cosine": fast.blockwise(pairwise.cosine, threads=1),
}  # fmt: skip


def holds(build, batch, ranks=(1, 2, 3, 4), divided=()):
    """`build(e, d)` is a network; e and d change encoders and pairwise distances; `divided` are places of images."""
    one = build(lambda encoder: encoder, lambda distance: distance)
    params = tree.cast(one.init(np.random.default_rng(2), (6,)), np.float64)
    truth = one(params, *batch)
    expected = truth[1](1.0)[0]
    for size in ranks:

        def work(these, size=size):
            mine = slice(*CUTS[size][these.rank : these.rank + 2])
            network = build(partial(distributed.encoder, ranks=these), partial(distributed.rows, ranks=these))
            own = [x[mine] if place in divided else x for place, x in enumerate(batch)]
            value, pullback = network(params, *own)
            return value, pullback(1.0)[0]

        for value, gradient in distributed.run(work, size):
            np.testing.assert_allclose(value, truth[0], rtol=1e-12)
            close(gradient, expected)


def close(found, expected, tolerance=1e-12):
    a, b = (np.concatenate([np.ravel(leaf) for leaf in tree.leaves(params)]) for params in (found, expected))
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize("name", MATRIX)
def test_a_loss_on_a_batch(name):
    holds(lambda e, d: networks.batch(e(MLP), d(pairwise.cosine), MATRIX[name]), (X[0], LABELS), divided=[0])


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance(name):
    holds(lambda e, d: networks.batch(e(MLP), d(DISTANCES[name]), losses.supcon), (X[0], LABELS), divided=[0])
    hinge = losses.with_miner(losses.triplet_hinge, miners.batch_hard)
    holds(lambda e, d: networks.batch(e(MLP), d(DISTANCES[name]), hinge), (X[0], LABELS), divided=[0])


@pytest.mark.parametrize("name", MINERS)
def test_a_miner(name):
    z = X[0] / np.linalg.norm(X[0], axis=1, keepdims=True)
    found = mine(name)(pairwise.l2(z, z)[0], LABELS)
    loss = losses.with_miner(losses.triplet_hinge if len(found.entries) == 2 else losses.contrastive, mine(name))
    unit = layers.serial(MLP, layers.Normalize)
    holds(lambda e, d: networks.batch(e(unit), d(pairwise.l2), loss), (X[0], LABELS), divided=[0])


@pytest.mark.parametrize("loss", [*PAIRS.values(), *TRIPLETS.values()], ids=[*PAIRS, *TRIPLETS])
def test_a_loss_on_all_pairs_or_triplets(loss):
    every = losses.all_pairs if loss in PAIRS.values() else losses.all_triplets
    fastest = fast.all_pairs if loss in PAIRS.values() else fast.all_triplets
    for combine in (every, fastest) if loss is not losses.margin_loss else (every,):
        holds(lambda e, d: networks.batch(e(MLP), d(pairwise.l2), combine(loss)), (X[0], LABELS), divided=[0])  # noqa: B023


@pytest.mark.parametrize("name", PROXIES)
def test_a_loss_on_proxies(name):
    if name != "soft-triple":  # its distance is made of another
        holds(lambda e, d: networks.proxy(e(MLP), d(pairwise.cosine), PROXIES[name], 3), (X[0], LABELS), divided=[0])


def test_a_loss_on_several_centres_of_a_class():
    to_classes, loss = build._to_soft_classes(pairwise.cosine), PROXIES["soft-triple"]
    holds(lambda e, d: networks.proxy(e(MLP), d(to_classes), loss, 3, CENTRES), (X[0], LABELS), divided=[0])


def test_other_networks():
    weighted, entropy = distances.weighted_l1, losses.binary_cross_entropy
    pairs, episode = (X[0], X[1], SAME), (X[0], LABELS, X[1], LABELS)
    holds(lambda e, d: networks.siamese(e(MLP), distances.l2, losses.contrastive), pairs, divided=[0, 1])
    holds(lambda e, d: networks.verification(e(MLP), weighted, entropy), pairs, divided=[0, 1])
    holds(lambda e, d: networks.triplet(e(MLP), distances.l2, losses.triplet_hinge), tuple(X), divided=[0, 1, 2])
    holds(
        lambda e, d: networks.prototypical(e(MLP), d(pairwise.cosine), EPISODES["prototypical"]),
        episode,
        divided=[0, 2],
    )
    holds(lambda e, d: networks.matching(e(MLP), d(pairwise.cosine), EPISODES["matching"]), episode, divided=[0, 2])
    holds(lambda e, d: networks.two_view(e(MLP), d(pairwise.cosine), VIEWS["info-nce"]), tuple(X[:2]), divided=[0, 1])
    holds(lambda e, d: networks.joint_embedding(e(MLP), VIEWS["vicreg"]), tuple(X[:2]), divided=[0, 1])


def test_the_matrix_may_also_be_computed_by_every_rank():
    holds(lambda e, d: networks.batch(e(MLP), pairwise.l2, losses.supcon), (X[0], LABELS), divided=[0])


@pytest.mark.parametrize("wrap", [lambda e: e, fast.convert, lambda e: fast.microbatch(fast.convert(e), 2, threads=1)])
def test_batch_norm_has_the_statistics_of_all_ranks(wrap):
    images = rng.normal(size=(11, 4, 4, 1))
    norm = (layers.BatchNorm(), layers.Relu, layers.MaxPool(2), layers.Flatten, layers.Dense(3))
    encoder = wrap(layers.serial(layers.Conv(9, 3, "same"), *norm))
    build = lambda e, d: networks.batch(e(encoder), d(pairwise.l2), losses.supcon)
    params = tree.cast(build(lambda e: e, lambda d: d).init(rng, (4, 4, 1)), np.float64)
    value, pullback = build(lambda e: e, lambda d: d)(params, images, LABELS)
    for size in (2, 3):

        def work(ranks, size=size):
            mine = slice(*CUTS[size][ranks.rank : ranks.rank + 2])
            network = build(partial(distributed.encoder, ranks=ranks), partial(distributed.rows, ranks=ranks))
            found, pull = network(params, images[mine], LABELS)
            return found, pull(1.0)[0]

        for found, gradient in distributed.run(work, size):
            np.testing.assert_allclose(found, value, rtol=1e-12)
            close(gradient, pullback(1.0)[0], 1e-11)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 9))
def test_the_pullback_of_a_copy_is_a_sum(sizes, seed):
    """⟨all_gather(dz), Z̄⟩, summed over the ranks, is ⟨dz, pullback(Z̄)⟩, summed over the ranks."""

    def work(ranks):
        mine = np.random.default_rng([seed, ranks.rank])
        dz = mine.normal(size=(sizes[ranks.rank], 2))
        dZ, pullback = distributed.all_gather(dz, ranks)
        upstream = mine.normal(size=dZ.shape)
        (pulled,) = pullback(upstream)
        return np.sum(dZ * upstream), np.sum(dz * pulled)

    forward, back = np.sum(distributed.run(work, len(sizes)), axis=0)
    assert forward == pytest.approx(back, rel=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_pullbacks_of_a_sum_and_of_a_broadcast(size):
    def work(ranks):
        x = np.full(3, 1.0 + ranks.rank)
        total, pull_total = distributed.all_reduce(x, ranks)
        copy, pull_copy = distributed.broadcast(x, ranks, root=size - 1)
        return total, pull_total(x)[0], copy, pull_copy(x)[0]

    sums = np.full(3, size * (size + 1) / 2)
    for rank, found in enumerate(distributed.run(work, size)):
        expected = sums, sums, np.full(3, float(size)), sums if rank == size - 1 else 0 * sums
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_the_same_number_of_ranks_gives_the_same_bits():
    build = lambda e, d: networks.batch(e(NORMED), d(pairwise.cosine), losses.supcon)
    params = build(lambda e: e, lambda d: d).init(np.random.default_rng(0), (6,))

    def work(ranks):
        network = build(partial(distributed.encoder, ranks=ranks), partial(distributed.rows, ranks=ranks))
        value, pullback = network(params, distributed.own(X[0].astype(np.float32), ranks), LABELS)
        return [value, *tree.leaves(pullback(1.0)[0])]

    first, *others = distributed.run(work, 3) + distributed.run(work, 3)
    for other in others:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, other, strict=True))
