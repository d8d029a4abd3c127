"""The explorer shows the numbers of the library. Mouse and key events are simulated, without a display."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from minisiam import distances, losses
from minisiam.app import cli
from minisiam.plots import explorer_scene, explorer_state, explorer_window
from minisiam.plots.explorer_window import HELP, LEARNING_RATE, Explorer

KINDS = [(kind, loss) for kind, known in explorer_state.LOSSES.items() for loss in known]
SAME = np.array([True, True, False, False])


@pytest.fixture
def opened():
    """Opens an explorer; returns it and a list with an entry for each time it was closed."""

    def open_one(kind="contrastive", loss=None):
        closed = []
        figure = Figure(figsize=explorer_scene.SIZE)
        FigureCanvasAgg(figure).draw_idle = lambda: None  # the tests read the figure, not its pixels
        explorer = Explorer(figure, explorer_state.state(kind, loss=loss), lambda: closed.append(True))
        return explorer, closed

    return open_one


def mouse(explorer, name, place):
    canvas = explorer.figure.canvas
    x, y = explorer.plane.transData.transform(place)
    canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, 1))


def drag(explorer, start, end):
    mouse(explorer, "button_press_event", start)
    mouse(explorer, "motion_notify_event", end)
    mouse(explorer, "button_release_event", end)


def press(explorer, *keys):
    canvas = explorer.figure.canvas
    for key in keys:
        canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))


def loss_shown(explorer):
    return float(explorer.plane.get_title().rpartition(" ")[2])


def by_hand(s):
    """The default losses, from their formulas."""
    a, others = s.points[0], s.points[1:]
    d = np.linalg.norm(others - a, axis=1)
    if s.kind == "triplet":
        return np.maximum(0, d[0] - d[1:] + s.margin).sum()
    if s.kind == "contrastive":
        return (0.5 * d[SAME] ** 2).sum() + (0.5 * np.maximum(0, s.margin - d[~SAME]) ** 2).sum()
    cos = others @ a / np.linalg.norm(others, axis=1) / np.linalg.norm(a)
    return (1 - cos[SAME]).sum() + np.maximum(0, cos[~SAME] - s.margin).sum()


@pytest.mark.parametrize("kind", explorer_state.LOSSES)
def test_after_a_point_is_dragged_the_loss_agrees_with_the_formula(opened, kind):
    explorer, _ = opened(kind)
    assert loss_shown(explorer) == pytest.approx(by_hand(explorer.start), abs=6e-4)
    drag(explorer, explorer.now.points[3], (-0.9, 0.2))
    np.testing.assert_allclose(explorer.now.points[3], (-0.9, 0.2), atol=1e-9)
    np.testing.assert_array_equal(
        np.delete(explorer.now.points, 3, axis=0), np.delete(explorer.start.points, 3, axis=0)
    )
    assert loss_shown(explorer) == pytest.approx(by_hand(explorer.now), abs=6e-4)
    assert loss_shown(explorer) != pytest.approx(by_hand(explorer.start), abs=6e-4)


def test_the_mouse_drags_only_a_point_nearby_and_only_while_pressed(opened):
    explorer, _ = opened()
    drag(explorer, (-2, 2), (0, 0))
    assert explorer.now is explorer.start
    drag(explorer, explorer.now.points[1], (1, 1))
    mouse(explorer, "motion_notify_event", (0, 0))
    np.testing.assert_allclose(explorer.now.points[1], (1, 1), atol=1e-9)
    mouse(explorer, "button_press_event", (1, 1))
    mouse(explorer, "motion_notify_event", (9, 9))  # outside the plane
    np.testing.assert_allclose(explorer.now.points[1], (1, 1), atol=1e-9)


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_arrows_are_minus_the_gradient(kind, loss):
    s = explorer_state.state(kind, loss=loss)
    (arrows,) = (
        part for part in explorer_scene.scene(kind, loss=loss).axes[0].get_children() if isinstance(part, Quiver)
    )
    h, slope = 1e-6, np.zeros((5, 2))
    for i in np.ndindex(5, 2):
        step = np.zeros((5, 2))
        step[i] = h
        up, down = (explorer_state.evaluate(s._replace(points=s.points + sign * step)).value for sign in (1, -1))
        slope[i] = (up - down) / (2 * h)
    moved = np.linalg.norm(slope, axis=1) > 1e-6
    np.testing.assert_allclose(arrows.XY, s.points[moved])
    stretch = explorer_scene.STRETCH.get(loss, 0.4)
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=1), -stretch * slope[moved], atol=1e-7)
    assert arrows.scale == 1
    assert arrows.angles == arrows.scale_units == "xy"


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_the_gradient_agrees_with_the_pullbacks_of_single_pairs_and_triplets(kind, loss):
    s = explorer_state.state(kind, loss=loss)
    reading = explorer_state.evaluate(s)
    a, others = np.repeat(s.points[:1], 4, axis=0), s.points[1:]
    d, pull = (distances.cosine if kind == "cosine" else distances.l2)(a, others)
    margin = {} if s.margin is None else {"negative_margin" if loss == "pair-hinge" else "margin": s.margin}
    if kind == "triplet":
        function = getattr(losses, f"triplet_{loss.replace('-', '_')}")
        found = [function(d[:1], d[i : i + 1], **margin) for i in (1, 2, 3)]
        dd = np.concatenate([sum(p(1.0)[0] for _, p in found), *(p(1.0)[1] for _, p in found)])
    else:
        function = getattr(losses, loss.replace("-", "_"))
        found = [function(d[i : i + 1], SAME[i : i + 1], **margin) for i in range(4)]
        dd = np.concatenate([p(1.0)[0] for _, p in found])
    assert reading.value == pytest.approx(sum(value for value, _ in found))
    da, db = pull(dd)
    np.testing.assert_allclose(reading.gradient, [da.sum(axis=0), *db], atol=1e-12)


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_the_space_key_takes_a_gradient_step_that_lowers_the_loss(opened, kind, loss):
    explorer, _ = opened(kind, loss)
    press(explorer, " ")
    expected = explorer.start.points - LEARNING_RATE * explorer_state.evaluate(explorer.start).gradient
    np.testing.assert_allclose(explorer.now.points, expected)
    assert explorer_state.evaluate(explorer.now).value < explorer_state.evaluate(explorer.start).value - 1e-3


def test_the_default_states_show_every_kind_of_force():
    shown = {
        kind: explorer_state.descriptions(s := explorer_state.state(kind), explorer_state.evaluate(s))
        for kind in explorer_state.LOSSES
    }
    assert shown["contrastive"][1:] == ["pulled", "pulled", "pushed", "no force"]
    assert shown["cosine"][1:] == ["pulled", "pulled", "pushed", "no force"]
    assert shown["triplet"][1:] == [
        "pulled by 2 triplets",
        "hard: pushed",
        "semi-hard: pushed",
        "easy: no force",
    ]


def test_the_forces_of_a_distance_of_differences_sum_to_zero():
    for kind in ("contrastive", "triplet"):
        np.testing.assert_allclose(
            explorer_state.evaluate(explorer_state.state(kind)).gradient.sum(axis=0), 0, atol=1e-12
        )


def test_cosine_forces_are_tangents():
    s = explorer_state.state("cosine")
    np.testing.assert_allclose((explorer_state.evaluate(s).gradient * s.points).sum(axis=1), 0, atol=1e-12)


def test_keys_choose_and_move_a_point(opened):
    explorer, _ = opened()
    assert explorer.chosen == 1
    press(explorer, "tab")
    assert explorer.chosen == 2
    press(explorer, "tab", "tab", "tab")
    assert explorer.chosen == 0
    for key, by in {"left": (-0.1, 0), "up": (0, 0.1), "shift+right": (0.01, 0), "shift+down": (0, -0.01)}.items():
        press(explorer, "r", "4", key)
        np.testing.assert_allclose(explorer.now.points[3] - explorer.start.points[3], by, atol=1e-12)
    explorer.move_to((2.35, 0))
    press(explorer, "right", "right")
    np.testing.assert_allclose(explorer.now.points[3], (explorer_state.REACH, 0))


def test_plus_and_minus_change_the_margin_of_a_loss_that_has_one(opened):
    for kind, most in (("triplet", explorer_state.REACH), ("cosine", 1)):
        explorer, _ = opened(kind)
        before = explorer.now.margin
        press(explorer, "+")
        assert explorer.now.margin == pytest.approx(before + 0.1)
        press(explorer, "-", "-")
        assert explorer.now.margin == pytest.approx(before - 0.1)
        explorer.change_margin(most - explorer.now.margin - 0.05)
        press(explorer, "=")
        assert explorer.now.margin == most
    explorer, _ = opened("triplet", "ratio")
    press(explorer, "+")
    assert explorer.now.margin is None


def test_keys_reset_help_and_quit_and_other_keys_do_nothing(opened):
    explorer, closed = opened()
    press(explorer, "up", "+", "r")
    assert explorer.now is explorer.start
    caption = explorer_state.CAPTIONS["contrastive"]

    def written():
        return {text.get_text() for text in explorer.figure.texts}

    assert caption in written()
    press(explorer, "h")
    assert HELP in written()
    assert caption not in written()
    press(explorer, "h", "s", "f5")
    assert caption in written()
    press(explorer, "q")
    assert closed == [True]


def test_help_names_every_key():
    explorer = Explorer(Figure(), explorer_state.state("contrastive"), lambda: None)
    words = {" ": "space", "=": "+", "-": "-", **{str(i): "1 to 5" for i in range(1, 6)}}
    for key in explorer.keys:
        word = "arrow keys" if key.removeprefix("shift+") in explorer_window.ARROWS else words.get(key, key)
        assert word in HELP, key


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_no_label_overlaps_an_arrow(kind, loss):
    figure = explorer_scene.scene(kind, loss=loss)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    plane = figure.axes[0]
    (arrows,) = (part for part in plane.get_children() if isinstance(part, Quiver))
    labels = [text.get_window_extent() for text in plane.texts if text.get_text()]
    assert len(labels) >= 6  # five points, and the regions
    for start, way in zip(arrows.XY, np.stack([arrows.U, arrows.V], axis=1), strict=True):
        along = plane.transData.transform(start + np.linspace(0, 1, 20)[:, None] * way)
        assert not any(box.contains(x, y) for box in labels for x, y in along)


def test_a_figure_is_saved_without_a_display(tmp_path, capsys):
    path = tmp_path / "made" / "triplet.png"
    assert cli.main(["explore", "triplet", "--loss", "soft-margin", "--save", str(path)]) == 0
    assert path.stat().st_size > 10_000
    assert str(path) in capsys.readouterr().out


def test_without_a_display_the_error_suggests_save(monkeypatch, capsys):
    monkeypatch.setattr(plt, "get_backend", lambda: "agg")
    assert cli.main(["explore", "cosine"]) == 1
    assert "--save FILE" in capsys.readouterr().err


def test_a_window_has_the_documented_keys_and_q_closes_it(monkeypatch):
    monkeypatch.setattr(plt, "get_backend", lambda: "a window")
    plt.switch_backend("agg")
    seen = []

    def show():
        figure = plt.gcf()
        canvas = figure.canvas
        canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, "h"))
        seen.append(any(text.get_text() == HELP for text in figure.texts))
        canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, "q"))
        seen.append(plt.fignum_exists(figure.number))

    monkeypatch.setattr(plt, "show", show)
    explorer_window.window(explorer_state.state("triplet"))
    assert seen == [True, False]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"kind": "triple"}, "did you mean 'triplet'"),
        ({"kind": "triplet", "loss": "contrastive"}, "unknown loss"),
        ({"kind": "triplet", "loss": "ratio", "margin": 1.0}, "no margin: leave margin out, or use loss hinge$"),
        ({"kind": "cosine", "margin": 2.0}, "at most 1"),
        ({"kind": "contrastive", "points": [[0, 0]]}, r"\(5, 2\), anchor, same"),
        ({"kind": "contrastive", "points": [[np.nan, 0]] * 5}, "points holds nan"),
    ],
)
def test_wrong_arguments_raise_errors_with_a_remedy(chosen, message):
    with pytest.raises(ValueError, match=message):
        explorer_scene.scene(**chosen)
