"""A run on few classes starts from the encoder of an earlier run, and stops when it has nothing left to learn."""

import shutil
from contextlib import nullcontext

import numpy as np
import pytest

from minisiam import datasets, train, tree
from minisiam.analysis import diagnosis
from minisiam.app import cli, data_spec, report, starting_point, trainer
from minisiam.app import run as run_folder
from minisiam.app.config import Config

MLP = {"encoder": "mlp", "embedding_size": 16}


def quiet(line):
    pass


@pytest.fixture(scope="module")
def few(glyphs):
    """Six training classes, two for validation and four for testing."""
    return data_spec.split(glyphs.where(glyphs.labels < 12))


@pytest.fixture(scope="module")
def earlier(glyphs, tmp_path_factory):
    rest, test = datasets.split(glyphs)
    data = data_spec.Data(*datasets.split(rest, every=5), test)
    return trainer.train(Config(**MLP, steps=60), data, tmp_path_factory.mktemp("runs") / "letters", quiet)


def started(earlier, few, folder, log=quiet, **given):
    settings = starting_point.settings(earlier.folder, {"steps": 4, "log_every": 2} | given)
    return trainer.train(Config(**settings), few, folder, log, earlier)


def test_a_run_starts_with_the_encoder_of_another_and_takes_its_settings(earlier, few, tmp_path):
    run = started(earlier, few, tmp_path / "run", distance="weighted-l1", loss="soft-margin")
    tree.map(np.testing.assert_array_equal, run.started["encoder"], earlier.params["encoder"])
    assert (run.config.encoder, run.config.embedding_size) == ("mlp", 16)
    assert not np.array_equal(tree.leaves(run.params["encoder"])[0], tree.leaves(earlier.params["encoder"])[0])
    results = run_folder.write_report(run, report.evaluate(run, few)).report
    assert list(results["one_shot"]["accuracy"])[:3] == ["network", "started", "untrained"]
    assert "the network it started from" in report.table(results)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_freeze_moves_only_the_last_dense_layer(earlier, few, tmp_path, optimizer):
    run = started(earlier, few, tmp_path / "run", freeze=True, loss="cosface", optimizer=optimizer)
    before, after = run.started["encoder"], run.params["encoder"]
    tree.map(np.testing.assert_array_equal, before[:-1], after[:-1])
    assert all((a != b).any() for a, b in zip(tree.leaves(before[-1]), tree.leaves(after[-1]), strict=True))
    assert (run.params["proxies"] != run.started["proxies"]).any()


def test_frozen_batch_norm_keeps_its_weights_and_follows_the_images(glyphs, few, tmp_path):
    data = data_spec.split(glyphs)
    settings = Config(encoder="conv2", norm="batch", embedding_size=8, batch=16, steps=2)
    letters = trainer.train(settings, data, tmp_path / "letters", quiet)
    run = started(letters, few, tmp_path / "run", freeze=True, batch=16)
    kept = [
        np.array_equal(a, b)
        for a, b in zip(*(tree.leaves(p["encoder"]) for p in (run.started, run.params)), strict=True)
    ]
    running = tree.map_under("running", lambda _: True, tree.map(lambda _: False, run.params["encoder"]))
    expected = [not average for average in tree.leaves(running)]
    expected[-2:] = [False, False]  # the dense layer
    assert kept == expected


def test_a_started_run_is_resumed_without_the_earlier_run(earlier, few, tmp_path, monkeypatch):
    copy = earlier._replace(folder=tmp_path / "letters")
    shutil.copytree(earlier.folder, copy.folder)
    whole = started(copy, few, tmp_path / "whole", freeze=True, loss="cosface")

    def stopped(*arguments):
        for step, *rest in train.fit_from(*arguments):
            yield step, *rest
            if step == 3:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "fit_from", stopped)
        started(copy, few, tmp_path / "parts", freeze=True, loss="cosface")
    shutil.rmtree(copy.folder)
    resumed = trainer.resume(tmp_path / "parts", few, quiet)
    assert resumed.training["steps"] == 4
    tree.map(np.testing.assert_array_equal, (whole.params, whole.started), (resumed.params, resumed.started))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--encoder", "conv4"],
            "--encoder conv4 is another encoder than that of --start {run}, which has --encoder mlp",
        ),
        (["--embedding-size", "8"], "which has --embedding-size 16: leave --embedding-size 8 out"),
        (["--normalize"], "which has no --normalize: leave --normalize out"),
        (["--resume", "{run}"], "--start begins a new run, and --resume continues {run}: use one of them"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(earlier, tmp_path, capsys, words, message):
    named = [word.format(run=earlier.folder) for word in words]
    arguments = ["train", "--start", str(earlier.folder), "--out", str(tmp_path / "run"), *named]
    assert cli.main(arguments) == 1
    assert message.format(run=earlier.folder) in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_start_that_was_trained_on_the_test_set_is_refused(earlier, glyphs, monkeypatch):
    monkeypatch.setattr(data_spec, "load_all", lambda name, *_: glyphs)
    for holdout, known in (("third", False), ("fifth", True)):
        new = Config(**MLP, holdout=holdout, start="runs/letters")
        data = data_spec.load(new.data, holdout=holdout)
        with pytest.raises(ValueError, match="which this run was trained on") if known else nullcontext():
            starting_point.refuse_known_classes(earlier.config, new, data, print)


def test_a_start_whose_data_are_elsewhere_is_used_and_this_is_said(few):
    said = []
    theirs, mine = Config(data="folder:theirs"), Config(data="folder:mine", start="runs/theirs")
    starting_point.refuse_known_classes(theirs, mine, few, said.append)
    assert "there is no file or folder theirs" in said[0]
    assert "could not be compared with the test set" in said[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"freeze": True}, "--freeze keeps what an earlier run learned: add --start RUN"),
        ({"freeze": True, "start": "x", "encoder": "conv4", "embedding_size": 0}, "leave --freeze out"),
    ],
)
def test_nothing_can_be_frozen_without_a_start_or_a_dense_layer(given, message):
    with pytest.raises(ValueError, match=message):
        Config(**given)


def test_fine_tuning_has_a_tenth_of_the_learning_rate():
    assert Config(start="runs/letters").learning_rate == pytest.approx(Config().learning_rate / 10)


FLOORS = ["supcon", "hinge", "soft-margin", "contrastive", "cosface", "multi-similarity"]


@pytest.mark.slow
@pytest.mark.parametrize("loss", FLOORS)
def test_every_kind_of_loss_reaches_its_floor_on_six_classes_and_stops(few, tmp_path, loss):
    said = []
    run = trainer.train(Config(loss=loss, encoder="mlp", dihedral=1), few, tmp_path / "run", said.append)
    assert run.training["steps"] < 1000
    assert run.training["trouble"][0] == "loss-at-floor"
    assert any("the loss has been constant for 200 steps" in line for line in said)


def test_a_run_at_its_floor_stops_at_the_same_step_if_it_is_resumed(few, tmp_path, monkeypatch, capsys):
    settings = Config(**MLP, loss="hinge", dihedral=1, batch=24, patience=8, steps=400, log_every=50)
    whole = trainer.train(settings, few, tmp_path / "whole", quiet)
    end = whole.training["steps"]
    assert end < 400
    assert whole.training["trouble"] == ["loss-at-floor"]

    def stopped(*arguments):
        for step, *rest in train.fit_from(*arguments):
            yield step, *rest
            if step == end - 3:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "fit_from", stopped)
        trainer.train(settings, few, tmp_path / "parts", quiet)
    resumed = trainer.resume(tmp_path / "parts", few, quiet)
    assert resumed.training["steps"] == end
    tree.map(np.testing.assert_array_equal, whole.params, resumed.params)
    said = []
    assert trainer.resume(tmp_path / "parts", few, said.append).training["steps"] == end
    assert "there is nothing to resume" in said[0]
    run_folder.write_report(resumed, {})
    assert cli.main(["train", "--resume", str(tmp_path / "parts")]) == 0
    assert (
        f"finished after {end} of 400 steps: nothing to do; a larger --time-limit, or --patience 0"
        in capsys.readouterr().out
    )
    continued = trainer.resume(tmp_path / "parts", few, quiet, patience=0)
    assert continued.training["steps"] == 400


def test_without_patience_all_steps_are_made(few, tmp_path):
    settings = Config(**MLP, loss="hinge", dihedral=1, batch=24, patience=0, steps=100, log_every=100)
    run = trainer.train(settings, few, tmp_path / "run", quiet)
    assert run.training["steps"] == 100


def test_experiments_from_papers_make_all_their_steps():
    assert Config().patience == 200
    assert Config(paper="omniglot-minimal").patience == 0


def test_a_run_that_made_the_network_worse_says_so(few, tmp_path):
    """The labels of training are shuffled, so it learns nothing that holds for other classes."""
    rng = np.random.default_rng(0)
    wrong = few.train._replace(labels=rng.permutation(few.train.labels))
    settings = Config(**MLP, loss="contrastive", steps=150, dihedral=1, learning_rate=1e-2)
    run = trainer.train(settings, few._replace(train=wrong), tmp_path / "run", quiet)
    results = run_folder.write_report(run, report.evaluate(run, few)).report
    _, high = results["one_shot"]["gain"]
    assert high < 0
    assert results["one_shot"]["trouble"] == ["worse-than-untrained", "few-classes"]
    table = report.table(results)
    assert "training on 6 classes changed the accuracy by -" in table
    assert diagnosis.MESSAGES["worse-than-untrained"] in table


def test_no_gain_is_a_problem_only_where_the_interval_says_so():
    assert diagnosis.no_gain((0.01, 0.1), 0.8, classes=6) == []
    assert diagnosis.no_gain((-0.01, 0.1), 0.8, classes=6) == ["few-classes"]
    assert diagnosis.no_gain((-0.01, 0.1), 0.8, classes=60) == []
    assert diagnosis.no_gain((-0.01, 0.1), 0.8, classes=6, new_classes=False) == []
    assert diagnosis.no_gain((-0.1, -0.01), 0.8, classes=60) == ["worse-than-untrained"]
    assert diagnosis.no_gain((-0.1, -0.01), 0.8, classes=6, started=True) == ["worse-than-start"]
    assert diagnosis.no_gain((-0.1, 0.01), 0.8, classes=6, started=True) == []
    assert diagnosis.no_gain((0.0, 0.0), 1.0, classes=6) == []
