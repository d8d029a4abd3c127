"""Any name, title and number can be drawn: every public function of `plots`, with warnings as errors."""

import inspect
from collections import namedtuple

import numpy as np
import pytest
from matplotlib.text import Text

from minisiam import distances, evaluate, losses, pairwise, plots
from minisiam.analysis import forces
from minisiam.plots import style
from minisiam.samplers import Episode

NAMES = (
    "plain",
    "_x",
    "$$",
    "US$ 1, CA$ 2",
    r"$a_b$ and $\frac",
    r"\frac{1}{2} \n",
    "100 % {x} %s {}",
    "two\nlines\tand a tab",
    "",
    " ",
    "emoji 😀🦊",
    "中文 한국어 العربية עברית",
    "a\x00\x1b[31m\u200b\u202e\ud800z",
    "thirty characters, or so, long",
    "Ж" * 200,
    "many words " * 30,
)
Row = namedtuple("Row", "method family alike reference means by_seed")
Mean = namedtuple("Mean", "value half")
EPISODE = Episode(np.arange(3), np.arange(3), np.arange(3, 6), np.arange(3))
PICTURES = np.random.default_rng(0).random((12, 8, 8, 1))
Z, LABELS = np.random.default_rng(0).normal(size=(12, 2)), np.repeat(np.arange(3), 4)


def laid_out(figure):
    figure.draw_without_rendering()
    return figure


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def every_figure(name):
    """A call of each public function, with this name wherever it takes text."""
    same = np.arange(12) < 6
    curve = evaluate.roc(np.arange(12.0), same)
    means = {"map_at_r": Mean(0.5, 0.1), "one_shot_error": Mean(0.5, float("nan"))}
    rows = [Row(name, name, k > 0, k == 0, means, {0: 0.5}) for k in range(2)]
    azimuth, elevation = np.tile(np.arange(4), 3), np.repeat(np.arange(3), 4)
    score = evaluate.Score(0.5, 0.4, 0.6)
    xray = forces.xray(losses.supcon, Z, LABELS, pairwise.l2)
    record = {"step": 1, "loss": 0.5, "active": 0.5, "validation": 0.5}
    return {
        "alphabet_errors": lambda: plots.alphabet_errors({name: {name: 0.1, name + "b": 0.2}}, name),
        "clusters": lambda: plots.clusters(Z, LABELS, title=name, names=[name] * 3),
        "clusters_side_by_side": lambda: plots.clusters_side_by_side({name: Z, name + "b": Z}, LABELS),
        "curves": lambda: plots.curves([record], 0.1, name),
        "distance_fields": lambda: plots.distance_fields({name: (distances.l2, (0, 0))}),
        "distances": lambda: plots.distances(np.arange(12.0), same, 3.0, name, name, name),
        "distortion_sheet": lambda: plots.distortion_sheet(PICTURES[:2], PICTURES[None, :6].repeat(2, 0), name),
        "few_shot_sheet": lambda: plots.few_shot_sheet(PICTURES, [EPISODE], [np.array([0, 2, -1])], [name]),
        "glyph_sheet": lambda: plots.glyph_sheet(PICTURES[:4].reshape(2, 2, 8, 8, 1), [name, name], name),
        "gradient_page": lambda: plots.gradient_page("l2"),
        "image_map": lambda: plots.image_map(Z, LABELS, PICTURES, name, [name] * 3),
        "methods_compared": lambda: plots.methods_compared(rows, name, name),
        "one_shot_bars": lambda: plots.one_shot_bars({name: score, name + "b": score}, 0.05, name),
        "pairs_sheet": lambda: plots.pairs_sheet(PICTURES, PICTURES, same),
        "roc": lambda: plots.roc({name: curve}, {name: (0.5, 0.5)}, name),
        "scene": lambda: plots.scene("triplet"),
        "triplets_sheet": lambda: plots.triplets_sheet(PICTURES, PICTURES, PICTURES, title=name),
        "view_map": lambda: plots.view_map(
            np.random.default_rng(0).normal(size=(12, 3)), azimuth, elevation, same, PICTURES, 4
        ),
        "view_sheet": lambda: plots.view_sheet(PICTURES, azimuth, elevation, 0 * azimuth, same, [0, 30, 60]),
        "xray": lambda: plots.xray(xray, name),
    }


TAKES_TEXT = sorted(set(every_figure("")) - {"gradient_page", "pairs_sheet", "scene", "view_map", "view_sheet"})


def test_every_public_function_is_tried():
    functions = {
        name for name in plots.__all__ if inspect.signature(getattr(plots, name)).return_annotation == "Figure"
    }
    assert functions == set(every_figure(""))


@pytest.mark.parametrize("figure", sorted(every_figure("")))
def test_a_figure_has_no_formulas(figure):
    shown = laid_out(every_figure("$a_b$")[figure]())
    drawn = (text for text in shown.findobj(Text) if text.get_visible() and "$" in text.get_text())
    assert not any(text.get_parse_math() for text in drawn)


@pytest.mark.parametrize(
    ("figure", "name"),
    [
        *((figure, name) for figure in TAKES_TEXT for name in ("_" + " ".join(NAMES[:-2]), "Ж" * 200)),
        *(("clusters", name) for name in NAMES),
    ],
)
def test_any_text_can_be_drawn(figure, name):
    laid_out(every_figure(name)[figure]())


def test_every_class_that_is_named_is_in_the_legend():
    shown = plots.clusters(Z, LABELS, names=["_noise", "", "US$ 1, CA$ 2"]).axes[0].get_legend()
    assert [text.get_text() for text in shown.get_texts()] == ["_noise", "", "US$ 1, CA$ 2"]
    shown = plots.clusters(Z, LABELS, PICTURES, names=["_a", "b", "c"]).axes[0].get_legend()
    assert [text.get_text() for text in shown.get_texts()] == ["_a", "b", "c"]


def test_names_are_drawn_as_they_are_unless_they_are_too_long_or_no_font_has_them():
    for name in ("_x", "$$", r"\frac", "%s {}", "", "thirty characters, or so, long", "Жук"):
        assert style.drawable(name) == name
    assert style.drawable("two\nlines\t\x00\U000f0000\u200b") == r"two lines \x00\U000f0000"
    short = style.drawable("begin" + "x" * 200 + "end")
    assert short.startswith("begin") and short.endswith("end") and len(short) < 60
    assert style.width_of([style.drawable("Ж" * 200)]) <= style.LONGEST


def test_a_title_is_broken_into_lines():
    assert style.heading("short", 3) == "short"
    lines = style.heading("many words " * 30, 4).splitlines()
    assert len(lines) == style.TITLE_LINES and style.width_of(lines, 12) < 4.4


LOSSES = {
    "negative": [-3.0, -2.0, -5.0],
    "zero": [0.0, 0.0, 0.0],
    "constant": [0.69, 0.69, 0.69],
    "huge": [1e30, 1e300, 1.0],
    "tiny": [1e-30, 1e-320, 2e-30],
    "not finite": [1.0, float("nan"), float("inf"), -float("inf"), 2.0],
    "never finite": [float("nan")] * 3,
    "one": [0.3],
}


@pytest.mark.parametrize("losses", LOSSES.values(), ids=LOSSES)
def test_any_loss_can_be_drawn(losses):
    log = [{"step": 5 * k, "loss": loss, "active": float("nan"), "validation": None} for k, loss in enumerate(losses)]
    top, _ = laid_out(plots.curves(log, 0.05)).axes
    low, high = top.get_ylim()
    finite = [loss for loss in losses if np.isfinite(loss)]
    assert all(low <= loss <= high for loss in finite)
    assert sum(np.isfinite(top.lines[0].get_ydata())) == len(finite)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize(
    "d", [[0, 0, 0, 0], [1, 1, 1, 1], [-1, -1, -1, -1], [-2, 0, 1, 5], [3, 3, 3, 3 + 1e-12]], ids=str
)
def test_any_distances_can_be_drawn(d, scale):
    d = scale * np.array(d, float)
    laid_out(plots.distances(d, np.arange(4) < 2, 1e9))
    bins = plots.training._bins(d)
    assert np.all(np.diff(bins) > 0) and bins[0] <= d.min()


@pytest.mark.parametrize("same", [[True] * 4, [False] * 4], ids=["no negative", "no positive"])
@pytest.mark.parametrize("threshold", [None, -np.inf, np.nan])
def test_pairs_of_one_kind_and_thresholds_that_are_no_number_can_be_drawn(same, threshold):
    laid_out(plots.distances(np.arange(4.0), np.array(same), threshold))


@pytest.mark.parametrize("scale", [0.0, 1e30])
@pytest.mark.parametrize(("classes", "size"), [(1, 2), (1, 3), (2, 64), (9, 2), (60, 3)])
def test_clusters_of_any_size_and_number(classes, size, scale):
    z = (scale * np.random.default_rng(0).normal(size=(classes, size))).astype(np.float32)
    laid_out(plots.clusters(z, np.arange(classes) - 5))
