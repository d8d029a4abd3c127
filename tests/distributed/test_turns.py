"""Ranks that take turns in one thread give what threads give, and both end when a rank fails or stops early."""

import numpy as np
import pytest

from minisiam import distributed, encoders, losses, networks, pairwise, tree
from minisiam.distributed import threads
from minisiam.distributed.turns import in_turns

X = np.random.default_rng(0).normal(size=(7, 6))
LABELS = np.array([0, 1, 0, 1, 0, 1, 1])
each_kind = pytest.mark.parametrize("run", [in_turns, distributed.run])


def gradient(ranks):
    """The value and the gradient of a batch, on one of the ranks."""
    encoder = distributed.encoder(encoders.mlp(5, 4), ranks)
    network = networks.batch(encoder, distributed.rows(pairwise.cosine, ranks), losses.supcon)
    value, pullback = network(network.init(np.random.default_rng(1), (6,)), distributed.own(X, ranks), LABELS)
    return [value, *tree.leaves(pullback(1.0)[0])]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_turns_give_the_bits_of_threads(size):
    for one, other in zip(in_turns(gradient, size), distributed.run(gradient, size), strict=True):
        assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(one, other, strict=True))


def test_where_threads_cannot_start_ranks_take_turns(monkeypatch):
    monkeypatch.setattr(threads.sys, "platform", "emscripten")
    monkeypatch.setattr(threads, "ThreadPoolExecutor", None)
    assert distributed.run(lambda ranks: (ranks.rank, len(ranks.gather(X))), 3) == [(0, 3), (1, 3), (2, 3)]


@each_kind
def test_an_array_that_its_sender_changes_later_arrives_unchanged(run):
    def work(ranks):
        x = np.zeros(1)
        received = ranks.gather(x)
        x += 1
        return [float(array[0]) for array in ranks.gather(x) + received]

    assert run(work, 2) == [[1, 1, 0, 0]] * 2


@each_kind
def test_an_error_of_a_rank_is_raised(run):
    def work(ranks):
        ranks.gather(X)
        if ranks.rank == 1:
            raise ArithmeticError("on rank 1")
        return ranks.gather(X)

    with pytest.raises(ArithmeticError, match="on rank 1"):
        run(work, 2)


@each_kind
def test_a_rank_that_waits_for_one_that_has_ended_is_an_error(run):
    with pytest.raises(RuntimeError, match="every rank must make the same exchanges"):
        run(lambda ranks: ranks.rank and ranks.gather(X), 2)


@each_kind
def test_an_exchange_needs_one_array_for_each_rank(run):
    with pytest.raises(ValueError, match="a list of 2 arrays, one for each rank; it has 3"):
        run(lambda ranks: ranks.exchange([X] * 3), 2)
