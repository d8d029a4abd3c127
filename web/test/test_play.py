"""Drag, train and draw in Chromium; the values are those of the library outside the browser."""

from __future__ import annotations

import os
import re
from functools import partial

import numpy as np
import pytest
from conftest import LATE
from strokes import jittered, scribbles, strokes_of

from minisiam import losses, miners, pairwise
from minisiam.datasets.pen_glyphs import skeletons

FIRST = "+document.getElementById('value').textContent"
DRAG = """async (index) => {  // a pointer that moves once a frame: the page cannot distinguish it from a hand
  const point = document.querySelectorAll(".point")[index], plane = document.getElementById("plane");
  point.setPointerCapture = () => 0;
  point.hasPointerCapture = () => true;
  const box = plane.getBoundingClientRect(), value = document.getElementById("value"), begin = performance.now();
  let frames = 0, drawings = 0, shown = value.textContent, now = begin;
  while (now - begin < 2000) {
    const angle = (now - begin) / 300;
    const clientX = box.x + box.width * (0.5 + 0.3 * Math.cos(angle));
    const clientY = box.y + box.height * (0.5 + 0.3 * Math.sin(angle));
    point.dispatchEvent(new PointerEvent("pointermove", { pointerId: 1, clientX, clientY }));
    now = await new Promise(requestAnimationFrame);
    frames += 1;
    drawings += shown !== value.textContent;
    shown = value.textContent;
  }
  const seconds = (now - begin) / 1000;
  return [frames / seconds, drawings / seconds];
}"""


def start_drag(page):
    """Start Python on the Drag page."""
    page.click("#start")
    page.wait_for_function("document.getElementById('start').hidden", timeout=LATE)


def points_of(page):
    """The places of the points, as their labels for a screen reader give them, and their classes."""
    labels = page.locator(".point").evaluate_all("points => points.map((point) => point.getAttribute('aria-label'))")
    found = [re.fullmatch(r"point \d+, class (\w), at (\S+), (\S+)", label).groups() for label in labels]
    return np.array([[float(x), float(y)] for _, x, y in found]), np.array(["abcdef".index(c) for c, _, _ in found])


def hinge(z, labels, margin=0.5):
    """What the page computes at first: the triplet hinge over the hardest triplets."""
    D, _ = pairwise.l2(z, z)
    return losses.with_miner(partial(losses.triplet_hinge, margin=margin), miners.batch_hard)(D, labels)[0]


def shown(page, name):
    """The number that an element of the page shows."""
    return float(page.text_content(f"#{name}"))


def test_the_first_scene_is_visible_without_python(watched):
    seen = watched()
    page = seen.open("play/index.html")
    assert shown(page, "value") == pytest.approx(hinge(*points_of(page)), abs=2e-3)
    assert page.locator(".arrows path[d^=M]").count() == 6
    assert not [url for url in seen.asked if "pyodide" in url]
    page.locator(".point").first.press("ArrowLeft")  # without Python the point moves, and the page says what is missing
    assert "Start Python" in page.text_content("#message")


def test_a_point_is_dragged_by_mouse_and_by_keyboard(watched):
    seen = watched()
    page = seen.open("play/index.html")
    start_drag(page)
    box = page.locator(".point .mark").nth(2).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] - 80, steps=6)
    page.mouse.up()
    before, _ = points_of(page)
    page.locator(".point").nth(3).press("ArrowUp")
    page.locator(".point").nth(3).press("Shift+ArrowRight")
    z, labels = points_of(page)
    assert np.allclose(z[3] - before[3], [0.25, 0.05], atol=0.011)
    page.wait_for_function(f"Math.abs({FIRST} - {hinge(z, labels)}) < 0.02", timeout=5000)
    page.locator("#announcement", has_text=re.compile("loss .*; force on point 4")).wait_for(
        state="attached", timeout=5000
    )


def test_frames_per_second_while_dragging(watched):
    page = watched().open("play/index.html")
    start_drag(page)
    page.locator(".point").last.focus()
    page.click("#remove")
    assert page.locator(".point").count() == 5
    five, drawn = fastest(page, 57)
    page.click("#thirty")
    thirty, drawn_thirty = fastest(page, 30)
    print(f"\nframes a second, and those with another value: five points {five:.0f}, {drawn:.0f}")
    print(f"thirty points {thirty:.0f}, {drawn_thirty:.0f}")
    busy = os.getloadavg()[0] > 2 * os.cpu_count()  # with other work than this test
    least = (30, 15, 15, 10) if busy else (57, 30, 30, 30)
    assert np.all(np.greater((five, drawn, thirty, drawn_thirty), least))


def fastest(page, wanted):
    """Frames a second, and those with another value: the best of a few attempts, as other processes may be running."""
    best = (0, 0)
    for _ in range(5):
        best = max(best, tuple(page.evaluate(DRAG, 2)), key=min)
        if best[0] > wanted and best[1] > 30:
            break
    return best


def test_messages_step_run_and_code(watched):
    seen = watched()
    page = seen.open("play/index.html")
    start_drag(page)
    page.select_option("#loss", "circle")
    page.select_option("#distance", "l2")
    page.locator("#message", has_text="use --distance cosine").wait_for(timeout=5000)
    page.select_option("#loss", "contrastive")
    page.wait_for_function("!document.getElementById('drag-page').classList.contains('stale')", timeout=5000)
    first = shown(page, "value")
    page.click("#step")
    page.wait_for_function(f"{FIRST} < {first}", timeout=5000)
    page.click("#run")
    page.wait_for_function(f"{FIRST} < {first / 2}", timeout=LATE)
    page.click("#run")
    page.click("summary")
    page.locator("#code", has_text="losses.contrastive").wait_for(timeout=5000)
    namespace = {}
    exec(page.text_content("#code"), namespace)
    assert namespace["x"].value == pytest.approx(shown(page, "value"), abs=2e-3)
    for _ in range(5):  # until no class has two points
        page.click("#remove")
    page.locator("#message.wrong").wait_for(timeout=5000)
    page.hover("#matrix", position={"x": 60, "y": 60})
    assert "F" in page.text_content("#cell")


def train_until(page, steps):
    """Wait until the run has made some steps, then pause it; the numbers on the page."""
    training = "document.getElementById('start').textContent === 'Pause'"
    page.wait_for_function(f"{training} && +steps.textContent > {steps}", timeout=LATE)
    page.click("#start")
    page.wait_for_function("document.getElementById('start').textContent === 'Train'", timeout=LATE)
    numbers = {name: shown(page, name) for name in ("steps", "value", "spread")}
    return numbers | {name: int(page.text_content(f"#{name}").split()[0]) for name in ("recall", "pixels")}


def test_a_collapse_is_caused_and_repaired(watched):
    seen = watched()
    page = seen.open("play/train.html")
    assert int(page.text_content("#recall").split()[0]) > 50  # the run that was computed when the site was built
    assert not [url for url in seen.asked if "pyodide" in url]
    page.select_option("#speed", "5")
    page.click("#collapse")
    page.wait_for_function(
        "+steps.textContent < 100 && document.getElementById('start').textContent === 'Pause'", timeout=LATE
    )
    collapsed = train_until(page, 150)
    assert abs(collapsed["value"] - 1) < 0.01
    assert collapsed["spread"] < 0.01
    assert collapsed["recall"] < 30
    assert "the loss is the margin" in page.text_content("#message")
    page.click("#repair")
    page.wait_for_function("+steps.textContent < 100", timeout=LATE)
    repaired = train_until(page, 150)
    assert repaired["spread"] > 1
    assert repaired["recall"] > 60
    assert "no problem" in page.text_content("#message")
    print(f"\ncollapsed {collapsed}, repaired {repaired}")


def draw(page, strokes):
    """Draw strokes with the mouse, and wait until the last one is answered; the verdict."""
    page.click("#clear")
    page.wait_for_function("document.getElementById('nearest').childElementCount === 0")
    box = page.locator("#paper").bounding_box()
    low, high = (function(np.concatenate(strokes), axis=0) for function in (np.min, np.max))
    scale = 0.7 * box["width"] / max(high - low)
    for stroke in strokes:
        at = (np.array(stroke) - (low + high) / 2) * scale + [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        page.mouse.move(*at[0])
        page.mouse.down()
        for place in at[1::3]:
            page.mouse.move(*place)
        page.mouse.move(*at[-1])
        page.mouse.up()
    page.wait_for_function("document.getElementById('draw-page').dataset.idle === 'true'", timeout=LATE)
    return page.text_content("#verdict")


def test_drawn_letters_are_named_and_scribbles_are_unknown(watched):
    seen = watched()
    page = seen.open("play/draw.html")
    assert page.locator("#letters li").count() == 20
    assert not [url for url in seen.asked if "pyodide" in url or "model.npz" in url]
    page.click("#example")  # enables Clear
    page.click("#start")
    page.wait_for_function("document.getElementById('start').hidden", timeout=LATE)
    letters, rng = skeletons(), np.random.default_rng(0)
    numbers = np.flatnonzero(letters.groups == letters.names.index("cyrillic"))[:20]
    verdicts = [draw(page, jittered(strokes_of(letters.bones[number]), rng)) for number in numbers]
    right = sum(
        verdict.startswith(chr(letters.codes[number])) for number, verdict in zip(numbers, verdicts, strict=True)
    )
    unknown = [draw(page, lines) for lines in scribbles(rng)]
    print(f"\n{right} of 20 drawn letters are named, {verdicts.count('unknown')} unknown; scribbles: {unknown}")
    assert right >= 18
    assert unknown.count("unknown") >= len(unknown) - 1


def test_an_example_is_named_without_a_mouse(watched):
    page = watched().open("play/draw.html")
    page.select_option("#alphabet", "lao")
    page.focus("#start")
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('start').hidden", timeout=LATE)
    page.focus("#example")
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('nearest').childElementCount === 8", timeout=LATE)
    assert page.text_content("#verdict").strip() not in ("", "Draw a letter.")


@pytest.mark.parametrize("name", ["index", "train", "draw"])
def test_a_page_shows_its_first_state_and_says_that_python_needs_a_server(browser, site, name):
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / "play" / f"{name}.html").as_uri())
    page.click("#start")
    assert "server" in page.text_content("#message")
    if name == "draw":
        page.click("#example")
        page.wait_for_function("document.getElementById('letters').childElementCount === 20")
    page.close()
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1400])
@pytest.mark.parametrize("name", ["play/index.html", "play/train.html", "play/draw.html"])
def test_pages_fit_their_window(watched, name, width, scheme):
    seen = watched(width=width, scheme=scheme)
    seen.open(name)
    assert not seen.is_too_wide()


def test_what_the_start_page_shows_is_dragged_without_python(watched):
    seen = watched()
    page = seen.open("index.html")
    first = page.text_content(".springs .value")
    page.locator(".springs .point").nth(2).press("Shift+ArrowUp")
    assert page.text_content(".springs .value") != first
    assert not [url for url in seen.asked if "pyodide" in url]
