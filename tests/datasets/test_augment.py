"""Augmentation obeys the mathematics: identities, inverses, ramps, areas, groups, and definitions pixel by pixel."""

import tracemalloc
from itertools import islice

import numpy as np
import pytest

from minisiam import datasets, tree
from minisiam.app import build, config, data_spec, input_pipeline, trainer
from minisiam.app import run as run_folder
from minisiam.app.config import Config
from minisiam.datasets import augment
from minisiam.datasets.augment import (
    AffineParameters,
    affine,
    apply_affine,
    dihedral,
    draw_affine,
    elastic,
    grid,
    random_shift,
    translate,
    warp,
)

SHAPES = [(5, 6, 9, 1), (3, 11, 4, 3), (1, 1, 1, 1), (4, 1, 7, 2), (0, 5, 5, 1)]


def images_of(rng, shape, dtype=np.float32):
    return rng.random(shape).astype(dtype)


def everywhere(maps, n):
    """One map for all images."""
    return np.broadcast_to(maps, (n, *maps.shape)).copy()


def parameters(n, **given):
    """Parameters of the identity, except for the given ones."""
    still = {name: np.full(n, float(name.startswith("scale"))) for name in AffineParameters._fields}
    return AffineParameters(**(still | {name: np.full(n, float(value)) for name, value in given.items()}))


def smooth(rng, n=20, size=40, margin=10):
    """Blobs that are a few pixels wide and small at the edge: bilinear sampling hardly changes them."""
    inner = rng.random((n, size - 2 * margin, size - 2 * margin, 1))
    return datasets.blurred(np.pad(inner, ((0, 0), (margin, margin), (margin, margin), (0, 0))), 2.5)


def centre(images):
    """The centre of mass of the first channel, (n, 2) as (x, y)."""
    ink = images[..., 0] / images[..., 0].sum(axis=(1, 2), keepdims=True)
    y, x = np.indices(ink.shape[1:])
    return np.stack([(ink * x).sum(axis=(1, 2)), (ink * y).sum(axis=(1, 2))], axis=1)


def pixel_by_pixel(images, maps):
    """The definition of `warp`, pixel by pixel."""
    n, h, w, c = images.shape
    out = np.zeros((n, *maps.shape[2:], c))
    for i, y, x in np.ndindex(n, *maps.shape[2:]):
        row, column = (float(place) for place in maps[i, :, y, x])
        top, left = int(np.floor(row)), int(np.floor(column))
        for r in (top, top + 1):
            for s in (left, left + 1):
                if 0 <= r < h and 0 <= s < w:
                    out[i, y, x] += (1 - abs(row - r)) * (1 - abs(column - s)) * images[i, r, s].astype(float)
    return out


# --- warp


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_warp_by_the_identity_is_exact(rng, shape, dtype):
    images = images_of(rng, shape, dtype)
    out = warp(images, everywhere(grid(*shape[1:3]), len(images)))
    assert out.dtype == dtype
    assert out.tobytes() == images.tobytes()
    assert not np.shares_memory(out, images)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 3e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("shape", SHAPES)
def test_warp_equals_its_definition(rng, shape, dtype, tolerance):
    n, h, w, _ = shape
    images = images_of(rng, shape, dtype)
    span = np.array([h, w]).reshape(1, 2, 1, 1)
    maps = rng.uniform(-2.5, span + 1.5, (n, 2, 7, 8))  # inside, on the edge, and outside
    maps[:, :, 0] = np.rint(maps[:, :, 0])  # whole numbers, which have one neighbour
    for axis, length in enumerate((h, w)):  # where the image ends, and where black is all there is
        maps[:, axis, 1 + axis] = [-1, -0.5, 0, length - 1, length - 0.75, length, 1e9, -1e9]
    maps = maps.astype(dtype)
    np.testing.assert_allclose(warp(images, maps), pixel_by_pixel(images, maps), rtol=0, atol=tolerance)


def test_warp_of_a_ramp_is_exact(rng):
    y, x = grid(9, 12)
    ramp = (0.5 + 0.25 * y - 0.125 * x)[None, :, :, None]
    places = rng.integers(0, [[[8 * 16]], [[11 * 16]]], (2, 30, 40)).astype(np.float32) / 16  # sixteenths: no rounding
    out = warp(ramp, places[None])
    np.testing.assert_array_equal(out[0, ..., 0], 0.5 + 0.25 * places[0] - 0.125 * places[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_warp_by_whole_pixels_equals_translate(rng, shape):
    images = images_of(rng, shape)
    for down, right in [(0, 0), (1, 0), (0, -2), (-3, 2), (5, 5), (40, 0), (-40, 1)]:
        maps = everywhere(grid(*shape[1:3]) - np.float32([[[down]], [[right]]]), len(images))
        by = np.tile([down, right], (len(images), 1))
        np.testing.assert_array_equal(warp(images, maps), translate(images, by))


def test_warp_is_linear_and_does_not_leave_the_range_of_the_image(rng):
    a, b = rng.random((2, 4, 8, 8, 2))
    maps = rng.uniform(-2, 9, (4, 2, 8, 8))
    np.testing.assert_allclose(warp(2 * a - 3 * b, maps), 2 * warp(a, maps) - 3 * warp(b, maps), atol=1e-12)
    out = warp(a, maps)
    assert out.min() >= 0
    assert out.max() <= a.max()


def test_warp_can_change_the_shape(rng):
    images = images_of(rng, (2, 8, 6, 3))
    maps = everywhere(grid(3, 5) + np.float32(1), 2)
    np.testing.assert_array_equal(warp(images, maps), images[:, 1:4, 1:6])
    assert warp(images, np.zeros((2, 2, 0, 4), np.float32)).shape == (2, 0, 4, 3)


def test_positions_have_the_dtype_of_the_image_and_at_least_float32(rng, monkeypatch):
    images = images_of(rng, (2, 90, 90, 1), np.float16)
    maps = rng.uniform(60, 80, (2, 2, 6, 6)).astype(np.float32)  # where float16 knows sixteenths
    np.testing.assert_allclose(warp(images, maps), pixel_by_pixel(images, maps), atol=3e-3)
    seen = []
    monkeypatch.setattr(
        "minisiam.datasets.bilinear._bilinear", lambda images, rows, columns, out: seen.extend((rows, columns))
    )
    for dtype, expected in [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)]:
        for call in (lambda x: warp(x, maps), lambda x: affine(x, np.random.default_rng(0))):
            call(images.astype(dtype))
            assert {places.dtype for places in seen} == {np.dtype(expected)}
            seen.clear()


def test_warp_pads_only_a_chunk_of_images_at_a_time():
    """A few samples from each of many images need the memory of one image."""
    images = np.zeros((300, 200, 200, 1), np.float32)
    tracemalloc.start()
    warp(images, np.zeros((300, 2, 1, 1), np.float32))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * images[0].nbytes


# --- translate and random_shift


def test_translate_equals_its_definition(rng):
    images = images_of(rng, (60, 5, 4, 2))
    by = rng.integers(-6, 7, (60, 2))
    out = translate(images, by)
    for i, y, x in np.ndindex(60, 5, 4):
        row, column = y - by[i, 0], x - by[i, 1]
        inside = 0 <= row < 5 and 0 <= column < 4
        np.testing.assert_array_equal(out[i, y, x], images[i, row, column] if inside else 0)


def test_all_random_shifts_are_equally_likely(rng):
    dot = np.zeros((9000, 5, 5, 1), np.float32)
    dot[:, 2, 2] = 1
    count = random_shift(dot, rng, 1).sum(axis=0)[..., 0]
    assert count[1:4, 1:4].sum() == 9000
    np.testing.assert_allclose(count[1:4, 1:4], 1000, atol=130)  # four standard deviations
    np.testing.assert_array_equal(random_shift(dot, rng, 0), dot)


# --- affine


def test_a_distortion_and_its_inverse_give_the_identity(rng):
    images = smooth(rng)
    for given in ({"rotation": 10}, {"rotation": -35}, {"shift_x": 0.013, "shift_y": -0.04}):
        back = {name: -value for name, value in given.items()}
        once = apply_affine(images, parameters(20, **given))
        assert np.abs(once - images).max() > 0.1 * images.max()
        np.testing.assert_allclose(apply_affine(once, parameters(20, **back)), images, atol=0.03 * images.max())


def test_quarter_turns_and_mirrors_equal_rotated(rng):
    images = images_of(rng, (8, 7, 7, 2), np.float64)
    for pose in range(8):
        found = apply_affine(images, parameters(8, rotation=90 * (pose % 4)))
        if pose >= 4:
            found = apply_affine(found, parameters(8, scale_x=-1))
        np.testing.assert_allclose(found, datasets.rotated(images, np.full(8, pose)), atol=1e-12)


def test_an_affine_shift_by_whole_pixels_equals_translate(rng):
    images = images_of(rng, (3, 10, 20, 1))
    out = apply_affine(images, parameters(3, shift_x=0.1, shift_y=-0.3))  # of 20 pixels and of 10
    np.testing.assert_allclose(out, translate(images, np.tile([-3, 2], (3, 1))), atol=1e-5)


def test_the_centre_of_mass_follows_the_matrix_and_the_area_the_determinant(rng):
    images = smooth(rng, 200, 50, 18)
    drawn = draw_affine(200, rng)
    out, A = apply_affine(images, drawn), augment.affine_matrices(drawn)
    middle, shift = 24.5, 50 * np.stack([drawn.shift_x, drawn.shift_y], axis=1)
    expected = np.einsum("nij,nj->ni", A, centre(images) - middle) + middle + shift
    np.testing.assert_allclose(centre(out), expected, atol=0.02)
    np.testing.assert_allclose(out.sum(axis=(1, 2, 3)) / images.sum(axis=(1, 2, 3)), np.linalg.det(A), rtol=0.01)


def test_the_matrix_is_rotation_times_shear_times_scale():
    (A,) = augment.affine_matrices(parameters(1, rotation=30, shear_x=0.2, shear_y=-0.1, scale_x=1.1, scale_y=0.9))
    c, s = np.cos(np.pi / 6), 0.5
    rotation, shear, scale = [[c, s], [-s, c]], [[1, 0.2], [-0.1, 1]], [[1.1, 0], [0, 0.9]]
    np.testing.assert_allclose(A, np.array(rotation) @ shear @ scale, atol=1e-15)


def test_distortions_change_the_amount_of_ink_little(glyphs):
    images = glyphs.images[::7]
    share = affine(images, np.random.default_rng(0)).sum(axis=(1, 2, 3)) / images.sum(axis=(1, 2, 3))
    assert np.median(share) == pytest.approx(1, abs=0.03)
    assert share.mean() == pytest.approx(1, abs=0.03)
    share = elastic(images, np.random.default_rng(0)).sum(axis=(1, 2, 3)) / images.sum(axis=(1, 2, 3))
    assert np.median(share) == pytest.approx(1, abs=0.05)


KOCH = {
    "rotation": (0, 10),
    "shear_x": (0, 0.3),
    "shear_y": (0, 0.3),
    "scale_x": (1, 0.2),
    "scale_y": (1, 0.2),
    "shift_x": (0, 2 / 105),
    "shift_y": (0, 2 / 105),
}


def test_koch_s_parameters_are_independent_with_probability_one_half_and_uniform(rng):
    n = 20_000
    drawn = draw_affine(n, rng)._asdict()
    assert list(drawn) == list(KOCH)
    there = np.array([drawn[name] != still for name, (still, _) in KOCH.items()])
    np.testing.assert_allclose(there.mean(axis=1), 0.5, atol=0.015)  # four standard deviations
    np.testing.assert_allclose(np.corrcoef(there), np.eye(7), atol=0.03)  # independent
    for (still, most), values, mask in zip(KOCH.values(), drawn.values(), there, strict=True):
        share = (values[mask] - still) / most
        assert np.abs(share).max() <= 1 + 1e-12
        np.testing.assert_allclose(np.quantile(share, [0, 0.25, 0.5, 0.75, 1]), [-1, -0.5, 0, 0.5, 1], atol=0.04)


def test_the_probability_may_be_0_or_1(rng):
    images = images_of(rng, (50, 8, 8, 1))
    assert affine(images, rng, probability=0).tobytes() == images.tobytes()
    assert all((part != (i in (3, 4))).all() for i, part in enumerate(draw_affine(50, rng, probability=1)))
    only_rotated = draw_affine(50, rng, shear=0, scale=0, shift=0, probability=1)
    np.testing.assert_allclose(np.linalg.det(augment.affine_matrices(only_rotated)), 1)


# --- elastic


def displacement(n, size, rng, **how):
    """The displacement along rows, which is the change of a ramp under `elastic`, far from the edge."""
    ramp = everywhere(grid(size, size)[1][:, :, None].astype(float), n)
    inner = slice(size // 4, -size // 4)
    return (elastic(ramp, rng, **how) - ramp)[:, inner, inner, 0]


def test_elastic_has_the_documented_standard_deviation(rng):
    for alpha, sigma in [(8, 1.5), (20, 3), (60, 4)]:
        along = displacement(300, 48, rng, alpha=alpha, sigma=sigma)
        expected = alpha / (2 * sigma * np.sqrt(3 * np.pi))
        assert along.std() == pytest.approx(expected, rel=0.06)
        assert abs(along.mean()) < 0.1 * expected


def test_displacements_along_rows_and_columns_are_independent(rng):
    y, x = grid(40, 40).astype(float)
    ramps = everywhere(np.stack([y, x], axis=2), 100)
    down, right = (elastic(ramps, rng, alpha=20, sigma=3) - ramps)[:, 10:-10, 10:-10].reshape(-1, 2).T
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.1
    assert down.std() == pytest.approx(right.std(), rel=0.1)


def test_displacements_of_neighbours_are_correlated(rng):
    """The correlation of a Gaussian blur at a distance r is exp(−r² / 4σ²)."""
    along = displacement(300, 48, rng, alpha=20, sigma=3)
    for r in (1, 3, 6):
        found = np.corrcoef(along[:, :, r:].ravel(), along[:, :, :-r].ravel())[0, 1]
        assert found == pytest.approx(np.exp(-(r**2) / (4 * 3**2)), abs=0.04)


def test_the_default_distortion_scales_with_the_image(rng):
    small, large = (displacement(300, size, rng).std() / size for size in (29, 58))
    assert large == pytest.approx(small, rel=0.1)
    given = elastic(np.ones((2, 29, 29, 1)), np.random.default_rng(3), 34, 4)
    np.testing.assert_array_equal(elastic(np.ones((2, 29, 29, 1)), np.random.default_rng(3)), given)
    wide = np.ones((2, 29, 58, 1))  # the longer side counts
    given = elastic(wide, np.random.default_rng(3), 4 * 34, 2 * 4)
    np.testing.assert_array_equal(elastic(wide, np.random.default_rng(3)), given)


def test_elastic_with_alpha_0_is_the_identity(rng):
    images = images_of(rng, (3, 9, 7, 2))
    assert elastic(images, rng, alpha=0, sigma=2).tobytes() == images.tobytes()


# --- properties of all distortions


@pytest.mark.parametrize("distort", [affine, elastic, random_shift])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_distortions_keep_shape_dtype_and_input_and_depend_on_the_seed(distort, dtype, shape):
    images = images_of(np.random.default_rng(5), shape, dtype)
    images.flags.writeable = False
    before = images.tobytes()
    out, again = (distort(images, np.random.default_rng(1)) for _ in range(2))
    assert out.shape == shape
    assert out.dtype == dtype
    assert out.tobytes() == again.tobytes()
    assert images.tobytes() == before
    assert np.isfinite(out).all()
    assert not np.shares_memory(out, images)
    assert not len(out) or (out.min() >= 0 and out.max() <= 1)


@pytest.mark.parametrize("distort", [affine, elastic, random_shift])
def test_another_seed_and_another_call_give_other_distortions(distort, rng):
    images = images_of(rng, (20, 12, 12, 1))
    source = np.random.default_rng(1)
    three = {distort(images, r).tobytes() for r in (source, source, np.random.default_rng(2))}
    assert len(three) == 3


@pytest.mark.parametrize("distort", [affine, elastic, random_shift])
def test_channels_are_distorted_alike_and_need_not_be_contiguous(distort, rng):
    planes = images_of(rng, (3, 6, 10, 9))
    images = planes.transpose(1, 2, 3, 0)  # (6, 10, 9, 3), a view
    out = distort(images, np.random.default_rng(1))
    for channel in range(3):
        alone = distort(planes[channel, ..., None].copy(), np.random.default_rng(1))
        np.testing.assert_array_equal(out[..., channel], alone[..., 0])


@pytest.mark.parametrize("distort", [affine, elastic])
def test_the_result_does_not_depend_on_the_size_of_a_chunk(distort, rng, monkeypatch):
    images = images_of(rng, (23, 9, 8, 2))
    whole = distort(images, np.random.default_rng(1))
    for pixels in (1, 5 * 72, 7 * 72):
        monkeypatch.setattr("minisiam.datasets.bilinear.PIXELS", pixels)
        assert distort(images, np.random.default_rng(1)).tobytes() == whole.tobytes()


@pytest.mark.parametrize("distort", [affine, elastic, random_shift])
def test_each_image_has_its_own_distortion(distort, rng):
    same = everywhere(rng.random((12, 12, 1)).astype(np.float32), 30)
    assert len({image.tobytes() for image in distort(same, rng)}) > 12


# --- dihedral


def test_dihedral_makes_eight_classes_of_each_class(rng):
    images, labels = images_of(rng, (3, 5, 5, 2)), np.array([4, 0, 4])
    out, poses = dihedral(images, labels)
    assert out.shape == (24, 5, 5, 2)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(poses.reshape(3, 8), 8 * labels[:, None] + np.arange(8))
    np.testing.assert_array_equal(out[::8], images)
    for i in range(3):
        assert len({pose.tobytes() for pose in out[8 * i : 8 * i + 8]}) == 8
    assert [len(part) for part in dihedral(images[:0], labels[:0])] == [0, 0]


def test_the_eight_poses_are_the_group_d4(rng):
    """Closed, with an identity and inverses, not commutative, and with the orders of D₄."""
    image = images_of(rng, (1, 6, 6, 1))
    number = {pose.tobytes(): i for i, pose in enumerate(dihedral(image, np.array([0]))[0])}

    def times(a, b):
        """Pose a, then pose b."""
        return number[datasets.rotated(datasets.rotated(image, np.array([a])), np.array([b])).tobytes()]

    table = np.array([[times(a, b) for b in range(8)] for a in range(8)])
    np.testing.assert_array_equal(table[0], np.arange(8))
    np.testing.assert_array_equal(table[:, 0], np.arange(8))
    for line in (*table, *table.T):
        assert sorted(line) == list(range(8))
    for a, b, c in np.ndindex(8, 8, 8):
        assert table[table[a, b], c] == table[a, table[b, c]]
    assert (table != table.T).any()
    assert [int(table[a, a] == 0) for a in range(8)] == [1, 0, 1, 0, 1, 1, 1, 1]


# --- in training


CHOSEN = [
    Config(network="siamese"),
    Config(network="triplet"),
    Config(network="verification"),
    *(Config(loss=loss) for loss in ("supcon", "hinge", "cosface", "prototypical", "info-nce")),
]


@pytest.fixture(scope="module")
def small(glyphs):
    rest, test = datasets.split(glyphs)
    return data_spec.Data(*datasets.split(rest, every=5), test)


@pytest.mark.parametrize("name", ["affine", "elastic"])
@pytest.mark.parametrize("chosen", CHOSEN, ids=lambda s: s.title)
def test_augmentation_changes_the_images_and_not_the_batches(small, chosen, name):
    without = build.build(chosen).batches(small.train, np.random.default_rng(1))
    with_it = Config(**(chosen.as_dict() | {"augment": name}))
    batches, again = (build.build(with_it).batches(small.train, np.random.default_rng(1)) for _ in range(2))
    (own,) = np.random.default_rng(1).spawn(1)
    for plain, ours, same in islice(zip(without, batches, again, strict=True), 3):
        assert len(plain) == len(ours)
        rng = np.random.default_rng(
            int(own.integers(2**63, size=()))
        )  # a seed for each batch, so that it can be resumed
        for a, b, c in zip(plain, ours, same, strict=True):
            assert b.dtype == a.dtype
            np.testing.assert_array_equal(b, c)
            np.testing.assert_array_equal(b, config.AUGMENTS[name](a, rng) if a.ndim == 4 else a)
            assert a.ndim != 4 or not np.array_equal(a, b)


@pytest.mark.parametrize("chosen", CHOSEN, ids=lambda s: s.title)
def test_without_augmentation_the_batches_are_unchanged(small, chosen):
    assert chosen.augment == "none"
    assert chosen.as_dict()["dihedral"] == 8
    plans = [input_pipeline.build(chosen).plan(small.train, np.random.default_rng(1)) for _ in range(2)]
    shown = input_pipeline.build(chosen)(small.train, np.random.default_rng(1))
    for plan, again, batch in islice(zip(*plans, shown, strict=True), 2):
        assert [len(part) for part in plan] == [len(part) for part in again]
        for image in (part for part in batch if part.ndim == 4):
            assert np.isin(image.sum(axis=(1, 2, 3)).round(2), small.train.images.sum(axis=(1, 2, 3)).round(2)).all()


@pytest.mark.parametrize("name", ["affine", "elastic"])
def test_a_run_with_augmentation_can_be_repeated_and_opened(small, tmp_path, name):
    chosen = Config(network="siamese", steps=8, augment=name)
    first, second = (trainer.train(chosen, small, tmp_path / folder, lambda line: None) for folder in "ab")
    tree.map(np.testing.assert_array_equal, first.params, second.params)
    assert run_folder.open_run(tmp_path / "a").config.augment == name
    assert f"{name} distortions" in first.config.title


# --- errors

X = np.zeros((2, 5, 4, 1), np.float32)
R = np.random.default_rng(0)
AT = np.zeros((2, 2, 5, 4), np.float32)
MISTAKES = {
    "three axes": (lambda: affine(X[..., 0], R), ValueError, "images must have the shape"),
    "whole numbers": (lambda: elastic(X.astype(int), R), TypeError, "np.asarray"),
    "no array": (lambda: random_shift([[1.0]], R), TypeError, "images must be a floating-point NumPy array"),
    "a seed instead of a generator": (lambda: affine(X, 0), TypeError, "np.random.default_rng"),
    "elastic with a seed": (lambda: elastic(X, 0), TypeError, "np.random.Generator, not int"),
    "random_shift without a generator": (lambda: random_shift(X, None), TypeError, "np.random.Generator, not NoneType"),
    "a negative rotation": (lambda: affine(X, R, rotation=-1), ValueError, "rotation must be .* at least 0"),
    "a negative shear": (lambda: affine(X, R, shear=-0.1), ValueError, "shear must be"),
    "a shear that folds": (lambda: affine(X, R, shear=1), ValueError, "shear must be .* less than 1"),
    "a scale to nothing": (lambda: affine(X, R, scale=1), ValueError, "scale must be .* less than 1"),
    "a negative shift": (lambda: affine(X, R, shift=-1), ValueError, "shift must be"),
    "a probability above 1": (lambda: affine(X, R, probability=1.5), ValueError, "probability must be .* at most 1"),
    "a negative strength": (lambda: elastic(X, R, alpha=-1), ValueError, "alpha must be"),
    "no width": (lambda: elastic(X, R, sigma=0), ValueError, "sigma must be .* greater than 0"),
    "half a pixel": (lambda: random_shift(X, R, 0.5), ValueError, "pixels must be a whole number"),
    "negative pixels": (lambda: random_shift(X, R, -1), ValueError, "pixels must be"),
    "moves of one axis": (lambda: translate(X, np.zeros(2, int)), ValueError, "pixels down and to the right"),
    "moves between pixels": (lambda: translate(X, np.zeros((2, 2))), ValueError, "by must be integers"),
    "moves in a list": (lambda: translate(X, [[0, 0], [0, 0]]), ValueError, "by must be integers"),
    "one map for two": (lambda: warp(X, AT[:1]), ValueError, "np.broadcast_to"),
    "a map of one axis": (lambda: warp(X, AT[:, :1]), ValueError, r"\(2, 2, p, q\)"),
    "a map without axes": (lambda: warp(X, AT[0]), ValueError, "a row and a column for each pixel"),
    "nowhere": (lambda: warp(X, AT + np.nan), ValueError, "maps holds nan"),
    "parts of another batch": (lambda: apply_affine(X, parameters(3)), ValueError, r"draw_affine\(2, rng\)"),
    "no area": (lambda: apply_affine(X, parameters(2, scale_x=0)), ValueError, "has no area"),
    "poses of a rectangle": (lambda: dihedral(X, np.array([0, 1])), ValueError, "images must be square"),
    "labels with a name": (lambda: dihedral(X[:, :4], np.array(["a", "b"])), TypeError, "labels must be an array"),
    "labels of others": (lambda: dihedral(X[:, :4], np.array([0])), ValueError, "one class per row"),
    "an unknown name": (lambda: Config(augment="afine"), ValueError, "did you mean 'affine'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_errors_give_the_remedy(mistake):
    call, kind, message = MISTAKES[mistake]
    with pytest.raises(kind, match=message):
        call()


def test_copies_are_added_to_the_pairs_and_distorted_once(small):
    chosen = Config(network="verification", pairs=40, copies=3, augment="affine", dihedral=1, batch=16)
    batches = input_pipeline.build(chosen)
    plans, shown = (
        [*islice(stream, 2 * 40 * 4 // 8)]
        for stream in (
            batches.plan(small.train, np.random.default_rng(1)),
            batches(small.train, np.random.default_rng(1)),
        )
    )
    pictures, originals = {}, 0
    for (first, second, same, _, *parts), (x1, x2, told) in zip(plans, shown, strict=True):
        np.testing.assert_array_equal(same, told)
        for i in range(len(same)):
            of_pair = (first[i], second[i], *parts[0][i], *parts[1][i])
            picture = np.stack([x1[i], x2[i]])
            if of_pair in pictures:  # the second epoch shows what the first did
                np.testing.assert_array_equal(picture, pictures[of_pair])
            pictures[of_pair] = picture
            if (parts[0][i] == augment.IDENTITY).all() and (parts[1][i] == augment.IDENTITY).all():
                originals += 1
                np.testing.assert_allclose(picture, small.train.images[[first[i], second[i]]], atol=1e-6)
    assert len(pictures) == 40 * 4
    assert 2 * 40 <= originals <= 2 * 44  # a copy is left undistorted with probability ½¹⁴


@pytest.mark.parametrize(
    "more", [{"pairs": 0, "augment": "affine"}, {"pairs": 100}, {"pairs": 100, "augment": "elastic"}, {"copies": -1}]
)
def test_copies_need_pairs_and_an_affine_distortion(more):
    with pytest.raises(ValueError, match="copies"):
        Config(**({"network": "verification", "copies": 8} | more))
