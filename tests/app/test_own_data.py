"""Data of few classes or few images: an error before the training names the option, and its remedy works as typed."""

import re
import shlex

import numpy as np
import pytest

from minisiam import datasets
from minisiam.app import build, cli, data_spec, input_pipeline, report, trainer
from minisiam.app.commands import evaluate
from minisiam.app.config import Config
from minisiam.app.monitor import Monitor


def drawn(*sizes):
    """Random images, as many of each class as `sizes` says."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = np.random.default_rng(0).random((len(labels), 28, 28, 1)).astype(np.float32)
    return datasets.Dataset(images, labels, 0 * labels, 0 * labels + datasets.UNKNOWN, ("mine",))


def options(words):
    """The settings of a command line as `minisiam train` reads them."""
    given = vars(cli.parser().parse_args(["train", *words]))
    return {name: value for name, value in given.items() if name != "command"}


@pytest.mark.parametrize(
    ("sizes", "words", "remedy"),
    [
        ([9, 3, 9], "", "--per-class 3"),
        ([9, 2, 9], "--loss cosface", "--per-class 2"),
        ([9, 3, 9], "--loss hinge --per-class 8", "--per-class 3"),
        ([9, 3, 9], "--loss prototypical", "--loss supcon --per-class 3"),
    ],
)
def test_the_remedy_for_few_images_trains(sizes, words, remedy):
    data, words = drawn(*sizes), shlex.split(words)
    with pytest.raises(ValueError, match="smallest training class") as error:
        input_pipeline.require_images(Config(**options(words)), data)
    assert str(error.value).endswith(f"use {remedy}")
    cured = Config(**options([*words, *remedy.split()]))
    input_pipeline.require_images(cured, data)
    x, labels = next(input_pipeline.build(cured)(data, np.random.default_rng(0)))
    assert len(x) == len(labels) >= 6


@pytest.mark.parametrize(
    ("sizes", "given", "message"),
    [
        ([9], {}, "has 1 training class, and images of two are compared: add classes"),
        ([9, 1], {}, "has 1 image, and two of a class are compared: add images, or take the class out"),
        ([9, 1], {"network": "siamese"}, "has 1 image"),
        ([9, 1], {"loss": "info-nce"}, "has 1 image"),
    ],
)
def test_a_class_without_a_partner_is_refused_before_a_folder_is_made(tmp_path, sizes, given, message):
    data = data_spec.Data(*3 * [drawn(*sizes)])
    with pytest.raises(ValueError, match=message):
        trainer.train(Config(**given), data, tmp_path / "run", print)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("sizes", [[9], [9, 1], []])
def test_a_set_that_poses_no_task_is_refused_before_a_folder_is_made(tmp_path, part, sizes):
    data = data_spec.Data(*3 * [drawn(9, 9)])._replace(**{part: drawn(*sizes)})
    with pytest.raises(ValueError, match=f"the {part} set needs two classes of two images or more.*--holdout"):
        trainer.train(Config(), data, tmp_path / "run", print)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("given", [{"network": "siamese"}, {"network": "triplet"}, {"loss": "info-nce"}])
def test_networks_on_pairs_and_triplets_need_two_images_of_a_class(given):
    input_pipeline.require_images(Config(**given), drawn(2, 2, 9))


def test_the_probe_of_the_log_has_as_many_images_as_the_smallest_class():
    data = data_spec.Data(*3 * [drawn(3, 9)])
    config = Config(encoder="mlp", per_class=3)
    monitor = Monitor(config, build.build(config), data)
    assert np.bincount(monitor.labels).tolist() == [3, 3]


@pytest.mark.parametrize("per_class", range(2, 9))
def test_the_default_batch_is_a_multiple_of_the_images_per_class(per_class):
    config = Config(per_class=per_class)
    assert config.batch % per_class == 0
    assert 256 - per_class < config.batch <= 256


def test_an_episode_has_only_classes_with_an_image_for_the_query():
    data = drawn(9, 9, 1, 2)
    assert report.default_way(data) == 3
    assert report.default_way(data, shot=2) == 2


@pytest.mark.parametrize(
    ("sizes", "way", "shot", "remedy"),
    [
        ([9, 9, 9], 5, 1, "use --way 3"),
        ([9, 9, 3], 3, 4, "use --way 2"),
        ([9, 4, 4], None, 6, "use --shot 3"),
        ([9, 1, 1], None, 1, "add images"),
        ([9, 9], None, 0, "shot must be"),
    ],
)
def test_the_remedy_for_a_task_that_the_test_set_cannot_pose_works(sizes, way, shot, remedy):
    data = data_spec.Data(*3 * [drawn(*sizes)])
    with pytest.raises(ValueError, match=remedy):
        evaluate.check_episodes(data, way, shot)
    found = re.match(r"use --(way|shot) (\d+)", remedy)
    if found:
        evaluate.check_episodes(data, **({"way": way, "shot": shot} | {found[1]: int(found[2])}))


@pytest.mark.parametrize(("classes", "holdout"), [(12, "fifth"), (5, "third"), (2, "third")])
def test_the_remedy_for_too_few_classes_splits_them(classes, holdout):
    data = drawn(*[9] * classes)
    with pytest.raises(ValueError, match=f"--holdout {holdout} needs") as error:
        data_spec.split(data, holdout)
    other = re.search(r"use --holdout (\w+)", str(error.value))[1]
    assert len(data_spec.split(data, other).test.labels)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"network": "siamese", "per_class": 2}, "draws pairs: leave --per-class out"),
        ({"network": "triplet", "per_class": 2}, "draws triplets: leave --per-class out"),
        ({"loss": "vicreg", "per_class": 3}, "leave --per-class out"),
    ],
)
def test_options_that_have_no_effect_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Config(**given)


def test_draw_refuses_the_options_of_a_benchmark_that_runs(capsys):
    assert cli.main(["benchmark", "--draw", "--seeds", "3"]) == 1
    assert "--draw runs nothing, so it has no --seeds" in capsys.readouterr().err


EXAMPLES = [
    (name, line.split("   ")[0].strip())
    for commands in cli.COMMANDS.values()
    for name, command in commands.items()
    for line in getattr(command, "ABOUT", "").splitlines()
    if line.startswith(f"    minisiam {name}")
]


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=lambda word: word)
def test_an_example_of_the_help_is_accepted(name, example):
    given = vars(cli.parser().parse_args(shlex.split(example)[1:]))
    if name == "train":
        Config(**{key: value for key, value in given.items() if key not in ("command", "resume", "out", "safetensors")})


def test_the_defaults_in_the_help_of_train_are_those_of_a_run():
    groups = {group.title: group._group_actions for group in _train_parser()._action_groups}
    actions = {action.dest: action.help for group in groups.values() for action in group}
    default = Config()
    for name in ("data", "holdout", "augment", "network", "encoder", "norm", "embedding_size", "per_class"):
        assert f"(default: {getattr(default, name)})" in actions[name], name
    assert f"(default: {default.patience})" in actions["patience"]
    for network, batch, steps in (("batch", 256, 2500), ("siamese", 128, 5000), ("triplet", 144, 5000)):
        assert (Config(network=network).batch, Config(network=network).steps) == (batch, steps)
    assert actions["batch"].endswith("(default: 256; pairs 128, triplets 144)")
    assert actions["steps"].endswith("(default: 2500 for batch, else 5000)")


def _train_parser():
    subparsers = next(action for action in cli.parser()._actions if isinstance(action.choices, dict))
    return subparsers.choices["train"]
