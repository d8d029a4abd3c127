"""The gallery: enrol, add, remove, search, identify, verify."""

import numpy as np
import pytest

from minisiam import checkpoint, distances, evaluate, gallery, pairwise


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


@pytest.mark.parametrize("names", [["ada", "Bö", "漢字 🙂"], [f"name {i}" for i in range(50_000)], []])
def test_a_saved_gallery_is_loaded_as_it_was(tmp_path, names):
    path, z = tmp_path / "people.npz", np.random.default_rng(0).normal(size=(len(names), 4)).astype(np.float32)
    one = gallery.enrol([*names, "last"], np.concatenate([z, z[:1] if names else np.ones((1, 4), np.float32)]))
    people = gallery.remove("last", one)._replace(about={"run": "runs/x", "distance": "l2"})
    gallery.save(path, people)
    again = gallery.load(path)
    np.testing.assert_array_equal(again.embeddings, people.embeddings)
    assert again.names.tolist() == names
    assert again.about == people.about
    assert [entry.name for entry in tmp_path.iterdir()] == ["people.npz"]


def test_add_and_remove_keep_what_a_gallery_is_about():
    names, z = people()
    about = {"run": "runs/x"}
    some = gallery.enrol(names[:4], z[:4])._replace(about=about)
    assert gallery.enrol(names[4:], z[4:], some).about == about
    assert gallery.remove("bo", gallery.add(["bo"], z[:1], some)).about == about


def test_a_damaged_gallery_raises_an_error_that_names_it(tmp_path):
    path = tmp_path / "people.npz"
    gallery.save(path, gallery.enrol(*people()))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in rng.integers(0, len(whole), 50):
        path.write_bytes(whole[:length])
        with pytest.raises(checkpoint.CheckpointError, match=r"people\.npz is not a gallery that can be read"):
            gallery.load(path)


ARRAYS = {"embeddings": np.ones((2, 3)), "names": np.frombuffer(b"ab", np.uint8), "lengths": np.ones(2, int)}


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        ({}, {"number": 1}, "it is another file of minisiam"),
        ({}, {"gallery": []}, "it is another file of minisiam"),
        ({}, {"gallery": {}}, "'names'"),
        (ARRAYS | {"lengths": np.array([9])}, {"gallery": {}}, "its names have another length"),
        (ARRAYS | {"lengths": np.array([3, -1])}, {"gallery": {}}, "names must be a sequence of non-empty strings"),
        (ARRAYS | {"embeddings": np.ones(2)}, {"gallery": {}}, "z must have the shape"),
        (ARRAYS | {"embeddings": np.ones((1, 3))}, {"gallery": {}}, "one name per embedding"),
    ],
)
def test_another_file_is_no_gallery(tmp_path, arrays, settings, message):
    checkpoint.save(tmp_path / "other.npz", arrays, settings)
    with pytest.raises(checkpoint.CheckpointError, match=message):
        gallery.load(tmp_path / "other.npz")


def test_a_gallery_that_is_not_there_raises_an_error(tmp_path):
    with pytest.raises(checkpoint.CheckpointError, match=r"there is no file .*nobody.npz"):
        gallery.load(tmp_path / "nobody.npz")


def test_lists_are_read_as_arrays():
    people = gallery.enrol(["a", "b"], [[0.0, 1.0], [2.0, 3.0]])
    assert gallery.identify(people, [[0.0, 1.1]], 0.5) == ["a"]
    assert gallery.search(gallery.add(["a"], [[0.0, 1.0]], people), [[2.0, 3.0]]).names.tolist() == [["b"]]
    assert gallery.verify([[0.0]], [[0.2]], 0.5).same.tolist() == [True]
    with pytest.raises(TypeError, match="z must"):
        gallery.enrol(["a"], np.ones((1, 2), int))
