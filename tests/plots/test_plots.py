"""Figures contain the data passed to them: the tests count their parts, without a display."""

import io

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.quiver import Quiver

from minisiam import distances, evaluate, plots
from minisiam.samplers import Episode


def drawn(figure):
    """Render the figure: warnings are errors, and a figure that cannot be laid out raises one."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure.axes


def test_two_dimensional_embeddings_are_drawn_unchanged(rng):
    z = rng.normal(size=(12, 2))
    (axes,) = drawn(plots.clusters(z, np.repeat([0, 1, 2], 4)))
    points = np.concatenate([c.get_offsets() for c in axes.collections])
    np.testing.assert_allclose(points, z)
    assert len(axes.get_legend().get_texts()) == 3


def test_embeddings_of_more_dimensions_are_drawn_by_two_principal_components(rng):
    z = rng.normal(size=(50, 5)) * [0.1, 5, 0.1, 2, 0.1]
    plane, names = plots.plane_of(z)
    largest = np.linalg.eigvalsh(np.cov(z.T))[:-3:-1]
    np.testing.assert_allclose(np.cov(plane.T), np.diag(largest), atol=1e-12 * largest[0])
    assert "% of the variance" in names[0]
    (axes,) = drawn(plots.clusters(z, np.zeros(50, int), rng.random((50, 8, 8, 1))))
    assert sum(isinstance(part, plots.training.AnnotationBbox) for part in axes.get_children()) == 50


def test_clusters_side_by_side_draw_every_image_in_every_embedding_and_the_hollow_ones_as_outlines(rng):
    z, hollow = rng.normal(size=(12, 2)), np.arange(12) % 3 == 0
    first, second = drawn(plots.clusters_side_by_side({"one": z, "two": -z}, np.repeat([0, 1, 2], 4), hollow))
    for axes, points in ((first, z), (second, -z)):
        parts = [(c.get_offsets(), len(c.get_facecolors()) == 0) for c in axes.collections]
        for outlined in (True, False):
            mine = np.concatenate([offsets for offsets, empty in parts if empty == outlined])
            np.testing.assert_allclose(mine, points[hollow == outlined])


def test_a_collapsed_embedding_can_be_drawn():
    drawn(plots.clusters(np.ones((4, 3)), np.array([0, 0, 1, 1])))
    drawn(plots.distances(np.zeros(4), np.array([True, True, False, False])))


def test_the_histogram_of_distances_names_its_threshold(rng):
    (axes,) = drawn(plots.distances(rng.random(40), np.arange(40) < 20, 0.5, "margin"))
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["same class", "different classes", "margin = 0.5"]


def test_roc_draws_each_curve_and_labels_the_marks(rng):
    curve = evaluate.roc(rng.random(40), np.arange(40) < 20)
    (axes,) = drawn(plots.roc({"one": curve}, {"here": (0.1, 0.7)}))
    line = next(line for line in axes.lines if line.get_label() == "one")
    np.testing.assert_array_equal(line.get_xydata(), np.stack([curve.false_accept, curve.true_accept], axis=1))
    assert [text.get_text() for text in axes.texts] == ["here"]


def test_curves_show_loss_and_validation_accuracy():
    log = [{"step": s, "loss": 1 / s, "active": 0.5, "validation": 0.1 * s} for s in (1, 2, 3)]
    top, bottom = drawn(plots.curves(log, chance=0.05))
    np.testing.assert_allclose(top.lines[0].get_ydata(), [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(bottom.lines[0].get_ydata(), [10, 20, 30])


def test_few_shot_sheet_frames_wrong_predictions(rng):
    images = rng.random((6, 8, 8, 1))
    episode = Episode(np.array([0, 1, 2]), np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([0, 1, 2]))
    axes = drawn(plots.few_shot_sheet(images, [episode], [np.array([0, 2, -1])], ["Elvish"]))
    assert any("Elvish: 1 of 3 correct" in t.get_text() for a in axes for t in a.texts)
    queries, chosen, correct = axes[:3], axes[3:6], axes[6:9]
    assert [len(a.images) for a in queries] == [1, 1, 1]
    assert [a.axison for a in chosen] == [False, True, True]
    assert [len(a.images) for a in correct] == [0, 1, 1]


def test_sheets_show_every_image(rng):
    a, b, c = rng.random((3, 10, 8, 8, 1))
    axes = drawn(plots.pairs_sheet(a, b, np.arange(10) < 5, np.arange(10.0)))
    assert axes[0].get_title() == "same\n0.00"
    assert sum(len(x.images) for x in axes) == 10
    assert sum(len(x.images) for x in drawn(plots.triplets_sheet(a, b, c))) == 10
    (axes,) = drawn(plots.glyph_sheet(rng.random((2, 3, 8, 8, 1)), ["one", "two"], "Letters"))
    assert axes.images[0].get_array().shape == (16, 24)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    letter, others = drawn(plots.distortion_sheet(a[:4], rng.random((4, 3, 8, 8, 1)), "Letters"))
    assert [x.images[0].get_array().shape for x in (letter, others)] == [(40, 10), (40, 30)]


def test_the_bars_are_as_long_as_the_accuracies():
    scores = {"this network": evaluate.Score(0.9, 0.88, 0.92), "pixels": evaluate.Score(0.4, 0.38, 0.42)}
    (axes,) = drawn(plots.one_shot_bars(scores, 0.05, "one-shot"))
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([90, 40])


def test_wrong_arguments_raise_errors_with_a_remedy():
    with pytest.raises(ValueError, match="use --embedding-size 2"):
        plots.plane_of(np.ones((3, 1)))
    with pytest.raises(ValueError, match="log is empty"):
        plots.curves([])
    with pytest.raises(TypeError, match="boolean"):
        plots.distances(np.ones(2), np.array([0, 1]))


def test_distance_fields_show_the_unit_ball_of_each_distance():
    fields = {"one": (distances.l1, (0, 0)), "two": (distances.l2, (0.5, 0))}
    for axes, (distance, b) in zip(drawn(plots.distance_fields(fields)), fields.values(), strict=True):
        *_, ball = (c for c in axes.collections if isinstance(c, ContourSet))
        corners = ball.get_paths()[0].vertices
        np.testing.assert_allclose(distance(corners, np.full_like(corners, b))[0], 1, atol=0.02)
        (arrows,) = (c for c in axes.collections if isinstance(c, Quiver))
        step = np.stack([arrows.U, arrows.V], axis=1)
        ahead = arrows.XY + 0.01 * step / np.linalg.norm(step, axis=1, keepdims=True)
        nearer = distance(ahead, np.full_like(ahead, b))[0] < distance(arrows.XY, np.full_like(ahead, b))[0]
        assert nearer.all()
