"""Training uses no more memory than it needs: no activations of earlier steps, no float64."""

import tracemalloc

import numpy as np
import pytest

from minisiam import distances, encoders, fast, losses, networks, optimizers, pairwise, train, tree
from minisiam.fast.blockwise import blockwise
from minisiam.fast.threads import keep_memory

ROWS, HIDDEN = 2048, 512
ACTIVATIONS = 4 * ROWS * HIDDEN  # bytes of one hidden layer of one branch


@pytest.fixture
def network():
    return networks.siamese(encoders.mlp(HIDDEN, 4), distances.l2, losses.contrastive)


def batches(rng, steps):
    for _ in range(steps):
        yield *rng.normal(size=(2, ROWS, 8)).astype(np.float32), rng.random(ROWS) < 0.5


def test_fit_frees_the_activations_of_a_step_before_the_next(rng, network):
    params = network.init(rng, (8,))
    between, peaks = [], []
    tracemalloc.start()
    try:
        for _ in train.fit(network, params, optimizers.adam(1e-3), batches(rng, 5)):
            now, peak = tracemalloc.get_traced_memory()
            between.append(now)
            peaks.append(peak)
            tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert min(peaks) > 4 * ACTIVATIONS  # two branches, two activations each: the measurement sees them
    assert max(between) < ACTIVATIONS / 2  # between steps there is none
    assert max(peaks[2:]) < 1.05 * peaks[1]  # and none is carried along


def test_deleting_a_pullback_frees_its_memory(rng):
    encoder = encoders.mlp(HIDDEN, 4)
    params, _ = encoder.init(rng, (8,))
    x = rng.normal(size=(ROWS, 8)).astype(np.float32)
    tracemalloc.start()
    try:
        _, pullback = encoder(params, x)
        held = tracemalloc.get_traced_memory()[0]
        del pullback, _
        freed = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held > ACTIVATIONS
    assert freed < ACTIVATIONS / 10


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.sgd(np.float64(0.01), momentum=np.float64(0.9), nesterov=True, weight_decay=np.float64(1e-4)),
        optimizers.sgd(lambda step: np.float64(0.01)),
        optimizers.adam(np.float64(0.001), weight_decay=np.float64(1e-4)),
        optimizers.adam(optimizers.cosine_decay(np.float64(0.001), 10, warmup=2)),
    ],
)
def test_training_in_float32_stays_in_float32(rng, network, optimizer):
    penalised = networks.regularized(network, lambda W: losses.l2_penalty(W, np.float64(1e-4)))
    params = penalised.init(rng, (8,))
    small = [(*(array[:4] for array in batch),) for batch in batches(rng, 3)]
    for _, _, params in train.fit(penalised, params, optimizer, small):  # noqa: B020
        assert {np.asarray(leaf).dtype for leaf in tree.leaves(params)} == {np.dtype(np.float32)}


def peak_of(work):
    """The peak memory of a call in bytes, beyond the memory before it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("many", [48, 0])
@pytest.mark.parametrize("loss", [losses.triplet_hinge, losses.triplet_soft_margin])
def test_all_triplets_needs_no_memory_for_triplets(rng, loss, many):
    n = 512
    labels, D = np.repeat(np.arange(n // 16), 16), rng.random((n, n)).astype(np.float32)
    all_triplets = fast.all_triplets(loss, many)
    peak = peak_of(lambda: all_triplets(D, labels)[1](1.0))
    listed = n * 15 * (n - 16) * 2 * 4  # two distances a triplet, without their indices
    assert peak < 12 * D.nbytes < listed / 2


@pytest.mark.parametrize("name", ["l2", "cosine", "l1"])
@pytest.mark.parametrize(
    "loss", [losses.supcon, fast.all_triplets(losses.triplet_hinge), fast.all_pairs(losses.contrastive)]
)
def test_a_blockwise_matrix_is_never_in_memory_as_a_whole(rng, loss, name):
    n = 3072
    labels, z = np.repeat(np.arange(n // 4), 4), rng.normal(size=(n, 8)).astype(np.float32)

    def step():
        D, pull_D = blockwise(getattr(pairwise, name), threads=1)(z, z)
        _, pull = loss(D, labels)
        return pull_D(*pull(1.0))

    keep_memory()  # an array that is made once a process and never touched
    assert peak_of(step) < n * n * 4 / 3  # a third of the matrix
