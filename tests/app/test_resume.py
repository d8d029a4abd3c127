"""A run that is killed and resumed has the same bits as one that was never interrupted."""

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count, islice
from types import SimpleNamespace

import numpy as np
import pytest

from minisiam import checkpoint, datasets, train, tree
from minisiam.app import build, cli, data_spec, trainer
from minisiam.app import run as run_folder
from minisiam.app.config import Config

SETTINGS = {
    "distorted": {"augment": "affine"},
    "batch": {},
    "siamese": {"network": "siamese"},
    "triplet": {"network": "triplet", "loss": "hinge"},
    "verification": {"network": "verification", "distance": "weighted-l1"},
    "random triplets": {"loss": "hinge", "miner": "random-triplets"},
    "weighted by distance": {"loss": "hinge", "miner": "distance-weighted", "normalize": True},
    "proxies": {"loss": "cosface"},
    "soft triple": {"loss": "soft-triple"},
    "episodes": {"loss": "prototypical"},
    "views": {"loss": "info-nce"},
    "batch norm": {"norm": "batch", "encoder": "conv2"},
    "cached": {"cached": True, "encoder": "conv2", "batch": 200},
}


class Killed(BaseException):
    """No code handles it, as no code can handle SIGKILL."""


@pytest.fixture(scope="module")
def small(glyphs):
    rest, test = datasets.split(glyphs)
    return data_spec.Data(*datasets.split(rest, every=5), test)


def chosen(words, **more):
    return Config(**({"encoder": "mlp", "steps": 12, "log_every": 3} | SETTINGS[words] | more))


def quiet(line):
    pass


def stopping(monkeypatch, step, error):
    """Make training end with `error` once step has been made."""

    def stopped(*arguments):
        for made, *rest in train.fit_from(*arguments):
            yield made, *rest
            if made == step:
                raise error

    monkeypatch.setattr(trainer, "fit_from", stopped)


def without_seconds(log):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in log]


def assert_same(first, second):
    tree.map(np.testing.assert_array_equal, first.params, second.params)
    assert without_seconds(first.log) == without_seconds(second.log)
    state = [first.method.optimizer.init(first.params)] * 2
    states = [checkpoint.resume(run.folder / "model.npz", run.params, state[0]) for run in (first, second)]
    tree.map(np.testing.assert_array_equal, states[0][1], states[1][1])
    assert states[0][2]["rng"] == states[1][2]["rng"]


@pytest.mark.slow
@pytest.mark.parametrize("words", SETTINGS)
def test_a_killed_and_resumed_run_has_the_same_bits(small, tmp_path, monkeypatch, words):
    settings = chosen(words)
    whole = trainer.train(settings, small, tmp_path / "whole", quiet)
    with monkeypatch.context() as patch:
        stopping(patch, 8, Killed())
        with pytest.raises(Killed):
            trainer.train(settings, small, tmp_path / "parts", quiet)
    killed = run_folder.open_run(tmp_path / "parts")
    assert [record["step"] for record in killed.log] == [1, 3, 6]
    resumed = trainer.resume(tmp_path / "parts", small, quiet)
    assert [record["step"] for record in resumed.log] == [1, 3, 6, 9, 12]
    assert_same(whole, resumed)
    assert resumed.training["steps"] == 12


def test_a_run_can_be_killed_and_interrupted_several_times(small, tmp_path, monkeypatch):
    settings = chosen("random triplets", log_every=5)
    whole = trainer.train(settings, small, tmp_path / "whole", quiet)
    parts = tmp_path / "parts"
    for step, error in ((2, Killed()), (4, KeyboardInterrupt()), (7, KeyboardInterrupt()), (9, Killed())):
        with monkeypatch.context() as patch:
            stopping(patch, step, error)
            with suppress(Killed):
                trainer.resume(parts, small, quiet) if parts.exists() else trainer.train(settings, small, parts, quiet)
    assert_same(whole, trainer.resume(parts, small, quiet))


def test_a_checkpoint_is_saved_before_the_first_step(small, tmp_path, monkeypatch):
    def never(*arguments):
        raise Killed
        yield

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "fit_from", never)
        with pytest.raises(Killed):
            trainer.train(chosen("batch"), small, tmp_path / "run", quiet)
    assert run_folder.open_run(tmp_path / "run").log == []
    assert trainer.resume(tmp_path / "run", small, quiet).training["steps"] == 12


def test_log_records_later_than_the_checkpoint_are_removed(small, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopping(patch, 4, Killed())
        with pytest.raises(Killed):
            trainer.train(chosen("siamese"), small, tmp_path / "run", quiet)
    log = tmp_path / "run" / "log.jsonl"
    record = json.loads(log.read_text().splitlines()[-1])
    with log.open("a") as file:
        file.write(json.dumps(record | {"step": 5}) + "\n" + json.dumps(record | {"step": 6})[:50])
    assert [r["step"] for r in run_folder.open_run(tmp_path / "run").log] == [1, 3]
    (tmp_path / "run" / ".model.npz.123").write_bytes(b"begun by a process that was killed")
    resumed = trainer.resume(tmp_path / "run", small, quiet)
    assert [r["step"] for r in resumed.log] == [1, 3, 6, 9, 12]
    assert [json.loads(line) for line in log.read_text().splitlines()] == resumed.log
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"model.npz", "log.jsonl"}


def test_the_time_limit_is_for_all_parts_of_a_run_and_may_be_raised(small, tmp_path, monkeypatch):
    ticks = count()
    clock = {"perf_counter": lambda: next(ticks) / 8, "process_time": time.process_time}  # eight calls a second
    monkeypatch.setattr(trainer, "time", SimpleNamespace(**clock))
    folder, limit = tmp_path / "run", 0.05
    settings = chosen("siamese", steps=10**6, time_limit=limit)
    said = []
    first = trainer.train(settings, small, folder, said.append)
    assert any("--resume with a larger --time-limit continues" in line for line in said)
    assert not run_folder.is_finished(folder, first.config)  # it is not evaluated
    run_folder.write_report(first, {})
    assert run_folder.is_finished(folder, first.config)
    assert trainer.resume(folder, small, said.append).training == first.training
    assert "there is nothing to resume" in said[-1]
    second = trainer.resume(folder, small, quiet, time_limit=2 * limit)
    assert 3 < first.training["train_seconds"] < 3.5
    assert 6 < second.training["train_seconds"] < 6.5
    assert second.training["steps"] > first.training["steps"] + 5
    assert not (folder / "report.json").exists()  # it described the first part
    assert second.config.time_limit == 2 * limit
    seconds = [record["seconds"] for record in second.log]
    assert seconds == sorted(seconds)


def test_a_run_that_was_killed_before_its_evaluation_is_opened_without_training(small, tmp_path):
    run = trainer.train(chosen("batch"), small, tmp_path / "run", quiet)
    again = trainer.resume(run.folder, small, quiet)
    assert again.training["steps"] == 12
    assert_same(run, again)


@pytest.fixture(scope="module")
def killed(small, tmp_path_factory):
    """A run that was killed after four of its steps."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    with pytest.MonkeyPatch.context() as patch:
        stopping(patch, 4, Killed())
        with pytest.raises(Killed):
            trainer.train(chosen("random triplets"), small, folder, quiet)
    return folder


def test_other_data_and_other_batches_are_refused(small, killed, monkeypatch):
    other = small._replace(train=small.train._replace(images=small.train.images[::-1]))
    with pytest.raises(ValueError, match="was trained on other data: resume it with the same"):
        trainer.resume(killed, other, quiet)
    monkeypatch.setattr(trainer, "stream", lambda seed, purpose: np.random.default_rng(1))
    with pytest.raises(ValueError, match="cannot be drawn again"):
        trainer.resume(killed, small, quiet)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--loss", "soft-margin"],
            "cannot be resumed with --loss soft-margin, because it was started with --loss hinge",
        ),
        (["--steps", "24", "--seed", "1"], "--steps 24, --seed 1, because it was started with --steps 12, --seed 0"),
        (["--readable"], "with --readable, because it was started with no --readable"),
        (["--out", "elsewhere"], "leave --out elsewhere out"),
        (["--time-limit", "-1"], "time-limit must be"),
        (["--safetensors", "."], "is a folder: name a file"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(killed, capsys, words, message):
    before = {path.name: path.read_bytes() for path in killed.iterdir()}
    assert cli.main(["train", "--resume", str(killed), *words]) == 1
    assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == before


@pytest.mark.parametrize(
    ("settings", "progress", "message"),
    [
        ({"tomorrow": 1}, None, "settings that this version does not accept: use the version that wrote it"),
        ({"loss": 5}, None, "settings that this version does not accept"),
        ({}, {"step": 1}, "does not have the progress of a run: restore it from a copy"),
        ({}, None, "holds only parameters, so training cannot be resumed"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, capsys, settings, progress, message):
    method = build.build(Config())
    params = method.network.init(np.random.default_rng(0), (method.side, method.side, 1))
    checkpoint.save(tmp_path / "model.npz", params, settings, (), progress)
    assert cli.main(["train", "--resume", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_another_version_of_numpy_is_reported(small, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopping(patch, 4, Killed())
        patch.setattr(np, "__version__", "1.0")
        with pytest.raises(Killed):
            trainer.train(chosen("siamese"), small, tmp_path / "run", quiet)
    said = []
    trainer.resume(tmp_path / "run", small, said.append)
    assert any("started with numpy 1.0, resumed with" in line for line in said)


def test_a_folder_that_is_not_a_run_cannot_be_resumed(tmp_path, capsys):
    assert cli.main(["train", "--resume", str(tmp_path)]) == 1
    assert "is not a run: it has no model.npz" in capsys.readouterr().err


KINDS = ["batch", "siamese", "triplet", "proxies", "episodes", "views"]


@pytest.mark.parametrize("words", KINDS)
def test_skipping_batches_does_not_change_the_next_ones(small, words):
    batches = build.build(chosen(words)).batches
    generators = [np.random.default_rng(5) for _ in range(2)]
    shown = islice(batches(small.train, generators[0]), 40, 42)
    for first, second in zip(shown, batches(small.train, generators[1], skip=40), strict=False):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)


def test_three_thousand_batches_are_skipped_in_seconds(small):
    batches = build.build(chosen("batch")).batches
    start = time.process_time()
    batches(small.train, np.random.default_rng(0), skip=3000)
    assert time.process_time() - start < 5


LIGHT = """
import sys
from functools import partial
sys.modules["matplotlib"] = None
from minisiam import datasets
from minisiam.app import cli
datasets.pen_glyphs = partial(datasets.pen_glyphs, drawers=6)
sys.exit(cli.main(sys.argv[1:]))
"""
TRAIN = [sys.executable, "-W", "error", "-c", LIGHT, "train"]  # `minisiam train` without figures and on less data
TINY = ["--network", "siamese", "--encoder", "mlp", "--embedding-size", "8", "--steps", "60", "--log-every", "20"]


def output_of(words):
    return subprocess.run([*TRAIN, *words], capture_output=True, text=True, check=True).stdout


def test_a_killed_and_resumed_process_has_the_same_bits(tmp_path, capsys):
    """SIGKILL at two moments, then to the end."""
    whole_run = subprocess.Popen([*TRAIN, *TINY, "--out", tmp_path / "whole"], stdout=subprocess.DEVNULL)
    parts = tmp_path / "parts"
    for steps in (1, 40):
        words = ["--resume", parts] if parts.exists() else [*TINY, "--out", parts]
        process = subprocess.Popen([*TRAIN, *words], stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.split()[:1] == [str(steps)]:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
    exported = tmp_path / "model.safetensors"
    assert "resumed after" in output_of(["--resume", parts])
    assert cli.main(["train", "--resume", str(parts), "--safetensors", str(exported)]) == 0
    assert "is finished after 60 of 60 steps: nothing to do" in capsys.readouterr().out
    assert exported.stat().st_size > 10_000
    assert whole_run.wait() == 0
    whole, resumed = run_folder.open_run(tmp_path / "whole"), run_folder.open_run(parts)
    assert_same(whole, resumed)
    for found in (whole.report, resumed.report):
        for clock in ("train_seconds", "busy"):
            found.pop(clock)
    assert whole.report == resumed.report
