"""Losses and miners read a distance matrix in one way, in memory or blockwise."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import minisiam
from minisiam import losses, miners, pairwise
from minisiam.distance_matrix import RowLoss, Whole, distance_matrix
from minisiam.fast import blockwise

LABELS = np.array([0, 0, 1, 1, 2, 2, 2])


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of two rows."""
    monkeypatch.setattr(sys.modules[blockwise.__module__], "ROWS", 1)
    monkeypatch.setattr(sys.modules[blockwise.__module__], "LEAST", 2)


def matrices(z):
    """The same distances as an array and blockwise, each with the pullback to the embeddings."""
    return pairwise.l2(z, z), blockwise(pairwise.l2, threads=1)(z, z)


def squares(rows, some):
    """½ Σ D², and its slope D."""
    return RowLoss((rows**2 / 2).sum(axis=1), np.full(len(rows), rows.shape[1]), (rows > 0).sum(axis=1), rows.copy())


def test_an_array_is_read_without_a_copy(rng):
    D = rng.random((5, 3))
    matrix = distance_matrix(D)
    assert isinstance(matrix, Whole)
    assert matrix.whole() is D
    assert matrix.map(lambda rows, some: rows is D and some == slice(0, 5)) == [True]
    assert (matrix.shape, matrix.dtype, matrix.symmetric) == ((5, 3), D.dtype, False)


def test_a_matrix_with_the_protocol_passes_through(rng):
    z = rng.random((5, 3))
    for matrix in (blockwise(pairwise.l2, threads=1)(z, z)[0], Whole(z)):
        assert distance_matrix(matrix) is matrix


@pytest.mark.parametrize("wrong", [[[0.0, 1.0]], np.eye(2, dtype=int), 1.0, None], ids=["list", "int", "float", "None"])
def test_other_objects_are_refused(wrong):
    with pytest.raises(TypeError, match=r"D must be a floating-point NumPy array.*np\.asarray\(D, np\.float32\)"):
        distance_matrix(wrong)


@pytest.mark.usefixtures("small_blocks")
def test_an_array_and_a_blockwise_matrix_agree(rng):
    z = rng.normal(size=(7, 3))
    (D, pull_D), (B, pull_B) = matrices(z)
    whole, blocks = distance_matrix(D), distance_matrix(B)
    assert (whole.shape, whole.dtype) == (blocks.shape, blocks.dtype)
    assert len(blocks.map(lambda rows, some: some)) > 2
    np.testing.assert_allclose(np.concatenate(blocks.map(lambda rows, some: rows)), D, rtol=1e-12)
    one, other = whole.scan(squares), blocks.scan(squares)
    assert one[:3] == pytest.approx(other[:3], rel=1e-12)
    np.testing.assert_allclose(sum(pull_D(one.gradient)), sum(pull_B(other.gradient)), atol=1e-12)


@pytest.mark.usefixtures("small_blocks")
def test_a_repeated_entry_receives_the_sum_of_its_gradients(rng):
    z = rng.normal(size=(7, 3))
    places, upstream = (
        [(np.array([1, 1, 4]), np.array([2, 2, 0])), (np.array([1]), np.array([2]))],
        [1.0, 2.0, 4.0, 8.0],
    )
    gradients = []
    for D, pull_D in matrices(z):
        values, pull = distance_matrix(D).entries(*places)
        expected = pairwise.l2(z, z)[0][[1, 1, 4, 1], [2, 2, 0, 2]]
        np.testing.assert_allclose(np.concatenate(values), expected, rtol=1e-12)
        dD = pull(np.array(upstream[:3]), np.array(upstream[3:]))
        gradients.append(sum(pull_D(dD)))
        if isinstance(dD, np.ndarray):
            assert (dD[1, 2], dD[4, 0], dD.sum()) == (11, 4, 15)
    np.testing.assert_allclose(*gradients, atol=1e-12)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    "read", [losses.supcon, losses.all_pairs(losses.contrastive), miners.batch_hard], ids=lambda f: f.__name__
)
def test_the_position_of_a_nan_is_named_in_a_blockwise_matrix_too(read, rng):
    z = rng.normal(size=(7, 3))
    z[5] = np.nan
    for D, _ in matrices(z):
        with pytest.raises(ValueError, match=r"D holds nan at \(0, 5\)"):
            read(D, LABELS)


def test_a_function_that_needs_the_whole_matrix_names_the_array_to_use(rng):
    z = rng.normal(size=(7, 3))
    B = blockwise(pairwise.squared_l2, threads=1)(z, z)[0]
    for reader, call in {
        "this loss": lambda: losses.n_pair(B, LABELS),
        "reduction 'none'": lambda: losses.supcon(B, LABELS, reduction="none"),
        r"this miner \(batch_hard does not\)": lambda: miners.semi_hard_facenet(B, LABELS),
        "NumPy": lambda: np.asarray(B),
    }.items():
        message = rf"D is blockwise, and {reader} needs the whole matrix: use pairwise\.squared_l2 itself"
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(TypeError, match="d must be a floating-point NumPy array, not BlockwiseMatrix"):
        losses.contrastive(B, LABELS == 0)


def test_a_loss_reads_any_object_with_the_protocol(rng):
    class Counted(Whole):
        calls = 0

        def scan(self, loss, above=False):
            Counted.calls += 1
            return super().scan(loss, above)

    D = rng.random((7, 7))
    assert losses.nca(Counted(D), LABELS)[0] == losses.nca(D, LABELS)[0]
    assert Counted.calls == 1


@pytest.mark.parametrize("folder", ["losses", "miners"])
def test_losses_and_miners_never_test_the_type_of_what_they_read(folder):
    for file in (Path(minisiam.__file__).parent / folder).glob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        assert not names & {"isinstance", "hasattr", "type"}, file
