"""The page of a class: a table, the common mistakes and the smallest cases, as text that no browser runs."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from minisiam.app import cli
from minisiam.course import EXERCISES, class_page, confinement, find, sandbox, stubs

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">&amp;'
VOID = {"meta", "br"}


def failed(name, what, clue="", case=None, columns=None):
    exercise = find(name)
    shown = "The smallest case" if case else ""
    return sandbox.Report(name, exercise.number, "failed", "", what, clue, case or {}, columns or {}, 1, 0.1, "", shown)


def of(**answers):
    """The reports of a student: those given by name, and the others open."""
    given = {name.replace("_", "-"): found for name, found in answers.items()}
    return [given.get(e.name) or sandbox.report(e, "open", "not started") for e in EXERCISES]


SHOWN = {"a": "[[1.]]"}, {"yours": "[1.]", "autograd": "[2.]"}
HALF = failed("l2", "the gradient of a is wrong", "half of what it should be", *SHOWN)
PASSED = sandbox.report(find("relu"), "passed", "correct")
MARKS = {
    "ada": of(l2=HALF, relu=PASSED),
    "bea": of(l2=HALF, dense=failed("dense", "it raises ValueError: no, in line 7: raise ValueError('no')")),
    "cem": of(dense=failed("dense", "it raises ValueError: no, in line 9: raise ValueError('no')")),
    "dora": of(l2=failed("l2", "the value is wrong"), dense=failed("dense", "it raises ValueError: no")),
}


class Structure(HTMLParser):
    """Checks that every element is closed, and collects identifiers, links, names of elements and the text."""

    def __init__(self):
        super().__init__()
        self.stack, self.ids, self.links, self.names, self.attributes = [], [], [], set(), set()
        self.shown = ""

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.shown += data if "style" not in self.stack else ""


def parsed(marks, expected=None):
    found = Structure()
    found.feed(class_page.page(marks, expected or len(marks)))
    assert found.stack == []
    return found


def test_the_most_frequent_mistakes_come_first_and_lines_of_code_do_not_count():
    assert [(m.number, m.reason, m.clue, m.students) for m in class_page.mistakes(MARKS)] == [
        (6, "it raises ValueError: no", "", ["bea", "cem", "dora"]),
        (3, "the gradient of a is wrong", "half of what it should be", ["ada", "bea"]),
        (3, "the value is wrong", "", ["dora"]),
    ]


def test_the_page_has_each_student_and_exercise_and_the_smallest_cases():
    found = parsed(MARKS)
    assert f"{len(EXERCISES)} exercises for each student: 1 passed, 6 failed" in found.shown
    assert found.shown.count("✗ failed") == 6 + 1  # the cells, and the legend
    assert found.shown.count("✓ passed") == 1 + 1
    assert "3 ×06 dense: it raises ValueError: no\nbea, cem, dora" in found.shown
    assert "The smallest case:a = [[1.]]\n\nyours      [1.]\nautograd   [2.]" in found.shown
    assert all(exercise.name in found.shown for exercise in EXERCISES)


def test_a_failed_cell_links_to_its_case():
    found = parsed(MARKS)
    assert len(set(found.ids)) == len(found.ids)
    assert len(found.links) == 3 + 6
    assert {link.removeprefix("#") for link in found.links} == set(found.ids)


def test_what_a_student_wrote_is_shown_as_text():
    bad = failed("l2", EVIL, EVIL, {EVIL: EVIL}, {EVIL: EVIL})
    found = parsed({EVIL: of(l2=bad)})
    assert found.names.isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for name in found.attributes)
    assert found.shown.count(EVIL) == 3 + 2 + 2 + 4  # the name, the reason and the clue, the case and the columns


def test_control_characters_and_long_texts_are_harmless():
    found = parsed({"a\u202eb\x00\ud800": of(l2=failed("l2", "x" * 5_000))})
    assert r"a\u202eb\x00\ud800" in found.shown
    assert "x" * 998 + "…" in found.shown and "x" * 1_001 not in found.shown


def test_the_page_needs_no_script_and_nothing_from_elsewhere():
    text = class_page.page(MARKS, 4)
    assert "<script" not in text and "http:" not in text and "https:" not in text and "url(" not in text
    assert """content="default-src 'none'; style-src 'unsafe-inline'\"""" in text


def test_a_page_of_an_interrupted_class_says_so():
    assert "Grading was stopped: 2 students are missing" in parsed(MARKS, 6).shown
    assert "Grading was stopped: 6 students are missing" in parsed({}, 6).shown


def test_a_class_without_mistakes_says_so():
    assert "No answer failed" in parsed({"ada": of(relu=PASSED)}).shown


def luminance(colour):
    digits = colour.removeprefix("#")
    channels = [int(d, 16) / 255 for d in ([c * 2 for c in digits] if len(digits) == 3 else re.findall("..", digits))]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", [0, 1])
def test_every_text_has_the_contrast_of_wcag_aa(mode):
    css = Path(class_page.__file__).with_suffix(".css").read_text()
    colours = dict(re.findall(r"--([a-z-]+): (#\w+)", css.split("@media (prefers-color-scheme: dark)")[mode]))
    grounds = {"page": ("text", "soft", "link", "passed", "failed"), "code-back": ("text",)}
    grounds |= {"passed-back": ("passed", "text"), "failed-back": ("failed", "text")}
    for ground, texts in grounds.items():
        for text in texts:
            light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


@pytest.mark.parametrize("allowed", [False, True])
def test_the_output_and_the_page_say_when_the_system_refuses_an_empty_network(allowed, tmp_path, capsys, monkeypatch):
    (tmp_path / "all" / "ada").mkdir(parents=True)
    monkeypatch.setattr(confinement, "allows_leaving_network", lambda: allowed)
    html = tmp_path / "class.html"
    assert cli.main(["learn", "grade", str(tmp_path / "all"), "--html", str(html)]) == 0
    warning, shown = "refuses to run the students' code without a network", Structure()
    shown.feed(html.read_text(encoding="utf-8"))
    assert capsys.readouterr().err.splitlines()[0].count(warning) == shown.shown.count(warning) == (not allowed)


def test_the_attempt_to_leave_the_network_says_whether_it_succeeded(monkeypatch):
    tried = []
    monkeypatch.setattr(confinement.subprocess, "run", lambda command: tried.append(command) or code)
    for status in (0, 1):
        code = subprocess.CompletedProcess([], status)
        assert confinement.allows_leaving_network() == (status == 0)
    assert tried == 2 * [[sys.executable, "-I", confinement.__file__]]


def test_grade_writes_the_page_to_a_new_file(tmp_path, capsys):
    exercise = find("squared-distance")
    for name, text in (("ada", "def squared_l2(x): pass\n"), ("bea", stubs.stub(exercise))):
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / exercise.file).write_text(text)
    csv, html = tmp_path / "marks.csv", tmp_path / "class.html"
    command = ["learn", "grade", str(tmp_path / "all"), "--csv", str(csv), "--html", str(html)]
    assert cli.main(command) == 0
    assert "must keep the parameters a, b" in html.read_text(encoding="utf-8")
    csv.unlink()
    capsys.readouterr()
    assert cli.main(command) == 1
    assert "a file has this name already, so choose another path" in capsys.readouterr().err
    assert not csv.exists()
