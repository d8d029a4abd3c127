"""The command line, run as a person would."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from minisiam.app import cli, commands
from minisiam.losses import registry


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "minisiam", "train", "--steps", "40", "--out", folder],
        capture_output=True,
        text=True,
    )
    return folder, done


def test_train(run):
    folder, done = run
    assert done.stderr == ""
    assert done.returncode == 0
    for words in (
        "Conv 64 @ 2×2 valid by im2row",
        "validation one-shot",
        "time left",
        "pixels",
        "chance",
        "95 % interval",
        "intervals over 400 episodes: they hold for these alphabets, not for others",
        "next: minisiam evaluate",
    ):
        assert words in done.stdout
    figures = {p.name for p in (folder / "figures").iterdir()}
    assert figures == {f"{n}.png" for n in ("clusters", "distances", "few_shot", "shown", "one_shot", "xray", "curves")}
    assert {p.name for p in folder.iterdir()} == {"model.npz", "log.jsonl", "report.json", "figures"}


def test_evaluate_repeats_the_report(run, capsys):
    folder, _ = run
    assert cli.main(["evaluate", str(folder), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["one_shot"] == json.loads((folder / "report.json").read_text())["one_shot"]
    assert again["data"] == "pen-glyphs"


def test_evaluate_can_replace_the_report(run, capsys):
    path = run[0] / "report.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"one_shot": {}, "verification": {}}))
    assert cli.main(["evaluate", str(run[0]), "--save", "--way", "5"]) == 1
    assert "leave --way out" in capsys.readouterr().err
    assert cli.main(["evaluate", str(run[0]), "--save"]) == 0
    assert json.loads(path.read_text()) == before | {"data": "pen-glyphs"}
    path.unlink()
    assert cli.main(["evaluate", str(run[0]), "--save"]) == 1
    assert "its training has not ended" in capsys.readouterr().err and not path.exists()
    path.write_text(json.dumps(before))


def test_evaluate_other_people_and_an_easier_task(run, capsys):
    folder, _ = run
    assert cli.main(["evaluate", str(folder), "--data", "pen-glyphs:7", "--way", "5", "--shot", "5"]) == 0
    table = capsys.readouterr().out
    assert "5-way 5-shot" in table
    assert "20.0 %" in table


def test_plot(run, capsys):
    folder, _ = run
    (folder / "figures" / "clusters.png").unlink()
    assert cli.main(["plot", str(folder)]) == 0
    assert (folder / "figures" / "clusters.png").is_file()


def test_xray_of_an_example_and_of_a_run(run, tmp_path, capsys):
    assert cli.main(["xray", "--loss", "contrastive", "--out", str(tmp_path / "x.png")]) == 0
    table = capsys.readouterr().out
    for words in ("contrastive", "easy", "semi-hard", "translation", "holds", "strongest pull"):
        assert words in table
    assert (tmp_path / "x.png").stat().st_size > 10_000
    assert cli.main(["xray", "--run", str(run[0]), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["labels"]) == 32
    for loss in (*registry.PAIRS, *registry.TRIPLETS, *registry.MATRIX):
        assert cli.main(["xray", "--loss", loss]) == 0
    assert cli.main(["xray", "--loss", "margin-loss", "--miner", "distance-weighted"]) == 0


def test_the_log_has_the_forces(run):
    record = json.loads((run[0] / "log.jsonl").read_text().splitlines()[-1])
    assert {"pull", "push", "hard", "semi_hard", "easy", "drift"} <= set(record["xray"])
    assert record["xray"]["drift"] < 1e-3


def test_compare_losses(capsys):
    assert cli.main(["compare-losses"]) == 0
    table = capsys.readouterr().out
    assert "facenet" in table.lower()
    assert cli.main(["compare-losses", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) > 8


def test_data(tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    assert cli.main(["data", "--show", str(sheet)]) == 0
    assert "test: 9,120 images of 456 classes in 10 alphabets" in capsys.readouterr().out
    assert sheet.stat().st_size > 10_000
    for name in ("affine", "elastic"):
        sheet = tmp_path / f"{name}.png"
        assert cli.main(["data", "--show", str(sheet), "--augment", name]) == 0
        assert sheet.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--network", "siamese", "--loss", "hinge"], "reads two distances"),
        (["train", "--margin", "-1", "--loss", "hinge"], "margin must be"),
        (["train", "--seed", "-3"], "seed must be"),
        (["train", "--out", "{full}"], "is not empty: choose another --out"),
        (["train", "--out", "{full}/file"], "is not empty: choose another --out"),
        (["evaluate", "{full}"], "is not a run: it holds no model.npz"),
        (["evaluate", "{full}/nothing"], "is not a run: it does not exist. A run is a folder"),
        (["plot", "{full}"], "is not a run"),
        (["evaluate", "{run}", "--data", "pen-glyph"], "unknown data 'pen-glyph'"),
        (["evaluate", "{run}", "--data", "pen-glyphs:x"], "a whole number as in pen-glyphs:7"),
        (["train", "--data", "omniglot"], "after a colon comes where it is"),
        (["train", "--data", "mnist:{full}"], "there is no train-images-idx3-ubyte"),
        (["train", "--data", "folder:{full}/nothing"], "there is no file and no folder"),
        (["train", "--data", "folder:{full}"], "holds no pictures by class"),
        (["evaluate", "{run}", "--way", "500"], "use a smaller way"),
        (["evaluate", "{run}", "--shot", "20"], "no class has more than 20 images: use a smaller shot"),
        (["evaluate", "{run}/model.npz"], "is not a run: it is a file"),
        (["train", "--augment", "elastik"], "did you mean 'elastic'"),
        (["data", "--augment", "affine"], "is something to look at: add --show"),
        (["data", "--show", "{full}/x.png", "--augment", "afine"], "did you mean 'affine'"),
        (["train", "--loss", "supcom"], "did you mean 'supcon'"),
        (["train", "--loss", "supcon", "--miner", "batch-hard"], "takes none: leave it out"),
        (["train", "--loss", "hinge", "--miner", "batch-hrd"], "did you mean 'batch-hard'"),
        (["train", "--loss", "cosface", "--distance", "l2"], "speaks of angles: use --distance cosine"),
        (["train", "--loss", "contrastive", "--distance", "dot"], "has no zero"),
        (["train", "--loss", "hinge", "--miner", "distance-weighted"], "add --normalize"),
        (["train", "--encoder", "mlp", "--norm", "batch"], "--encoder mlp has none: use another"),
        (["train", "--norm", "bach"], "did you mean 'batch'"),
        (["train", "--network", "siamese", "--loss", "supcon"], "a whole batch: use --network batch"),
        (["xray", "--loss", "cosface"], "choose one of"),
        (["xray", "--run", "{full}"], "is not a run"),
        (["compare-losses", "--data", "{full}/file"], "file"),
        (["check", "mine.py"], "name the function of mine.py"),
        (["check", "contrastive:nothing"], "there is no file"),
    ],
)
def test_mistakes_are_explained_in_one_line(run, tmp_path, capsys, words, message):
    (tmp_path / "file").write_text("mine")
    arguments = [word.format(full=tmp_path, run=run[0]) for word in words]
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_the_command_alone_shows_its_help(capsys):
    assert cli.main([]) == 2
    assert "minisiam" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        [],
        *(
            [verb]
            for verb in ("train", "evaluate", "plot", "data", "check", "xray", "compare-losses", "compare-methods")
        ),
    ],
)
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command, "--help"])
    assert stopped.value.code == 0
    assert len(capsys.readouterr().out) > 200


def test_runs_get_names_of_their_own(tmp_path):
    assert commands._fresh(tmp_path, "a") == tmp_path / "a"
    Path(tmp_path / "a").mkdir()
    assert commands._fresh(tmp_path, "a") == tmp_path / "a-2"


def test_the_template_that_the_help_shows_works(tmp_path, capsys):
    start = cli.CHECK.index("    from __future__")
    source = cli.CHECK[start:]
    body = "\n".join(line[4:] for line in source.splitlines())
    body = body.replace("value = ...", "value = np.where(same, d * d, np.maximum(margin - d, 0) ** 2).mean() / 2")
    body = body.replace(
        "return (dd,)", "return (np.where(same, d, -np.maximum(margin - d, 0)) * d.dtype.type(dl / len(d)),)"
    )
    (tmp_path / "mine.py").write_text(body)
    assert cli.main(["check", f"{tmp_path / 'mine.py'}:contrastive"]) == 0
    assert "contrastive: correct" in capsys.readouterr().out
