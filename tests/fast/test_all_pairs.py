"""`fast.all_pairs` and `fast.all_triplets` equal their readable definitions, which list all pairs and all triplets."""

from functools import partial

import numpy as np
import pytest

from minisiam import fast, losses, miners

PAIRS = [losses.contrastive, losses.double_margin, losses.pair_hinge, losses.cosine_embedding]
TRIPLETS = [losses.triplet_hinge, losses.triplet_soft_margin, losses.triplet_ratio]
LABELS = {
    "two classes": [0, 0, 1, 1],
    "sizes that differ, singletons, in no order": [3, 1, 3, -1, 1, 9, 3, 3, 1, 0],
    "one class of many": [0, 0, 0, 0, 0, 0, 5],
    "bytes, as label files hold them": np.array([0, 255, 255, 0, 7], np.uint8),
    "drawn": np.random.default_rng(0).integers(0, 5, 30),
}
every_way = lambda test: pytest.mark.parametrize("labels", [np.array(c) for c in LABELS.values()], ids=list(LABELS))(
    pytest.mark.parametrize("whole_numbers", [False, True])(
        pytest.mark.parametrize("dtype", [np.float64, np.float32])(test)
    )
)


def matrix(labels, dtype=np.float64, whole_numbers=False):
    """An asymmetric matrix; of whole numbers it is full of ties."""
    rng, n = np.random.default_rng(0), len(labels)
    return (rng.integers(0, 4, (n, n)) if whole_numbers else 1.8 * rng.random((n, n))).astype(dtype)


def agree(ours, truth, dtype=np.float64):
    """Two values and two pullbacks are the same, in this dtype."""
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(ours[0], truth[0], rtol=rtol, atol=rtol / 100)
    dl = dtype(0.7) if np.ndim(ours[0]) == 0 else np.random.default_rng(0).normal(size=np.shape(ours[0])).astype(dtype)
    ((ours_dD,), (true_dD,)) = ours[1](dl), truth[1](dl)
    assert ours_dD.dtype == true_dD.dtype == dtype
    np.testing.assert_allclose(ours_dD, true_dD, rtol=rtol, atol=rtol / 100)


@every_way
@pytest.mark.parametrize("loss", PAIRS)
def test_all_pairs_equals_its_definition(loss, labels, whole_numbers, dtype):
    D = matrix(labels, dtype, whole_numbers)
    for reduction in ("mean", "sum", "mean_active"):
        constants = {"reduction": reduction}
        agree(fast.all_pairs(loss)(D, labels, **constants), losses.all_pairs(loss)(D, labels, **constants), dtype)
        listed = losses.all_pairs(losses.balanced(loss))(D, labels, **constants)
        agree(fast.all_pairs(loss, separately=True)(D, labels, **constants), listed, dtype)


@every_way
@pytest.mark.parametrize("many", [48, 2, 0])
@pytest.mark.parametrize("loss", TRIPLETS)
def test_all_triplets_equals_its_definition(loss, many, labels, whole_numbers, dtype):
    D, ours, listed = matrix(labels, dtype, whole_numbers), fast.all_triplets(loss, many), losses.all_triplets(loss)
    for reduction in ("mean", "sum", "mean_active"):
        agree(ours(D, labels, reduction=reduction), listed(D, labels, reduction=reduction), dtype)
    anchor = miners.all_triplets(D, labels).anchor
    terms, pull = listed(D, labels, reduction="none")
    sums = np.bincount(anchor, terms, len(labels)), lambda dl: pull(dl[anchor])
    agree(ours(D, labels, reduction="none"), sums, dtype)


@pytest.mark.parametrize("loss", [fast.all_triplets, fast.all_pairs])
def test_constants_come_from_a_partial_or_from_the_call(loss):
    labels, inner = LABELS["two classes"], losses.triplet_hinge if loss is fast.all_triplets else losses.contrastive
    labels, D = np.array(labels), matrix(labels)
    agree(loss(partial(inner, margin=0.3))(D, labels), loss(inner)(D, labels, margin=0.3))
    agree(loss(partial(inner, margin=9.0))(D, labels, margin=0.3), loss(inner)(D, labels, margin=0.3))
    assert loss(inner)(D, labels, margin=0.3)[0] != loss(inner)(D, labels)[0]


@pytest.mark.parametrize("many", [48, 0])
def test_the_counted_hinge_is_accurate_for_large_distances(many):
    labels = np.repeat(np.arange(8), 4)
    D = (1e4 + np.random.default_rng(0).random((32, 32))).astype(np.float32)
    exact, _ = losses.all_triplets(losses.triplet_hinge)(D.astype(float), labels, margin=0.1)
    value, _ = fast.all_triplets(losses.triplet_hinge, many)(D, labels, margin=0.1)
    assert value == pytest.approx(exact, rel=1e-6)
