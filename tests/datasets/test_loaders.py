"""Loaders read back what was written, and reject damaged or malicious files at once, in little memory."""

import gzip
import io
import json
import struct
import tracemalloc
import zipfile

import fixtures
import fuzz
import numpy as np
import pytest

from minisiam import datasets, evaluate
from minisiam.app import cli, config, data_spec, official, report, trainer
from minisiam.datasets import DamagedFile
from minisiam.datasets.pictures import by_area, picture


@pytest.fixture
def small(tmp_path, rng):
    path = tmp_path / "images_background.zip"
    path.write_bytes(fixtures.zipped({"images_background/": b"", **fixtures.letters(rng)}))
    return path


def test_omniglot_loads_from_a_zip_and_from_a_folder(small, tmp_path, rng):
    data = datasets.omniglot(small, size=15)
    assert data.images.shape == (12, 15, 15, 1)
    assert data.images.dtype == np.float32
    assert data.names == ("Greek", "Latin", "Old_(Runes)")
    assert data.labels.tolist() == np.repeat(np.arange(6), 2).tolist()
    assert data.groups.tolist() == np.repeat(np.arange(3), 4).tolist()
    assert data.drawers.tolist() == [0, 1] * 6
    pages = [fixtures.page(np.random.default_rng(0)) for _ in range(1)]
    np.testing.assert_array_equal(data.images[0, ..., 0], ~pages[0])
    with zipfile.ZipFile(small) as archive:
        archive.extractall(tmp_path / "unpacked")
    for folder in ("unpacked", "unpacked/images_background"):
        again = datasets.omniglot(tmp_path / folder, size=15)
        for ours, theirs in zip(data, again, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_omniglot_files_are_resized_by_area_and_joined(small, tmp_path, rng):
    other = tmp_path / "other.zip"
    other.write_bytes(fixtures.zipped(fixtures.letters(rng, ("Hebrew",))))
    joined = datasets.omniglot(f"{small},{other}", size=5)
    assert joined.names == ("Greek", "Hebrew", "Latin", "Old_(Runes)")
    assert len(joined.images) == 16
    whole = datasets.omniglot(small, size=15).images
    expected = whole.reshape(12, 5, 3, 5, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(datasets.omniglot(small, size=5).images[..., 0], expected, atol=1e-6)
    with pytest.raises(DamagedFile, match="one drawer has"):
        datasets.omniglot(f"{small},{small}")


def test_omniglot_loads_from_an_npz(tmp_path, rng):
    data, images = fixtures.npz(rng)
    (tmp_path / "o.npz").write_bytes(data)
    read = datasets.omniglot(tmp_path / "o.npz", size=8)
    np.testing.assert_allclose(read.images[..., 0], images.reshape(6, 8, 8) / 255, rtol=1e-6)
    assert read.names == ("A0", "A1")
    assert read.drawers.tolist() == [0, 1, 0, 1, 0, 1]


def test_resizing_by_area_preserves_the_mean(rng):
    image = rng.random((105, 105), dtype=np.float32)
    for size in (28, 35, 105, 200):
        assert by_area(image, size, size).shape == (size, size)
        assert by_area(image, size, size).mean() == pytest.approx(image.mean(), abs=1e-5)


def test_official_runs_have_images_and_answers(tmp_path, rng):
    (tmp_path / "all_runs.zip").write_bytes(fixtures.zipped(fixtures.official(rng)))
    asked = datasets.omniglot_runs(tmp_path / "all_runs.zip", size=9)
    assert len(asked) == 20
    for run in asked:
        assert run.training.shape == run.test.shape == (20, 9, 9, 1)
        np.testing.assert_array_equal(run.training[run.answers], run.test)
    assert official.score(evaluate.pixels, asked).accuracy == 1
    assert official.score(lambda x: np.zeros((len(x), 3)), asked).accuracy == 0  # ties count against
    shuffled = [run._replace(answers=rng.permutation(run.answers)) for run in asked]
    assert official.score(evaluate.pixels, shuffled).accuracy == pytest.approx(0.05, abs=0.035)
    with pytest.raises(ValueError, match="no question"):
        official.score(evaluate.pixels, [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files.pop("run07/test/item03.png"), "holds no run07/test/item03.png"),
        (lambda files: files.pop("run07/class_labels.txt"), "holds no run07/class_labels.txt"),
        (lambda files: files.update({"run01/class_labels.txt": b"run01/test/item01.png"}), "without two images"),
        (lambda files: files.update({"run01/class_labels.txt": b""}), "does not answer all 20"),
        (lambda files: files.update({"run01/class_labels.txt": files["run02/class_labels.txt"]}), "impossible line"),
    ],
)
def test_incomplete_official_runs_are_an_error(tmp_path, rng, change, message):
    files = fixtures.official(rng)
    change(files)
    (tmp_path / "all_runs.zip").write_bytes(fixtures.zipped(files))
    with pytest.raises(DamagedFile, match=message):
        datasets.omniglot_runs(tmp_path / "all_runs.zip", size=9)


@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_loads_images_and_labels(tmp_path, rng, zipped):
    made = fixtures.mnist(tmp_path, rng, zipped=zipped)
    for part, stem in (("train", "train"), ("test", "t10k")):
        images, labels = made[stem]
        data = datasets.mnist(tmp_path, part)
        np.testing.assert_allclose(data.images[..., 0], images / 255, rtol=1e-6)
        np.testing.assert_array_equal(data.labels, labels)
        assert data.images.dtype == np.float32
        assert data.known_drawers is None
        assert not data.has_alphabets
        file = next(tmp_path.glob(f"{stem}-images*"))
        np.testing.assert_array_equal(datasets.fashion_mnist(file).images, data.images)
    with pytest.raises(ValueError, match="not a file of test images"):
        datasets.mnist(next(tmp_path.glob("train-images*")), "test")
    with pytest.raises(FileNotFoundError, match=r"no train-images-idx3-ubyte or train-images-idx3-ubyte\.gz"):
        datasets.mnist(tmp_path.parent)


def emnist(folder, rng, *sets, count=6):
    """The four files of each set, and the images of the training part of the last one, upright."""
    for which in sets:
        for part in ("train", "test"):
            images = rng.integers(0, 256, (count, 5, 5), dtype=np.uint8)
            labels = np.arange(1, count + 1)
            for kind, array in (("images-idx3", images.transpose(0, 2, 1)), ("labels-idx1", labels)):
                name = f"emnist-{which}-{part}-{kind}-ubyte.gz"
                (folder / name).write_bytes(gzip.compress(fixtures.idx(array), mtime=0))
            upright = images if part == "train" else upright
    return upright


def test_emnist_is_upright_and_its_labels_have_names(tmp_path, rng):
    upright = emnist(tmp_path, rng, "letters")
    for data in (
        datasets.emnist(tmp_path),
        datasets.mnist(tmp_path),  # by the names of the files
        datasets.mnist(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz"),
        data_spec.load_all(f"emnist-letters:{tmp_path}", 5),
    ):
        np.testing.assert_allclose(data.images[..., 0], upright / 255, rtol=1e-6)
        assert data.labels.tolist() == [1, 2, 3, 4, 5, 6]
        assert data.class_names == list("abcdef")
        assert "transposed" in data.notes[1]
    assert {name: len(classes) for name, classes in datasets.EMNIST.items()} == {
        "letters": 27,
        "balanced": 47,
        "byclass": 62,
        "bymerge": 47,
        "digits": 10,
        "mnist": 10,
    }
    upright = emnist(tmp_path, rng, "balanced")
    np.testing.assert_allclose(datasets.emnist(tmp_path, which="balanced").images[..., 0], upright / 255, rtol=1e-6)
    with pytest.raises(ValueError, match=r"several sets, emnist-balanced, emnist-letters.*--data emnist-balanced:"):
        datasets.mnist(tmp_path)


NAMES = ["train-{}-ubyte", "train-{}-ubyte.gz", "Train-{}-ubyte", "kmnist-train-{}-ubyte.gz"]


@pytest.mark.parametrize("images, labels", [("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1")])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("within", ["", "raw", "MNIST/raw", "{}"])
def test_idx_files_may_have_their_usual_names(tmp_path, images, labels, name, within):
    bright = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    for kind, array in ((images, bright), (labels, np.array([3, 1]))):
        file = tmp_path / within.format(kind) / name.format(kind)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(fixtures.idx(array)) if name.endswith(".gz") else fixtures.idx(array))
    (tmp_path / within.format(images) / "__MACOSX").mkdir()
    (tmp_path / within.format(images) / "__MACOSX" / name.format(images)).write_bytes(b"\0\5\x16\7")
    for path in (tmp_path,) if within == "{}" else (tmp_path, file.with_name(name.format(images))):
        read = datasets.mnist(path)
        np.testing.assert_allclose(read.images[..., 0], bright / 255, rtol=1e-6)
        assert read.class_names == ["1", "3"]
    assert datasets.fashion_mnist(tmp_path).class_names == ["Trouser", "Dress"]


def test_a_missing_idx_file_is_named_beside_those_that_are_there(tmp_path):
    (tmp_path / "train-images.idx3-ubyte").write_bytes(fixtures.idx(np.zeros((1, 2, 2))))
    with pytest.raises(FileNotFoundError, match=r"no train-labels-idx1-ubyte .* this one has train-images.idx3-ubyte$"):
        datasets.mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match="this one has none of them"):
        datasets.mnist(tmp_path.joinpath("other").mkdir() or tmp_path / "other")


def test_an_unpacked_file_is_preferred_to_the_packed_one(tmp_path):
    for level, pack in ((1, gzip.compress), (2, bytes)):
        ending = ".gz" if pack is gzip.compress else ""
        (tmp_path / f"train-images-idx3-ubyte{ending}").write_bytes(pack(fixtures.idx(np.full((1, 2, 2), level))))
        (tmp_path / f"train-labels-idx1-ubyte{ending}").write_bytes(pack(fixtures.idx(np.array([level]))))
    assert datasets.mnist(tmp_path).labels.tolist() == [2]


def test_a_folder_has_one_class_per_subfolder(tmp_path, rng):
    pages = rng.integers(0, 100, (4, 6, 6), dtype=np.uint8)
    for name, data in {
        "b/1.pgm": fixtures.pgm(pages[0]),
        "b/2.PGM": fixtures.pgm(pages[1], plain=True),
        "a/x.png": fixtures.png(pages[2] / 255),
        "a/readme.txt": b"no picture",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    data = datasets.folder(tmp_path, size=6)
    assert data.labels.tolist() == [0, 1, 1]
    np.testing.assert_allclose(data.images[..., 0], pages[[2, 0, 1]] / 255, atol=0.004)  # imsave rounds
    inverted = datasets.folder(tmp_path, size=6, dark_ink=True)
    np.testing.assert_allclose(inverted.images, 1 - data.images, atol=1e-6)
    (tmp_path / "a" / "x.png").write_bytes(b"nothing")
    with pytest.raises(DamagedFile, match=r"'a/x.png' cannot be read: it is a text file: replace or remove"):
        datasets.folder(tmp_path)


def test_dark_ink_is_detected_and_inverted(tmp_path, rng):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(fixtures.one_bit_png(fixtures.page(rng)))
    assert datasets.folder(tmp_path, size=15).images.mean() < 0.5


def test_pictures_may_have_16_bits_colours_and_transparency():
    wide = np.array([[0, 65535], [256, 1000]], ">u2")
    np.testing.assert_allclose(picture(b"P5 2 2 65535\n" + wide.tobytes(), "x"), wide / 65535, rtol=1e-6)
    glass = np.zeros((2, 2, 4))
    glass[0, 0] = (1, 0, 0, 1)
    np.testing.assert_allclose(picture(fixtures.png(glass), "x"), [[1 / 3, 1], [1, 1]], atol=1e-6)


# damaged and malicious files


def hostile_zips():
    letter = "images_background/Greek/character01/0001_01.png"
    good = fixtures.one_bit_png(np.ones((15, 15), bool))
    yield "traversal", fixtures.zipped({"../../" + letter: good}), "leave its folder"
    yield "absolute", fixtures.zipped({"/" + letter: good}), "leave its folder"
    yield "backslash", fixtures.zipped({"..\\" + letter: good}), "leave its folder"
    yield "bomb", fixtures.zipped({letter: bytes(5_000_000)}), "more than 4,194,304"
    yield "bzip2", fixtures.zipped({letter: good}, zipfile.ZIP_BZIP2), "unusual way"
    yield "nothing of ours", fixtures.zipped({"a.txt": b"a"}), "holds no letters"
    yield "no zip", b"PK" * 40, "is not a zip file"
    yield "empty", b"", "is not a zip file"
    yield "cut off", fixtures.zipped({letter: good})[:-30], "is not a zip file"
    huge = bytearray(good)
    huge[16:24] = struct.pack(">LL", 100_000, 100_000)
    header = huge[12:29]
    huge = bytes(huge[:8]) + fixtures.chunk(b"IHDR", bytes(header[4:])) + bytes(huge[33:])
    yield "a page too large", fixtures.zipped({letter: huge}), "10000000000 pixels"
    large = fixtures.chunk(b"IHDR", struct.pack(">LL", 9000, 9000) + good[24:29])
    yield "a second, larger header", fixtures.zipped({letter: good[:33] + large + good[33:]}), "9000 × 9000 pixels"
    yield "a wrong checksum", fixtures.zipped({letter: good[:45] + b"!" + good[46:]}), "bad header checksum"
    yield "a short picture", fixtures.zipped({letter: good[:-20]}), "Truncated"


@pytest.mark.parametrize(("data", "message"), [pytest.param(d, m, id=name) for name, d, m in hostile_zips()])
def test_a_malicious_zip_is_an_error(tmp_path, data, message):
    path = tmp_path / "hostile.zip"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(DamagedFile, match=message) as told:
        datasets.omniglot(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in str(told.value)
    assert peak < 2 * 10**7


def test_a_zip_member_longer_than_its_header_is_an_error(tmp_path):
    name = "Greek/character01/0001_01.png"
    data = fixtures.zipped({name: fixtures.one_bit_png(np.ones((15, 15), bool)) + bytes(3_000_000)})
    at = data.rindex(b"PK\1\2") + 24
    (tmp_path / "a.zip").write_bytes(data[:at] + struct.pack("<L", 200) + data[at + 4 :])
    with pytest.raises(DamagedFile):
        datasets.omniglot(tmp_path / "a.zip")


def test_a_zip_with_too_many_members_is_an_error(tmp_path):
    data = bytearray(fixtures.zipped({"a": b""}))
    data[-10:-6] = struct.pack("<L", 1 << 30)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DamagedFile, match="more than any data set"):
        datasets.omniglot(tmp_path / "a.zip")


def hostile_idx():
    header = bytes([0, 0, 8, 3])
    yield "promises much", header + struct.pack(">LLL", 60_000, 28, 28) + b"abc", "which it cannot hold"
    yield "promises all", header + struct.pack(">LLL", *3 * [2**32 - 1]), "which it cannot hold"
    yield "nothing", header + struct.pack(">LLL", 0, 28, 28), "which it cannot hold"
    yield "labels", fixtures.idx(np.arange(4)), "no idx header .*: it is an idx file of other numbers or axes"
    yield "a pointer", b"version https://git-lfs.github.com/spec/v1\n", "no idx header .*: it is a pointer of Git LFS"
    yield "cut off", fixtures.idx(np.zeros((2, 3, 3)))[:-1], "which it cannot hold|is truncated"
    yield "goes on", fixtures.idx(np.zeros((2, 3, 3))) + b"0", "is too long"
    yield "packed bomb", gzip.compress(fixtures.idx(np.zeros((1, 3, 3))) + bytes(10**7)), "is too long"
    yield (
        "packed lie",
        gzip.compress(header + struct.pack(">LLL", 60_000, 28, 28) + bytes(100)),
        "which it cannot hold",
    )
    yield "packed, cut off", gzip.compress(fixtures.idx(np.ones((9, 3, 3))))[:-9], "damaged"
    yield "packed, another checksum", gzip.compress(fixtures.idx(np.ones((2, 3, 3))))[:-8] + bytes(8), "damaged"
    yield "empty", b"", "no idx header .*: it is empty"


@pytest.mark.parametrize(("data", "message"), [pytest.param(d, m, id=name) for name, d, m in hostile_idx()])
def test_a_malicious_idx_file_is_an_error(tmp_path, data, message):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(data)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(fixtures.idx(np.zeros(2)))
    tracemalloc.start()
    with pytest.raises(DamagedFile, match=message):
        datasets.mnist(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7


def test_a_missing_label_is_an_error(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(fixtures.idx(np.zeros((2, 3, 3))))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(fixtures.idx(np.zeros(3)))
    with pytest.raises(DamagedFile, match="3 labels for the 2 images"):
        datasets.mnist(tmp_path)


def hostile_npz():
    def saved(**arrays):
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    images = np.zeros((2, 2, 4, 4), np.uint8)
    names, numbers = np.array(["a", "b"]), np.arange(2)
    yield (
        "pickle",
        saved(images=np.array([{}], object), alphabet=names, character=numbers),
        "must hold integers or strings",
    )
    yield "no names", saved(images=images, character=numbers), "holds no alphabet.npy"
    yield "floats", saved(images=images / 1, alphabet=names, character=numbers), "must hold integers or strings"
    yield "few names", saved(images=images, alphabet=names[:1], character=numbers), "one for each letter"
    yield "flat", saved(images=images[0], alphabet=names, character=numbers), "not uint8"
    yield "words", saved(images=images, alphabet=names, character=names), "not whole numbers"
    raw = io.BytesIO()
    np.save(raw, images)
    lie = raw.getvalue().replace(b"(2, 2, 4, 4)", b"(2, 9999999,)")
    yield "shape", fixtures.zipped({"images.npy": lie, "alphabet.npy": lie, "character.npy": lie}), "an array"
    yield "no array", fixtures.zipped({f"{n}.npy": b"" for n in ("images", "alphabet", "character")}), "no NumPy header"


@pytest.mark.parametrize(("data", "message"), [pytest.param(d, m, id=name) for name, d, m in hostile_npz()])
def test_a_malicious_npz_is_an_error(tmp_path, data, message):
    (tmp_path / "o.npz").write_bytes(data)
    with pytest.raises(DamagedFile, match=message):
        datasets.omniglot(tmp_path / "o.npz")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P5 2 2 255\nabc", "truncated"),
        (b"P5 9999 9999 255\n", "9999 × 9999"),
        (b"P5 2 2 70000\nabcd", "less than 65536"),
        (b"P5 two 2 255\nabcd", "cannot be read"),
        (b"P2 2 2 255\n1 2 3", "not enough image data"),
        (b"P2 2 2 255\n1 2 3 -4", "negative"),
        (b"P2 2 2 9\n1 2 3 10", "too large"),
        (b"P6 2 2 255\nabcd", "truncated"),
        (b"Pf 2 2 1.0\n" + bytes(16), "is a floating-point picture"),
        (b"GIF89a" + bytes(40), "begins like a GIF picture, and the rest is damaged or missing"),
        (b"", "cannot be read: it is empty"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(40), "begins like a JPEG picture"),
    ],
)
def test_a_damaged_pgm_is_an_error(data, message):
    with pytest.raises(DamagedFile, match=message):
        picture(data, "a.pgm")


def test_a_missing_file_is_an_error(tmp_path):
    for read in (datasets.omniglot, datasets.omniglot_runs, datasets.mnist, datasets.folder):
        with pytest.raises(FileNotFoundError, match="there is no file or folder"):
            read(tmp_path / "nothing")


# held-out sets


def test_a_split_is_by_alphabets_or_by_classes(tmp_path, rng, small):
    parts = data_spec.load(f"omniglot:{small}", 15)
    assert [len(np.unique(part.groups)) for part in parts] == [1, 1, 1]
    fixtures.mnist(tmp_path, rng)
    digits = data_spec.load(f"mnist:{tmp_path}", 28)
    assert [np.unique(part.labels).tolist() for part in digits] == [[0, 1, 4, 6, 9], [3, 7], [2, 5, 8]]
    test = datasets.mnist(tmp_path, "test")
    np.testing.assert_array_equal(digits.test.images, test.images[np.isin(test.labels, [2, 5, 8])])
    train = datasets.mnist(tmp_path, "train")
    np.testing.assert_array_equal(digits.train.images, train.images[np.isin(train.labels, [0, 1, 4, 6, 9])])
    assert data_spec.load(f"fashion-mnist:{tmp_path}", 35).test.images.shape[1:] == (35, 35, 1)
    for classes in range(6, 40):
        labels = np.repeat(np.arange(classes), 2)
        zeros = np.zeros_like(labels)
        images = np.zeros((len(labels), 4, 4, 1), np.float32)
        made = data_spec.split(datasets.Dataset(images, labels, zeros, zeros + datasets.UNKNOWN, ("x",)))
        assert min(len(np.unique(part.labels)) for part in made) >= 2
        assert sum(len(part.labels) for part in made) == len(labels)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("omniglt:x", "data on your disk are omniglot:PATH, mnist:PATH"),
        ("omniglot", "needs the path of its files after a colon: omniglot:PATH"),
        ("mnist:{file}", "is not a folder"),
        ("folder:{few}", "needs 6 classes, some of them for validation and for testing, and there is 1"),
    ],
)
def test_names_of_data(tmp_path, name, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "few" / "a").mkdir(parents=True)
    (tmp_path / "few" / "a" / "1.pgm").write_bytes(b"P5 1 1 255\nx")
    with pytest.raises(ValueError, match=message):
        data_spec.load(name.format(file=tmp_path / "file", few=tmp_path / "few"))


# the command line on your own pictures


@pytest.fixture
def pictures(tmp_path, rng):
    """Seven classes of six PGM pictures: a bar at a different place for each class, with noise."""
    for kind in range(7):
        (tmp_path / "mine" / f"class{kind}").mkdir(parents=True)
        for number in range(6):
            image = rng.integers(0, 60, (20, 20), dtype=np.uint8)
            image[2 * kind + 2 : 2 * kind + 5] += 190
            (tmp_path / "mine" / f"class{kind}" / f"{number}.pgm").write_bytes(fixtures.pgm(image))
    return tmp_path / "mine"


@pytest.mark.slow
def test_you_can_train_on_your_own_pictures_evaluate_and_show_them(pictures, tmp_path, capsys):
    data, out = f"folder:{pictures}", str(tmp_path / "run")
    assert cli.main(["train", "--data", data, "--steps", "3", "--out", out]) == 0
    said = capsys.readouterr().out
    for words in ("train      18 images of 3 classes", "2-way 1-shot, 2 held-out classes", "50.0 %"):
        assert words in said
    assert cli.main(["evaluate", out, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["data"] == data
    written = json.loads((tmp_path / "run" / "report.json").read_text())["one_shot"]
    by_class = {one.pop("class"): one for one in again["one_shot"]["by_class"]}
    assert again["one_shot"] | {"by_class": by_class} == written and len(by_class) == 2
    assert cli.main(["evaluate", out, "--way", "3"]) == 1
    assert "use --way 2" in capsys.readouterr().err
    questions = tmp_path / "all_runs.zip"
    questions.write_bytes(fixtures.zipped(fixtures.official(np.random.default_rng(0))))
    assert cli.main(["evaluate", out, "--data", f"omniglot-runs:{questions}", "--json"]) == 0
    answered = json.loads(capsys.readouterr().out)
    assert answered["pixels"]["accuracy"] == answered["network"]["accuracy"] == 1
    assert cli.main(["evaluate", out, "--data", f"omniglot-runs:{questions}"]) == 0
    said = capsys.readouterr().out
    assert "20 runs of 20 questions" in said and "hold for these alphabets" in said
    assert "100.0 % (98.9 to 100.0)" in said and "(100.0 to" not in said
    assert cli.main(["evaluate", out, "--data", f"omniglot-runs:{questions}", "--against", out, "--json"]) == 0
    (itself,) = json.loads(capsys.readouterr().out)["against"]
    assert itself["run"] == out
    assert itself["mcnemar"] == {"first": 0, "second": 0, "p": 1} and itself["p_by_runs"] == 1
    assert cli.main(["evaluate", out, "--against", out]) == 1
    assert "add --data omniglot-runs:PATH" in capsys.readouterr().err
    assert cli.main(["evaluate", out, "--data", f"omniglot-runs:{questions}", "--way", "5"]) == 1
    assert "leave --way out" in capsys.readouterr().err
    assert cli.main(["plot", out]) == 0
    assert cli.main(["xray", "--run", out]) == 0
    sheet = tmp_path / "sheet.png"
    assert cli.main(["data", "--data", data, "--show", str(sheet)]) == 0
    assert sheet.stat().st_size > 3_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["--network", "siamese"],
        ["--network", "triplet"],
        ["--network", "verification"],
        *(["--loss", loss] for loss in ("hinge", "cosface", "prototypical", "matching", "info-nce", "contrastive")),
    ],
)
def test_every_network_can_train_on_few_classes(pictures, tmp_path, words):
    arguments = cli.parser().parse_args(["train", "--data", f"folder:{pictures}", "--steps", "2", *words])
    chosen = {k: v for k, v in vars(arguments).items() if k not in ("command", "out")}
    data = data_spec.load(arguments.data)
    run = trainer.train(config.Config(**chosen), data, tmp_path / "run", lambda line: None)
    assert report.evaluate(run, data)["one_shot"]["way"] == 2


def test_an_error_in_the_data_leaves_no_run_folder(tmp_path, capsys):
    (tmp_path / "a.zip").write_bytes(b"nothing")
    out = tmp_path / "run"
    assert cli.main(["train", "--data", f"omniglot:{tmp_path / 'a.zip'}", "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "a.zip: is not a zip file" in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.slow
def test_the_fuzz_test_passes_on_a_sample():
    read, refused = fuzz.fuzz(0, 4000)
    assert read > 100
    assert refused > 3000
