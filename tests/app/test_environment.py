"""Encodings, pipes, disks, file systems and other people's files: what surrounds a command."""

import errno
import io
import os
import subprocess
import sys
import threading
from contextlib import suppress

import numpy as np
import pytest

from minisiam import checkpoint
from minisiam.analysis import _console
from minisiam.app import cli, figures, outputs, run
from minisiam.app.commands import _options

MINE = b"my own file"


def printed(monkeypatch, words, encoding):
    """What a command writes, in an encoding."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    with suppress(SystemExit):
        cli.main(words)
    sys.stdout.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp1251", "shift-jis", "utf-8"])
@pytest.mark.parametrize("words", [["compare"], ["xray"], ["papers", "list"], ["train", "--help"], ["--help"]])
def test_every_encoding_can_show_every_text(monkeypatch, words, encoding):
    assert len(printed(monkeypatch, words, encoding)) > 200


def test_what_an_encoding_lacks_is_replaced():
    _console.accept_any_text()
    assert "a × b − ‖c‖ ≥ ł \udc80".encode("ascii", "minisiam") == rb"a x b - ||c|| >= \u0142 \udc80"
    assert "a × b − c".encode("cp1252", "minisiam") == "a × b - c".encode("cp1252")


class Full(io.StringIO):
    """An output that cannot be written."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def fileno(self):
        return os.open(os.devnull, os.O_WRONLY)


def test_a_closed_pipe_ends_a_command_without_a_message(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    assert cli.main(["compare"]) == _console.CLOSED
    assert capsys.readouterr().err == ""


def test_a_full_disk_below_the_output_is_explained(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full(OSError(errno.ENOSPC, "No space left on device")))
    assert cli.main(["compare"]) == 1
    assert "No space left on device: free some space" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes of the shell")
def test_a_pipe_that_closes_leaves_no_traceback():
    for words in ("--help", "compare"):
        code = f"{sys.executable} -m minisiam {words} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr
        assert done.returncode in (0, _console.CLOSED)


FILE_OPTIONS = [
    ["explore", "triplet", "--save"],
    ["xray", "--out"],
    ["check", "--figure", "l2", "--out"],
    ["data", "--show"],
    ["train", "--safetensors"],
]


@pytest.mark.parametrize("words", FILE_OPTIONS, ids=" ".join)
def test_no_command_replaces_the_file_of_another(tmp_path, capsys, words):
    path = tmp_path / "mine.png"
    path.write_bytes(MINE)
    assert cli.main([*words, str(path)]) == 1
    assert "exists, and it has no mark of minisiam" in capsys.readouterr().err
    assert path.read_bytes() == MINE
    assert cli.main([*words, str(tmp_path)]) == 1
    assert "is a folder: name a file" in capsys.readouterr().err


def test_the_same_command_writes_its_figure_again(tmp_path):
    path = tmp_path / "new" / "x.png"
    for _ in range(2):
        assert cli.main(["explore", "triplet", "--save", str(path)]) == 0
    assert [p.name for p in path.parent.iterdir()] == ["x.png"]


def test_a_default_name_that_is_taken_gets_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "l2.png").write_bytes(MINE)
    for _ in range(2):
        assert cli.main(["check", "--figure", "l2"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["l2-2.png", "l2.png"]
    assert (tmp_path / "l2.png").read_bytes() == MINE


def failing(monkeypatch, code, folders_only=False):
    """Let `os.fsync` fail, of folders or of everything."""
    real, is_folder = os.fsync, lambda handle: os.fstat(handle).st_mode & 0o170000 == 0o040000

    def fsync(handle):
        if is_folder(handle) or not folders_only:
            raise OSError(code, os.strerror(code))
        return real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_with_the_file_and_leaves_nothing(tmp_path, monkeypatch, code):
    failing(monkeypatch, code)
    path = tmp_path / "new" / "deep" / "x.png"
    with pytest.raises(OSError) as raised:
        outputs.write(path, b"x")
    assert outputs.explained(raised.value).startswith(f"{path}: {os.strerror(code)}: free some space")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", checkpoint.CANNOT_SYNCHRONISE)
def test_a_file_system_that_cannot_synchronise_folders_is_no_failure(tmp_path, monkeypatch, code):
    failing(monkeypatch, code, folders_only=True)
    checkpoint.save(tmp_path / "m.npz", {"W": np.ones(3)}, {"a": 1})
    assert checkpoint.load(tmp_path / "m.npz", {"W": np.zeros(3)})["W"].tolist() == [1, 1, 1]


def test_an_error_of_the_disk_while_a_folder_is_synchronised_is_a_failure(tmp_path, monkeypatch):
    failing(monkeypatch, errno.EIO, folders_only=True)
    with pytest.raises(OSError, match=r"m\.npz"):
        checkpoint.save(tmp_path / "m.npz", {"W": np.ones(3)}, {"a": 1})


def test_runs_that_start_together_get_a_folder_each(tmp_path):
    claimed, start = [], threading.Barrier(8)

    def begin():
        start.wait()
        claimed.append(run.claimed(tmp_path / "runs", "a"))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.name for path in claimed} == {"a", *(f"a-{k}" for k in range(2, 9))}


def test_a_run_that_fails_before_its_first_checkpoint_leaves_no_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    for out in (None, tmp_path / "new" / "out", tmp_path / "mine"):
        with pytest.raises(OSError, match="full"), run.folder_of_run(out, tmp_path / "runs", "a"):
            raise OSError("full")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_unknown_backend_of_a_notebook_does_not_stop_a_figure(tmp_path):
    code = (
        "import sys; from minisiam.app.cli import main; main(['explore', 'triplet', '--save', sys.argv[1]]);"
        "sys.exit(main(['explore', 'triplet']))"
    )
    environment = os.environ | {"MPLBACKEND": "module://no_such.backend_inline"}
    environment.pop("DISPLAY", None)
    path = tmp_path / "x.png"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, env=environment)
    assert path.is_file() and done.returncode == 1
    assert done.stderr.startswith("minisiam: ") and done.stderr.count("\n") == 1 and "--save FILE" in done.stderr


@pytest.mark.parametrize("name", ["random.py", "typing.py", "numpy.py"])
def test_a_script_that_hides_a_module_is_named(tmp_path, name):
    (tmp_path / name).write_text("import minisiam\nminisiam.distances", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[1:])}
    done = subprocess.run([sys.executable, name], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stderr.splitlines()[-1].endswith(f"imports them instead: {name}. Rename them")


def test_suggested_commands_are_quoted_and_run_without_the_path(monkeypatch, tmp_path):
    monkeypatch.setattr(_options.shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "python"))
    assert _options.command("plot", "runs/it's a") == f"'{tmp_path}/my env/python' -m minisiam plot 'runs/it'\"'\"'s a'"
    (tmp_path / "my env").mkdir()
    (tmp_path / "my env" / "minisiam").touch()
    monkeypatch.chdir(tmp_path)
    assert _options.command("plot", "a") == "'my env/minisiam' plot a"
    monkeypatch.setattr(_options.shutil, "which", lambda name: str(tmp_path / "my env" / "minisiam"))
    assert _options.command("plot", "a") == "minisiam plot a"


def test_a_figure_that_fails_is_named_and_the_others_are_drawn(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def broken():
        raise ValueError("too few classes: use more")

    monkeypatch.setattr(figures, "_figures", lambda run, data: {"a": Figure, "b": broken, "c": Figure})
    monkeypatch.setattr(figures.papers, "figures", lambda run, data: {})
    lines = []
    opened = type("", (), {"folder": tmp_path})()
    assert figures.draw(opened, None, lines.append) == ["b"]
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == ["a.png", "c.png"]
    assert lines[1].endswith("b.png was not drawn: too few classes: use more")
    assert outputs.require_free(tmp_path / "figures" / "a.png", "--out")
