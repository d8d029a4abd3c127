"""Folders and zips of pictures as users have them: what is read, what is skipped, and what is said about it."""

import os
import re
import struct
import unicodedata
import zipfile

import fixtures
import numpy as np
import pytest
from PIL import Image

from minisiam import datasets
from minisiam.app import cli, config, data_spec, figures
from minisiam.datasets import DamagedFile
from minisiam.datasets.contents import described

PGM = b"P5 2 2 255\n" + bytes([0, 0, 0, 255])
PNG = fixtures.png(np.eye(3))


def write(root, *names, data=PGM):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


@pytest.fixture
def classes(tmp_path):
    """Six classes of two pictures."""
    root = tmp_path / "mine"
    write(root, *(f"{letter}/{i}.pgm" for letter in "abcdef" for i in range(2)))
    return root


def read(path):
    return datasets.folder(path, size=2, dark_ink=False)


def note(data, words):
    (found,) = [line for line in data.notes if words in line]
    return found


HIDDEN = [
    ".ipynb_checkpoints/0-checkpoint.pgm",
    ".git/a/0.png",
    "a/._0.pgm",
    "b/.DS_Store",
    "Thumbs.db",
    "c/thumbs.db",
    "desktop.ini",
    "d/Desktop.ini",
    "__MACOSX/a/._0.pgm",
    "@eaDir/a.pgm",
]


def test_hidden_files_are_no_pictures_and_no_classes(classes):
    write(classes, *HIDDEN)
    data = read(classes)
    assert len(data.images) == 12
    assert data.classes == tuple("abcdef")
    assert note(data, "skipped").startswith("10 skipped: 10 hidden or made by the system (.git, ")


def test_hidden_files_are_left_out_of_omniglot(tmp_path, rng):
    write(tmp_path, ".trash/Greek/character01/0001_01.png", data=PNG)
    with pytest.raises(DamagedFile, match="holds no letters"):
        datasets.omniglot(tmp_path)


def test_what_is_passed_over_is_counted_with_a_reason(classes):
    write(classes, *(f"a/{i}.heic" for i in range(3)), "notes.txt", "b/raw", "cover.pgm", "a/sub/0.pgm", data=PGM)
    (classes / "g").mkdir()
    said = note(read(classes), "skipped")
    assert said.startswith("8 skipped")
    for words in (
        "3 .heic (cannot be read: convert them to JPEG; a/0.heic)",
        "1 .txt (not pictures by their names; notes.txt)",
        "1 without an ending",
        "2 in no folder of a class (a/sub/0.pgm, cover.pgm)",
        "1 folders without pictures, which are no classes (g)",
    ):
        assert words in said


def test_linked_folders_are_followed_and_circles_are_not(classes, tmp_path):
    write(tmp_path / "elsewhere", "g/0.pgm", "h/0.pgm")
    for letter in "gh":
        (classes / letter).symlink_to(tmp_path / "elsewhere" / letter)
    (classes / "a" / "linked.pgm").symlink_to(tmp_path / "elsewhere" / "g" / "0.pgm")
    (classes / "a" / "circle").symlink_to(classes)
    (classes / "b" / "gone.pgm").symlink_to(tmp_path / "nowhere")
    data = read(classes)
    assert data.classes == tuple("abcdefgh")
    assert len(data.images) == 15
    assert "2 broken or circular links, or special files (a/circle/, b/gone.pgm)" in note(data, "skipped")


def test_many_links_to_each_other_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("minisiam.datasets.safe_io.MEMBERS", 200)
    for one in "abcdefgh":
        (tmp_path / one).mkdir()
        for other in "abcdefgh":
            (tmp_path / one / other).symlink_to(tmp_path / other)
    with pytest.raises(DamagedFile, match="more than 200 files"):
        read(tmp_path)


@pytest.mark.parametrize("prefix", ["", "./", "mine/", "deep/er/"])
@pytest.mark.parametrize("separator", ["/", "\\"])
@pytest.mark.parametrize("with_folders", [True, False])
def test_a_zip_gives_the_same_data_as_its_folder(classes, tmp_path, prefix, separator, with_folders):
    write(classes, *HIDDEN, "readme.txt")
    names = sorted(path.relative_to(classes).as_posix() for path in classes.rglob("*") if path.is_file())
    folders = [path.relative_to(classes).as_posix() + "/" for path in classes.rglob("*") if path.is_dir()]
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for name in with_folders * folders + names:
            data = b"" if name.endswith("/") else (classes / name).read_bytes()
            archive.writestr(zipfile.ZipInfo((prefix + name).replace("/", separator)), data)
    for ours, theirs in zip(read(tmp_path / "mine.zip")[:6], read(classes)[:6], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_folders_around_the_classes_are_not_classes(classes, tmp_path):
    write(tmp_path, "cover.pgm")
    data = read(tmp_path)
    assert data.classes == tuple("abcdef")
    assert "1 in no folder of a class (cover.pgm)" in note(data, "skipped")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1.pgm", "2.pgm"], r"2 pictures and no folders of classes: .* as in CLASS/1\.pgm"),
        (["train/a/1.pgm", "train/b/1.pgm", "val/a/1.pgm"], "in 2 folders, train, val: name one of them"),
        (["a/1.txt", "b/2.heic"], r"no pictures by class, CLASS/NAME\.png: 1 \.txt .*; 1 \.heic \(cannot be read"),
        ([], "holds no pictures by class, CLASS/NAME.png, and no other files"),
    ],
)
def test_pictures_without_classes_are_an_error_with_a_remedy(tmp_path, names, message):
    write(tmp_path, *names)
    with pytest.raises(DamagedFile, match=message):
        read(tmp_path)


def test_endings_may_be_capitals_and_all_formats_are_read(tmp_path, rng):
    kinds = fixtures.photographs(rng)
    for number, (ending, data) in enumerate(kinds):
        write(tmp_path, f"a/{number}.{ending.upper()}", f"b/{number}.{ending}", data=data)
    data = datasets.folder(tmp_path, size=8)
    assert len(data.images) == 2 * len(kinds)
    np.testing.assert_array_equal(data.images[data.labels == 0], data.images[data.labels == 1])
    assert "6 PNG" in data.notes[0] and "4 TIFF" in data.notes[0]


def test_a_picture_of_another_kind_than_its_name_is_read_and_reported(classes):
    write(classes, "a/9.jpg", data=PNG)
    assert note(read(classes), "another content").endswith("a/9.jpg is a PNG picture")


def test_the_damaged_pictures_are_in_one_error(classes):
    write(classes, "a/9.png", data=b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(40))
    with pytest.raises(DamagedFile, match=r"mine: 'a/9\.png' begins like a JPEG picture.*: replace or remove"):
        read(classes)
    write(classes, "a/8.png", "b/8.png", "c/8.png", data=b"<!DOCTYPE html><html>")
    with pytest.raises(DamagedFile, match=r"4 of 16 pictures cannot be read.*a/8.png.*HTML page.*; and 1 more"):
        read(classes)


@pytest.mark.parametrize(
    ("begins", "words"),
    [
        (b"", "empty"),
        (bytes(9), "zeros"),
        (b"\n<html>", "HTML"),
        (b'<?xml version="1.0"?>\n<svg xmlns', "SVG"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"../.git/annex/objects/xx", "git annex get"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"%PDF-1.4", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF", "PostScript"),
        (b"8BPS\0\1", "Photoshop"),
        (b"PK\3\4", "zip"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "macOS"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        ('{"error": "größe"}'.encode(), "text"),
        ("größe".encode("utf-16"), "text"),
        (bytes(range(200, 256)), "unknown"),
    ],
)
def test_a_file_is_described_by_its_contents(begins, words):
    assert words in described(begins)


def test_zips_with_a_password_are_named(classes, tmp_path):
    data = bytearray(fixtures.zipped({"a/1.pgm": PGM, "b/1.pgm": PGM}))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(mark, bytes(data)):
            data[match.start() + flags] |= 1
    (tmp_path / "secret.zip").write_bytes(data)
    with pytest.raises(DamagedFile, match=r"encrypted with a password \('a/1.pgm'\): unpack it"):
        read(tmp_path / "secret.zip")


@pytest.mark.parametrize(("flag", "stored"), [(0x800, "é".encode()), (0, "é".encode()), (0, b"\x82")])
def test_names_in_a_zip_may_be_in_utf_8_or_in_code_page_437(tmp_path, flag, stored):
    data = fixtures.zipped({"a__/1.pgm": PGM, "b__/1.pgm": PGM})
    stored = stored.ljust(2, b"_")
    data = bytearray(data.replace(b"__", stored))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(mark, bytes(data)):
            struct.pack_into("<H", data, match.start() + flags, flag)
    (tmp_path / "names.zip").write_bytes(data)
    assert [name.rstrip("_") for name in read(tmp_path / "names.zip").classes] == ["aé", "bé"]


def test_names_that_are_no_text_can_be_shown(tmp_path):
    write(tmp_path, "a\n\x1b[31m/1.pgm", os.fsdecode(b"\xff/1.pgm"), unicodedata.normalize("NFD", "é") + "/1.pgm")
    write(tmp_path, os.fsdecode(b"\xfe.txt"))
    data = read(tmp_path)
    assert data.classes == ("\\udcff", "a\\n\\x1b[31m", "é")
    "\n".join(data.notes).encode()


def test_a_file_that_may_not_be_opened_is_named(classes, monkeypatch):
    def refused(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.iterdir", refused)
    with pytest.raises(DamagedFile, match=r"mine: cannot be read \(Permission denied\)"):
        read(classes)


def test_the_notes_say_how_pictures_were_read(tmp_path):
    page = np.full((9, 5), 204, np.uint8)
    page[:, 0] = 51
    write(tmp_path, "a/1.pgm", "b/1.pgm", data=fixtures.pgm(page))
    data = datasets.folder(tmp_path, size=5)
    assert data.notes == (
        "2 pictures (2 PPM) as grey levels, the mean of the colours: 0.20 to 0.80 of white",
        "scaled from 5 × 9 to 5 × 5 pixels, not cropped, so pictures that are not square are stretched",
        "dark is ink: inverted, since their mean is 0.68 of white",
    )
    assert datasets.folder(tmp_path, size=5, dark_ink=False).notes[2].startswith("light is ink: not inverted")
    Image.new("L", (3, 3)).save(tmp_path / "a" / "2.gif", save_all=True, append_images=[Image.new("L", (3, 3), 255)])
    data = datasets.folder(tmp_path)
    assert note(data, "frames").endswith("of which the first is read: a/2.gif")
    assert note(data, "blank") == "1 blank, of a single grey level: a/2.gif"


def test_omniglot_may_be_deep_in_a_folder_and_reports_other_files(tmp_path, rng):
    write(tmp_path, "New folder/a.txt", "New folder/images_background/Greek/character01/copy of 0001_01.png", data=PNG)
    for name, data in fixtures.letters(rng).items():
        write(tmp_path, f"New folder/{name}", data=data)
    data = datasets.omniglot(tmp_path)
    assert len(data.images) == 12
    assert data.class_name(2) == "Latin/character01"
    (said,) = data.notes
    assert said.startswith("2 files skipped, which are not letters by their names: New folder/a.txt, ")


def test_a_home_folder_is_expanded(classes, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read("~/mine").classes == tuple("abcdef")
    assert len(data_spec.load("folder:~/mine", 2).train.images) == 4
    assert cli.main(["data", "--data", "folder:~/mine", "--show=~/sheet.png"]) == 0
    assert (tmp_path / "sheet.png").is_file()
    with pytest.raises(FileNotFoundError, match=f"no file or folder {tmp_path}/other"):
        read("~/other")


# from the data to what is on the screen


def test_the_data_command_lists_classes_and_what_was_passed_over(classes, capsys):
    write(classes, *(f"a/{i}.heic" for i in range(60)))
    assert cli.main(["data", "--data", f"folder:{classes}"]) == 0
    said = capsys.readouterr().out
    assert "60 skipped: 60 .heic" in said
    assert "train: 4 images of 2 classes\n  a, d\n" in said


def test_rotated_classes_are_classes_of_letters_only():
    for data, default in (
        ("pen-glyphs", 8),
        ("pen-glyphs:7", 8),
        ("omniglot:a.zip", 8),
        ("folder:x", 1),
        ("mnist:x", 1),
        ("emnist-letters:x", 1),
    ):
        assert config.Config(data=data).dihedral == default
        assert config.Config(data=data, dihedral=9 - default).dihedral == 9 - default


def test_names_of_classes_reach_the_report_and_the_csv(tmp_path, capsys, monkeypatch):
    for number, name in enumerate(["_x", "$$", "żółw", "cat", "dog", "a class, named"]):
        page = np.zeros((9, 9), np.uint8)
        page[number + 1 : number + 3, 1:7] = 255
        write(tmp_path / "mine", *(f"{name}/{i}.pgm" for i in range(4)), data=fixtures.pgm(page))
    monkeypatch.setattr("minisiam.app.commands.train.can_draw", lambda: False)
    monkeypatch.setattr("minisiam.app.report.EPISODES", 20)
    run, file = str(tmp_path / "run"), tmp_path / "classes.csv"
    training = ["train", "--data", f"folder:{tmp_path}/mine", "--encoder", "mlp", "--steps", "1", "--out", run]
    assert cli.main(training) == 0
    said = capsys.readouterr().out
    assert "no class is rotated and reflected into eight" in said
    assert "24 pictures (24 PPM)" in said
    assert cli.main(["evaluate", run, "--csv", str(file)]) == 0
    rows = file.read_text(encoding="utf-8").splitlines()
    assert [row.rpartition(",")[0].rpartition(",")[0] for row in rows] == ["class", '"a class, named"', "żółw"]
    assert "are not those" not in capsys.readouterr().out
    assert cli.main(["evaluate", run, "--csv", str(file)]) == 1
    assert "exists, and it has no mark of minisiam" in capsys.readouterr().err
    (tmp_path / "mine" / "$$").rename(tmp_path / "mine" / "fox")  # another split
    assert cli.main(["evaluate", run]) == 0
    assert f"not those that {run} was trained on" in capsys.readouterr().out


def test_names_of_classes_are_in_the_legend(classes):
    data = read(classes)
    figure = figures._clusters(data, np.random.default_rng(0).random((12, 2)), "classes")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == list("abcdef")


def test_a_class_of_one_picture_is_named(classes, capsys):
    (classes / "a" / "1.pgm").unlink()
    assert cli.main(["train", "--data", f"folder:{classes}", "--steps", "1"]) == 1
    assert "1 class with only one image, a: two images" in capsys.readouterr().err


def test_another_folder_of_pictures_can_be_the_test_set(classes, tmp_path):
    write(tmp_path / "other", *(f"{letter}/{i}.pgm" for letter in "abwxyz" for i in range(2)))
    data = data_spec.load(f"folder:{classes}", 2, f"folder:{tmp_path}/other")
    assert data.train.class_names == list("abcdef")
    assert sorted(data.validation.class_names + data.test.class_names) == list("wxyz")
    assert data.new == "classes"
    with pytest.raises(ValueError, match="fewer than four classes that"):
        data_spec.load(f"folder:{classes}", 2, f"folder:{classes}")
    with pytest.raises(ValueError, match="trained on, a, b: use its own test set"):
        data_spec.refuse_training_classes(data.train, read(tmp_path / "other"), "--data x")


def coloured(path, colour=(200, 100, 0), size=(40, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, "PNG")


def test_colour_is_read_as_it_is_and_grey_as_three_equal_channels(tmp_path):
    coloured(tmp_path / "a" / "1.png")
    Image.new("L", (9, 9), 51).save(tmp_path / "a" / "2.png")
    data = datasets.folder(tmp_path, 8, channels=3)
    assert data.images.shape == (2, 8, 8, 3)
    np.testing.assert_allclose(data.images[0], np.broadcast_to([200 / 255, 100 / 255, 0], (8, 8, 3)), atol=1e-6)
    np.testing.assert_allclose(data.images[1], 0.2, atol=1e-6)
    assert data.inverted is False
    assert "2 pictures (2 PNG) as red, green and blue: 0.00 to 0.78 of white" in data.notes
    assert not any("ink" in note for note in data.notes)
    with pytest.raises(ValueError, match="channels must be 1, for grey levels, or 3, for colour, not 2"):
        datasets.folder(tmp_path, channels=2)


def test_the_mean_of_the_channels_is_the_grey_level(tmp_path, rng):
    (tmp_path / "a").mkdir()
    Image.fromarray(rng.integers(0, 256, (70, 50, 3)).astype(np.uint8)).save(tmp_path / "a" / "1.png")
    Image.fromarray(rng.integers(0, 256, (70, 50, 4)).astype(np.uint8)).save(tmp_path / "a" / "2.png")
    grey, colour = (datasets.folder(tmp_path, 16, dark_ink=False, channels=c).images for c in (1, 3))
    np.testing.assert_allclose(colour.mean(axis=3, keepdims=True), grey, atol=1e-6)


def test_files_folders_and_zips_are_read_together_in_the_order_given(tmp_path):
    coloured(tmp_path / "by_class" / "ada" / "1.png")
    coloured(tmp_path / "by_class" / "bo" / "1.png")
    coloured(tmp_path / "flat" / "z.png")
    coloured(tmp_path / "alone")  # PNG by its content
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "flat" / "z.png", "cy/z.png")
    seen = []
    paths = [tmp_path / name for name in ("flat", "by_class", "alone", "more.zip")]
    found = datasets.read_pictures(paths, 8, progress=lambda done, total: seen.append((done, total)))
    assert found.classes == ["", "ada", "bo", "", "cy"]
    names = ("flat/z.png", "by_class/ada/1.png", "by_class/bo/1.png", "alone", "more.zip/cy/z.png")
    assert found.files == [f"{tmp_path}/{name}" for name in names]
    assert seen == [(n, 5) for n in range(1, 6)]
    one = datasets.read_pictures([tmp_path / "by_class"], 8)
    np.testing.assert_array_equal(one.images, datasets.folder(tmp_path / "by_class", 8).images)


def test_a_file_that_is_no_picture_is_named_with_what_it_is(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(DamagedFile, match=r"a.png' cannot be read: it is a text file: replace or remove"):
        datasets.read_pictures([tmp_path / "a.png"])
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        datasets.read_pictures([tmp_path / "b.png"])
    (tmp_path / "none").mkdir()
    with pytest.raises(DamagedFile, match="holds no pictures"):
        datasets.read_pictures([tmp_path / "none"])
    with pytest.raises(ValueError, match="there are no pictures: name files"):
        datasets.read_pictures([])
