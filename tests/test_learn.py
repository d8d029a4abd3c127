"""The exercises: stubs fail, the library passes, every mistake is noticed; and nothing that a learner writes harms."""

import ast
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import learner_answers
import pytest

from minisiam import cli, learn
from minisiam.learn import EXERCISES, isolation, marks, mistakes, progress, selfcheck, stubs, words

HEADER = "from __future__ import annotations\nimport numpy as np\nfrom minisiam.typing import Array, Float, Op\n"
SIGNATURE = 'def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):\n'
RIGHT = HEADER + SIGNATURE + "    return ((a - b) ** 2).sum(axis=1)\n"
NO_GRADIENT = {"all-pairs", "batch-hard", "semi-hard", "recall", "sampler", "threshold", "collapse", "find-the-bug"}
ids = {"argvalues": EXERCISES, "ids": lambda exercise: exercise.name}


def run(*arguments, work):
    return cli.main(["learn", *arguments, "--work", str(work)])


# the exercises themselves


@pytest.mark.parametrize("exercise", **ids)
def test_the_stub_fails_the_library_passes_and_every_mistake_is_noticed(exercise):
    rows = list(selfcheck.rows(exercise))
    assert [row.told for row in rows if not row.right] == []
    assert [row.what for row in rows[:2]] == ["stub", "library"]
    assert len(rows) == 2 + len(mistakes.OF[exercise.name]) > 3
    for row in rows[2:]:
        if exercise.name not in NO_GRADIENT:
            assert row.rows <= 3
        if exercise.name != "collapse":  # there a network is trained
            assert row.seconds < 2


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if hasattr(learner_answers, e.function) and e.name != "l2"])
def test_another_way_than_the_library_s_is_right_as_well(exercise):
    verdict = selfcheck.judge(exercise, getattr(learner_answers, exercise.function))
    assert verdict.status == "passed", verdict.message


def test_every_famous_mistake_is_seeded_somewhere():
    seeded = {mistake for of in mistakes.OF.values() for mistake in of}
    assert seeded >= {
        "wrong sign",
        "twice",
        "half",
        "a sum for a mean",
        "no hinge",
        "the anchor's row only",
        "transposed",
        "wrong axis",
        "active for valid",
        "equal points forgotten",
        "float64 leak",
        "input modified",
    }


TOLD = {
    ("contrastive", "wrong sign"): "the right size, the wrong sign",
    ("contrastive", "a sum for a mean"): "a sum where the value takes a mean?",
    ("contrastive", "no hinge"): "a hinge or a mask forgotten?",
    ("contrastive", "active for valid"): "divided by a count of something else than rows?",
    ("triplet", "active for valid"): "divided by a count of something else than rows?",
    ("two-branches", "one branch only"): "do both gradients arrive?",
    ("two-branches", "transposed"): "transposed",
    ("l2", "equal points forgotten"): "where a = b: slope 0",
    ("pairwise", "the anchor's row only"): "the gradient of b is wrong: zero, where it should not be",
    ("semi-hard", "nearer than the positive"): "not semi-hard",
    ("recall", "ties for the model"): "a tie counts against the model",
    ("threshold", "one too far"): "it accepts 100% of the different pairs",
}


@pytest.mark.parametrize(("name", "mistake"), TOLD)
def test_a_mistake_is_called_by_its_name(name, mistake):
    exercise = learn.find(name)
    verdict = selfcheck.judge(exercise, mistakes.OF[name][mistake](exercise.answer))
    assert TOLD[name, mistake] in f"{verdict.what}: {verdict.clue}"
    assert TOLD[name, mistake].split(": ")[-1] in verdict.message


@pytest.mark.parametrize("exercise", **ids)
def test_the_texts_of_an_exercise(exercise):
    text = stubs.stub(exercise)
    tree = ast.parse(text)
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert function.name == exercise.function
    assert ast.get_docstring(function).splitlines()[0] == exercise.library.__doc__.splitlines()[0]
    assert text.count("NotImplementedError") == (0 if exercise.start else 1)
    assert not {a.arg for a in function.args.args} & set(exercise.without)
    assert not any(f"    {name}\n" in text for name in exercise.without)
    assert "derive it" not in text or "pullback" in text
    assert len(exercise.hints) == 3
    assert all(len(hint) > 5 for hint in exercise.hints)
    assert exercise.name in ("collapse", "find-the-bug") or ast.parse(exercise.hints[2])
    source = stubs.solution(exercise)
    assert source.startswith(("def ", "@"))
    assert ast.parse(source)
    assert max(map(len, text.splitlines())) <= 120


def test_a_stub_does_not_give_the_gradient_away():
    for name, formula in (("contrastive", "d / n"), ("dense", "dz Wᵀ"), ("cosine", "b̂"), ("soft-margin", "σ(d₊")):
        exercise = learn.find(name)
        assert formula in exercise.library.__doc__
        assert formula not in stubs.stub(exercise)


def test_the_order_and_the_lessons():
    assert [exercise.number for exercise in EXERCISES] == list(range(1, 26))
    assert len({exercise.name for exercise in EXERCISES}) == 25
    lessons = {exercise.name: exercise.lesson for exercise in EXERCISES}
    assert lessons["squared-distance"] == "00"
    assert lessons["find-the-bug"] == "12"


@pytest.mark.parametrize("word", ["4", "04", "contrastive", "Contrastive"])
def test_an_exercise_has_a_number_and_a_name(word):
    assert learn.find(word).name == "contrastive"


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("contrastve", "did you mean contrastive"),
        ("batch", "did you mean batch-hard"),
        ("26", "numbers 1 to 25"),
        ("0", "numbers 1 to 25"),
        ("qqq", "minisiam learn list"),
    ],
)
def test_an_unknown_exercise_is_answered_with_the_nearest(word, answer, tmp_path, capsys):
    assert run("start", word, work=tmp_path) == 1
    assert answer in capsys.readouterr().err


# a learner's file, whatever it does


def answer_to(source, tmp_path, name="squared-distance", seconds=isolation.SECONDS):
    path = tmp_path / learn.find(name).file
    path.write_text(source)
    before = set(tmp_path.iterdir())
    answer = isolation.check(learn.find(name), path, seconds)
    assert set(tmp_path.iterdir()) == before
    assert path.read_text() == source
    return answer


def test_the_right_answer_passes(tmp_path):
    answer = answer_to(RIGHT, tmp_path)
    assert answer.status == "passed"
    assert answer.message.startswith("01 squared-distance: correct. ")
    assert answer.printed == ""


BODIES = {
    "a mistake": ("    return 1 / 0\n", "it raises ZeroDivisionError: division by zero, in line 5: return 1 / 0"),
    "an input": ("    a -= b\n    return (a * a).sum(axis=1)\n", "it changes its input a"),
    "sys.exit": ("    import sys; sys.exit(0)\n", "it ends the program (sys.exit)"),
    "os._exit": ("    import os; os._exit(0)\n", "it ended the program (os._exit)"),
    "a crash": ("    import os; os.kill(os.getpid(), 11)\n", "it brought Python down (SIGSEGV)"),
    "a question": ("    return float(input())\n", "it raises EOFError"),
    "much memory": ("    return np.zeros(10**11)\n", "Unable to allocate"),
    "a string": ('    return "twelve"\n', "the value is no array of numbers, but str"),
    "nothing": ("    pass\n", "the value is no array of numbers, but NoneType"),
    "a ragged list": ("    return [[1], [2, 3]]\n", "the value is no array of numbers, but list"),
    "an interruption": ("    raise KeyboardInterrupt\n", "it raises KeyboardInterrupt, in line 5"),
    "not begun": ('    raise NotImplementedError("later")\n', "it raises NotImplementedError: later"),
}


@pytest.mark.parametrize("what", BODIES)
def test_whatever_a_function_does_is_a_sentence(what, tmp_path):
    body, message = BODIES[what]
    answer = answer_to(HEADER + SIGNATURE + body, tmp_path)
    assert message in answer.message
    assert answer.status == ("open" if what == "not begun" else "failed")


def test_what_is_printed_is_shown(tmp_path):
    body = '    print("here", a.shape, "\\n" * 12)\n    return -((a - b) ** 2).sum(axis=1)\n'
    answer = answer_to(HEADER + SIGNATURE + body, tmp_path)
    assert answer.status == "failed"
    assert answer.printed.splitlines()[0] == "here (1, 1) "
    assert "Your function printed:\n    here (1, 1)" in answer.text
    assert len(answer.printed.splitlines()) > 13
    assert answer.text.endswith("\n    ...")
    assert len(answer.text.partition("printed:\n")[2].splitlines()) == 11


LOOPS = {
    "computing": ("    while True:\n        a = a + 1\n", "while True:", 1.0),
    "waiting": ("    import time\n    time.sleep(1000)\n", "time.sleep(1000)", 0.6),
    "printing": ('    while True:\n        print("and on")\n', "it raises OSError: [Errno 27] File too large", 20.0),
}


@pytest.mark.parametrize("what", LOOPS)
def test_a_function_without_an_end_is_stopped_and_says_where(what, tmp_path):
    body, line, seconds = LOOPS[what]
    answer = answer_to(HEADER + SIGNATURE + body, tmp_path, seconds=seconds)
    assert answer.status == "failed"
    if what != "printing":
        assert f"was stopped after {seconds:g} seconds, in line" in answer.message
    assert line.rstrip(":") in answer.message or "a = a + 1" in answer.message


def test_what_a_function_starts_is_ended_with_it(tmp_path):
    note = tmp_path / "pid"
    note.touch()
    body = f"""    import subprocess
    with open({str(note)!r}, "w") as file:
        file.write(str(subprocess.Popen(["sleep", "600"]).pid))
    return 1 / 0
"""
    assert answer_to(HEADER + SIGNATURE + body, tmp_path).status == "failed"
    for _ in range(100):
        state = Path(f"/proc/{note.read_text()}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("it still runs")


FILES = {
    "the library's": ("from minisiam.distances import squared_l2\n", "squared_l2 is the library's function"),
    "another's": ("from numpy import sort as squared_l2\n", "is a function of numpy"),
    "another name": (
        "def square(a, b, /):\n    return 1\n",
        "there is no function squared_l2 in the file; it has square",
    ),
    "no Python": ("def squared_l2(a, b:\n", "does not run, SyntaxError"),
    "an error": ("x = 1 / 0\n", "the file does not run: it raises ZeroDivisionError: division by zero, in line 1"),
    "another signature": ("def squared_l2(x, y):\n    return 1\n", "must stay as it was, with a, b"),
    "an exit": ("import sys\nsys.exit()\n", "it ends the program (sys.exit)"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_graded_says_why(what, tmp_path):
    source, message = FILES[what]
    answer = answer_to(source, tmp_path)
    assert answer.status == "failed"
    assert message in answer.message


def test_a_file_between_two_saves_is_read_anew(tmp_path):
    """Two versions of one length within one second: no compiled file of the first may answer for the second."""
    wrong = RIGHT.replace("** 2", "** 3")
    assert answer_to(wrong, tmp_path).status == "failed"
    assert answer_to(RIGHT, tmp_path).status == "passed"
    assert not list(tmp_path.glob("__pycache__"))


def test_without_the_packages_that_check_it_says_which_is_missing(tmp_path, monkeypatch):
    (tmp_path / "autograd.py").write_text("raise ImportError('no', name='autograd')")
    monkeypatch.setattr(isolation, "PACKAGES", f"{tmp_path}{os.pathsep}{isolation.PACKAGES}")
    with pytest.raises(ImportError, match=r"checking gradients needs autograd: pip install 'minisiam\[check\]'"):
        answer_to(RIGHT, tmp_path)


def test_a_damaged_answer_is_no_crash(tmp_path):
    for text in ("{", "[]", '{"status": "passed"}', '{"status": "great", "message": "", "what": ""}'):
        path = tmp_path / "answer.json"
        path.write_text(text)
        assert isolation._read(EXERCISES[0], path, "").status == "failed"


# progress


def test_progress_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    progress.update(tmp_path, "l2", hints=2)
    before = (tmp_path / "progress.json").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        progress.update(tmp_path, "l2", passed=True)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    assert (tmp_path / "progress.json").read_bytes() == before
    assert progress.read(tmp_path)["l2"] == progress.State(False, 2, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"exercises": []}',
        '{"exercises": {"l2": 1}}',
        '{"exercises": {"l2": {"passed": 1}}}',
        '{"exercises": {"l2": {"hints": "two"}}}',
        '{"exercises": {"l2": {"hints": -1}}}',
        '{"exercises": {"l2": {"wings": 2}}}',
        "[" * 100_000,
        "\x00\x01",
    ],
)
def test_progress_that_cannot_be_read_is_set_aside(text, tmp_path, capsys):
    (tmp_path / "progress.json").write_text(text)
    assert run("list", work=tmp_path) == 0
    assert "was set aside as progress.json.unreadable" in capsys.readouterr().err
    assert (tmp_path / "progress.json.unreadable").read_text() == text
    assert run("hint", "l2", work=tmp_path) == 0
    (tmp_path / "progress.json").write_text("again")
    assert progress.read(tmp_path, lambda text: None)["l2"].hints == 0
    assert (tmp_path / "progress.json.unreadable.2").read_text() == "again"


# the words


def test_list(tmp_path, capsys):
    progress.update(tmp_path, "squared-distance", passed=True)
    progress.update(tmp_path, "l2", hints=2)
    assert run("list", work=tmp_path) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("01  done  squared-distance")
    assert said[2].startswith("03  open  l2")
    assert said[2].endswith("2 of 3 hints")
    assert "1 of 25 done. Next: 02 squared-distance-gradient" in said[-1]
    assert run("list", "--json", work=tmp_path) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in rows] == list(range(1, 26))
    assert rows[0] == {
        "number": 1,
        "name": "squared-distance",
        "title": "the squared distance of two embeddings",
        "lesson": "00",
        "op": "distances.squared_l2",
        "file": "01_squared_distance.py",
        "passed": True,
        "hints": 0,
        "solution": False,
    }


def test_start_writes_a_stub_and_never_over_a_file(tmp_path, capsys):
    assert run("start", "04", work=tmp_path / "new") == 0
    path = tmp_path / "new" / "04_contrastive.py"
    assert path.read_text() == stubs.stub(learn.find("contrastive"))
    path.write_text("mine")
    assert run("start", "contrastive", work=tmp_path / "new") == 1
    assert "begin again with `minisiam learn reset 04`" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_reset_keeps_every_file(tmp_path, capsys):
    path = tmp_path / "04_contrastive.py"
    progress.update(tmp_path, "contrastive", passed=True)
    for text in ("first", "second"):
        path.write_text(text)
        assert run("reset", "04", work=tmp_path) == 0
        assert path.read_text() == stubs.stub(learn.find("contrastive"))
    assert (tmp_path / "04_contrastive.py.bak").read_text() == "first"
    assert (tmp_path / "04_contrastive.py.bak.2").read_text() == "second"
    assert not progress.read(tmp_path)["contrastive"].passed


def test_hints_come_one_by_one_and_are_counted(tmp_path, capsys):
    exercise = learn.find("l2")
    for count in (1, 2, 3, 3):
        assert run("hint", "3", work=tmp_path) == 0
        said = capsys.readouterr().out
        assert [hint in said for hint in exercise.hints] == [k < count for k in range(3)]
        assert progress.read(tmp_path)["l2"].hints == count


def test_the_solution_asks_while_the_exercise_is_open(tmp_path, capsys, monkeypatch):
    for reply, shown in (("n", False), ("", False), ("y", True)):
        monkeypatch.setattr("builtins.input", lambda question, reply=reply: reply)
        assert run("solution", "3", work=tmp_path) == (0 if shown else 1)
        assert ("u = _difference(a, b)" in capsys.readouterr().out) is shown
        assert progress.read(tmp_path)["l2"].solution is shown
    monkeypatch.setattr("builtins.input", lambda question: (_ for _ in ()).throw(EOFError))
    assert run("solution", "4", work=tmp_path) == 1
    assert run("solution", "4", "--yes", work=tmp_path) == 0
    assert "def _pair_loss" in capsys.readouterr().out
    progress.update(tmp_path, "dense", passed=True)
    assert run("solution", "dense", work=tmp_path) == 0
    assert not progress.read(tmp_path)["dense"].solution


def test_check_and_its_json(tmp_path, capsys):
    assert run("check", work=tmp_path) == 1
    assert "minisiam learn start 01" in capsys.readouterr().out
    run("start", "1", work=tmp_path)
    assert run("check", "--json", work=tmp_path) == 1
    found = json.loads(capsys.readouterr().out.partition("check 01\n")[2])
    assert found["status"] == "open"
    path = tmp_path / "01_squared_distance.py"
    path.write_text(RIGHT.replace("axis=1", "axis=0"))
    assert run("check", "01", "--json", work=tmp_path) == 1
    found = json.loads(capsys.readouterr().out)
    assert {name: type(value) for name, value in found.items()} == {
        "exercise": str,
        "number": int,
        "status": str,
        "message": str,
        "what": str,
        "clue": str,
        "case": dict,
        "columns": dict,
        "rows": int,
        "seconds": float,
        "printed": str,
    }
    assert found["case"] == {"a": "[[1.], [1.]]", "b": "[[1.], [1.]]"}
    assert found["what"] == "the value has the shape (1,), not (2,)"
    path.write_text(RIGHT)
    assert run("check", work=tmp_path) == 0
    assert "Next: 02 squared-distance-gradient" in capsys.readouterr().out
    assert progress.read(tmp_path)["squared-distance"].passed


def test_when_all_is_done(tmp_path, capsys):
    progress.write(tmp_path, {exercise.name: progress.State(True) for exercise in EXERCISES})
    assert run(work=tmp_path) == 0
    assert "Every exercise is done" in capsys.readouterr().out
    assert run("check", work=tmp_path) == 1
    assert "every exercise is done" in capsys.readouterr().err


def test_marks(tmp_path, capsys):
    """Three students: one is right, one loops, one has written nothing; nobody is in another's way."""
    for student, source in (("ada", RIGHT), ("=bob", RIGHT.replace("    return", "    while True: pass\n    return"))):
        (tmp_path / "all" / student).mkdir(parents=True)
        (tmp_path / "all" / student / "01_squared_distance.py").write_text(source)
    (tmp_path / "all" / "cem" / "work").mkdir(parents=True)
    (tmp_path / "all" / "cem" / "work" / "01_squared_distance.py").write_text(stubs.stub(EXERCISES[0]))
    file = tmp_path / "marks.csv"
    assert cli.main(["learn", "grade", str(tmp_path / "all"), "--csv", str(file), "--limit", "2"]) == 0
    table = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [row["student"] for row in table] == ["'=bob", "ada", "cem"]
    assert [row["01 squared-distance"] for row in table] == ["failed", "passed", "open"]
    assert [row["passed"] for row in table] == ["0", "1", "0"]
    assert all(row["02 squared-distance-gradient"] == "open" and row["of"] == "25" for row in table)
    assert tuple(table[0]) == marks.HEAD
    assert cli.main(["learn", "grade", str(tmp_path / "nobody")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert cli.main(["learn", "grade", str(tmp_path / "empty")]) == 1
    assert "it must have one for each student" in capsys.readouterr().err


def test_the_help_teaches(capsys):
    with pytest.raises(SystemExit):
        cli.main(["learn", "--help"])
    said = capsys.readouterr().out
    for word in ("list", "start", "check", "hint", "solution", "reset", "grade", "selfcheck"):
        assert f"minisiam learn {word}" in said


def test_a_half_written_file_waits(tmp_path):
    path = tmp_path / "file.py"
    assert words._settled(path, None) is None
    path.write_text("")
    assert words._settled(path, None) is None
    path.write_text("x = 1")
    assert words._settled(path, None) == b"x = 1"
    assert words._settled(path, b"x = 1") is None


# a novice's session


class Terminal:
    """A process at the other end of a terminal."""

    def __init__(self, *arguments, folder):
        pty = pytest.importorskip("pty")
        self.end, other = pty.openpty()
        environment = os.environ | {"PYTHONPATH": str(isolation.PACKAGES)}
        command = [sys.executable, "-m", "minisiam", "learn", *arguments]
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, cwd=folder, env=environment, start_new_session=True
        )
        os.close(other)
        self.said = ""

    def until(self, words, seconds=120):
        start = time.monotonic()
        os.set_blocking(self.end, False)
        while words not in self.said:
            assert time.monotonic() - start < seconds, f"{words!r} was not said, but\n{self.said}"
            try:
                self.said += os.read(self.end, 4096).decode()
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:  # the other end is closed
                assert words in self.said, self.said
        said, self.said = self.said, ""
        return said

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.end)


def test_a_session_from_the_first_exercise_to_the_second(tmp_path):
    terminal = Terminal(folder=tmp_path)
    try:
        assert "wrote work/01_squared_distance.py" in terminal.until("not begun")
        path = tmp_path / "work" / "01_squared_distance.py"
        hole = next(line for line in path.read_text().splitlines() if "NotImplementedError" in line)
        stub = path.read_text()
        path.write_text(stub.replace(hole, "    return 2 * ((a - b) ** 2).sum(axis=1)"))
        said = terminal.until("definition")
        assert "the value is wrong. The smallest case:" in said
        path.write_text(stub.replace(hole, "    return ((a - b) ** 2).sum(axis=1"))
        terminal.until("SyntaxError")
        path.write_text(stub.replace(hole, "    return ((a - b) ** 2).sum(axis=1)"))
        said = terminal.until("Next: 02 squared-distance-gradient")
        assert "01 squared-distance: correct." in said
        assert terminal.process.wait(timeout=60) == 0
    finally:
        terminal.close()
    terminal = Terminal(folder=tmp_path)
    try:
        terminal.until("wrote work/02_squared_distance_gradient.py")
        terminal.until("not begun")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until("minisiam learn hint 02")
        assert terminal.process.wait(timeout=60) == 1
    finally:
        terminal.close()
