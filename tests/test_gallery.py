"""The gallery: enrol, add, remove, search, identify, verify."""

import numpy as np
import pytest

from minisiam import distances, evaluate, gallery, pairwise


def people(seed=0):
    """Three names with two examples each, around three distant centres."""
    rng = np.random.default_rng(seed)
    centres = 10 * np.eye(3, 4)
    names = [name for name in ("ada", "bo", "cy") for _ in range(2)]
    return names, (np.repeat(centres, 2, axis=0) + 0.1 * rng.normal(size=(6, 4))).astype(np.float32)


def test_each_example_finds_its_own_name():
    names, z = people()
    enrolled = gallery.enrol(names, z)
    _, queries = people(seed=1)
    assert gallery.search(enrolled, queries).names[:, 0].tolist() == names
    assert gallery.identify(enrolled, queries, threshold=1.0) == names


def test_a_stranger_is_unknown():
    enrolled = gallery.enrol(*people())
    assert gallery.identify(enrolled, np.full((1, 4), 5, np.float32), threshold=1.0) == [None]


def test_two_names_at_the_same_distance_are_unknown():
    enrolled = gallery.enrol(["a", "a", "a", "b"], np.array([[-1.0], [-1.0], [-1.0], [1.0]]))
    assert gallery.identify(enrolled, np.zeros((1, 1)), threshold=2.0) == [None]
    assert gallery.identify(enrolled, np.array([[-0.5]]), threshold=2.0) == ["a"]


def test_the_order_of_enrolment_does_not_change_who_is_identified():
    names, z = people()
    order = np.random.default_rng(0).permutation(len(names))
    one, other = gallery.enrol(names, z), gallery.enrol([names[i] for i in order], z[order])
    queries = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32) * 8
    assert gallery.identify(one, queries, 6.0) == gallery.identify(other, queries, 6.0)


def test_add_and_remove_undo_each_other():
    names, z = people()
    before = gallery.enrol(names[:4], z[:4])
    after = gallery.remove("cy", gallery.enrol(names[4:], z[4:], before))
    np.testing.assert_array_equal(after.embeddings, before.embeddings)
    assert after.names.tolist() == before.names.tolist()
    more = gallery.add(["bo"], z[2:3], before)
    assert more.names.tolist() == [*names[:4], "bo"]


def test_a_gallery_does_not_change_with_the_arrays_that_it_was_made_of():
    names, z = people()
    enrolled = gallery.enrol(names, z)
    z[:] = 0
    assert enrolled.embeddings.any()


def test_verification_gives_the_distance_and_the_probability():
    d, same = np.array([0.1, 0.3, 0.9, 1.1]), np.array([True, True, False, False])
    calibration = evaluate.calibrate(d, same)
    z1, z2 = np.zeros((2, 1)), np.array([[0.2], [1.0]])
    found = gallery.verify(z1, z2, 0.5, calibration)
    assert found.same.tolist() == [True, False]
    np.testing.assert_allclose(found.distances, [0.2, 1.0])
    assert found.probabilities[0] > 0.5 > found.probabilities[1]
    assert np.isnan(gallery.verify(z1, z2, 0.5, distance=distances.l1).probabilities).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g, z: gallery.enrol(["ada"], z[:1], g), "'ada' is enrolled already: gallery.add"),
        (lambda g, z: gallery.add(["eve"], z[:1], g), "'eve' is not enrolled: gallery.enrol"),
        (lambda g, z: gallery.remove(["eve", "joe"], g), "'eve', 'joe' are not enrolled"),
        (lambda g, z: gallery.enrol(["d", "e"], z[:1], g), "one name per embedding"),
        (lambda g, z: gallery.enrol(["d"], z[:1, :2], g), "same number of columns"),
        (lambda g, z: gallery.enrol(["d"], np.full((1, 4), np.inf)), "z holds inf"),
        (lambda g, z: gallery.search(g, z[:, :3]), "same number of columns"),
        (lambda g, z: gallery.search(g, z, 7), "k must be at most 6"),
        (lambda g, z: gallery.search(gallery.remove({"ada", "bo", "cy"}, g), z), "the gallery is empty"),
        (lambda g, z: gallery.identify(g, z, np.nan), "threshold must be"),
    ],
)
def test_bad_input_raises_an_error_with_a_remedy(call, message):
    names, z = people()
    with pytest.raises(ValueError, match=message):
        call(gallery.enrol(names, z), z)


def test_names_must_be_strings():
    _, z = people()
    for names in (list(range(6)), "abcdef", ["", *"bcdef"]):
        with pytest.raises(TypeError, match="names must be a sequence of non-empty strings"):
            gallery.enrol(names, z)


@pytest.mark.parametrize("distance", [pairwise.l2, pairwise.cosine, pairwise.l1])
def test_any_distance_can_be_used(distance):
    names, z = people()
    assert gallery.search(gallery.enrol(names, z), z, distance=distance).names[:, 0].tolist() == names


def test_lists_are_read_as_arrays():
    names, z = people()
    enrolled = gallery.enrol(names, z.tolist())
    assert gallery.identify(enrolled, z.tolist(), 1.0) == names
