"""What users pass: what can be read without guessing is read, and everything else is refused."""

import inspect

import numpy as np
import pytest
from arrays import READ, Frame
from every_op import OPS

from minisiam import (
    _arrays,
    checkpoint,
    distances,
    encoders,
    evaluate,
    fast,
    gradcheck,
    losses,
    miners,
    networks,
    ops,
    optimizers,
    pairwise,
    samplers,
    train,
    tree,
)
from minisiam.analysis import counts, registry
from minisiam.datasets import augment, graph
from minisiam.gradcheck import reference

LABELS = np.repeat([7, -3, 2, 30], 3)
Z = np.random.default_rng(0).normal(size=(12, 4))
D = pairwise.l2(Z, Z)[0]
SAME = LABELS == 7
GROUPS = np.repeat([1, 1, 0, 0], 3)
# one call of each public function on arrays, besides the ops, as a function of `read`, which changes the containers
CALLS = {
    **{
        f"miners.{name}": (lambda read, mine=mine: mine(read(D), read(LABELS)))
        for name, mine in registry.MINERS.items()
        if name not in ("random-triplets", "distance-weighted")
    },
    "miners.random_triplets": lambda read: miners.random_triplets(read(D), read(LABELS), rng=rng()),
    "miners.distance_weighted": lambda read: miners.distance_weighted(
        read(D / 9), read(LABELS), rng=rng(), dimensions=4
    ),
    "miners.count": lambda read: counts.count(read(D), read(LABELS), 0.2),
    "miners.count_mined": lambda read: counts.count_mined(read(D), miners.hard(D, LABELS), 0.2),
    "miners.population": lambda read: counts.population(read(LABELS)),
    "samplers.pairs": lambda read: next(samplers.pairs(read(Z), read(LABELS), rng(), groups=read(GROUPS))),
    "samplers.pair_indices": lambda read: next(samplers.pair_indices(read(LABELS), rng(), groups=read(GROUPS))),
    "samplers.triplets": lambda read: next(samplers.triplets(read(Z), read(LABELS), rng(), groups=read(GROUPS))),
    "samplers.triplet_indices": lambda read: next(samplers.triplet_indices(read(LABELS), rng())),
    "samplers.pk": lambda read: next(samplers.pk(read(Z), read(LABELS), rng(), 2, 2, groups=read(GROUPS))),
    "samplers.pk_indices": lambda read: next(samplers.pk_indices(read(LABELS), rng(), 2, 2)),
    "samplers.episodes": lambda read: next(
        samplers.episodes(read(Z), read(LABELS), rng(), 2, groups=read(GROUPS), drawers=read(np.tile(range(3), 4)))
    ),
    "samplers.episode_indices": lambda read: next(samplers.episode_indices(read(LABELS), rng(), 2)),
    "datasets.graph.Graph": lambda read: graph.Graph.of(read(np.arange(5)), read(np.arange(5) + 1), 6),
    "evaluate.few_shot": lambda read: evaluate.few_shot(read(Z), read(LABELS), rng(), way=3, episodes=5),
    "evaluate.knn_accuracy": lambda read: evaluate.knn_accuracy(read(Z), read(LABELS), read(Z + 1), read(LABELS), 3),
    "evaluate.recall_at_k": lambda read: evaluate.recall_at_k(read(Z), read(LABELS)),
    "evaluate.scores": lambda read: evaluate.retrieval.scores(read(Z), read(LABELS)),
    "evaluate.roc": lambda read: evaluate.roc(read(D[0]), read(SAME)),
    "evaluate.auc": lambda read: evaluate.auc(read(D[0]), read(SAME)),
    "evaluate.equal_error": lambda read: evaluate.equal_error(read(D[0]), read(SAME)),
    "evaluate.threshold_at": lambda read: evaluate.threshold_at(read(D[0]), read(SAME)),
    "evaluate.nearest": lambda read: evaluate.nearest(read(Z), read(Z[:3]), 2),
    "evaluate.choose_threshold": lambda read: evaluate.choose_threshold(
        read(D[0]), read(LABELS == 7), read(np.arange(12) % 3), "equal-error"
    ),
    "evaluate.calibrate": lambda read: evaluate.calibrate(read(D[0]), read(SAME)),
    "evaluate.probability": lambda read: evaluate.probability(evaluate.Calibration(1.0, 2.0), read(D[0])),
    "evaluate.mean_score": lambda read: evaluate.mean_score(read(D[0] / 9)),
    "evaluate.pixels": lambda read: evaluate.pixels(read(Z)),
    "evaluate.embed": lambda read: evaluate.embed(encoders.mlp(3), encoders.mlp(3).init(rng(), (4,))[0], read(Z)),
    "fast.blockwise": lambda read: losses.supcon(fast.blockwise(pairwise.l2)(read(Z), read(Z + 0))[0], read(LABELS))[0],
    "losses.with_miner": lambda read: losses.with_miner(losses.triplet_hinge, miners.batch_hard)(read(D), read(LABELS))[
        0
    ],
    "losses.all_pairs": lambda read: losses.all_pairs(losses.contrastive)(read(D), read(LABELS))[0],
    "losses.all_triplets": lambda read: losses.all_triplets(losses.triplet_hinge)(read(D), read(LABELS))[0],
    "losses.balanced": lambda read: losses.balanced(losses.contrastive)(read(D[0]), read(SAME))[0],
    "distances.calibrated": lambda read: distances.calibrated(distances.l2)(read(Z), read(Z + 1), 2.0, np.array(1.0))[
        0
    ],
    "distances.tempered": lambda read: distances.tempered(distances.l2)(read(Z), read(Z + 1), 2.0)[0],
    "losses.nested": lambda read: losses.nested(losses.info_nce)(
        pairwise.nested(pairwise.cosine, (1, 3))(read(Z), read(Z + 1))[0]
    )[0],
    **{
        f"networks.{name}": (lambda read, name=name: network_step(name, read))
        for name in ("batch", "siamese", "prototypical", "matching")
    },
}


def rng():
    return np.random.default_rng(0)


def network_step(name, read):
    """The value of a network and the gradient of its first weights, on one batch."""
    encoder, query = encoders.mlp(3), (Z[:3], np.arange(3), Z[3:6], np.array([2, 0, 1]))
    network, batch = {
        "batch": (networks.batch(encoder, pairwise.l2, losses.supcon), (Z, LABELS)),
        "siamese": (networks.siamese(encoder, distances.l2, losses.contrastive), (Z, Z[::-1], SAME)),
        "prototypical": (networks.prototypical(encoder, pairwise.l2, losses.softmax_cross_entropy), query),
        "matching": (networks.matching(encoder, pairwise.cosine, losses.matching), query),
    }[name]
    params = network.init(rng(), (4,))
    value, pullback = network(params, *map(read, batch))
    return value, tree.leaves(pullback(1.0)[0]["encoder"])[0]


def assert_alike(ours, truth):
    if isinstance(truth, tuple):
        for mine, theirs in zip(ours, truth, strict=True):
            assert_alike(mine, theirs)
    else:
        np.testing.assert_array_equal(ours, truth)
        assert np.asarray(ours).dtype == np.asarray(truth).dtype


@pytest.mark.parametrize("container", READ)
def test_a_function_reads_every_container_as_the_array_in_it(container):
    for call in CALLS.values():
        assert_alike(call(READ[container]), call(np.asarray))


@pytest.mark.parametrize("op", OPS)
def test_an_op_reads_every_container_as_the_array_in_it(op):
    case = gradcheck.generic(op, reference.of(op), 1)
    value, pullback = case.call(op)
    size, upstream = np.abs(value).max(initial=0), np.asarray(case.upstream)
    for read in READ.values():
        arrays = {name: read(c) if isinstance(c, np.ndarray) else c for name, c in case.constants.items()}
        ours, our_pullback = op(*[read(np.asarray(v)) for v in case.variables.values()], **arrays)
        np.testing.assert_allclose(ours, value, rtol=1e-12, atol=1e-14 * size)
        for mine, truth in zip(our_pullback(read(upstream)), pullback(case.upstream), strict=True):
            np.testing.assert_allclose(mine, truth, rtol=1e-9, atol=1e-12 * (np.abs(truth).max(initial=0)))


def test_every_public_function_of_arrays_is_called_above():
    modules = (miners, samplers, evaluate, evaluate.retrieval)
    named = {
        f"{module.__name__.rpartition('.')[2].replace('retrieval', 'evaluate')}.{name}"
        for module in modules
        for name, f in vars(module).items()
        if inspect.isfunction(f) and not name.startswith("_") and "Array, '" in str(inspect.signature(f))
    }
    called = {name.replace("-", "_") for name in CALLS}
    delegates = {"evaluate.few_shot_answers", "miners.reads_arrays"}
    assert named - called - delegates == set()


def test_float32_and_float64_arrays_are_not_copied():
    for array in (np.zeros((2, 2), np.float32), np.zeros((2, 2)), np.zeros(4)[::2]):
        assert _arrays.floats("x", array) is array
    assert _arrays.labels("labels", LABELS) is LABELS
    memory = np.zeros(3, np.float32).view(np.memmap)
    assert np.shares_memory(_arrays.floats("x", memory), memory)


def test_a_number_takes_the_dtype_of_the_array_before_it():
    x = np.ones((2, 3), np.float32)
    assert ops.prelu(x, 0.25)[0].dtype == np.float32
    assert losses.margin_loss(x[0], 1, [True, False, True])[0].dtype == np.float32
    assert ops.relu(1.5)[0].dtype == np.float64
    assert ops.relu([1, 2])[0].dtype == np.float64
    assert ops.relu([np.float32(1), np.float32(2)])[0].dtype == np.float32


@pytest.mark.parametrize("g", [1, np.float64(1), np.array(1.0), np.float32(1), np.array(1.0, ">f4")])
def test_the_gradient_of_a_number_may_be_any_number(g):
    (dD,) = losses.supcon(D.astype(np.float32), LABELS)[1](g)
    np.testing.assert_array_equal(dD, losses.supcon(D.astype(np.float32), LABELS)[1](1.0)[0])
    assert dD.dtype == np.float32


def test_the_gradient_of_an_array_takes_its_dtype_and_needs_its_shape():
    _, pullback = distances.l2(Z.astype(np.float32), Z[::-1].astype(np.float32))
    assert pullback(np.ones(12))[0].dtype == np.float32
    np.testing.assert_array_equal(pullback([1.0] * 12)[0], pullback(np.ones(12, np.float32))[0])
    for g in (1.0, np.ones((12, 1)), np.ones(11)):
        with pytest.raises(ValueError, match=r"upstream gradient must have the shape of the value, \(12,\)"):
            pullback(g)


RENAMED = {
    "negative": LABELS - 10**18,
    "very large": LABELS + 10**18,
    "beyond int64": (LABELS + 3).astype(np.uint64) + np.uint64(2**63),
    "bytes": LABELS.astype(np.int8),
    "names": LABELS.astype(str),
    "a list of names": list("bbbaaacccddd"),
    "a column of names": Frame(np.array(list("bbbaaacccddd"), object)),
}
WITH_LABELS = [name for name, call in CALLS.items() if "read(LABELS)" in inspect.getsource(call)]


@pytest.mark.parametrize("labels", RENAMED)
@pytest.mark.parametrize("name", WITH_LABELS)
def test_labels_only_say_which_images_have_one_class(name, labels):
    labels = RENAMED[labels]
    ours, truth = (
        CALLS[name](lambda array, by=by: by if array is LABELS else array)
        for by in (labels, np.unique(getattr(labels, "array", labels), return_inverse=True)[1])
    )
    if name == "samplers.pk":  # it yields the labels
        ours, truth = ((x, np.unique(classes, return_inverse=True)[1]) for x, classes in (ours, truth))
    assert_alike(ours, truth)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32])
def test_row_numbers_of_a_small_dtype_do_not_overflow(dtype):
    n = 120
    z, labels = rng().normal(size=(n, 3)), np.arange(n) // 2
    D = pairwise.l2(z, z)[0]

    def mine(D, labels):
        return miners.Triplets(*(part.astype(dtype) for part in miners.batch_hard(D, labels)))

    (ours,) = losses.with_miner(losses.triplet_hinge, mine)(D, labels)[1](1.0)
    (truth,) = losses.with_miner(losses.triplet_hinge, miners.batch_hard)(D, labels)[1](1.0)
    np.testing.assert_array_equal(ours, truth)
    assert_alike(
        tuple(map(np.sort, mine(D, labels).pairs[:2])), tuple(map(np.sort, miners.batch_hard(D, labels).pairs[:2]))
    )
    first = np.arange(n - 1)
    small, large = (
        graph.Graph.of(a.astype(kind), (a + 1).astype(kind), n) for a, kind in ((first, dtype), (first, int))
    )
    np.testing.assert_array_equal(small.neighbours, large.neighbours)


def test_row_numbers_are_intp():
    found = [
        part
        for name, call in CALLS.items()
        if "indices" in name or name.startswith("miners.")
        for part in flat(call(np.asarray))
    ]
    assert {part.dtype for part in found if part.dtype != bool and part.ndim} == {np.dtype(np.intp)}


def flat(found):
    return [part for each in found for part in flat(each)] if isinstance(found, tuple) else [np.asarray(found)]


def test_labels_need_memory_for_their_number_and_not_for_their_size():
    network = networks.prototypical(encoders.mlp(2), pairwise.l2, losses.softmax_cross_entropy)
    with pytest.raises(ValueError, match="support_labels must use every number from 0 up"):
        network(network.init(rng(), (4,)), Z[:2], [0, 10**15], Z, LABELS)


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), np.array(2)])
def test_a_count_may_be_any_whole_number(number):
    batch, _ = next(samplers.pk(Z, LABELS, rng(), classes=number, per_class=number))
    assert len(batch) == 4
    assert evaluate.recall_at_k(Z, LABELS, k=number, chunk=number) == evaluate.recall_at_k(Z, LABELS, k=2)
    assert losses.contrastive(D[0], SAME, margin=number)[0] == losses.contrastive(D[0], SAME, margin=2.0)[0]


@pytest.mark.parametrize("number", [2.0, True, "2", None, 2.5, np.nan, np.array([2])])
def test_a_count_that_is_no_whole_number_is_refused(number):
    with pytest.raises(ValueError, match="k must be a whole number, at least 1"):
        evaluate.recall_at_k(Z, LABELS, k=number)


def test_training_reads_lists():
    network = networks.batch(encoders.mlp(3), pairwise.l2, losses.supcon)
    params = network.init(rng(), (4,))
    steps = [
        next(train.fit(network, params, optimizers.adam(0.1), [(read(Z), read(LABELS))]))[1]
        for read in (np.asarray, np.ndarray.tolist)
    ]
    assert steps[0] == steps[1]


def test_a_checkpoint_holds_the_byte_order_of_this_machine_and_no_objects(tmp_path):
    W = Z.astype(np.float32)
    checkpoint.save(tmp_path / "m.npz", {"W": W.astype(">f4"), "b": [1.0, 2]}, {})
    loaded = checkpoint.load(tmp_path / "m.npz", {"W": W, "b": [0.0, 0]})
    np.testing.assert_array_equal(loaded["W"], W)
    assert loaded["W"].dtype.isnative
    for wrong in (W.astype(object), np.ma.array(W, mask=W > 0), np.array(["a"])):
        with pytest.raises(TypeError, match="params0"):
            checkpoint.save(tmp_path / "n.npz", {"W": wrong}, {})
    assert not (tmp_path / "n.npz").exists()


def test_eight_times_a_label_of_one_byte_does_not_overflow():
    _, labels = augment.dihedral(np.zeros((2, 3, 3, 1), np.float32), np.array([200, 255], np.uint8))
    assert labels[[0, -1]].tolist() == [1600, 2047]
    with pytest.raises(TypeError, match="labels must be an array of integers"):
        augment.dihedral(np.zeros((2, 3, 3, 1), np.float32), ["a", "b"])
