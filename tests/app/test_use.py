"""A trained run in use: `load`, and the commands embed, enrol, search, identify and verify."""

import csv
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minisiam as ms
from minisiam import checkpoint, datasets, evaluate, gallery
from minisiam.app import build, cli, data_spec, report, run, thresholds, trainer
from minisiam.app.config import ENCODERS, SIDES, Config


def train(folder, **settings):
    """A tiny run on letters, or on other data, with its report."""
    config = Config(**{"encoder": "mlp", "embedding_size": 8, "steps": 2, "batch": 32} | settings)
    data = run.load_data(config) if "data" in settings else data_spec.split(datasets.pen_glyphs(drawers=4))
    made = trainer.train(config, data, folder, lambda line: None)
    return run.write_report(made, report.evaluate(made, data))


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    return train(tmp_path_factory.mktemp("use") / "run").folder


@pytest.fixture(scope="module")
def model(letters):
    return ms.load(letters)


@pytest.fixture(scope="module")
def images():
    return datasets.pen_glyphs(drawers=4).images[:40]


@pytest.fixture
def pictures(tmp_path, images):
    """Dark letters on white paper, in the folders a, b and c, twice as large as in training."""
    for number, name in enumerate("abc"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for k in range(2):
            page = 255 - np.round(255 * images[4 * number + k, ..., 0])
            Image.fromarray(np.uint8(page.repeat(2, 0).repeat(2, 1))).save(tmp_path / "pictures" / name / f"{k}.png")
    return tmp_path / "pictures"


@pytest.fixture
def people(pictures, letters):
    path = pictures.parent / "people.npz"
    assert (
        cli.main(
            ["enrol", str(path), *map(str, sorted(pictures.glob("*/0.png"))), "--name", "x", "--run", str(letters)]
        )
        == 0
    )
    return path


def test_a_loaded_model_embeds_as_its_run_does(letters, model, images):
    opened = run.open_run(letters)
    expected = opened.method.embed(opened.params, opened.method.prepare(images))
    np.testing.assert_allclose(model.embed(images), expected, atol=1e-6)
    for one in (images[0], images[0, ..., 0], images[:1], images[:1, ..., 0], images[:1].astype(np.float64)):
        np.testing.assert_allclose(model.embed(one), expected[:1], atol=1e-5)
    assert str(model).endswith("images of 28 × 28 pixels in grey")


def test_images_of_any_size_are_scaled_as_pictures_are(model, images):
    large = images.repeat(3, 1).repeat(3, 2)
    np.testing.assert_allclose(model.embed(large), model.embed(images), atol=1e-4)
    mixed = model.embed([images[0], large[1], images[2, ..., 0]])
    np.testing.assert_allclose(mixed, model.embed(images[:3]), atol=1e-4)


def test_pictures_are_read_as_the_arrays_they_were_made_of(model, pictures, images):
    z = model.embed(pictures)
    assert z.shape == (6, 8)
    np.testing.assert_allclose(z, model.embed(images[[0, 1, 4, 5, 8, 9]]), atol=0.02)
    np.testing.assert_allclose(
        model.embed([pictures / "a" / "0.png", str(pictures / "b" / "1.png")]), z[[0, 3]], atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x: np.uint8(255 * x), TypeError, r"images must be floats in \[0, 1\], not uint8: images / 255"),
        (lambda x: 255 * x, ValueError, r"images must be in \[0, 1\], and are in \[0, 255\]: images / 255"),
        (lambda x: np.where(x > 0, np.nan, x), ValueError, "images"),
        (lambda x: np.repeat(x, 3, 3), ValueError, r"for the 1 channel of the run, not .*images.mean\(axis=3\)"),
        (lambda x: x[:0], ValueError, "images must have the shape"),
        (lambda x: x[0, 0, :, 0], ValueError, "images must have the shape"),
    ],
)
def test_other_arrays_are_refused_with_a_remedy(model, images, change, error, message):
    with pytest.raises(error, match=message):
        model.embed(change(images[:2]))


def test_the_distance_of_rows_is_that_of_matrices(model, images):
    z = model.embed(images[:5])
    d, _ = model.distance(z, z[::-1].copy())
    np.testing.assert_allclose(d, np.diag(model.pairwise(z, z[::-1].copy())[0]), atol=1e-6)


@pytest.mark.parametrize("settings", [{"network": "verification", "distance": "weighted-l1"}, {"network": "siamese"}])
def test_learned_distances_are_used(tmp_path, settings, images):
    model = ms.load(train(tmp_path / "run", **settings).folder)
    people = model.enrol(["a", "b"], images[[0, 4]])
    assert model.identify(people, images[[0, 4]], threshold=1e9) == ["a", "b"]
    d = model.search(people, images[:1]).distances[0, 0]
    np.testing.assert_allclose(model.verify(images[:1], images[:1], 0.0).distances[0], d, atol=1e-5)


def test_the_thresholds_of_a_run_hold_on_its_validation_pairs(letters, model):
    assert set(model.thresholds) | set(model.missing) == set(thresholds.TARGETS)
    assert model.threshold == model.thresholds["false-accept 0.01"].value
    opened = run.open_run(letters)
    data = data_spec.split(datasets.pen_glyphs(drawers=4)).validation
    pairs = thresholds.draw_pairs(opened.method, opened.params, data, thresholds.COUNT)
    for rate in thresholds.RATES:
        chosen = model.thresholds[f"false-accept {rate:g}"]
        accepted = (pairs.d <= chosen.value)[~pairs.same].mean()
        assert accepted == chosen.false_accept.rate <= rate
        assert chosen.false_accept.low <= rate <= chosen.false_accept.high
    assert model.calibration.slope > 0


@pytest.mark.slow
def test_the_promise_of_a_threshold_holds_on_unseen_alphabets(tmp_path):
    """One threshold for 1 % from four alphabets, tried on ten others; and 40 other choices of the four."""
    config = Config(steps=300)
    data = run.load_data(config)
    made = trainer.train(config, data, tmp_path / "run", lambda line: None)
    parts = [thresholds.draw_pairs(made.method, made.params, part, 30_000) for part in (data.validation, data.test)]
    d, same = (np.concatenate([getattr(pairs, name) for pairs in parts]) for name in ("d", "same"))
    alphabet = np.concatenate([data.validation.groups[parts[0].first], data.test.groups[parts[1].first]])
    known, rng = np.unique(alphabet), np.random.default_rng(0)
    choices = [np.unique(data.validation.groups), *(rng.permutation(known)[:4] for _ in range(40))]
    inside = []
    for chosen in choices:
        used = np.isin(alphabet, chosen)
        found = evaluate.choose_threshold(d[used], same[used], alphabet[used])
        accepted = [(d[(alphabet == one) & ~same] <= found.value).mean() for one in np.setdiff1d(known, chosen)]
        low, high = found.false_accept[1:]
        assert low <= np.mean(accepted) <= high
        inside += [low <= rate <= high for rate in accepted]
    assert np.mean(inside) > 0.92


def few(classes, each=4):
    """Validation data with so many classes."""
    labels = np.repeat(np.arange(classes), each)
    images = np.random.default_rng(0).random((len(labels), 28, 28, 1)).astype(np.float32)
    return datasets.Dataset(images, labels, 0 * labels, 0 * labels + datasets.UNKNOWN, ("mine",))


def test_too_few_pairs_promise_no_rate_and_the_run_says_how_many_are_needed(letters):
    opened = run.open_run(letters)
    found = thresholds.of_validation(opened.method, opened.params, few(2))
    assert found["groups"] == {"kind": "classes", "count": 2}
    assert found["thresholds"]["equal-error"]["false_accept"]["interval"] is None
    wanted = "it needs 100 different pairs of validation images, and there are 16"
    assert found["missing"]["false-accept 0.01"] == wanted
    known, calibration = thresholds.from_json(found)
    assert str(known["equal-error"].false_accept).endswith("(no interval)")
    model = ms.load(letters)._replace(thresholds=known, missing=found["missing"], calibration=calibration)
    with pytest.raises(ValueError, match=f"no threshold for false-accept 0.01: {wanted}. It has equal-error"):
        model.threshold  # noqa: B018
    found = thresholds.of_validation(opened.method, opened.params, few(4))
    assert len(found["thresholds"]["equal-error"]["false_accept"]["interval"]) == 2
    assert "100 different pairs of validation images in all classes but one" in found["missing"]["false-accept 0.01"]


def test_a_collapsed_network_has_no_threshold_for_a_rate(letters):
    opened = run.open_run(letters)
    params = opened.params | {"encoder": ms.tree.map(lambda leaf: 0 * leaf + 1e-9, opened.params["encoder"])}
    found = thresholds.of_validation(opened.method, params, few(30))
    json.dumps(found, allow_nan=False)
    assert "accepts too many different pairs" in found["missing"]["false-accept 0.01"]


def test_a_gallery_in_python_is_one_on_the_command_line(tmp_path, model, images, pictures, capsys):
    gallery.save(tmp_path / "mine.npz", model.enrol(["a", "b"], images[[0, 4]]))
    assert cli.main(["search", str(tmp_path / "mine.npz"), str(pictures / "a" / "0.png"), "-k", "2", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["names"] == ["a", "b"]
    assert found["distances"][0] < 0.01 < found["distances"][1]


def test_enrol_adds_names_and_examples_and_removes_names(letters, pictures, tmp_path, capsys):
    path, one = str(tmp_path / "g" / "people.npz"), str(pictures / "a" / "1.png")
    assert cli.main(["enrol", path, str(pictures), "--run", str(letters)]) == 0
    assert gallery.load(path).names.tolist() == list("aabbcc")
    assert cli.main(["enrol", path, str(pictures)]) == 1
    assert "a, b, c enrolled already" in capsys.readouterr().err
    assert cli.main(["enrol", path, one, "--name", "a", "--add"]) == 0
    assert cli.main(["enrol", path, one, "--name", "d", "--json", "--remove", "b"]) == 0
    names = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))["names"]
    assert names == [{"name": name, "examples": count} for name, count in (("a", 3), ("c", 2), ("d", 1))]
    assert cli.main(["enrol", path, one]) == 1
    assert "1.png is in no folder of a name: add --name NAME" in capsys.readouterr().err
    assert gallery.load(path).about["run"] == str(letters)


def test_identify_answers_a_name_or_unknown(people, letters, pictures, capsys):
    words = ["identify", str(people), str(pictures / "a" / "0.png"), "--json"]
    capsys.readouterr()
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "x"
    assert cli.main(["identify", str(people), str(pictures / "a"), "--target", "equal-error"]) == 0
    said = capsys.readouterr().out
    assert "0.png   x   (nearest x, d = " in said
    assert "95 % interval for new alphabets" in said


def test_verify_compares_two_pictures_or_a_picture_with_a_name(letters, people, pictures, capsys):
    one, other = (str(pictures / "a" / f"{k}.png") for k in range(2))
    capsys.readouterr()
    for words in (["verify", str(letters), one, one], ["verify", str(people), one, "--name", "x"]):
        assert cli.main([*words, "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert found["same"] is True
        assert found["distance"] == pytest.approx(0, abs=1e-5)
        assert found["probability"] > 0.5
    assert cli.main(["verify", str(letters), one, other, "--false-accept", "0.1"]) == 0
    assert re.search(r"(same|different): d = [\d.]+, p\(same\) = ", capsys.readouterr().out)


@pytest.mark.parametrize("suffix", ["npz", "csv"])
def test_embed_keeps_names_and_files(letters, model, pictures, tmp_path, suffix, capsys):
    out = tmp_path / "new" / f"z.{suffix}"
    assert cli.main(["embed", str(letters), str(pictures), "--out", str(out)]) == 0
    assert "6 embeddings of 8 numbers" in capsys.readouterr().out
    if suffix == "npz":
        found = np.load(out)
        names, files, z = (found[name] for name in ("names", "files", "embeddings"))
    else:
        head, *rows = csv.reader(out.read_text(encoding="utf-8").splitlines())
        assert head == ["file", "name", *(f"z{n}" for n in range(8))]
        files, names, *z = zip(*rows, strict=True)
        z = np.array(z, np.float32).T
    assert list(names) == list("aabbcc")
    assert files[0] == f"{pictures}/a/0.png"
    np.testing.assert_array_equal(z, model.embed(pictures))
    assert cli.main(["embed", str(letters), str(pictures), "--out", str(out)]) == 1
    assert "exists, and it has no mark of minisiam" in capsys.readouterr().err


def test_the_page_on_using_a_network_runs(letters, pictures, tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine").symlink_to(letters)
    (tmp_path / "known").mkdir()
    (pictures / "a").rename(tmp_path / "known" / "ada")
    (pictures / "b").rename(tmp_path / "known" / "bo")
    (pictures / "c").rename(tmp_path / "new")
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "using.md"
    namespace = {}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.S | re.M):
        exec(compile(block, "using.md", "exec"), namespace)
    assert namespace["people"].names.tolist() == ["ada"]


def test_a_zip_and_a_flat_folder_are_read(letters, model, pictures, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path in sorted(pictures.rglob("*.png")):
            archive.write(path, path.relative_to(pictures))
    np.testing.assert_array_equal(model.embed(tmp_path / "p.zip"), model.embed(pictures))
    assert cli.main(["embed", str(letters), str(pictures / "a"), "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["", ""]


def test_the_ink_is_that_of_the_training(tmp_path, pictures):
    """Of a run on dark letters, a picture that is mostly dark is inverted as well."""
    for name in "defgh":
        (pictures / name).mkdir()
    for number, path in enumerate(sorted(pictures.iterdir())):
        for k in range(4):
            page = np.full((28, 28), 255, np.uint8)
            page[3 * number : 3 * number + 4, 4 + k : 20] = 0
            Image.fromarray(page).save(path / f"{k}.png")
    model = ms.load(train(tmp_path / "run", data=f"folder:{pictures}").folder)
    assert model.config.inverted is True
    dark = tmp_path / "dark.png"
    Image.fromarray(np.full((28, 28), 50, np.uint8)).save(dark)
    np.testing.assert_allclose(model.read(dark).images, 1 - 50 / 255, atol=1e-6)
    np.testing.assert_allclose(model.read(dark, dark_ink=False).images, 50 / 255, atol=1e-6)


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """Eight classes that differ only in their colour, in pictures of several sizes."""
    folder, rng = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for number in range(8):
        (folder / f"hue{number}").mkdir()
        hue = [200 if number >> bit & 1 else 40 for bit in range(3)]
        for k in range(6):
            page = np.clip(hue + rng.normal(0, 20, (30 + k, 40, 3)), 0, 255)
            Image.fromarray(np.uint8(page)).save(folder / f"hue{number}" / f"{k}.png")
    return folder


@pytest.mark.parametrize("encoder", ["conv2", "conv4"])
def test_a_run_in_colour_and_another_size_is_trained_evaluated_and_used(
    colours, tmp_path, encoder, capsys, monkeypatch
):
    monkeypatch.setattr("minisiam.app.commands.train.can_draw", lambda: False)
    words = ["--data", f"folder:{colours}", "--channels", "3", "--pixels", "20", "--encoder", encoder, "--steps", "3"]
    folder = tmp_path / "run"
    assert cli.main(["train", *words, "--embedding-size", "8", "--batch", "32", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "images of 20 × 20 pixels in colour" in said
    assert "inverted" not in said and "centred and" not in said.partition("evaluating")[0]
    assert "--channels 3 --pixels 20" in said
    assert cli.main(["evaluate", str(folder)]) == 0
    model = ms.load(folder)
    assert model.embed(colours / "hue0").shape == (6, 8)
    red = np.ones((15, 15, 3)) * [1.0, 0, 0]
    assert model.embed(red).shape == (1, 8)
    assert np.abs(model.embed(red) - model.embed(red[..., ::-1])).max() > 1e-3
    with pytest.raises(ValueError, match=r"\(n, h, w, 3\), for the 3 channels of the run"):
        model.embed(np.zeros((2, 20, 20)))
    capsys.readouterr()
    assert cli.main(["train", *words[:2], "--start", str(folder), "--channels", "1", "--out", str(tmp_path / "b")]) == 1
    assert "--channels 1 is another encoder than that of --start" in capsys.readouterr().err


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_fewest_pixels_of_an_encoder_are_enough_and_one_less_is_not(encoder):
    fewest, most = SIDES[encoder]
    for side in (fewest, most or fewest + 7):
        config = Config(encoder=encoder, pixels=side, embedding_size=4, channels=3)
        if encoder != "koch105":
            run.first_params(config, build.build(config))
    if fewest > 1:
        with pytest.raises(ValueError, match=f"--encoder {encoder} (needs|reads) images of"):
            Config(encoder=encoder, pixels=fewest - 1)
    if most is None and encoder not in ("mlp",):
        method = build.build(Config(encoder=encoder, embedding_size=4))
        side = (fewest - 1) // (2 if encoder == "conv2" else 1)
        with pytest.raises(ValueError):
            method.network.init(np.random.default_rng(0), (side, side, 1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pixels": 0}, "pixels must be"),
        ({"channels": 2}, "unknown channels '2': choose one of 1, 3"),
        ({"encoder": "koch35", "pixels": 64}, "--encoder koch35 reads images of 35 pixels, not 64: leave --pixels out"),
        (
            {"encoder": "conv4", "pixels": 9},
            "--encoder conv4 needs images of at least 16 pixels, not 9: use --pixels 16",
        ),
    ],
)
def test_a_size_that_an_encoder_cannot_read_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


@pytest.mark.parametrize("name", ["pen-glyphs", "mnist:x", "omniglot:x"])
@pytest.mark.parametrize("holdout", ["third", "none", "pen-glyphs:7"])
def test_colour_needs_pictures(name, holdout):
    with pytest.raises(ValueError, match=f"--channels 3 reads colours, and {name} has grey images: use --data folder"):
        data_spec.load(name, holdout=holdout, channels=3)


def broken(folder, **settings):
    """The checkpoint of a run with other settings or another format."""
    params = checkpoint.load(folder / "model.npz")
    checkpoint.save(folder / "model.npz", params, checkpoint.header(folder / "model.npz")["settings"] | settings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("embed {tmp} {a} --json", "is not a run: it has no model.npz"),
        ("embed {tmp}/none {a} --json", "is not a run: it does not exist"),
        ("embed {a} {a} --json", "is not a run: it is a file"),
        ("embed {run} {text} --json", "text.png' cannot be read: it is a text file: replace or remove this file"),
        ("embed {run} {tmp}/none.png --json", "there is no file or folder"),
        ("embed {run} {a}", "name a file for the embeddings with --out FILE.npz"),
        ("embed {run} {a} --out {tmp}/z.txt", "must end in .npz or .csv"),
        ("enrol {tmp}/new.npz {a} --name a", "new.npz is a new gallery: name the run"),
        ("enrol {people} {a} --name x", "x enrolled already in"),
        ("enrol {people} --remove nobody", "'nobody' is not enrolled"),
        ("enrol {people}", "name pictures to enrol, or --remove NAME"),
        ("enrol {a} {a} --name x", "a/0.png is not a gallery that can be read"),
        ("search {empty} {a}", "the gallery is empty"),
        ("search {people} {a} --run {other}", "embeddings of {other} cannot be compared with it"),
        ("search {people} {a} -k 0", "k must be"),
        ("search {run}/model.npz {a}", "is not a gallery that can be read (it is another file of minisiam)"),
        ("search {tmp}/none.npz {a}", "there is no file"),
        ("search {wide} {a}", "same number of columns"),
        ("search {moved} {a}", "was made by /gone, which does not exist: name the run with --run RUN"),
        ("identify {people} {a} --false-accept 0.03", "unknown target 'false-accept 0.03'"),
        ("identify {unevaluated} {a} ", "has no report with thresholds: `minisiam train --resume"),
        ("verify {run} {a}", "two pictures are compared, and there are 1"),
        ("verify {people} {a}", "is a gallery: add --name NAME"),
        ("verify {people} {a} --name y", "'y' is not enrolled in"),
        ("verify {run} {a} {a} --name y", "--name compares with a gallery"),
        ("verify {run} {a} {a} --target best", "unknown target 'best'"),
        ("verify {torn} {a} {a}", "report.json is damaged: remove it, and `minisiam train --resume"),
        ("verify {old} {a} {a}", "settings that this version does not accept"),
    ],
)
def test_a_mistake_gets_an_error_with_a_remedy(words, message, letters, people, pictures, tmp_path, capsys):
    (tmp_path / "text.png").write_text("hello")
    paths = {"tmp": tmp_path, "a": pictures / "a" / "0.png", "run": letters, "people": people}
    paths |= {"text": tmp_path / "text.png"}
    z, about = gallery.load(people).embeddings, gallery.load(people).about
    for name, z_of, changes in (
        ("empty", z[:0], {}),
        ("wide", np.ones((1, 9)), {}),
        ("moved", z[:1], {"run": "/gone"}),
    ):
        paths[name] = tmp_path / f"{name}.npz"
        gallery.save(paths[name], gallery.Gallery(z_of, np.array(["x"] * len(z_of), np.str_), about | changes))
    for name in ("other", "old", "bare", "torn"):
        paths[name] = tmp_path / name
        paths[name].mkdir()
        (paths[name] / "model.npz").write_bytes((letters / "model.npz").read_bytes())
    broken(paths["other"])
    (paths["torn"] / "report.json").write_text('{"one_shot": {')
    broken(paths["old"], later=1)
    one = ms.load(paths["bare"])
    paths["unevaluated"] = tmp_path / "unevaluated.npz"
    gallery.save(paths["unevaluated"], one.enrol(["x"], pictures / "a" / "0.png"))
    capsys.readouterr()
    assert cli.main([word.format(**paths) for word in words.split()]) == 1
    assert message.format(**paths) in capsys.readouterr().err


def test_progress_is_shown_when_reading_takes_more_than_two_seconds(letters, pictures, monkeypatch, capsys):
    monkeypatch.setattr("minisiam.app.commands._gallery.SECONDS", -1.0)
    assert cli.main(["embed", str(letters), str(pictures), "--json"]) == 0
    said = capsys.readouterr()
    assert "  read 6 of 6 pictures" in said.err
    assert "  embedded 6 of 6 pictures" in said.err
    assert json.loads(said.out)
