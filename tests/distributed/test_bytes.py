"""The bytes that a rank sends in a step: counted, and by the formula of docs/distributed.md."""

import numpy as np
import pytest

from minisiam import distributed, encoders, losses, networks, pairwise, tree

IMAGES, D = 4, 8


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_step_sends_what_the_formula_says(size):
    def work(ranks):
        encoder, distance = distributed.encoder(encoders.mlp(6, D), ranks), distributed.rows(pairwise.cosine, ranks)
        network = networks.batch(encoder, distance, losses.supcon)
        params = network.init(np.random.default_rng(0), (12,))
        x, labels = np.random.default_rng(ranks.rank).random((IMAGES, 12)), np.arange(IMAGES * size) // 4
        network(params, x, labels)  # the first step compares the parameters
        before = ranks.sent
        network(params, x, labels)[1](1.0)
        return ranks.sent - before, tree.size(params)

    numbers = lambda P: (size - 1) * (3 * IMAGES * D + 2 * P / size)
    for sent, parameters in distributed.run(work, size):
        beyond = sent - 8 * numbers(parameters)  # x is float64, and so are the embeddings
        assert -8 * size <= beyond <= 100 * (size - 1) + 8 * size  # the shares of the sums are rounded to whole numbers


def test_a_single_message_is_counted_for_every_receiver():
    def work(ranks):
        ranks.gather(np.zeros(5))
        ranks.exchange([np.zeros(rank) for rank in range(3)])
        return ranks.sent

    assert distributed.run(work, 3) == [2 * 40 + 8 * (3 - rank) for rank in range(3)]
