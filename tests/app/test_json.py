"""What commands print with --json has identifiers as keys, so that a program reads them as fields in any language."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

from minisiam import datasets
from minisiam.app import cli, commands, data_spec, report, run, thresholds, trainer
from minisiam.app.commands.evaluate import _for_programs
from minisiam.app.config import Config
from minisiam.course import selfcheck

# the arguments of each command that has --json; `test_every_command_is_here` finds a command that is not
COMMANDS = {
    "compare": "",
    "embed": "{run} {a}",
    "enrol": "{tmp}/new.npz {tmp}/odd-names --run {run}",
    "evaluate": "{run}",
    "identify": "{gallery} {a}",
    "learn check": "01 --work {tmp}/work",
    "learn grade": "{tmp}/class --limit 5",
    "learn list": "--work {tmp}/work",
    "learn selfcheck": "",
    "search": "{gallery} {a}",
    "verify": "{run} {a} {a}",
    "xray": "--loss contrastive",
}

SLOW = "learn selfcheck"
QUICK = sorted({*COMMANDS} - {SLOW})


def with_json(parser, words=()):
    """Each command that has the option --json."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from with_json(below, (*words, name))
        elif "--json" in action.option_strings:
            yield " ".join(words)


def keys(value):
    """Every key of a value, at any depth."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from keys(below)
    elif isinstance(value, list):
        for below in value:
            yield from keys(below)


def small():
    """A part of the letters, with held-out alphabets."""
    glyphs = datasets.pen_glyphs(drawers=4)
    return data_spec.split(glyphs.where(glyphs.groups < 10))


@pytest.fixture(scope="module", autouse=True)
def little_to_measure():
    """Few episodes and pairs: the values do not matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "EPISODES", 4)
        patch.setattr(report, "PAIRS", 400)
        patch.setattr(thresholds, "COUNT", 2000)
        patch.setattr(commands.evaluate, "test_data", lambda *_: (small(), False))
        yield


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run with a report, pictures in folders whose names are no identifiers, a gallery and a class of students."""
    tmp = tmp_path_factory.mktemp("json")
    config = Config(encoder="mlp", embedding_size=8, steps=2, batch=32)
    data = small()
    made = trainer.train(config, data, tmp / "run", lambda line: None)
    run.write_report(made, report.evaluate(made, data))
    for name in ("one two", "3-four"):
        folder = tmp / "odd-names" / name
        folder.mkdir(parents=True)
        Image.fromarray(np.uint8(255 * (1 - data.test.images[len(name), ..., 0]))).save(folder / "0.png")
    gallery = tmp / "people.npz"
    assert cli.main(["enrol", str(gallery), str(tmp / "odd-names"), "--run", str(tmp / "run")]) == 0
    for folder in ("work", "class/a student"):
        assert cli.main(["learn", "--work", str(tmp / folder), "start", "01"]) == 0
    return {"tmp": tmp, "run": tmp / "run", "gallery": gallery, "a": tmp / "odd-names" / "one two" / "0.png"}


def test_every_command_is_here():
    assert sorted(with_json(cli.parser())) == sorted(COMMANDS)


@pytest.mark.parametrize("command", [*QUICK, pytest.param(SLOW, marks=pytest.mark.slow)])
def test_every_key_is_an_identifier(command, places, capsys, monkeypatch):
    monkeypatch.setattr(selfcheck, "EXERCISES", selfcheck.EXERCISES[:1])
    words = [word.format(**places) for word in COMMANDS[command].split(" ") if word]
    capsys.readouterr()
    cli.main([*command.split(), *words, "--json"])
    printed = capsys.readouterr().out
    found = json.loads(printed[printed.index(next(c for c in printed if c in "[{")) :])
    assert [key for key in keys(found) if not key.isidentifier()] == []
    assert any(keys(found))


def test_names_of_classes_alphabets_and_targets_become_values():
    accuracy = {"accuracy": 0.5, "taken_for": None}
    metrics = {"error": 0.1, "error_by_alphabet": {"Old Church Slavonic": 0.1}}
    verification = {"thresholds": {"equal-error": {"value": 1.0}}, "missing": {"false-accept 0.01": "too few"}}
    written = {"one_shot": {"by_class": {"a dog": accuracy}}, "verification": verification, "metrics": metrics}
    found = _for_programs(written)
    assert found["one_shot"]["by_class"] == [{"class": "a dog"} | accuracy]
    assert found["verification"] == {
        "thresholds": [{"target": "equal-error", "value": 1.0}],
        "missing": [{"target": "false-accept 0.01", "reason": "too few"}],
    }
    assert found["metrics"] == {"error": 0.1, "error_by_alphabet": [{"alphabet": "Old Church Slavonic", "value": 0.1}]}
