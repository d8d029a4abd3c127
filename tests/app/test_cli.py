"""The command line, run as a user would run it."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest

from minisiam.analysis.registry import MATRIX, PAIRS, TRIPLETS
from minisiam.app import cli, report
from minisiam.app.commands import check
from minisiam.evaluate import Score


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "minisiam", "train", "--steps", "40", "--out", folder],
        capture_output=True,
        text=True,
    )
    return folder, done


def test_training_prints_a_report_and_draws_figures(run):
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
        "\nnext: ",
        "minisiam evaluate",
    ):
        assert words in done.stdout
    figures = {p.name for p in (folder / "figures").iterdir()}
    assert figures == {f"{n}.png" for n in ("clusters", "distances", "few_shot", "shown", "one_shot", "xray", "curves")}
    assert {p.name for p in folder.iterdir()} == {"model.npz", "log.jsonl", "report.json", "figures"}


@pytest.mark.slow
def test_evaluate_repeats_the_report_of_training(run, capsys):
    folder, _ = run
    assert cli.main(["evaluate", str(folder), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["one_shot"] == json.loads((folder / "report.json").read_text())["one_shot"] | {"by_class": []}
    assert again["data"] == "pen-glyphs"


@pytest.mark.slow
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


@pytest.mark.slow
def test_evaluate_takes_other_data_and_an_easier_task(run, capsys):
    folder, _ = run
    assert cli.main(["evaluate", str(folder), "--data", "pen-glyphs:7", "--way", "5", "--shot", "5"]) == 0
    table = capsys.readouterr().out
    assert "5-way 5-shot" in table
    assert "20.0 %" in table


@pytest.mark.slow
def test_plot_draws_the_figures_again(run, capsys):
    folder, _ = run
    (folder / "figures" / "clusters.png").unlink()
    assert cli.main(["plot", str(folder)]) == 0
    assert (folder / "figures" / "clusters.png").is_file()


@pytest.mark.slow
def test_xray_of_an_example_and_of_a_run(run, tmp_path, capsys):
    assert cli.main(["xray", "--loss", "contrastive", "--out", str(tmp_path / "x.png")]) == 0
    table = capsys.readouterr().out
    for words in ("contrastive", "easy", "semi-hard", "translation", "holds", "strongest pull"):
        assert words in table
    assert (tmp_path / "x.png").stat().st_size > 10_000
    assert cli.main(["xray", "--run", str(run[0]), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["labels"]) == 32
    for loss in (*PAIRS, *TRIPLETS, *MATRIX):
        assert cli.main(["xray", "--loss", loss]) == 0
    assert cli.main(["xray", "--loss", "margin-loss", "--miner", "distance-weighted"]) == 0


def test_the_log_has_the_forces(run):
    record = json.loads((run[0] / "log.jsonl").read_text().splitlines()[-1])
    assert {"pull", "push", "hard", "semi_hard", "easy", "drift"} <= set(record["xray"])
    assert record["xray"]["drift"] < 1e-3


def test_compare_shows_the_conventions_of_libraries(capsys):
    assert cli.main(["compare"]) == 0
    table = capsys.readouterr().out
    assert "facenet" in table.lower()
    assert cli.main(["compare", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) > 8


@pytest.mark.slow
def test_data_lists_the_split_and_draws_sheets(tmp_path, capsys):
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
        (["evaluate", "{full}"], "is not a run: it has no model.npz"),
        (["evaluate", "{full}/nothing"], "is not a run: it does not exist. `minisiam train` makes"),
        (["plot", "{full}"], "is not a run"),
        (["evaluate", "{run}", "--data", "pen-glyph"], "unknown data 'pen-glyph'"),
        (["evaluate", "{run}", "--data", "pen-glyphs:x"], "must be a whole number, as in pen-glyphs:7"),
        (["train", "--data", "omniglot"], "needs the path of its files after a colon"),
        (["train", "--data", "mnist:{full}"], "there is no train-images-idx3-ubyte"),
        (["train", "--data", "folder:{full}/nothing"], "there is no file or folder"),
        (["train", "--data", "folder:{full}"], "holds no pictures by class"),
        (["evaluate", "{run}", "--way", "500"], "classes that the test set can show in one episode: use --way"),
        (
            ["evaluate", "{run}", "--shot", "20"],
            "need 21 images of each of two classes, and there are 20: use --shot 19",
        ),
        (["evaluate", "{run}/model.npz"], "is not a run: it is a file"),
        (["train", "--augment", "elastik"], "did you mean 'elastic'"),
        (["data", "--augment", "affine"], "is only drawn: add --show"),
        (["data", "--show", "{full}/x.png", "--augment", "afine"], "did you mean 'affine'"),
        (["train", "--loss", "supcom"], "did you mean 'supcon'"),
        (["train", "--loss", "supcon", "--miner", "batch-hard"], "uses no miner: leave --miner out"),
        (["train", "--loss", "hinge", "--miner", "batch-hrd"], "did you mean 'batch-hard'"),
        (["train", "--loss", "cosface", "--distance", "l2"], "is defined on angles: use --distance cosine"),
        (["train", "--loss", "contrastive", "--distance", "dot"], "has no zero"),
        (["train", "--loss", "hinge", "--miner", "distance-weighted"], "add --normalize"),
        (["train", "--encoder", "mlp", "--norm", "batch"], "--encoder mlp has no convolution: use another"),
        (["train", "--norm", "bach"], "did you mean 'batch'"),
        (["train", "--network", "siamese", "--loss", "supcon"], "a whole batch: use --network batch"),
        (["xray", "--loss", "cosface"], "choose one of"),
        (["xray", "--run", "{full}"], "is not a run"),
        (["compare", "--data", "{full}/file"], "file"),
        (["check", "mine.py"], "name the function of mine.py"),
        (["check", "contrastive:nothing"], "there is no file"),
    ],
)
def test_an_error_is_explained_in_one_line(run, tmp_path, capsys, words, message):
    (tmp_path / "file").write_text("mine")
    arguments = [word.format(full=tmp_path, run=run[0]) for word in words]
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_without_a_command_the_help_is_shown(capsys):
    assert cli.main([]) == 2
    assert "minisiam" in capsys.readouterr().out


def test_the_help_lists_the_commands_in_their_groups(capsys):
    assert cli.main([]) == 2
    text = capsys.readouterr().out
    places = [text.index(f"\n{group}\n") for group in cli.COMMANDS]
    assert places == sorted(places)
    for commands in cli.COMMANDS.values():
        for name, command in commands.items():
            assert f"    {name:10} {command.HELP}\n" in text


TRAIN_OPTIONS = """
    --data --holdout --augment --dihedral --pixels --channels
    --network --encoder --distance --loss --miner --margin --temperature --norm --normalize --embedding-size
    --steps --batch --per-class --optimizer --learning-rate --weight-decay --seed
    --resume --start --freeze --patience --time-limit --readable --cached
    --out --log-every --safetensors
"""


def test_train_has_no_options_of_papers(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    options = [line.split()[0].rstrip(",") for line in capsys.readouterr().out.splitlines() if line.startswith("  -")]
    assert options == ["-h", *TRAIN_OPTIONS.split()]


@pytest.mark.parametrize(
    "command",
    [
        [],
        *([command] for commands in cli.COMMANDS.values() for command in commands),
        ["papers", "run"],
        ["papers", "report"],
    ],
)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command, "--help"])
    assert stopped.value.code == 0
    assert len(capsys.readouterr().out) > 200


@pytest.fixture
def pictures(tmp_path):
    """A folder of six classes of four pictures, whose name needs quotes."""
    folder = tmp_path / "it's mine"
    for number in range(6):
        (folder / f"_{number} $x$").mkdir(parents=True)
        for image in range(4):
            body = np.random.default_rng([number, image]).integers(0, 256, 64, dtype=np.uint8).tobytes()
            (folder / f"_{number} $x$" / f"{image}.pgm").write_bytes(b"P5 8 8 255\n" + body)
    return folder


@pytest.mark.slow
def test_suggestions_fit_the_data_of_the_run(pictures, tmp_path, capsys):
    small = ["--encoder", "mlp", "--steps", "1", "--network", "verification", "--distance", "weighted-l1"]
    assert cli.main(["train", "--data", f"folder:{pictures}", "--out", str(tmp_path / "r"), *small]) == 0
    printed = capsys.readouterr().out
    assert len(list((tmp_path / "r" / "figures").iterdir())) == 6
    assert printed.count("p(same) = σ(−d)") == 2  # beside the log, and beside the report
    *_, suggested = printed.partition("\nnext: ")
    assert "pen-glyphs" not in suggested
    commands = [shlex.split(line)[:8] for line in suggested.splitlines() if " train " in line]
    assert f"folder:{pictures}" in commands[0]


def test_the_report_says_that_ties_count_as_wrong():
    collapsed = {
        "way": 20,
        "shot": 1,
        "chance": 0.05,
        "accuracy": {"network": 0.0},
        "intervals": {"network": [0, 0.01]},
    }
    collapsed |= {"ties": 1.0, "episodes": 400, "classes": 30, "alphabets": 0, "new": "classes", "trouble": []}
    verified = {"threshold": 0.0, "accuracy": 0.5, "equal_error": 0.5, "auc": 0.5}
    results = {"one_shot": collapsed, "verification": verified, "config": {"distance": "dot", "network": "batch"}}
    text = report.table(results)
    assert "100.0 % of the answers of this network are ties" in text and "below chance" in text
    assert "d is minus the inner product, so it may be negative" in text
    assert "ties" not in report.table(results | {"one_shot": collapsed | {"ties": 0.0}})
    assert report.scores(results) == {"this network": Score(0.0, 0, 0.01)}


def test_the_template_in_the_help_of_check_works(tmp_path, capsys):
    source = check.ABOUT[check.ABOUT.index("    from __future__") :]
    body = "\n".join(line[4:] for line in source.splitlines())
    body = body.replace("value = ...", "value = np.where(same, d * d, np.maximum(margin - d, 0) ** 2).mean() / 2")
    body = body.replace(
        "return (dd,)", "return (np.where(same, d, -np.maximum(margin - d, 0)) * d.dtype.type(dl / len(d)),)"
    )
    (tmp_path / "mine.py").write_text(body)
    assert cli.main(["check", f"{tmp_path / 'mine.py'}:contrastive"]) == 0
    assert "contrastive: correct" in capsys.readouterr().out


@pytest.fixture
def bash_script(capsys):
    pytest.importorskip("shtab")
    assert cli.main(["--print-completion", "bash"]) == 0
    return capsys.readouterr().out


def test_the_completion_script_is_bash_and_knows_commands_options_words_and_paths(bash_script):
    assert subprocess.run(["bash", "-n"], input=bash_script, text=True).returncode == 0
    unquoted = bash_script.replace("'", "")  # older versions of shtab quote each word
    assert "_pos_0_choices=(train " in unquoted
    assert "_train___loss_choices=(" in unquoted and " --cached " in unquoted
    for option, kind in (("_train___out", "dirs"), ("_train___start", "dirs"), ("_train___safetensors", "files")):
        assert f"{option}_COMPGEN=_shtab_compgen_{kind}" in bash_script


def test_an_unknown_shell_is_an_error(capsys):
    pytest.importorskip("shtab")
    assert cli.main(["--print-completion", "bsh"]) == 1
    assert "unknown shell 'bsh': did you mean 'bash'?" in capsys.readouterr().err


def test_completion_names_its_extra(capsys, monkeypatch):
    monkeypatch.setattr("minisiam.interop.find_spec", lambda package: None)
    assert cli.main(["--print-completion", "bash"]) == 1
    assert "needs the package shtab: python -m pip install -e '.[completion]'" in capsys.readouterr().err
