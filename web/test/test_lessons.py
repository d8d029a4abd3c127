"""The cells of the lessons: run, edit, stop and reset them in Chromium."""

from __future__ import annotations

import time

import pytest

LESSON = "lessons/03_two_branches.html"
CONVNET = "lessons/13_omniglot.html"


class Cells:
    """The cells of a page; they are counted from 1, as on the page."""

    def __init__(self, watched, path=LESSON, **options):
        self.watched = watched(**options)
        self.page = self.watched.open(path)
        self.count = self.page.locator(".cell").count()

    def cell(self, number):
        """The element of a cell."""
        return self.page.locator(".cell").nth(number - 1)

    def state(self, number):
        """Its state: running, done, error, …"""
        return self.cell(number).get_attribute("data-state")

    def press(self, name, number=None):
        """Press a button, of a cell or of the page's bar."""
        place = self.page.locator(".cells-bar") if number is None else self.cell(number).locator(".cell-tools")
        place.get_by_text(name, exact=True).click()

    def wait(self, number, *states):
        """Wait until a cell has one of the states."""
        self.page.wait_for_function(
            "([number, states]) => states.includes(document.querySelectorAll('.cell')[number - 1].dataset.state)",
            arg=[number, states or ("done", "error", "stopped", "kept")],
        )
        return self.state(number)

    def run(self, number):
        """Run a cell and return its state."""
        self.press("Run", number)
        return self.wait(number)

    def output(self, number):
        """The text of its output."""
        return self.cell(number).locator(".cell_output").inner_text().strip()

    def type(self, number, text):
        """Replace the code of a cell, by the keyboard."""
        editor = self.cell(number).locator(".cm-content")
        if not editor.is_visible():
            self.cell(number).locator(".cell_input pre").first.click()
            editor.wait_for()
        editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def status(self):
        """What the bar says."""
        return self.page.locator(".cells-bar [role=status]").inner_text()


@pytest.fixture
def cells(watched):
    """A function that opens the cells of a page."""
    return lambda *arguments, **options: Cells(watched, *arguments, **options)


def test_nothing_of_python_is_loaded_before_a_cell_runs(cells):
    lesson = cells()
    assert not any("pyodide" in address or "codemirror" in address for address in lesson.watched.asked)
    assert lesson.status().startswith("Python has not started")


def test_a_lesson_runs_from_top_to_bottom_and_every_output_is_replaced(cells):
    lesson = cells()
    rendered = lesson.page.evaluate(
        "[...document.querySelectorAll('.cell_output > *')].map((e) => e.marked = true).length"
    )
    assert rendered >= 2
    begin = time.perf_counter()
    lesson.press("Run all")
    lesson.wait(lesson.count)
    print(f"{LESSON} from a fresh page: {time.perf_counter() - begin:.1f} s")
    assert [lesson.state(number) for number in range(1, lesson.count + 1)] == ["done"] * lesson.count
    left, now = lesson.page.evaluate("""(() => {
        const shown = [...document.querySelectorAll('.cell_output > *')];
        return [shown.filter((element) => element.marked).length, shown.length];
    })()""")
    assert (left, now) == (0, rendered)
    assert lesson.page.locator(".cell_output img[src^='data:image/png']").count() == 1
    assert "def apply" in lesson.output(5)
    assert lesson.status() == "Python is ready. All cells have run."


def test_an_edited_cell_runs_is_kept_across_a_reload_and_can_be_reset(cells):
    lesson = cells()
    original = lesson.cell(1).locator(".cell_input pre").inner_text()
    lesson.type(1, "print('first')\nfigure = 2\n[figure, 3]")
    assert lesson.run(1) == "done"
    assert lesson.output(1) == "first\n[2, 3]"
    lesson.page.reload()
    assert lesson.cell(1).locator(".cell_input pre").first.inner_text() == "print('first')\nfigure = 2\n[figure, 3]"
    assert lesson.run(1) == "done"
    lesson.press("Reset", 1)
    assert lesson.cell(1).locator(".cell_input pre").first.inner_text() == original
    assert lesson.output(1) == ""
    lesson.page.reload()
    assert lesson.cell(1).locator(".cell_input pre").first.inner_text() == original


def test_an_error_names_the_cell_and_the_line_and_shows_the_values_of_a_failed_assertion(cells):
    lesson = cells()
    lesson.type(1, "def check(left, right):\n    assert left == right\n\ncheck(1, 2)")
    assert lesson.run(1) == "error"
    shown = lesson.output(1)
    assert "Cell 1, line 4\n    check(1, 2)" in shown
    assert "Cell 1, line 2, in check\n    assert left == right" in shown
    assert "AssertionError\n    left = 1\n    right = 2" in shown
    assert "site-packages" not in shown and "page/" not in shown
    assert lesson.status() == "Cell 1 raised an error."


def test_output_appears_while_the_cell_runs_and_an_infinite_loop_stops_at_once(cells):
    lesson = cells()
    lesson.type(1, "print('begun')\nwhile True:\n    pass")
    lesson.press("Run", 1)
    lesson.cell(1).locator(".cell-text").wait_for()
    assert lesson.output(1) == "begun"
    seconds = lesson.page.evaluate("""new Promise((done) => {
        const cell = document.querySelector(".cell"), begin = performance.now();
        const watch = () => cell.dataset.state === "stopped" && done((performance.now() - begin) / 1000);
        new MutationObserver(watch).observe(cell, { attributes: true });
        [...document.querySelectorAll(".cells-bar button")].at(-1).click();
    })""")
    print(f"an infinite loop stopped in {seconds:.3f} s")
    assert seconds <= 0.2
    assert "All variables are lost" in lesson.status()
    lesson.type(1, "'again'")
    assert lesson.run(1) == "done"
    assert lesson.output(1) == "'again'"


def test_a_cell_whose_names_are_not_defined_offers_to_run_the_cells_above(cells):
    lesson = cells()
    assert lesson.run(4) == "kept"
    assert lesson.cell(4).locator(".cell-note").inner_text().startswith("Run all above first: ")
    lesson.press("Run all above", 4)
    assert lesson.wait(4, "done") == "done"
    assert [lesson.state(number) for number in range(1, 5)] == ["done"] * 4


def test_a_cell_that_trains_a_convnet_keeps_its_output_and_so_do_those_that_need_it(cells):
    lesson = cells(CONVNET)
    (number,) = [n for n in range(1, lesson.count + 1) if "tag_convnet" in lesson.cell(n).get_attribute("class")]
    note = lesson.cell(number).locator(".cell-note")
    assert "Trains a convolutional network (about " in note.inner_text()
    rendered = lesson.cell(number + 1).locator("img").get_attribute("src")
    lesson.press("Run all")
    assert lesson.wait(lesson.count) == "kept"
    assert "Needs the network of cell" in lesson.cell(number + 1).locator(".cell-note").inner_text()
    assert lesson.cell(number + 1).locator("img").get_attribute("src") == rendered
    assert lesson.state(number) is None
    assert [lesson.state(n) for n in range(1, number)] == ["done"] * (number - 1)


def test_the_keyboard_runs_edits_and_moves_on(cells):
    lesson = cells()
    focused = "[...document.querySelectorAll('.cell')].findIndex((cell) => cell.contains(document.activeElement)) + 1"
    lesson.cell(1).locator(".cell_input pre").focus()
    lesson.page.keyboard.press("Shift+Enter")
    assert lesson.page.evaluate(focused) == 2
    assert lesson.wait(1) == "done"
    lesson.page.keyboard.press("Enter")
    lesson.cell(2).locator(".cm-content").wait_for()
    lesson.page.keyboard.press("Control+a")
    lesson.page.keyboard.insert_text("2 + 2")
    lesson.page.keyboard.press("Control+Enter")
    assert lesson.wait(2) == "done"
    assert lesson.output(2) == "4"
    assert lesson.page.evaluate(focused) == 2
    assert lesson.cell(2).locator(".cm-content").inner_text() == "2 + 2", "the editor has no line from Enter"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_lesson_fits_a_phone(cells, scheme):
    lesson = cells(width=390, scheme=scheme)
    assert not lesson.watched.is_too_wide()
    assert lesson.run(1) == "done"
    lesson.type(2, "x = '" + "a long line " * 20 + "'\nx")
    assert lesson.run(2) == "done"
    assert not lesson.watched.is_too_wide()


def test_every_cell_and_button_has_a_name(cells):
    lesson = cells()
    names = lesson.page.evaluate("[...document.querySelectorAll('.cell-tools button')].map((b) => b.ariaLabel)")
    assert len(names) == len(set(names)) and "Run cell 3 (Shift+Enter)" in names
    labels = lesson.page.evaluate("[...document.querySelectorAll('.cell_input pre')].map((e) => e.ariaLabel)")
    assert len(set(labels)) == lesson.count and all(labels)


def test_a_cell_with_a_long_wait_says_how_long(cells):
    lesson = cells("lessons/09_collapse.html")
    notes = lesson.page.locator(".cell-note").all_inner_texts()
    assert any(note.startswith("about ") for note in notes), notes
