"""Grading a class: every file is read before one runs; the table is written row by row, with reasons."""

import csv
import ctypes
import io
import json
import os
import sys

import pytest

from minisiam import course
from minisiam.app import cli
from minisiam.course import EXERCISES, grading, hand_ins, learner_file, sandbox, stubs, verdicts

HEADER = "from __future__ import annotations\nimport numpy as np\nfrom minisiam.typing import Array, Float, Op\n"
SIGNATURE = 'def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):\n'
RIGHT = HEADER + SIGNATURE + "    return ((a - b) ** 2).sum(axis=1)\n"
FILE = EXERCISES[0].file
UNTOUCHED = stubs.stub(EXERCISES[0])


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setattr(grading.threads, "cores", lambda: 1)


def put(folder, source, name=FILE):
    """Write a student's file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(source.encode() if isinstance(source, str) else source)
    return folder / name


def first(folder):
    """What is read for the first exercise of the only student."""
    ((found, *_),) = hand_ins.read_class(folder).values()
    return found


def test_a_class_gets_a_table_with_reasons(tmp_path, capsys):
    """Each answer is graded alone: an exit and an attack on the others change one cell."""
    attack = f"import os\nfor path in {[str(tmp_path / 'all' / name / FILE) for name in ('ada', 'cem')]}:\n"
    attack += "    try: os.remove(path)\n    except OSError: open('../answer.json', 'w').write('passed')\n"
    put(tmp_path / "all" / "ada", RIGHT)
    put(tmp_path / "all" / "=bob", RIGHT.replace("    return", "    __import__('os')._exit(0)\n    return"))
    put(tmp_path / "all" / "cem" / "work", UNTOUCHED)
    put(tmp_path / "all" / "a dog", RIGHT + attack)
    file = tmp_path / "marks.csv"
    assert cli.main(["learn", "grade", str(tmp_path / "all"), "--csv", str(file), "--json"]) == 0
    table = {row["student"]: row for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())}
    states = {"'=bob": "failed", "a dog": "failed", "ada": "passed", "cem": "open"}
    assert {student: row["01 squared-distance"] for student, row in table.items()} == states
    assert tuple(table["ada"]) == grading.HEADER
    assert all(
        row["02 squared-distance-gradient"] == "open" and row["of"] == str(len(EXERCISES)) for row in table.values()
    )
    assert table["ada"]["passed"] == "1" and table["ada"]["reasons"] == ""
    assert table["'=bob"]["reasons"].startswith("01: it ended the program (os._exit)")
    assert "an answer must not write to ../answer.json" in table["a dog"]["reasons"]
    assert (tmp_path / "all" / "ada" / FILE).read_text() == RIGHT
    output = capsys.readouterr()
    found = {row["student"]: {one["exercise"]: one for one in row["exercises"]} for row in json.loads(output.out)}
    assert list(found) == ["=bob", "a dog", "ada", "cem"]
    first = found["ada"]["squared-distance"]
    assert first == {
        "exercise": "squared-distance",
        "status": "passed",
        "reason": "",
        "seconds": pytest.approx(1, abs=5),
    }
    assert found["cem"]["squared-distance"]["reason"].startswith("not started")
    assert list(found["ada"]) == [exercise.name for exercise in EXERCISES]
    assert f"ada: 1 of {len(EXERCISES)}   (3 of 4 students)" in output.err


@pytest.mark.skipif(sys.platform != "linux", reason="the system call has another name")
def test_other_processes_cannot_read_the_one_that_writes_the_table(tmp_path):
    dumpable, change = 3, 4
    control = ctypes.CDLL(None).prctl
    put(tmp_path / "ada", UNTOUCHED)
    seen = []
    control(change, 1)
    grading.grade_class(hand_ins.read_class(tmp_path), io.StringIO(), 1, lambda _: seen.append(control(dumpable)))
    control(change, 1)
    assert seen == [0]


def test_the_table_is_opened_before_the_work_starts(tmp_path, capsys, monkeypatch):
    put(tmp_path / "all" / "ada", RIGHT)
    monkeypatch.setattr(sandbox.Grader, "check", lambda *_: pytest.fail("an answer was graded"))
    for path, why in ((tmp_path / "missing" / "marks.csv", "No such file"), (tmp_path, "choose another path")):
        assert cli.main(["learn", "grade", str(tmp_path / "all"), "--csv", str(path)]) == 1
        assert f"minisiam: {path}: " in (error := capsys.readouterr().err) and why in error


def test_the_table_never_replaces_a_file_and_its_path_may_begin_with_the_home_folder(tmp_path, capsys, monkeypatch):
    put(tmp_path / "all" / "ada", UNTOUCHED)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    command = ["learn", "grade", str(tmp_path / "all"), "--csv=~/marks.csv"]
    assert cli.main(command) == 0
    written = (tmp_path / "marks.csv").read_text()
    assert written.startswith("student,") and "ada,open" in written
    put(tmp_path / "all" / "bob", UNTOUCHED)
    assert cli.main(command) == 1
    assert "a file has this name already, so choose another path" in capsys.readouterr().err
    assert (tmp_path / "marks.csv").read_text() == written


def test_an_interrupted_table_has_the_rows_that_are_done(tmp_path, monkeypatch, capsys):
    for name in ("ada", "bob", "cem"):
        put(tmp_path / "all" / name, f"{RIGHT}# {name}")

    def check(grader, exercise, source, seconds):
        if done:
            raise KeyboardInterrupt
        done.append(exercise)
        return sandbox.report(exercise, "passed", "")

    done = []
    monkeypatch.setattr(sandbox.Grader, "check", check)
    file = tmp_path / "marks.csv"
    assert cli.main(["learn", "grade", str(tmp_path / "all"), "--csv", str(file)]) == 1
    assert [row[0] for row in csv.reader(file.read_text().splitlines())] == ["student", "ada"]
    assert "Stopped: 1 of 3 students are graded" in capsys.readouterr().err


def test_a_folder_without_students_is_an_error(tmp_path, capsys):
    assert cli.main(["learn", "grade", str(tmp_path / "nobody")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert cli.main(["learn", "grade", str(tmp_path)]) == 1
    assert "one folder, or one zip, for each student" in capsys.readouterr().err


def test_every_file_is_read_before_any_runs(tmp_path, monkeypatch):
    path = put(tmp_path / "ada", RIGHT)
    put(tmp_path / "bob", RIGHT)

    def check(grader, exercise, source, seconds):
        path.with_name(FILE).write_text("changed")
        return sandbox.report(exercise, "passed" if source == RIGHT.encode() else "failed", "")

    monkeypatch.setattr(sandbox.Grader, "check", check)
    table = io.StringIO()
    marks = grading.grade_class(hand_ins.read_class(tmp_path), table, 10, lambda line: None)
    assert [reports[0].status for reports in marks.values()] == ["passed", "passed"]
    assert len(list(csv.reader(table.getvalue().splitlines()))) == 3


def test_equal_files_of_an_exercise_are_graded_once(tmp_path, monkeypatch):
    for name in ("ada", "bob"):
        put(tmp_path / name, RIGHT)
        put(tmp_path / name, RIGHT, EXERCISES[1].file)
    put(tmp_path / "cem", RIGHT + "# mine")
    graded = []

    def check(grader, exercise, source, seconds):
        graded.append((exercise.number, source))
        return sandbox.report(exercise, "passed", "")

    monkeypatch.setattr(sandbox.Grader, "check", check)
    marks = grading.grade_class(hand_ins.read_class(tmp_path), io.StringIO(), 10, lambda line: None)
    right = RIGHT.encode()
    assert sorted(graded) == [(1, right), (1, right + b"# mine"), (2, right)]
    assert [[found.status for found in reports[:3]] for reports in marks.values()] == [
        ["passed", "passed", "open"], ["passed", "passed", "open"], ["passed", "open", "open"]
    ]  # fmt: skip


def test_each_grader_keeps_its_exercises_as_long_as_there_are_files_of_them():
    files = [("l2", b"ada"), ("relu", b"ada"), ("l2", b"bob"), ("relu", b"bob"), ("relu", b"cem"), ("dense", b"cem")]
    waiting, a, b = grading.Waiting(files), sandbox.Grader(), sandbox.Grader()
    assert [waiting.take(grader) for grader in (a, b, a, b)] == files[:4]
    assert [waiting.take(grader) for grader in (a, a)] == [files[5], files[4]]
    assert waiting.take(b) is None


def test_a_grader_that_does_not_start_is_an_error(tmp_path, monkeypatch):
    put(tmp_path / "ada", RIGHT)

    def check(*_):
        raise ImportError("the grader does not start")

    monkeypatch.setattr(sandbox.Grader, "check", check)
    with pytest.raises(ImportError, match="does not start"):
        grading.grade_class(hand_ins.read_class(tmp_path), io.StringIO(), 10, lambda line: None)


SAME = {
    "a byte-order mark": b"\xef\xbb\xbf" + UNTOUCHED.encode(),
    "other line ends": UNTOUCHED.replace("\n", "\r\n").encode(),
    "spaces at the end": UNTOUCHED.encode() + b"  \n\n",
}


@pytest.mark.parametrize("what", SAME)
def test_a_stub_is_open_in_spite_of(what, tmp_path):
    put(tmp_path / "ada", SAME[what])
    assert first(tmp_path).status == "open"


READ = {
    "UTF-16": (RIGHT.encode("utf-16"), "is not a text in UTF-8"),
    "binary": (b"\x7fELF\0\0", "is not a text in UTF-8"),
    "too large": (b"#" * (verdicts.MAX_BYTES + 1), "larger than one megabyte"),
}


@pytest.mark.parametrize("what", READ)
def test_the_reason_says_why_a_file_cannot_be_read(what, tmp_path):
    source, message = READ[what]
    put(tmp_path / "ada", source)
    assert first(tmp_path).status == "failed"
    assert message in first(tmp_path).what


@pytest.mark.parametrize("source", [RIGHT.replace("\n", "\r\n"), "﻿" + RIGHT, RIGHT.replace("    ", "\t"),
                                    ("# -*- coding: latin-1 -*-\n# é\n" + RIGHT).encode("latin-1")])  # fmt: skip
def test_line_ends_marks_tabs_and_declared_encodings_do_not_matter(source, tmp_path):
    put(tmp_path / "ada", source)
    assert isinstance(first(tmp_path), bytes)
    assert learner_file.function_of(EXERCISES[0], first(tmp_path), tmp_path / FILE).__name__ == "squared_l2"


def test_a_folder_a_link_outside_and_an_endless_link_fail(tmp_path):
    (tmp_path / "all" / "ada" / FILE).mkdir(parents=True)
    assert "is not a file" in first(tmp_path / "all").what
    (tmp_path / "all" / "ada" / FILE).rmdir()
    (tmp_path / "all" / "ada" / FILE).symlink_to(put(tmp_path / "other", RIGHT))
    assert "is a link to a file outside" in first(tmp_path / "all").what
    (tmp_path / "all" / "ada" / FILE).unlink()
    (tmp_path / "all" / "ada" / FILE).symlink_to(FILE)
    assert first(tmp_path / "all").status == "failed"


def test_names_may_have_other_cases_and_spaces(tmp_path):
    put(tmp_path / "Jo Ann" / "Work", RIGHT, FILE.upper())
    assert first(tmp_path) == RIGHT.encode()


def test_hidden_folders_are_not_students(tmp_path):
    for name in ("ada", ".git", "__MACOSX"):
        (tmp_path / name).mkdir()
    assert list(hand_ins.read_class(tmp_path)) == ["ada"]


@pytest.mark.skipif(os.name == "nt", reason="such names do not exist there")
def test_a_name_that_is_not_utf_8_can_be_written(tmp_path):
    (tmp_path / os.fsdecode(b"J\xf6rg")).mkdir()
    assert list(hand_ins.read_class(tmp_path)) == [r"J\xf6rg"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1"])
def test_a_spreadsheet_does_not_read_a_name_as_a_formula(name):
    report = sandbox.report(course.find("l2"), "failed", "=1+1\nis wrong")
    cells = grading.row(name, [report])
    assert cells == [f"'{name}", "failed", "0", "1", "03: =1+1 is wrong"]
