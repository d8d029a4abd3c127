"""Bad input on one rank is an error on every rank: none is left waiting for another."""

import sys
from functools import partial

import numpy as np
import pytest

from minisiam import distributed, encoders, fast, layers, losses, miners, networks, pairwise
from minisiam.distance_matrix import as_matrix
from minisiam.distributed.mpi import _header
from minisiam.distributed.ranks import together

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])
MLP = encoders.mlp(5, 3)


def errors(work, size=2):
    """The error of `work(ranks)` on each rank; a rank that waits for another which has ended would fail here."""

    def caught(ranks):
        try:
            work(ranks)
        except (ValueError, TypeError, RuntimeError, FloatingPointError) as error:
            return type(error), str(error)
        return None

    return distributed.run(caught, size)


def on_every_rank(work, kind, message, size=2):
    found = errors(work, size)
    assert [error and error[0] for error in found] == [kind] * size
    assert all(message in text for _, text in found), found


def step(ranks, x=None, labels=LABELS, encoder=MLP, seed=0, loss=losses.supcon, distance=pairwise.cosine):
    network = networks.batch(distributed.encoder(encoder, ranks), distributed.rows(distance, ranks), loss)
    params = network.init(np.random.default_rng(seed), (4,))
    return network(params, distributed.own(X, ranks) if x is None else x, labels)


def test_without_mistakes_there_is_no_error():
    assert errors(step) == [None, None]


def test_a_shard_without_images():
    work = lambda ranks: step(ranks, X[: 6 * ranks.rank])
    on_every_rank(work, ValueError, "rank 0 has no images: give each rank at least one, or use fewer ranks")


def test_fewer_images_than_ranks():
    on_every_rank(lambda ranks: distributed.own(X[:2], ranks), ValueError, "a batch of 2 images leaves a rank", size=3)


def test_shards_of_different_widths():
    work = lambda ranks: step(ranks, X[:3, : 4 - ranks.rank])
    on_every_rank(work, ValueError, "the ranks differ in the shape of a row: (4,) on rank 0, (3,) on rank 1")


def test_shards_of_different_widths_in_a_later_batch():
    def work(ranks):
        network = distributed.encoder(MLP, ranks)
        params, _ = network.init(np.random.default_rng(0), (4,))
        network(params, X)
        network(params, X[:, : 4 - ranks.rank])

    on_every_rank(work, ValueError, "the ranks differ in the shape of a row")


def test_shards_of_different_dtypes():
    work = lambda ranks: step(ranks, X[:3].astype([np.float32, np.float64][ranks.rank]))
    on_every_rank(work, ValueError, "the ranks differ in the dtype: float32 on rank 0, float64 on rank 1")


def test_different_parameters():
    work = lambda ranks: step(ranks, seed=ranks.rank)
    on_every_rank(work, ValueError, "Draw them from one seed on all ranks")


def test_a_class_with_one_image_over_all_ranks():
    mined = losses.with_miner(losses.triplet_hinge, miners.batch_hard)
    for loss in (mined, losses.n_pair):
        found = errors(lambda ranks: step(ranks, labels=np.array([0, 0, 1, 1, 2, 3]), loss=loss))  # noqa: B023
        alone = errors(lambda ranks: step(ranks, labels=np.array([0, 0, 1, 1, 2, 3]), loss=loss), 1)  # noqa: B023
        assert found == alone * 2


def test_a_batch_without_positive_pairs():
    on_every_rank(lambda ranks: step(ranks, labels=np.arange(6)), ValueError, "")


def test_a_layer_that_reads_the_whole_batch_in_an_unknown_way():
    def centred(params, x, /, input_grad=True):
        return x - x.mean(axis=0), lambda dy: ((), dy - dy.mean(axis=0))

    centre = layers.Layer(lambda rng, shape: ((), shape), centred, "Centre")
    encoder = layers.serial(centre, layers.Dense(3))
    message = "the encoder has a layer for which distributed.encoder does not know how: use BatchNorm"
    on_every_rank(lambda ranks: step(ranks, encoder=encoder), ValueError, message)


def test_an_error_on_one_rank_only():
    found = errors(lambda ranks: together(ranks, partial(_fail_on, 1, ranks)), 3)
    assert [text for _, text in found] == ["on rank 1: bad", "bad", "on rank 1: bad"]
    assert {kind for kind, _ in found} == {ValueError}


def _fail_on(rank, ranks):
    if ranks.rank == rank:
        raise ValueError("bad")


@pytest.mark.parametrize("wrap", [lambda d: d, partial(fast.blockwise, threads=1)])
def test_a_loss_or_a_miner_that_finds_a_mistake_in_the_rows_of_one_rank(wrap):
    def loss(D, labels, /):
        def rows(block, some):
            if some.start >= 3:
                raise FloatingPointError("the rows are bad")
            return

        return as_matrix(D).map_rows(rows)

    work = lambda ranks: step(ranks, loss=loss, distance=wrap(pairwise.l2))
    on_every_rank(work, FloatingPointError, "the rows are bad")


def test_labels_of_each_rank_are_gathered():
    for labels in (LABELS, LABELS.astype(str)):

        def every(ranks, labels=labels):
            return distributed.gather_labels(distributed.own(labels, ranks), distributed.own(X, ranks), ranks)

        for size in (1, 2, 3):
            for found in distributed.run(every, size):
                np.testing.assert_array_equal(found, labels)


LABEL_MISTAKES = {
    "numbers and names": (lambda rank: LABELS[:3].astype([int, str][rank]), ValueError, "integers on rank 0, names"),
    "fewer than images": (lambda rank: LABELS[: 3 - rank], ValueError, "labels must have the shape (3,)"),
    "fractions": (lambda rank: LABELS[:3] + 0.5 * rank, TypeError, "labels"),
}


@pytest.mark.parametrize("mistake", LABEL_MISTAKES)
def test_wrong_labels_on_one_rank(mistake):
    labels, kind, message = LABEL_MISTAKES[mistake]
    work = lambda ranks: distributed.gather_labels(labels(ranks.rank), X[:3], ranks)
    on_every_rank(work, kind, message)


def test_no_labels_on_one_rank():
    work = lambda ranks: distributed.gather_labels(LABELS[: 3 * ranks.rank], X[: 3 * ranks.rank], ranks)
    on_every_rank(work, ValueError, "this rank has no images")


def test_without_mpi4py_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ModuleNotFoundError, match=r"more than one process needs MPI .*pip install -e '\.\[mpi\]'"):
        distributed.mpi()


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(TypeError, match="dtype object with 1 axes cannot be sent"):
        _header(np.array([None]))
