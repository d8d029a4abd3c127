"""`show` displays the figures of a lesson or saves them."""

import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import minisiam
from minisiam.course.lesson import show


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lesson.py"])
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with matplotlib.rc_context():
        matplotlib.use("agg")
        yield
        pyplot.close("all")


@pytest.fixture
def figure():
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([0, 1])
    return figure


@pytest.mark.parametrize("options", [["--save", "{}"], ["--save={}"]])
def test_save_writes_the_named_figure_into_a_new_folder(figure, tmp_path, monkeypatch, options):
    folder = tmp_path / "a" / "b"
    monkeypatch.setattr(sys, "argv", ["lesson.py", *(option.format(folder) for option in options)])
    show(figure, "99_name")
    assert [path.name for path in folder.iterdir()] == ["99_name.png"]
    assert np.ptp(pyplot.imread(folder / "99_name.png")) > 0


def test_arguments_of_a_console_are_ignored(figure, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["pydevconsole.py", "--mode=client", "--port=1", "-f", "kernel.json", "--sav", "x"]
    )
    show(figure, "99_name")
    assert "--save" in capsys.readouterr().out


def test_without_a_screen_the_message_suggests_save(figure, capsys):
    show(figure, "99_name")
    assert "--save" in capsys.readouterr().out


def test_on_a_screen_a_window_opens_and_the_script_waits_only_at_its_end(figure, monkeypatch):
    calls = []
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "simulated")
    monkeypatch.setattr(pyplot, "pause", lambda seconds: calls.append("pause"))
    monkeypatch.setattr(pyplot, "show", lambda block=True: calls.append(f"wait {block}"))
    monkeypatch.setattr("atexit.register", lambda function: calls.append("at exit") or function)
    show(figure, "99_name")
    assert [pyplot.figure(number) for number in pyplot.get_fignums()] == [figure]
    assert calls == ["wait False", "pause", "at exit"]


def test_a_notebook_displays_the_figure_whatever_the_arguments_of_the_kernel(figure, monkeypatch):
    shown = []
    ipython = types.ModuleType("IPython.display")
    ipython.Image, ipython.display = bytes, shown.append
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    package = types.ModuleType("IPython")
    package.version_info = (9, 0)  # matplotlib reads it when the first canvas of a process is made
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)
    monkeypatch.setattr(sys, "argv", ["kernel", "-f", "kernel.json"])
    show(figure, "99_name")
    assert shown[0].startswith(b"\x89PNG")


def test_a_lesson_runs_to_its_end_without_a_screen(tmp_path):
    script = tmp_path / "lesson.py"
    script.write_text(
        textwrap.dedent("""
            from matplotlib.figure import Figure
            from minisiam.course.lesson import show
            show(Figure(), "one"), show(Figure(), "two")
            print("the end")
        """)
    )
    command = [sys.executable, "-W", "error", str(script)]
    env = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(Path(minisiam.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path)
    assert done.stdout.endswith("the end\n"), done.stderr
