"""Built-in data: its contents, and that the same seed gives the same images."""

import numpy as np
import pytest

from minisiam import datasets


def test_pen_glyphs_has_every_letter_once_per_drawer(glyphs):
    assert glyphs.images.shape == (1377 * 6, 28, 28, 1)
    assert glyphs.images.dtype == np.float32
    assert (glyphs.images.min(), glyphs.images.max()) == (0, 1)
    assert len(np.unique(glyphs.labels)) == 1377
    assert len(glyphs.names) == len(np.unique(glyphs.groups)) == 31
    assert (np.bincount(glyphs.labels) == 6).all()
    assert (glyphs.drawers[:6] == np.arange(6)).all()
    ink = glyphs.images.reshape(len(glyphs.images), -1).sum(axis=1)
    assert ink.min() > 5


def test_the_same_seed_gives_the_same_images(glyphs):
    fewer = datasets.pen_glyphs(drawers=2)
    for drawer in range(2):
        ours, theirs = (data.where(data.drawers == drawer).images for data in (glyphs, fewer))
        np.testing.assert_array_equal(ours, theirs)
    other = datasets.pen_glyphs(drawers=2, rng=np.random.default_rng(1))
    assert not np.array_equal(fewer.images, other.images)


@pytest.mark.parametrize("size", [14, 35, 56])
def test_other_sizes_have_the_same_share_of_ink(glyphs, size):
    drawn = datasets.pen_glyphs(drawers=1, size=size).images
    assert drawn.shape == (1377, size, size, 1)
    assert drawn.mean() == pytest.approx(glyphs.where(glyphs.drawers == 0).images.mean(), rel=0.25)


def test_split_holds_out_whole_alphabets(glyphs):
    rest, held_out = datasets.split(glyphs)
    assert not set(rest.groups) & set(held_out.groups)
    assert not set(rest.labels) & set(held_out.labels)
    assert len(np.unique(held_out.groups)) == 10
    assert len(rest.images) + len(held_out.images) == len(glyphs.images)
    assert "8,262 images of 1,377 classes in 31 alphabets" in repr(glyphs)


def test_centred_moves_the_centre_of_mass_to_the_middle(glyphs):
    some = glyphs.images[::50]
    moved = datasets.centred(some)
    np.testing.assert_allclose(moved.sum(axis=(1, 2, 3)), some.sum(axis=(1, 2, 3)), rtol=1e-5)
    ink = moved[..., 0] / moved.sum(axis=(1, 2, 3))[:, None, None]
    for axis in (1, 2):
        centre = ink.sum(axis=3 - axis) @ np.arange(28)
        assert np.abs(centre - 13.5).max() < 1.5  # what wraps around may cost a pixel
        assert np.abs(centre - 13.5).mean() < 0.4
    np.testing.assert_array_equal(datasets.centred(np.zeros((1, 5, 5, 1), np.float32)), 0)


def test_blurring_a_point_gives_a_gaussian():
    image = np.zeros((1, 21, 21, 1), np.float32)
    image[0, 10, 10] = 1
    blurred = datasets.blurred(image, sigma=1.5)[0, ..., 0]
    expected = np.exp(-((np.arange(21) - 10) ** 2) / (2 * 1.5**2))
    np.testing.assert_allclose(blurred, np.outer(expected, expected) / expected.sum() ** 2, atol=1e-6)


def test_resizing_preserves_a_constant_and_a_ramp():
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32), (1, 8, 8))[..., None]
    larger = datasets.resized(ramp, 16)
    assert larger.shape == (1, 16, 16, 1)
    np.testing.assert_allclose(np.diff(larger[0, 3, 1:-1, 0]), 0.5, atol=1e-6)
    np.testing.assert_allclose(datasets.resized(np.ones_like(ramp), 5), 1, rtol=1e-6)


def test_plane_has_one_arm_per_class(rng):
    points, labels = datasets.plane(rng, classes=3, per_class=10)
    assert points.shape == (30, 2)
    assert points.dtype == np.float32
    assert np.bincount(labels).tolist() == [10, 10, 10]
    gaps = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(30)
    assert (labels[gaps.argmin(axis=1)] == labels).mean() > 0.9


def test_posed_glyphs_have_the_documented_poses():
    posed = datasets.posed_glyphs("RG", angles=4, shifts=(-3, 0, 3))
    assert posed.images.shape == (24, 28, 28, 1)
    columns = posed.images[..., 0].sum(axis=1)
    centre = columns @ np.arange(28) / columns.sum(axis=1)
    for letter in range(2):
        for turn in np.unique(posed.angle):
            mine = (posed.labels == letter) & (posed.angle == turn)
            np.testing.assert_allclose(np.diff(centre[mine]), 3, atol=0.1)
    upright, upside_down = (
        posed.images[(posed.angle == t) & (posed.shift[:, 0] == 0)][0] for t in np.unique(posed.angle)[[0, 2]]
    )
    assert np.corrcoef(upright.ravel(), upside_down[::-1, ::-1].ravel())[0, 1] > 0.9


def test_rotated_gives_the_eight_poses(rng):
    image = rng.random((1, 4, 4, 1))
    poses = datasets.rotated(np.repeat(image, 8, axis=0), np.arange(8))
    assert len({pose.tobytes() for pose in poses}) == 8
    np.testing.assert_array_equal(poses[0], image[0])
    np.testing.assert_array_equal(poses[2], image[0, ::-1, ::-1])
    np.testing.assert_array_equal(poses[4], image[0, :, ::-1])
