"""Handing in: one zip with the answers and the progress, which the grader and the page read without unpacking it."""

import io
import json
import zipfile

import pytest

from minisiam.app import cli
from minisiam.course import EXERCISES, find, grading, hand_ins, progress, stubs, verdicts

RIGHT = "def squared_l2(a, b, /):\n    return ((a - b) ** 2).sum(axis=1)\n"
FILE = EXERCISES[0].file


def zipped(path, files, compression=zipfile.ZIP_DEFLATED):
    """Write a zip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def only(folder):
    """What is read of the only student."""
    ((name, files),) = hand_ins.read_class(folder).items()
    assert name == "ada"
    return files


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / FILE).write_text(RIGHT)
    (folder / find("l2").file).write_text(stubs.stub(find("l2")))
    (folder / f"{FILE}.bak").write_text("an older one")
    (folder / "notes.txt").write_text("mine")
    progress.update(folder, "l2", hints=2)
    return folder


def test_a_hand_in_has_the_answers_and_the_progress_in_a_folder_work(work, tmp_path, capsys):
    path = tmp_path / "ada.zip"
    assert cli.main(["learn", "hand-in", str(path), "--work", str(work)]) == 0
    assert f"{path}: 2 files of {len(EXERCISES)} exercises" in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {f"work/{FILE}", f"work/{find('l2').file}", "work/progress.json"}
        assert archive.read(f"work/{FILE}").decode() == RIGHT
        assert json.loads(archive.read("work/progress.json"))["exercises"]["l2"]["hints"] == 2


def test_a_hand_in_is_named_like_the_download_of_the_page(work, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["learn", "hand-in"]) == 0
    assert (tmp_path / "minisiam-work.zip").is_file()


def test_a_hand_in_replaces_an_older_one_but_no_other_file(work, tmp_path, capsys):
    path, essay = tmp_path / "ada.zip", tmp_path / "essay.txt"
    essay.write_text("mine")
    for _ in range(2):
        assert cli.main(["learn", "hand-in", str(path), "--work", str(work)]) == 0
    assert cli.main(["learn", "hand-in", str(essay), "--work", str(work)]) == 1
    assert "is not a zip file: choose another name" in capsys.readouterr().err
    assert essay.read_text() == "mine"


def test_without_answers_there_is_nothing_to_hand_in(tmp_path, capsys):
    assert cli.main(["learn", "hand-in", str(tmp_path / "ada.zip"), "--work", str(tmp_path / "empty")]) == 1
    assert "has no answers to hand in" in capsys.readouterr().err
    assert not (tmp_path / "ada.zip").exists()


def test_the_grader_reads_what_was_handed_in(work, tmp_path):
    (tmp_path / "all").mkdir()
    hand_ins.write(work, tmp_path / "all" / "ada.zip")
    files = dict(zip(EXERCISES, only(tmp_path / "all"), strict=True))
    assert files[EXERCISES[0]] == RIGHT.encode()
    assert "not started" in files[find("l2")].what
    assert "there is no file" in files[find("relu")].what


@pytest.mark.parametrize("name", [FILE, f"work/{FILE}", f"ada's hand-in/work/{FILE.upper()}", f"work\\{FILE}"])
def test_the_folder_in_the_zip_may_have_any_name(name, tmp_path):
    zipped(tmp_path / "ada.zip", {name: RIGHT, f"__MACOSX/._{FILE}": "a system's"})
    assert only(tmp_path)[0] == RIGHT.encode()


def test_a_folder_that_has_only_a_zip_is_the_hand_in_of_a_course_system(tmp_path):
    zipped(tmp_path / "ada" / hand_ins.NAME, {f"work/{FILE}": RIGHT})
    assert only(tmp_path)[0] == RIGHT.encode()


def test_the_outermost_of_several_files_counts_unless_there_are_two(tmp_path):
    zipped(tmp_path / "ada.zip", {f"work/old/{FILE}": "old", f"work/{FILE}": RIGHT})
    assert only(tmp_path)[0] == RIGHT.encode()
    zipped(tmp_path / "ada.zip", {f"a/{FILE}": "old", f"b/{FILE}": RIGHT})
    assert f"the zip has a/{FILE} and b/{FILE}: hand in one of them" in only(tmp_path)[0].what


def test_two_hand_ins_of_one_student_are_an_error(tmp_path, capsys):
    zipped(tmp_path / "ada.zip", {FILE: RIGHT})
    (tmp_path / "ada").mkdir()
    assert cli.main(["learn", "grade", str(tmp_path)]) == 1
    assert "are of one student: keep one of them" in capsys.readouterr().err


def bomb(path):
    """A small zip that would unpack to a gigabyte, and says so."""
    zipped(path, {FILE: b"\0" * 30_000_000})


def dishonest_bomb(path):
    """The same with a list of members that claims ten bytes."""
    bomb(path)
    data = path.read_bytes()
    at = data.rindex(b"PK\1\2")
    path.write_bytes(data[: at + 24] + (10).to_bytes(4, "little") + data[at + 28 :])


def encrypted(path):
    """A zip whose member is marked as encrypted."""
    zipped(path, {FILE: RIGHT}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)


def changed(path):
    """A zip with one wrong byte in a member."""
    zipped(path, {FILE: RIGHT}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"axis=1", b"axis=0"))


def truncated(path):
    """The first half of a zip."""
    zipped(path, {FILE: RIGHT})
    path.write_bytes(path.read_bytes()[:60])


DAMAGE = {
    "a bomb": (bomb, "would unpack to 30,000,000 bytes, more than 1,000,000"),
    "a bomb that lies about its size": (dishonest_bomb, "is damaged or in a wrong format"),
    "a password": (encrypted, "is encrypted with a password"),
    "a changed byte": (changed, "Bad CRC-32"),
    "half a zip": (truncated, "is not a zip file, or its end is missing"),
    "no zip": (lambda path: path.write_text("hello"), "is not a zip file"),
    "an empty file": (lambda path: path.touch(), "is not a zip file"),
    "many files": (lambda path: zipped(path, {f"{i}": "" for i in range(1001)}), "has more than 1,000 files"),
    "a path that leaves the folder": (
        lambda path: zipped(path, {FILE: RIGHT, "../../x.py": "x"}), "would leave its folder"
    ),
    "an absolute path": (lambda path: zipped(path, {FILE: RIGHT, "/etc/x.py": "x"}), "would leave its folder"),
    "a large zip": (
        lambda path: path.write_bytes(b"PK" + bytes(hand_ins.ZIP_BYTES)), "is larger than 30 megabytes"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_the_reason_says_what_is_wrong_with_a_zip(what, tmp_path):
    make, words = DAMAGE[what]
    make(tmp_path / "ada.zip")
    found = only(tmp_path)[0]
    assert found.status == "failed"
    assert words in found.what
    assert "ada.zip" in found.what or FILE in found.what


def test_one_bad_member_does_not_spoil_the_others(tmp_path):
    zipped(tmp_path / "ada.zip", {FILE: RIGHT, find("l2").file: b"#" * (verdicts.MAX_BYTES + 1)})
    files = dict(zip(EXERCISES, only(tmp_path), strict=True))
    assert files[EXERCISES[0]] == RIGHT.encode()
    assert "more than 1,000,000" in files[find("l2")].what


def test_the_table_gives_the_reason_for_a_damaged_zip_once(tmp_path):
    (tmp_path / "ada.zip").write_text("hello")
    table = io.StringIO()
    grading.grade_class(hand_ins.read_class(tmp_path), table, 10, lambda line: None)
    assert table.getvalue().count("is not a zip file") == 1
    assert ',"all: ada.zip: is not a zip file' in table.getvalue()


def test_damaged_zips_raise_no_other_error(tmp_path):
    """Every prefix of a zip, and every zip with one byte changed, is read or has a reason."""
    path = zipped(tmp_path / "ada.zip", {f"work/{FILE}": RIGHT, "work/progress.json": "{}"})
    data = path.read_bytes()
    for at in range(0, len(data), 7):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]):
            path.write_bytes(damaged)
            assert len(only(tmp_path)) == len(EXERCISES)
