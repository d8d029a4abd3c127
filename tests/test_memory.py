"""Training keeps what it needs and nothing else: no activation of an earlier step, no float64."""

import tracemalloc

import numpy as np
import pytest

from minisiam import distances, encoders, losses, networks, optimizers, train, tree

ROWS, HIDDEN = 2048, 512
ACTIVATIONS = 4 * ROWS * HIDDEN  # bytes of one hidden layer of one branch


@pytest.fixture
def network():
    return networks.siamese(encoders.mlp(HIDDEN, 4), distances.l2, losses.contrastive)


def batches(rng, steps):
    for _ in range(steps):
        yield *rng.normal(size=(2, ROWS, 8)).astype(np.float32), rng.random(ROWS) < 0.5


def test_fit_keeps_no_activation_of_the_step_before(rng, network):
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


def test_dropping_a_pullback_frees_what_it_kept(rng):
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
def test_every_step_of_training_stays_float32(rng, network, optimizer):
    penalised = networks.regularized(network, lambda W: losses.l2_penalty(W, np.float64(1e-4)))
    params = penalised.init(rng, (8,))
    small = [(*(array[:4] for array in batch),) for batch in batches(rng, 3)]
    for _, _, params in train.fit(penalised, params, optimizer, small):  # noqa: B020
        assert {np.asarray(leaf).dtype for leaf in tree.leaves(params)} == {np.dtype(np.float32)}
