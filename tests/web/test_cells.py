"""The cells of a page: one namespace, the value of the last expression, and errors that name the cell and the line."""

import sys
from importlib import import_module
from pathlib import Path

import pytest


@pytest.fixture
def cells(monkeypatch):
    """The module that runs cells, new for each test; it takes the place of __main__."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "web" / "python"))
    monkeypatch.delitem(sys.modules, "page.cells", raising=False)
    return import_module("page.cells")


def test_the_value_of_the_last_expression_is_shown_and_none_and_a_semicolon_are_not(cells, capsys):
    assert cells.run(1, "x = 2\nx + 1\nx + 2") is None
    assert capsys.readouterr().out == "4\n"
    for text in ("None", "x;", "x = 3", "", "# nothing"):
        assert cells.run(1, text) is None
    assert capsys.readouterr().out == ""


def test_cells_share_one_namespace_and_their_source_can_be_read(cells, capsys):
    cells.run(1, "def f():\n    return 1\n")
    cells.run(2, "import inspect\nprint(inspect.getsource(f), __name__)")
    assert capsys.readouterr().out == "def f():\n    return 1\n __main__\n"


def test_an_error_has_the_lines_of_cells_and_of_the_library_only_the_innermost(cells):
    cells.run(1, "from minisiam import distances\nimport numpy as np\n\ndef f(a):\n    return distances.l2(a, a)")
    text = cells.run(2, "f(np.ones(3))")["text"]
    assert text.startswith("Cell 2, line 1\n    f(np.ones(3))")
    assert "Cell 1, line 5, in f\n    return distances.l2(a, a)" in text
    assert "page/cells.py" not in text
    assert text.count("minisiam/") == 1


def test_a_failed_assertion_shows_the_values_of_its_names(cells):
    text = cells.run(3, "a, b = 1, [2]\nassert (\n    a\n    == b\n), 'they differ'")["text"]
    assert "Cell 3, line 3" in text
    assert text.endswith("AssertionError: they differ\n    a = 1\n    b = [2]")
    assert cells.run(4, "for a in (1, 0): assert a; assert abs(a) < 1")["text"].endswith("AssertionError\n    a = 1")


def test_a_syntax_error_shows_where(cells):
    text = cells.run(5, "x = 1\ny = (")["text"]
    assert text.startswith("Cell 5, line 2\n    y = (\n        ^\nSyntaxError: ")


def test_an_exit_ends_the_cell_only(cells):
    assert cells.run(1, "raise SystemExit(3)")["text"].endswith("SystemExit: 3")


def test_a_missing_name_is_found_in_the_cell_that_defines_it(cells):
    assert cells.run(4, "x + unknown")["missing"] == "x"
    assert cells.run(4, "[].unknown")["missing"] is None
    texts = ["import numpy as np", "x = 1\ndef f(y): z = 2", "x = 3", "broken ("]
    found = {name: cells.definer(name, texts) for name in ("np", "x", "f", "y", "z", "print")}
    assert found == {"np": 1, "x": 3, "f": 2, "y": None, "z": None, "print": None}
