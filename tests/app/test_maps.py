"""Maps: pairs of a graph, graphs of images, a rendered object, shifted digits, and what a map is judged by."""

from functools import partial
from itertools import islice

import numpy as np
import pytest
from fixtures import mnist

from minisiam import datasets, distances, encoders, losses, networks, tree
from minisiam.analysis import maps
from minisiam.app import cli, data_spec, input_pipeline, trainer
from minisiam.app import run as run_folder
from minisiam.app.config import Config
from minisiam.app.papers import drlim, regression
from minisiam.app.siamese_in_batch import siamese_in_batch
from minisiam.datasets import neighbour_graph
from minisiam.datasets.graph import Graph, neighbour_batch_indices, neighbour_pair_indices


def some_graph(rng, count=30, edges=60):
    first = np.concatenate([np.arange(count), rng.integers(0, count, edges)])
    return Graph.of(first, np.concatenate([(np.arange(count) + 1) % count, rng.integers(0, count, edges)]), count)


def neighbours_of(graph, row):
    return set(graph.neighbours[graph.start[row] : graph.start[row + 1]].tolist())


# graphs


def test_an_edge_goes_both_ways_and_once_and_never_to_itself():
    graph = Graph.of(np.array([0, 1, 2, 2]), np.array([1, 0, 2, 0]), 4)
    assert [neighbours_of(graph, row) for row in range(4)] == [{1, 2}, {0}, {0}, set()]
    assert graph.degree.tolist() == [2, 1, 1, 0]


@pytest.mark.parametrize("chunk", [7, 512])
def test_the_nearest_are_those_that_a_search_finds(rng, chunk):
    images = rng.random((40, 3, 3, 1)).astype(np.float32)
    D = np.linalg.norm(images.reshape(40, 1, -1) - images.reshape(1, 40, -1), axis=2)
    near = np.argsort(D + 1e9 * np.eye(40), axis=1)[:, :4]
    graph = neighbour_graph.nearest(images, 4, chunk)
    for row in range(40):
        assert neighbours_of(graph, row) == set(near[row]) | set(np.flatnonzero((near == row).any(axis=1)))


@pytest.mark.parametrize("chunk", [7, 512])
def test_mutual_neighbours_are_among_the_nearest_of_each_other_or_the_nearest_row(rng, chunk):
    images = rng.random((40, 3, 3, 1)).astype(np.float32)
    D = np.linalg.norm(images.reshape(40, 1, -1) - images.reshape(1, 40, -1), axis=2) + 1e9 * np.eye(40)
    near = np.argsort(D, axis=1)[:, :4]
    graph = neighbour_graph.mutually_nearest(images, 4, chunk)
    for row in range(40):
        mutual = {other for other in near[row] if row in near[other]}
        assert neighbours_of(graph, row) == mutual | {near[row, 0]} | set(np.flatnonzero(near[:, 0] == row))


def test_more_neighbours_than_images_are_refused(rng):
    with pytest.raises(ValueError, match="k must be at most 4"):
        neighbour_graph.nearest(rng.random((5, 2)))


def test_neighbouring_classes_are_similar_image_by_image():
    graph = neighbour_graph.of_classes(Graph.of(np.array([0]), np.array([1]), 3), np.array([7, 5, 9, 5, 7, 9]))
    assert [neighbours_of(graph, row) for row in range(6)] == [{1, 3, 4}, {0, 3, 4}, {5}, {0, 1, 4}, {0, 1, 3}, {2}]


def test_shift_aware_is_near_when_unshifted_whatever_the_shift(rng):
    still = datasets.Dataset(
        rng.random((12, 8, 20, 1)), np.zeros(12, int), np.zeros(12, int), np.zeros(12, int), ("4",)
    )
    data = datasets.shifted(still)
    plain, aware = neighbour_graph.nearest(still.images), neighbour_graph.shift_aware(data)
    for row in range(len(data.labels)):
        digits = neighbours_of(plain, data.labels[row]) | {data.labels[row]}
        assert neighbours_of(aware, row) == set(np.flatnonzero(np.isin(data.labels, list(digits)))) - {row}
    with pytest.raises(ValueError, match="every digit without a shift"):
        neighbour_graph.shift_aware(data.where(data.drawers != 2))


def test_poses_are_neighbours_around_the_circle_in_any_light():
    data = datasets.rendered(8, elevations=3, lights=2, sharper=1)
    graph = neighbour_graph.pose(data)
    azimuth, elevation = datasets.pose_of(data.labels)
    (row,) = np.flatnonzero((azimuth == 0) & (elevation == 0) & (data.drawers == 0))
    found = {(int(azimuth[i]), int(elevation[i])) for i in neighbours_of(graph, row)}
    assert found == {(0, 0), (17, 0), (1, 0), (0, 1)}
    assert len(neighbours_of(graph, row)) == 2 * 4 - 1
    with pytest.raises(ValueError, match="use --data rendered"):
        neighbour_graph.pose(data._replace(names=("digits",)))


# pairs


def test_pairs_are_neighbours_or_not_as_they_say(rng):
    graph = some_graph(rng)
    for first, second, same in islice(neighbour_pair_indices(graph, rng, 10), 200):
        assert same.sum() == 5
        assert not (first == second).any()
        assert [s in neighbours_of(graph, f) for f, s in zip(first, second, strict=True)] == same.tolist()


def test_every_image_comes_once_an_epoch(rng):
    firsts = [first for first, _, _ in islice(neighbour_pair_indices(some_graph(rng), rng, 10), 9)]
    epochs = np.concatenate(firsts).reshape(3, 30)
    assert (np.sort(epochs, axis=1) == np.arange(30)).all()
    assert (epochs[0] != epochs[1]).any()


@pytest.mark.parametrize("same", [0, 1])
def test_every_partner_is_equally_likely(rng, same):
    graph = some_graph(rng, 12, 6)
    drawn = list(islice(neighbour_pair_indices(graph, rng, 12, same), 4000))
    counts = np.zeros((12, 12))
    for first, second, _ in drawn:
        np.add.at(counts, (first, second), 1)
    for row in range(12):
        partners = neighbours_of(graph, row) if same else set(range(12)) - neighbours_of(graph, row) - {row}
        expected = np.isin(np.arange(12), list(partners)) * len(drawn) / len(partners)
        assert (np.abs(counts[row] - expected) <= 5 * np.sqrt(expected)).all()


def test_the_same_seed_draws_the_same_pairs(rng):
    graph = some_graph(rng)
    once, again = (next(neighbour_pair_indices(graph, np.random.default_rng(3), 10)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(once, again, strict=True))


def test_a_row_without_neighbours_and_one_without_others_are_refused(rng):
    with pytest.raises(ValueError, match="row 2 has no neighbour"):
        next(neighbour_pair_indices(Graph.of(np.array([0]), np.array([1]), 3), rng))
    with pytest.raises(ValueError, match="row 0 is a neighbour of all other"):
        next(neighbour_pair_indices(Graph.of(np.array([0, 0]), np.array([1, 2]), 3), rng))


def test_a_batch_says_of_each_of_its_pairs_whether_they_are_neighbours(rng):
    graph = some_graph(rng, 60, 60)
    for batch in islice(neighbour_batch_indices(graph, rng, 20, 0.25), 50):
        assert len(np.unique(batch.rows)) == len(batch.rows) <= 20
        assert (batch.first != batch.second).all()
        np.testing.assert_array_equal(graph.has(batch.rows[batch.first], batch.rows[batch.second]), batch.same)
        held = graph.has(*(some.ravel() for some in np.meshgrid(batch.rows, batch.rows))).sum() // 2
        assert batch.same.sum() == held > 0  # all neighbours that it holds, each once
        assert batch.same.mean() == pytest.approx(0.25, abs=0.01)


def test_of_batches_every_row_comes_once_an_epoch(rng):
    graph = some_graph(rng, 60, 0)
    batches = list(islice(neighbour_batch_indices(graph, rng, 20), 6))
    assert set(np.concatenate([batch.rows for batch in batches])) == set(range(60))


def test_an_image_in_many_pairs_feels_them_all(rng):
    x = rng.normal(size=(5, 3, 3, 1))
    first, second, same = np.array([0, 0, 1, 4]), np.array([1, 2, 3, 0]), np.array([True, False, True, False])
    encoder = encoders.mlp(4, 2)
    loss = partial(losses.contrastive, margin=5.0)
    within = siamese_in_batch(encoder, distances.l2, loss)
    params = tree.map(lambda p: p.astype(float), within.init(rng, (3, 3, 1)))
    value, pull = within(params, x, first, second, same)
    expected, pull_pairs = networks.siamese(encoder, distances.l2, loss)(params, x[first], x[second], same)
    assert value == pytest.approx(expected)
    for a, b in zip(tree.leaves(pull(1.0)[0]), tree.leaves(pull_pairs(1.0)[0]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_an_attraction_weighs_the_neighbours_of_a_batch_against_the_others(rng):
    x = rng.normal(size=(5, 3, 3, 1))
    first, second, same = np.array([0, 0, 1, 4]), np.array([1, 2, 3, 0]), np.array([True, False, False, False])
    encoder = encoders.mlp(4, 2)
    loss = partial(losses.contrastive, margin=5.0)
    plain, weighted = (siamese_in_batch(encoder, distances.l2, loss, attraction) for attraction in (0.0, 0.7))
    params = tree.map(lambda p: p.astype(float), weighted.init(rng, (3, 3, 1)))
    parts = [plain(params, x, first[some], second[some], same[some]) for some in (same, ~same)]
    value, pull = weighted(params, x, first, second, same)
    assert value == pytest.approx(0.7 * parts[0][0] + 0.3 * parts[1][0])
    expected = tree.map(lambda a, b: 0.7 * a + 0.3 * b, *(part[1](1.0)[0] for part in parts))
    for a, b in zip(tree.leaves(pull(1.0)[0]), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_with_an_attraction_a_batch_has_twenty_other_pairs_for_each_pair_of_neighbours(rng):
    data = datasets.Dataset(rng.random((200, 4, 4, 1)), *3 * [np.zeros(200, int)], ("digits",))
    config = Config(network="batch", loss="contrastive", pair_by="mutual", attraction=0.9, batch=64, per_class=4)
    *_, same = next(input_pipeline.build(config).plan(data, rng))
    assert same.mean() == pytest.approx(1 / 21, abs=1e-3)
    with pytest.raises(ValueError, match="set pair_by, and the network batch"):
        Config(attraction=0.9)
    with pytest.raises(ValueError, match="attraction must be a finite number"):
        Config(network="batch", loss="contrastive", pair_by="mutual", attraction=1.0)


def test_pairs_by_a_graph_need_a_network_on_pairs():
    assert Config(network="batch", loss="contrastive", pair_by="neighbours").miner == "all-pairs"
    with pytest.raises(ValueError, match="leave miner"):
        Config(network="batch", loss="contrastive", pair_by="neighbours", miner="pair-margin")
    with pytest.raises(ValueError, match="use the network siamese"):
        Config(network="triplet", pair_by="neighbours")
    with pytest.raises(ValueError, match="did you mean 'neighbours'"):
        Config(network="siamese", pair_by="neighbors")


# the object


def test_the_object_is_the_same_every_time_and_its_outline_in_every_light():
    data = datasets.rendered(16, elevations=2)
    np.testing.assert_array_equal(data.images, datasets.rendered(16, elevations=2).images)
    of_pose = data.images.reshape(36, 6, 16, 16)
    outline = of_pose > 0
    assert (outline == outline[:, :1]).all() and outline.any(axis=(2, 3)).all()
    assert (np.abs(of_pose - of_pose[:, :1]).max(axis=(0, 2, 3))[1:] > 0.1).all()
    assert of_pose.max() <= 1


def test_the_azimuths_close_to_a_circle():
    images = datasets.rendered(24, elevations=1, lights=1).images.reshape(18, -1)
    step = np.linalg.norm(images - np.roll(images, 1, axis=0), axis=1)
    assert step[0] <= 1.5 * np.median(step)  # from the last to the first as from any to the next
    assert step.min() > 0.5


def test_half_a_turn_is_the_other_end_and_a_mirror_the_other_side():
    seen = datasets.rendered(24, elevations=1, lights=5).images.reshape(18, 5, 24, 24)
    overhead = seen[:, 4]  # a light from above has no side
    np.testing.assert_allclose(overhead[1:], overhead[:0:-1, :, ::-1], atol=1e-6)
    assert np.abs(overhead[0] - overhead[9]).max() > 0.2


def test_poses_and_angles():
    azimuth, elevation = datasets.angles_of(np.array([0, 9, 18 * 8 + 1]))
    np.testing.assert_allclose(np.rad2deg(azimuth), [0, 180, 20])
    np.testing.assert_allclose(np.rad2deg(elevation), [30, 30, 70])


def test_shifts_move_ink_and_lose_what_leaves():
    images = np.zeros((2, 1, 20, 1), np.float32)
    images[0, 0, 10], images[1, 0, 17] = 1, 1
    zeros = np.zeros(2, int)
    data = datasets.shifted(datasets.Dataset(images, zeros, zeros, zeros - 1, ("digits",)))
    places = [np.flatnonzero(row).tolist() for row in data.images[:, 0, :, 0]]
    assert places == [[4], [7], [10], [13], [16], [11], [14], [17], [], []]
    assert data.labels.tolist() == [0] * 5 + [1] * 5 and data.drawers.tolist() == [0, 1, 2, 3, 4] * 2


# maps without training


def test_principal_components_are_the_directions_of_largest_variance(rng):
    x, queries = (rng.normal(size=(n, 6)) * [9, 1, 5, 1, 1, 1] + 3 for n in (300, 20))
    z, of_queries = maps.principal(x, queries)
    right = np.linalg.svd(x - x.mean(axis=0))[2]
    np.testing.assert_allclose(np.abs(z), np.abs((x - x.mean(axis=0)) @ right[:2].T), atol=1e-9)
    np.testing.assert_allclose(maps.principal(x, x[:5])[1], z[:5], atol=1e-9)
    assert np.abs(np.corrcoef(of_queries[:, 0], queries[:, 0])[0, 1]) > 0.99


def test_the_spectral_map_of_a_ring_is_a_circle():
    at = np.arange(24)
    ring = Graph.of(at, (at + 1) % 24, 24)
    found = maps.spectral(ring)
    np.testing.assert_allclose(found.eigenvalues, np.cos(2 * np.pi / 24))
    np.testing.assert_allclose(np.linalg.norm(found.z, axis=1), np.linalg.norm(found.z[0]))


def test_a_spectral_map_has_the_eigenvectors_of_the_random_walk_and_extends_to_its_own_rows(rng):
    graph = some_graph(rng)
    found = maps.spectral(graph, 3)
    walk = np.zeros((30, 30))
    walk[graph.edges] = 1
    walk /= graph.degree[:, None]
    np.testing.assert_allclose(walk @ found.z, found.z * found.eigenvalues, atol=1e-9)
    np.testing.assert_allclose(found.eigenvalues, np.sort(np.linalg.eigvals(walk).real)[-2:-5:-1])
    for row in range(30):
        near = graph.neighbours[None, graph.start[row] : graph.start[row + 1]]
        np.testing.assert_allclose(maps.extended(found, near)[0], found.z[row], atol=1e-9)


def test_a_spectral_map_needs_neighbours_and_enough_rows():
    with pytest.raises(ValueError, match="row 2 has no neighbour"):
        maps.spectral(Graph.of(np.array([0]), np.array([1]), 3), 1)
    with pytest.raises(ValueError, match="dimensions must be at most 1"):
        maps.spectral(Graph.of(np.array([0, 1]), np.array([1, 2]), 3))


# judges


def test_a_cylinder_tells_the_pose_and_not_the_light(rng):
    data = datasets.rendered(8, sharper=1)
    test = data.labels % 5 == 0
    z = drlim.pose(data.labels)
    found = drlim.recovered(z[~test], data.where(~test), z[test], data.where(test))
    assert found["pose"] == pytest.approx(1)
    assert abs(found["light"]) < 0.05
    lit = np.column_stack([data.drawers, rng.normal(size=(len(z), 2))])
    found = drlim.recovered(lit[~test], data.where(~test), lit[test], data.where(test))
    assert found["light"] > 0.4 and found["pose"] < 0.05


def test_noise_explains_nothing(rng):
    z, y = rng.normal(size=(2000, 3)), rng.normal(size=(2000, 2))
    asked = rng.normal(size=(2000, 3))
    assert regression.r_squared(regression.polynomial(z, y, asked), rng.normal(size=(2000, 2))) == pytest.approx(
        0, abs=0.05
    )
    assert regression.r_squared(np.broadcast_to(y.mean(axis=0), y.shape), y) == pytest.approx(0)


def test_a_polynomial_is_recovered_up_to_its_degree(rng):
    z, asked = rng.normal(size=(100, 2)), rng.normal(size=(20, 2))
    cubic = lambda x: np.stack([x[:, 0] ** 3 - 2 * x[:, 0] * x[:, 1] + 1, x[:, 1]], axis=1)
    np.testing.assert_allclose(regression.polynomial(z, cubic(z), asked), cubic(asked), atol=1e-9)
    assert np.abs(regression.polynomial(z, cubic(z), asked, degree=2) - cubic(asked)).max() > 0.1


def test_r_squared_of_a_constant_is_an_error():
    with pytest.raises(ValueError, match="true is constant"):
        regression.r_squared(np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match="one shape"):
        regression.r_squared(np.zeros(3), np.zeros((3, 1)))


def test_the_ratio_of_a_shift_to_another_digit():
    digits, shifts = np.repeat(np.arange(3), 2), np.tile([0, 1], 3)
    z = np.stack([3.0 * digits, 2.0 * shifts], axis=1)
    assert drlim.shift_ratio(z, digits, shifts) == pytest.approx(2 / np.mean([3, 3, 6]))
    assert drlim.shift_ratio(z * [1, 0], digits, shifts) == 0
    order = np.array([3, 0, 5, 1, 4, 2])
    assert drlim.shift_ratio(z[order], digits[order], shifts[order]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="two shifts"):
        drlim.shift_ratio(z[shifts == 0], digits[shifts == 0], shifts[shifts == 0])


# what is loaded, and from the command line to the figures


def test_data_of_maps_are_loaded_and_split(tmp_path, rng):
    mnist(tmp_path, rng, per_class=70)
    both = data_spec.load(f"mnist-4-9:{tmp_path}", holdout="images")
    assert [set(part.labels) for part in both] == [{4, 9}] * 3
    assert [len(part.labels) for part in both] == [136, 4, 140]
    moved = data_spec.load(f"mnist-4-shifted:{tmp_path}", holdout="images")
    assert [len(part.labels) for part in moved] == [5 * 68, 5 * 2, 5 * 70]
    everything = data_spec.load(f"mnist-4-shifted:{tmp_path}", holdout="none")
    assert not everything.has_test and len(everything.train.labels) == 5 * 70
    views = data_spec.load("rendered", holdout="fifth")
    assert [len(np.unique(part.labels)) for part in views] == [130, 2, 30]
    with pytest.raises(ValueError, match="needs the path of its files"):
        data_spec.load("mnist-4-9:", holdout="images")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "numbers"),
    [
        (
            "drlim-digits",
            "mnist-4-9",
            {f"{kind}neighbours{of}" for kind in ("", "pca_", "spectral_") for of in ("", "_of")},
        ),
        ("drlim-shifted", "mnist-4-shifted", {"ratio"}),
        ("drlim-shifted-aware", "mnist-4-shifted", {"ratio"}),
        ("drlim-object", "", {"pose", "cos", "sin", "elevation", "light"}),
    ],
)
def test_an_experiment_of_maps_runs_from_the_command_line_to_its_figures(
    tmp_path, rng, monkeypatch, capsys, name, data, numbers
):
    if data:
        mnist(tmp_path, rng, per_class=90)
    few = datasets.rendered(elevations=3, lights=4)
    monkeypatch.setattr(datasets, "rendered", lambda size: few)
    words = ["papers", "run", name, "--steps", "2"]
    words += ["--data", f"{data}:{tmp_path}"] if data else []
    assert cli.main([*words, "--out", str(tmp_path / "run")]) == 0
    run = run_folder.open_run(tmp_path / "run")
    assert set(run.report["metrics"]) == numbers and np.isfinite(list(run.report["metrics"].values())).all()
    drawn = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert {"map", "shown", "curves"} <= drawn
    assert ("views" in drawn) == (name == "drlim-object")
    assert cli.main(["papers", "report", str(tmp_path / "run")]) == 0
    assert name in capsys.readouterr().out


def test_a_resumed_map_has_the_same_bits(tmp_path):
    settings = {
        "encoder": "mlp",
        "embedding_size": 2,
        "network": "siamese",
        "pair_by": "pose",
        "dihedral": 1,
        "steps": 4,
    }
    data = data_spec.split(datasets.rendered(28, lights=4, elevations=3, sharper=1), "fifth")
    whole = trainer.train(Config(**settings, log_every=2), data, tmp_path / "whole", lambda line: None)
    limited = Config(**settings, log_every=2, time_limit=1e-9)
    trainer.train(limited, data, tmp_path / "parts", lambda line: None)
    assert run_folder.open_run(tmp_path / "parts").training["steps"] < 4
    parts = trainer.resume(tmp_path / "parts", data, lambda line: None, time_limit=1)
    for a, b in zip(whole.params["encoder"], parts.params["encoder"], strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
