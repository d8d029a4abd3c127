"""Short trainings improve; the same seed trains the same network; a run can be opened again."""

import json
from dataclasses import replace
from itertools import count, islice, repeat
from types import SimpleNamespace

import numpy as np
import pytest

from minisiam import checkpoint, datasets, fast, optimizers, pairwise, train, tree
from minisiam.analysis.registry import MATRIX, MINERS
from minisiam.app import build, data_spec, figures, loss_options, monitor, report, run_xray, trainer
from minisiam.app import run as run_folder
from minisiam.app.config import Config


@pytest.fixture(scope="module")
def small(glyphs):
    rest, test = datasets.split(glyphs)
    return data_spec.Data(*datasets.split(rest, every=5), test)


def one_shot(method, params, data):
    data = method.prepared(data)
    return report.few_shot(method.embed(params, data.images), data, 60, method.matrix(params)).accuracy


PAIRED = [("siamese", "contrastive"), ("triplet", "hinge"), ("triplet", "ratio"), ("verification", None)]
ROWS = ["l2", "squared-l2", "l1", "weighted-l1", "cosine"]
OFTEN = list(zip([*PAIRED, PAIRED[0]], ROWS, strict=True))  # each network and each distance; the others are slow


@pytest.mark.parametrize(
    ("network", "loss", "distance"),
    [
        pytest.param(*paired, distance, marks=[] if (paired, distance) in OFTEN else pytest.mark.slow)
        for paired in PAIRED
        for distance in ROWS
    ],
)
def test_two_seconds_of_training_beat_the_untrained_network(small, network, loss, distance):
    chosen = Config(network=network, loss=loss, distance=distance, encoder="mlp", steps=120, learning_rate=1e-3)
    method = build.build(chosen)
    start = method.network.init(np.random.default_rng(0), (28, 28, 1))
    batches = islice(method.batches(method.prepared(small.train), np.random.default_rng(1)), chosen.steps)
    *_, (_, _, params) = train.fit(method.network, start, method.optimizer, batches)
    assert one_shot(method, params, small.validation) > one_shot(method, start, small.validation) + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("loss", loss_options.OF_NETWORK["batch"])
def test_every_batch_loss_falls_on_one_batch(small, loss):
    chosen = Config(loss=loss, encoder="mlp", steps=12, learning_rate=1e-3)
    chosen = replace(chosen, classes=len(np.unique(small.train.labels)))
    method = build.build(chosen)
    start = method.network.init(np.random.default_rng(0), (28, 28, 1))
    batch = next(method.batches(method.prepared(small.train), np.random.default_rng(1)))
    values = [value for _, value, _ in train.fit(method.network, start, method.optimizer, repeat(batch, 12))]
    assert max(values[-3:]) < values[0]


def test_an_xray_does_not_change_the_training(small):
    """The X-ray of a random miner has its own generator."""
    x, labels = np.random.default_rng(0).normal(size=(8, 28, 28, 1)).astype(np.float32), np.arange(8) // 2
    values = []
    for with_xray in (False, True):
        method = build.build(Config(loss="hinge", miner="random-triplets", encoder="mlp"))
        params = method.network.init(np.random.default_rng(0), (28, 28, 1))
        if with_xray:
            run_xray.xray_of_embeddings(method, method.embed(params, x), labels, params)
        values.append(method.network(params, x, labels)[0])
    assert values[0] == values[1]


def test_sixty_steps_of_the_default_improve_the_network(small):
    method = build.build(Config(steps=60))
    start = method.network.init(np.random.default_rng(0), (method.side, method.side, 1))
    batches = islice(method.batches(method.prepared(small.train), np.random.default_rng(1)), 60)
    *_, (_, _, params) = train.fit(method.network, start, method.optimizer, batches)
    assert one_shot(method, params, small.validation) > one_shot(method, start, small.validation) + 0.08


@pytest.mark.parametrize("miner", MINERS)
def test_every_miner_trains(small, miner):
    loss = "contrastive" if "pair" in miner or miner == "multi-similarity" else "hinge"
    chosen = Config(loss=loss, miner=miner, distance="l2", margin=0.5, normalize=True, encoder="mlp", steps=3)
    method = build.build(chosen)
    start = method.network.init(np.random.default_rng(0), (method.side, method.side, 1))
    batches = islice(method.batches(method.prepared(small.train), np.random.default_rng(1)), 3)
    *_, (_, value, params) = train.fit(method.network, start, method.optimizer, batches)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(params))


@pytest.mark.parametrize(
    ("encoder", "norm", "fast_ops", "readable_op"),
    [
        (
            "conv2",
            "batch",
            "Conv 32 @ 5×5 / 2 same by planes, Conv 64 @ 2×2 valid by im2row",
            "Conv 64 @ 2×2 valid by conv2d",
        ),
        ("conv4", "group", "by planes, Conv 64 @ 3×3 same by winograd", "Conv 64 @ 3×3 same by conv2d"),
        (
            "conv4",
            "none",
            "by planes, pooled before Relu, Conv 64 @ 3×3 same by winograd, pooled before Relu",
            "by conv2d",
        ),
        ("conv4", "batch", "Conv 64 @ 3×3 same by windows, Conv 64 @ 3×3 same by winograd", "by conv2d"),
        ("bielski", "layer", "Conv 64 @ 5×5 valid by fft", "Conv 64 @ 5×5 valid by conv2d"),
        ("koch28", "batch", "Conv 256 @ 2×2 valid by im2row", "Conv 256 @ 2×2 valid by conv2d"),
        ("mlp", "none", "no convolution", "no convolution"),
    ],
)
def test_fast_and_readable_ops_are_named_and_make_the_same_step(small, encoder, norm, fast_ops, readable_op):
    values, ops, params = [], [], []
    for readable in (False, True):
        chosen = Config(network="siamese", encoder=encoder, norm=norm, readable=readable, steps=1, embedding_size=16)
        method = build.build(chosen)
        start = method.network.init(np.random.default_rng(0), (method.side, method.side, 1))
        batch = next(method.batches(method.prepared(small.train), np.random.default_rng(1)))
        _, value, after = next(train.fit(method.network, start, optimizers.sgd(1e-3), [batch]))
        values.append(value)
        ops.append(trainer.ops_in_use(chosen, method, start))
        params.append(after)
    assert fast_ops in ops[0]
    assert readable_op in ops[1]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), *params)


@pytest.fixture(scope="module")
def run(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    trained = trainer.train(Config(network="siamese", steps=60), small, folder, lambda line: None)
    return run_folder.write_report(trained, report.evaluate(trained, small))


def first_step(chosen):
    method = build.build(chosen)
    params = method.network.init(np.random.default_rng(0), (method.side, method.side, 1))
    images = np.random.default_rng(1).random((24, method.side, method.side, 1), np.float32)
    value, pullback = method.network(params, images, np.arange(24) // 3)
    return value, pullback(1.0), trainer.ops_in_use(chosen, method, params)


@pytest.mark.parametrize("settings", [{}, {"loss": "hinge"}, {"loss": "n-pair"}, {"readable": True}], ids=str)
def test_a_cached_step_is_the_same_step(monkeypatch, settings):
    monkeypatch.setattr(build, "CHUNK", 10)
    monkeypatch.setattr(build, "LARGE", 24)
    whole, in_parts = (Config(batch=24, per_class=3, cached=cached, **settings) for cached in (False, True))
    (value, gradient, _), (found, found_gradient, words) = first_step(whole), first_step(in_parts)
    assert found == pytest.approx(value, rel=1e-5)
    largest = max(np.abs(leaf).max() for leaf in tree.leaves(gradient))
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * largest), found_gradient, gradient)
    assert "Conv" in words and "; activations of 10 images at a time" in words
    assert ("distances in blocks of rows" in words) == (settings != {"loss": "n-pair"})


@pytest.mark.parametrize("loss", [loss for loss in loss_options.OF_NETWORK["batch"] if loss in MATRIX])
def test_a_large_cached_batch_has_no_distance_matrix_unless_the_loss_needs_it(loss):
    z = np.random.default_rng(0).normal(size=(8, 4))
    D, _ = fast.blockwise(pairwise.cosine)(z, z)
    assert not build.in_blocks(Config(loss=loss, batch=4096))
    if build.in_blocks(Config(loss=loss, batch=4096, cached=True)):
        MATRIX[loss](D, np.arange(8) // 2)[1](1.0)
    else:
        with pytest.raises(TypeError, match="needs the whole matrix"):
            MATRIX[loss](D, np.arange(8) // 2)


def test_a_cached_batch_norm_is_refused():
    with pytest.raises(ValueError, match=r"--cached .* --norm batch .*: use --norm group"):
        Config(norm="batch", cached=True)


def test_the_same_seed_trains_the_same_network(small, run, tmp_path):
    again = trainer.train(run.config, small, tmp_path / "again", lambda line: None)
    tree.map(np.testing.assert_array_equal, run.params, again.params)
    other = trainer.train(Config(network="siamese", steps=60, seed=1), small, tmp_path / "other", lambda line: None)
    assert not np.array_equal(tree.leaves(run.params)[0], tree.leaves(other.params)[0])


def test_the_folder_of_a_run_has_a_report_and_a_log(run, small):
    results = json.loads((run.folder / "report.json").read_text())
    found = results["one_shot"]
    assert found["way"] == 20
    assert found["shot"] == 1
    assert list(found["accuracy"]) == ["network", "untrained", "centred_blurred_pixels", "pixels"]
    for name, accuracy in found["accuracy"].items():
        assert found["intervals"][name][0] <= accuracy <= found["intervals"][name][1]
    assert results["config"] == run.config.as_dict()
    assert results["steps"] == 60
    records = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert [records[0]["step"], records[-1]["step"]] == [1, 60]
    assert {"loss", "active", "same", "different", "validation", "seconds"} <= set(records[0])
    assert report.evaluate(run, small)["one_shot"] == found


def test_an_opened_run_is_the_run(run):
    opened = run_folder.open_run(run.folder)
    tree.map(np.testing.assert_array_equal, opened.params, run.params)
    assert opened.config == run.config
    assert opened.log == run.log
    assert opened.report == run.report
    assert opened.training == run.training


@pytest.mark.slow
def test_an_embedding_of_one_number_has_all_figures_but_those_of_a_plane(small, tmp_path):
    run = trainer.train(
        Config(loss="soft-margin", embedding_size=1, steps=3), small, tmp_path / "run", lambda line: None
    )
    run = run_folder.write_report(run, report.evaluate(run, small))
    assert figures.draw(run, small, lambda line: None) == []
    assert {path.stem for path in (run.folder / "figures").iterdir()} == {
        "distances",
        "few_shot",
        "shown",
        "one_shot",
        "curves",
    }


def test_a_run_is_a_number_of_steps_unless_a_time_limit_is_requested():
    assert Config().time_limit is None
    assert not run_folder.has_ended(Config(steps=2), 1, 1e9)
    assert run_folder.has_ended(Config(steps=2, time_limit=1), 1, 61.0)


@pytest.mark.parametrize("settings", [{}, {"network": "siamese", "optimizer": "sgd"}, {"loss": "hinge"}], ids=str)
def test_a_slow_machine_trains_the_same_network(small, tmp_path, monkeypatch, settings):
    """By the clock of one a step takes microseconds, by that of the other minutes."""
    runs = []
    for name, seconds in (("fast", 1e-6), ("slow", 60.0)):
        ticks = count()
        clock = SimpleNamespace(perf_counter=lambda s=seconds, t=ticks: next(t) * s, process_time=lambda: 0.0)
        monkeypatch.setattr(trainer, "time", clock)
        chosen = Config(encoder="mlp", embedding_size=8, steps=6, **settings)
        runs.append(trainer.train(chosen, small, tmp_path / name, lambda line: None))
    fast, slow = runs
    tree.map(np.testing.assert_array_equal, fast.params, slow.params)
    assert fast.training["steps"] == slow.training["steps"] == 6
    assert slow.training["train_seconds"] > 300 > 1 > fast.training["train_seconds"]


def test_training_stops_at_the_time_limit(small, tmp_path):
    said = []
    run = trainer.train(Config(network="siamese", steps=10**6, time_limit=0.02), small, tmp_path / "run", said.append)
    assert run.training["train_seconds"] < 3
    assert any("the time limit of 0.02 min was reached" in line for line in said)


def test_an_interrupted_run_keeps_its_parameters(small, tmp_path, monkeypatch):
    def interrupted(*arguments):
        for step, *rest in train.fit_from(*arguments):
            yield step, *rest
            if step == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "fit_from", interrupted)
    run = trainer.train(Config(network="siamese", steps=100), small, tmp_path / "run", lambda line: None)
    assert run.training["steps"] == 5
    assert not np.array_equal(tree.leaves(run.params)[0], tree.leaves(run.untrained)[0])


def test_a_killed_run_can_be_opened(run, tmp_path):
    (tmp_path / "model.npz").write_bytes((run.folder / "model.npz").read_bytes())
    opened = run_folder.open_run(tmp_path)
    assert opened.report == {}
    assert opened.log == []


def test_a_checkpoint_that_cannot_be_used_is_an_error(run, tmp_path):
    model = run.folder / "model.npz"
    whole = model.read_bytes()
    damaged = tmp_path / "damaged.npz"
    for content in (b"", b"PK\x03\x04", whole[: len(whole) // 2], whole[:-1], b"\x93NUMPY" + whole):
        damaged.write_bytes(content)
        with pytest.raises(checkpoint.CheckpointError, match="damaged"):
            checkpoint.load(damaged, run.params)
    with pytest.raises(checkpoint.CheckpointError, match="no file"):
        checkpoint.load(tmp_path / "nothing.npz", run.params)
    with pytest.raises(checkpoint.CheckpointError, match="another network"):
        checkpoint.load(model, run.params["encoder"][:1])
    np.savez(damaged, header=np.frombuffer(json.dumps({"format": 99, "settings": {}}).encode(), np.uint8))
    with pytest.raises(checkpoint.CheckpointError, match="format 99"):
        checkpoint.load(damaged, run.params)


def test_a_failed_save_leaves_the_old_file(run, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    checkpoint.save(path, run.params, {"old": True})

    def full_disk(*arguments, **leaves):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, run.params, {"old": False})
    assert checkpoint.header(path)["settings"] == {"old": True}
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_the_active_share_counts_pairs_and_triplets_with_a_gradient(small):
    records = monitor.Monitor(Config(network="triplet", loss="hinge", margin=0.5), build.build(Config()), small)
    records.labels = np.array([0, 0, 1])
    D = np.array([[0, 1, 1.2], [1, 0, 2], [1.2, 2, 0]])
    d, same = np.array([1, 1.2, 2]), np.array([True, False, False])
    assert records.active(D, d, same).tolist() == [True, False]  # 1 − 1.2 + ½ > 0, 1 − 2 + ½ < 0
    records.config = Config(network="siamese", margin=1.5)
    assert records.active(D, d, same).tolist() == [True, False]
    records.config = Config(network="verification")
    assert records.active(D, d - 1.5, same).tolist() == [False, True, False]
