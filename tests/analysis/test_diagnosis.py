"""Each problem is caused with the library and diagnosed; healthy training has none from its first step on."""

import json
import re
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from minisiam import (
    datasets,
    distances,
    encoders,
    evaluate,
    losses,
    miners,
    networks,
    optimizers,
    pairwise,
    samplers,
    train,
)
from minisiam.analysis import diagnosis
from minisiam.app import build, data_spec, loss_options, report, trainer
from minisiam.app import run as run_folder
from minisiam.app.config import Config
from minisiam.app.monitor import Monitor

HARDEST = (losses.triplet_hinge, losses.triplet_soft_margin, losses.triplet_ratio)


@pytest.fixture(scope="module")
def small(glyphs):
    rest, test = datasets.split(glyphs)
    return data_spec.Data(*datasets.split(rest, every=5), test)


@pytest.fixture(scope="module")
def letters(glyphs):
    """Eight letters, six images of each."""
    return glyphs.where(glyphs.labels < 8)


def trained(network, batches, steps, rate=1e-3):
    """(loss, parameters) before the first step and after the last."""
    params = network.init(np.random.default_rng(0), (28, 28, 1))
    path = list(train.fit(network, params, optimizers.adam(rate), islice(batches, steps)))
    return (path[0][1], params), (path[-1][1], path[-1][2])


def pairs_of(params, data, distance=pairwise.l2, encoder=None):
    """Distances of all pairs, and which pairs have the same class."""
    z = evaluate.embed(encoder or encoders.mlp(64, 16), params["encoder"], data.images)
    D, _ = distance(z, z, *params["distance"])
    rows, columns, same = miners.all_pairs(D, data.labels)
    return D[rows, columns], same


COLLAPSES = [
    (losses.triplet_hinge, "hinge", 1.0, "loss-is-margin"),
    (losses.triplet_soft_margin, "soft-margin", None, "loss-is-ln-2"),
    (losses.triplet_ratio, "ratio", None, "loss-is-half"),
]


@pytest.mark.parametrize(("loss", "kind", "margin", "name"), COLLAPSES)
def test_the_collapse_from_the_hardest_triplets_and_large_steps_is_diagnosed(glyphs, rng, loss, kind, margin, name):
    many = glyphs.where(glyphs.labels < 128)
    network = networks.batch(encoders.mlp(64, 16), pairwise.l2, losses.with_miner(loss, miners.batch_hard))
    batches = samplers.pk(many.images, many.labels, rng, classes=64, per_class=4)
    (first, start), (last, end) = trained(network, batches, 40, rate=0.01)
    assert diagnosis.diagnose(*pairs_of(start, many), loss=first, kind=kind, margin=margin) == []
    assert diagnosis.diagnose(*pairs_of(end, many), loss=last, kind=kind, margin=margin) == [name]
    assert diagnosis.diagnose(*pairs_of(end, many), loss=2 * last, kind=kind, margin=margin) == ["equal-distances"]


@pytest.mark.slow
@pytest.mark.parametrize("remedy", ["--miner semi-hard-facenet", "--loss supcon", "a smaller --learning-rate"])
@pytest.mark.parametrize(("loss", "kind", "margin", "name"), COLLAPSES)
def test_each_remedy_in_the_message_repairs_the_run(glyphs, rng, loss, kind, margin, name, remedy):
    assert remedy in diagnosis.MESSAGES[name]
    many = glyphs.where(glyphs.labels < 128)
    rate, distance, batch_loss = 0.01, pairwise.l2, losses.with_miner(loss, miners.batch_hard)
    if "miner" in remedy:
        batch_loss = losses.with_miner(loss, miners.semi_hard_facenet)
    elif "supcon" in remedy:
        kind, margin, distance, batch_loss = "supcon", None, pairwise.cosine, losses.supcon
    else:
        rate = 0.001
    network = networks.batch(encoders.mlp(64, 16), distance, batch_loss)
    batches = samplers.pk(many.images, many.labels, rng, classes=64, per_class=4)
    _, (last, end) = trained(network, batches, 40, rate)
    d, same = pairs_of(end, many, distance)
    assert diagnosis.diagnose(d, same, loss=last, kind=kind, margin=margin) == []
    assert d[same].mean() < 0.9 * d[~same].mean()


def test_verification_of_blank_images_is_diagnosed_at_ln_2(letters, rng):
    distance = distances.calibrated(distances.l2, 3.0, 3.33)
    blank = samplers.pairs(0 * letters.images, letters.labels, rng, size=32)
    network = networks.verification(encoders.mlp(64, 16), distance, losses.binary_cross_entropy)
    _, (loss, params) = trained(network, blank, 300, rate=0.1)
    x1, x2, same = next(blank)
    z1, z2 = (evaluate.embed(encoders.mlp(64, 16), params["encoder"], x) for x in (x1, x2))
    d, _ = distance(z1, z2, *params["distance"])
    assert diagnosis.diagnose(d, same, loss=loss, kind="cross-entropy") == ["loss-is-ln-2"]


def test_a_loss_of_ln_2_with_different_distances_is_no_problem(rng):
    same = np.arange(100) < 50
    logits = rng.normal(size=100)
    assert diagnosis.collapsed(np.log(2), logits, "cross-entropy") == []
    assert diagnosis.collapsed(np.log(2), np.full(100, 0.3), "cross-entropy") == ["loss-is-ln-2"]
    assert diagnosis.diagnose(1 + np.abs(logits), same, loss=1.0, kind="hinge", margin=1.0) == []


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_equality_of_distances_does_not_depend_on_their_scale(rng, scale):
    d = scale * (5 + 1e-3 * rng.random(100))
    assert diagnosis.equal(d)
    assert not diagnosis.equal(scale * (5 + rng.random(100)))


def test_memorised_shuffled_labels_leave_no_gradient_and_a_low_accuracy(letters, rng):
    wrong = letters._replace(labels=rng.permutation(letters.labels))
    network = networks.batch(
        encoders.mlp(64, 16), pairwise.l2, losses.with_miner(losses.triplet_hinge, miners.all_triplets)
    )
    batches = samplers.pk(wrong.images, wrong.labels, rng, classes=8, per_class=6)
    _, (loss, params) = trained(network, batches, 300, rate=3e-3)
    z = evaluate.embed(encoders.mlp(64, 16), params["encoder"], letters.images)
    D, _ = pairwise.l2(z, z)
    near, far = (D[entries] for entries in miners.all_triplets(D, wrong.labels).entries)
    active = float((near - far + 1 > 0).mean())
    recall = evaluate.few_shot(z, letters.labels, rng, way=8, episodes=50).accuracy
    d, same = pairs_of(params, wrong)
    measured = {"loss": loss, "kind": "hinge", "margin": 1.0, "active": active, "chance": 1 / 8}
    assert diagnosis.diagnose(d, same, accuracy=recall, **measured) == ["no-active-triplets"]
    assert diagnosis.diagnose(d, same, accuracy=0.9, **measured) == []
    assert diagnosis.no_gradient(0.01, recall, 1 / 8) == []


@pytest.mark.parametrize(
    ("labels", "name", "miner_message"),
    [(np.arange(6), "no-positives", "no positive"), (np.zeros(6, int), "no-negatives", "no negative")],
)
def test_a_batch_without_positives_or_negatives_is_diagnosed(rng, labels, name, miner_message):
    D, _ = pairwise.l2(*2 * [rng.normal(size=(6, 2))])
    i, j = np.triu_indices(6, 1)
    assert diagnosis.diagnose(D[i, j], labels[i] == labels[j]) == [name]
    with pytest.raises(ValueError, match=miner_message):  # a miner raises an error for the same batch
        miners.batch_hard(D, labels)


def test_reversed_labels_are_diagnosed_and_correct_ones_are_not(letters, rng):
    means = {}
    for way in ("right", "wrong"):
        network = networks.siamese(encoders.mlp(64, 16), distances.l2, losses.contrastive)
        batches = samplers.pairs(letters.images, letters.labels, np.random.default_rng(1), size=32)
        relabelled = ((x1, x2, same if way == "right" else ~same) for x1, x2, same in batches)
        means[way] = []
        for steps in (30, 100):
            _, (_, params) = trained(network, relabelled, steps)
            d, same = pairs_of(params, letters)
            means[way].append((float(d[same].mean()), float(d[~same].mean())))
    assert diagnosis.reversed_labels(*means["right"]) == []
    assert diagnosis.reversed_labels(*means["wrong"]) == ["same-move-apart"]
    assert diagnosis.diagnose(d, same, before=means["wrong"][0]) == ["same-move-apart"]
    assert diagnosis.reversed_labels(*means["wrong"][::-1]) == []  # the distances improve


@pytest.mark.parametrize(("ink", "distance"), [(0, pairwise.l2), (5, pairwise.dot)])
def test_one_blank_or_dark_class_wins_most_queries_unless_the_distance_is_an_angle(letters, rng, ink, distance):
    """A letter without ink, or with five times as much, is predicted for most queries, but not by the cosine."""
    z = evaluate.pixels(letters.images * np.where(letters.labels == 3, ink, 1)[:, None, None, None])

    def found(distance, z):
        predictions, _ = evaluate.few_shot_answers(
            z, letters.labels, np.random.default_rng(0), distance, 8, episodes=50
        )
        return diagnosis.dominant_class(predictions)

    assert found(distance, z) == ["one-class-wins"]
    assert found(pairwise.cosine, z) == []
    assert found(pairwise.l2, evaluate.pixels(letters.images)) == []


@pytest.mark.parametrize("way", [2, 5, 20])
def test_random_predictions_have_no_dominant_class(rng, way):
    assert diagnosis.dominant_class(rng.integers(0, way, (60, way))) == []
    assert diagnosis.dominant_class(np.full((60, way), -1)) == []


def test_every_message_contains_a_remedy():
    for name, message in diagnosis.MESSAGES.items():
        assert any(word in message for word in ("--", "samplers.", "same = True")), name
        assert ": " in message
        assert "." not in message[-1]


def test_a_remedy_that_only_delays_a_collapse_is_not_the_first():
    """Lesson 09 has a run that collapses at a tenth of its learning rate as well."""
    for name in ("loss-is-margin", "loss-is-ln-2", "loss-is-half", "equal-distances"):
        words = re.findall(r"--[a-z-]+", diagnosis.MESSAGES[name])
        assert words[0] == "--miner"
        assert words[-1] == "--learning-rate"


def test_a_collapsing_run_reports_the_problem_once_and_records_it(small, tmp_path):
    printed = []
    chosen = Config(loss="hinge", encoder="mlp", learning_rate=0.03, steps=60, log_every=20)
    run = trainer.train(chosen, small, tmp_path / "run", printed.append)
    problems = [line for line in printed if "trouble" in line]
    assert f"  trouble: {diagnosis.MESSAGES['loss-is-margin']}" in problems
    assert len(problems) == len(set(problems))
    records = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert "trouble" not in records[0]
    assert records[-1]["trouble"] == run.training["trouble"]
    run = run_folder.write_report(run, report.evaluate(run, small))
    assert report.table(run.report).endswith(diagnosis.MESSAGES[records[-1]["trouble"][-1]])


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [
        Config(steps=50, log_every=10),
        Config(encoder="mlp", steps=200, log_every=40),
        Config(network="siamese", encoder="mlp", steps=200, log_every=40),
    ],
    ids=lambda chosen: chosen.title,
)
def test_a_healthy_run_has_no_problem(small, tmp_path, chosen):
    printed = []
    run = trainer.train(chosen, small, tmp_path / "run", printed.append)
    assert [record.get("trouble") for record in run.log] == [None] * 6
    assert not any("trouble" in line for line in printed)
    assert "trouble" not in run.training


CHOICES = [
    *(
        Config(network=network, encoder="mlp", loss=loss)
        for network, known in loss_options.OF_NETWORK.items()
        for loss in known
    ),
    Config(
        network="triplet", encoder="mlp", loss="soft-margin", distance="weighted-l1", normalize=True
    ),  # its distances are small
    Config(network="verification", encoder="mlp", distance="weighted-l1"),
    Config(network="batch", encoder="mlp", loss="hinge", distance="dot"),
]


@pytest.mark.slow
@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: chosen.title)
def test_no_loss_has_a_problem_at_its_first_step(small, chosen):
    chosen = replace(chosen, classes=len(np.unique(small.train.labels)))
    method = build.build(chosen)
    data = data_spec.Data(*(method.prepared(part) for part in small))
    params = method.network.init(np.random.default_rng(0), (28, 28, 1))
    batch = next(method.batches(data.train, np.random.default_rng(1)))
    value, _ = method.network(params, *batch)
    record = Monitor(chosen, method, data).record(1, 0.0, float(value), params)
    assert record.get("trouble") is None


def test_a_fall_of_the_validation_accuracy_is_overfitting_only_outside_the_interval():
    best = evaluate.Score(0.8, 0.75, 0.85)
    assert diagnosis.overfitted(best, evaluate.Score(0.6, 0.55, 0.65)) == ["overfitting"]
    assert diagnosis.overfitted(best, evaluate.Score(0.76, 0.71, 0.81)) == []
    assert diagnosis.overfitted(best, best) == []


def test_a_constant_loss_is_its_floor_unless_the_embedding_has_collapsed(rng):
    same, d = np.arange(100) < 50, 1 + rng.random(100)
    assert diagnosis.diagnose(d, same, loss=0.0, kind="hinge", margin=1.0, constant=True) == ["loss-at-floor"]
    found = diagnosis.diagnose(np.ones(100), same, loss=1.0, kind="hinge", margin=1.0, constant=True)
    assert found == ["loss-is-margin"]


def test_small_distances_that_distinguish_the_classes_are_no_collapse(rng):
    same, d = np.arange(100) < 50, 1e-6 * (1 + rng.random(100))
    assert diagnosis.diagnose(d, same, accuracy=0.3, chance=0.05) == ["equal-distances"]
    assert diagnosis.diagnose(d, same, accuracy=0.9, chance=0.05) == []
