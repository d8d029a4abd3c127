"""The papers' experiments: settings that can be trained, metrics, intervals and verdicts, and the page of results."""

import json
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures import mnist
from hypothesis import given
from hypothesis import strategies as st

from minisiam import datasets, distances, evaluate, pairwise
from minisiam.app import cli, data_spec, papers, trainer, views
from minisiam.app import run as run_folder
from minisiam.app.commands.evaluate import test_data as data_to_test
from minisiam.app.config import Config
from minisiam.app.papers import (
    COMPARISONS,
    EXPERIMENTS,
    Claim,
    Published,
    intervals,
    metrics,
    page,
    questions,
    regression,
    results,
)
from minisiam.datasets import augment


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_possible_settings_and_claims(name):
    experiment = papers.find(name)
    config = papers.config_of(name, data=experiment.data)
    assert Config.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert experiment.about and experiment.paper and experiment.claims


def test_comparisons_are_of_experiments():
    assert {name for one in COMPARISONS for name in (one.worse, one.better)} <= set(EXPERIMENTS)


def test_distorted_copies_are_compared_at_equal_epochs_and_at_equal_steps():
    chosen = {name: EXPERIMENTS[f"koch-{name}"].settings for name in ("30k", "30k-affine", "30k-long")}
    epochs = {name: s["steps"] * s["batch"] // 2 / (s["pairs"] * (1 + s["copies"])) for name, s in chosen.items()}
    assert epochs["30k"] == pytest.approx(epochs["30k-affine"], rel=2e-3)
    assert chosen["30k-affine"]["copies"] == 8 and chosen["30k"]["copies"] == 0
    assert chosen["30k-long"] == chosen["30k"] | {"steps": chosen["30k-affine"]["steps"]}
    different = {name for name in chosen["30k"] if chosen["30k"][name] != chosen["30k-affine"][name]}
    assert different == {"copies", "augment", "steps"}


def test_an_unknown_experiment_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'omniglot-minimal'"):
        papers.find("omniglot-minimla")


# metrics


def letters(rng, alphabets=3, count=21, drawers=4, noise=0.0):
    """Letters as points: each letter has its own position, and each drawer adds noise to it."""
    of, drawer = np.divmod(np.arange(alphabets * count * drawers), drawers)
    z = np.eye(alphabets * count)[of] + noise * rng.normal(size=(len(of), alphabets * count))
    names = tuple(f"alphabet {i}" for i in range(alphabets))
    return z, datasets.Dataset(np.zeros((len(of), 2, 2, 1), np.float32), of, of // count, drawer, names)


def test_the_error_of_each_alphabet_is_separate(rng):
    z, data = letters(rng)
    assert metrics.by_alphabet(z, data, pairwise.l2) == dict.fromkeys(data.names, 0.0)
    z[data.groups == 1] = 1  # one point: every prediction is a tie, and ties count as errors
    assert list(metrics.by_alphabet(z, data, pairwise.l2).values()) == [0, 1, 0]


def test_small_alphabets_are_left_out(rng):
    z, data = letters(rng, alphabets=2, count=19)
    with pytest.raises(ValueError, match="no test alphabet has 20 letters"):
        metrics.by_alphabet(z, data, pairwise.l2)


def test_unstructured_episodes_have_four_turns_of_each_letter(rng):
    data = letters(rng, alphabets=1, count=5)[1]
    data = data._replace(images=rng.random((5, 1, 6, 6, 1)).repeat(4, axis=1).reshape(20, 6, 6, 1))
    found = metrics.unstructured(evaluate.pixels, data, pairwise.l2)
    for way in (5, 20):  # 5 letters × 4 turns make 20
        assert found[f"unstructured_{way}_way_error"] == 0
        low, high = found[f"unstructured_{way}_way_error_interval"]
        assert low == 0 and 0 < high < 0.01  # no error in 1,000 episodes leaves an interval


def test_the_views_are_the_image_and_each_parameter_down_and_up(rng):
    images = rng.random((3, 9, 9, 1))
    found = list(views.of(images))
    assert len(found) == views.VIEWS == 25
    assert found[0] is images
    for (name, size), view in zip(product(views.LARGEST, (-1, -0.5, 0.5, 1)), found[1:], strict=True):
        changed = augment.IDENTITY._replace(**{name: getattr(augment.IDENTITY, name) + size * views.LARGEST[name]})
        every = augment.AffineParameters(*(np.full(3, value) for value in changed))
        np.testing.assert_array_equal(view, augment.apply_affine(images, every))


@pytest.mark.parametrize("distance", [pairwise.l2, pairwise.cosine])
def test_the_nearest_view_is_the_least_of_all_pairs_of_views(distance, rng):
    a, b = rng.normal(size=(4, views.VIEWS, 3)), rng.normal(size=(2, views.VIEWS, 3))
    D, _ = views.nearest(distance)(views.flat(a), views.flat(b))
    pairs = [[min(distance(x, y)[0].ravel()) for y in b] for x in a]
    np.testing.assert_allclose(D, pairs, atol=1e-12)


def test_a_view_of_an_image_is_nearest_to_it(rng):
    images = rng.random((3, 12, 12, 1))
    shown = views.flat(views.embeddings(evaluate.pixels, images))
    for view in views.of(images):
        asked = views.flat(views.embeddings(evaluate.pixels, view))
        np.testing.assert_allclose(np.diag(views.nearest(pairwise.cosine)(asked, shown)[0]), 0, atol=1e-12)


def test_letters_of_other_alphabets_are_easier_to_distinguish(rng):
    _, data = letters(rng)
    data.images[...] = data.groups[:, None, None, None]  # a network that sees the alphabet, and not the letter
    method = SimpleNamespace(
        embed=lambda params, images: images.reshape(len(images), -1),
        prepare=lambda images: images,
        prepared=lambda part: part,
        distance=distances.l2,
        matrix=lambda params: pairwise.l2,
    )
    run = SimpleNamespace(method=method, params={"distance": ()})
    found = metrics.letters(run, SimpleNamespace(validation=data, test=data))
    assert found["verification"] == 0.5 and found["one_shot"] == 0  # all pairs of an alphabet are at one distance
    of_another = 42 / 62  # the other letters of two more alphabets, of all other letters
    assert found["verification_any"] == pytest.approx(0.5 + of_another / 2, abs=0.03)
    assert list(found["verification_any_by_alphabet"]) == list(data.names)


def drawn_letters(rng, count, drawers=3, name="alphabet"):
    """Letters as random images, which each drawer blurs with noise."""
    of, drawer = np.divmod(np.arange(count * drawers), drawers)
    images = rng.random((count, 8, 8, 1))[of] + 0.01 * rng.random((len(of), 8, 8, 1))
    return datasets.Dataset(images, of, np.zeros_like(of), drawer, (name,))


def test_questions_are_about_letters_by_two_drawers(rng):
    data = drawn_letters(rng, 25)
    (runs,) = questions.questions(data).values()
    assert len(runs) == questions.RUNS
    for run in runs:
        rows = [np.argmin(np.abs(data.images - image).sum(axis=(1, 2, 3))) for image in (*run.training, *run.test)]
        shown, asked = np.split(np.array(rows), 2)
        np.testing.assert_array_equal(data.labels[shown][run.answers], data.labels[asked])
        assert len({*data.labels[shown]}) == 20
        assert len({*data.drawers[shown]}) == len({*data.drawers[asked]}) == 1
        assert {*data.drawers[shown]} != {*data.drawers[asked]}


def test_questions_are_the_same_at_every_call(rng):
    data = drawn_letters(rng, 26)
    first, second = (questions.questions(data)["alphabet"][3] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_of_two_equal_letters_one_is_asked(rng):
    data = drawn_letters(rng, 21)
    data.images[data.labels == 4] = data.images[data.labels == 17]
    assert len({4, 17} & {*questions.distinct(data, 20)}) == 1


def test_no_questions_about_small_alphabets_or_braille(rng):
    for data in (drawn_letters(rng, 24), drawn_letters(rng, 26, name="Braille")):
        with pytest.raises(ValueError, match="no test alphabet has 25 letters"):
            questions.questions(data)


def test_a_linear_classifier_is_perfect_on_separable_classes_and_at_chance_on_noise(rng):
    labels = rng.integers(0, 3, 300)
    z = np.eye(3)[labels] @ rng.normal(size=(3, 8)) + 5
    assert regression.linear_accuracy(z, labels, z, labels) == 1
    noise = rng.normal(size=(300, 8))
    assert regression.linear_accuracy(noise, labels, rng.normal(size=(300, 8)), labels) == pytest.approx(
        1 / 3, abs=0.12
    )


def test_a_polynomial_of_too_many_terms_is_refused():
    z = np.zeros((3, 128))
    with pytest.raises(ValueError, match="has too many terms"):
        regression.polynomial(z, z, z)


def test_ridge_regression_is_the_normal_equation(rng):
    z, labels = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    X, Y = np.column_stack([z - z.mean(axis=0), np.ones(40)]), np.eye(2)[labels]
    s = np.trace(X.T @ X / 40) / 4
    W = np.linalg.lstsq(np.vstack([X, np.sqrt(0.5 * s * 40) * np.eye(4)]), np.vstack([Y, np.zeros((4, 2))]))[0]
    expected = ((X @ W).argmax(axis=1) == labels).mean()
    assert regression.linear_accuracy(z, labels, z, labels, ridge=0.5) == expected


def test_one_neighbour_decides_alone(rng):
    z, labels = rng.integers(0, 4, (60, 2)).astype(float), rng.integers(0, 3, 60)
    asked, wanted = rng.integers(0, 4, (30, 2)).astype(float), rng.integers(0, 3, 30)
    right = 0
    for q, w in zip(asked, wanted, strict=True):
        d = np.linalg.norm(z - q, axis=1)
        right += set(labels[d == d.min()]) == {w}
    assert evaluate.knn_accuracy(z, labels, asked, wanted) == right / 30


# held-out data


@pytest.mark.slow
def test_holdout_splits_alphabets_or_images(tmp_path, rng, glyphs):
    fifth = data_spec.split(glyphs, "fifth")
    groups = [set(np.unique(part.groups)) for part in fifth]
    assert not groups[0] & (groups[1] | groups[2]) and not groups[1] & groups[2]
    assert len(groups[1]) == 1 and len(groups[2]) == len(np.unique(glyphs.groups)) // 5 - 1
    images = data_spec.split(glyphs, "images")
    assert all(set(np.unique(part.labels)) == set(np.unique(glyphs.labels)) for part in images)
    assert sum(len(part.images) for part in images) == len(glyphs.images)
    mnist(tmp_path, rng)
    digits = data_spec.load(f"mnist:{tmp_path}", 28, "none")
    assert not digits.has_test and digits.test is digits.train
    with pytest.raises(ValueError, match="did you mean 'third'"):
        data_spec.load("pen-glyphs", 28, "thrid")
    with pytest.raises(ValueError, match="fewer than four alphabets"):
        data_spec.load("pen-glyphs", 28, "pen-glyphs:7")


def test_alphabets_of_training_are_not_in_the_test_set(glyphs, monkeypatch):
    few = glyphs.where(glyphs.groups < 5)
    monkeypatch.setattr(data_spec, "load_all", lambda name, *_: few if name == "few" else glyphs)
    data = data_spec.load("few", 28, "all:of them")
    assert len(data.train.labels) == len(few.labels)
    tested = set(np.unique(data.test.groups)) | set(np.unique(data.validation.groups))
    assert tested == set(np.unique(glyphs.groups)) - set(range(5))


# the page


def report_of(name, seed, found, **changes):
    config = Config(paper=name, seed=seed, data="omniglot:some/where.zip", **papers.find(name).settings)
    return {
        "config": config.as_dict() | changes,
        "steps": config.steps,
        "train_seconds": 90.0,
        "busy": 1.9,
        "machine": {"cores": 2, "numpy": "2.4"},
        **found,
    }


def written(folder, *reports):
    folders = [folder / str(i) for i in range(len(reports))]
    for path, report in zip(folders, reports, strict=True):
        path.mkdir(parents=True)
        (path / "report.json").write_text(json.dumps(report))
    return folders


ENDS = st.floats(-2, 2)


@given(ENDS, ENDS, ENDS, st.booleans())
def test_a_verdict_follows_from_the_interval(one, other, bound, higher):
    low, high = sorted((one, other))
    found = intervals.verdict(intervals.Interval(low, high, "seeds"), bound, higher)
    inside = np.linspace(low, high, 101)
    right = inside >= bound if higher else inside <= bound
    assert (found == "met") == bool(right.all())
    assert (found == "not met") == (not right[[0, -1]].any())
    assert found in ("met", "not met", "cannot tell")
    mirrored = intervals.verdict(intervals.Interval(-high, -low, "seeds"), -bound, not higher)
    assert mirrored == found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=1), ENDS, st.booleans())
def test_one_number_without_an_interval_has_no_verdict(values, bound, higher):
    claim = Claim("", "error", (Published(bound),), target=bound, higher=higher)
    row = page.claim_row("", claim, [{"metrics": {"error": values[0]}}])
    assert row.reached == row.met == "cannot tell" and "no interval" in row.interval


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_row_without_a_number_in_the_paper_has_no_verdict_on_the_paper(name):
    for claim in EXPERIMENTS[name].claims:
        by_alphabet = {f"{claim.metric}_by_alphabet": {"a": 0.4, "b": 0.6}}
        row = page.claim_row(name, claim, [{"metrics": {claim.metric: 0.5} | by_alphabet}])
        assert (row.paper == "–") == (row.reached == "–") == (not claim.published)
        assert (row.target == "–") == (row.met == "–") == (claim.target is None)


def test_maps_without_numbers_in_the_paper_are_not_among_the_papers_claims():
    claims = [claim for entry in EXPERIMENTS.values() if "Hadsell" in entry.paper for claim in entry.claims]
    assert claims and not any(claim.published for claim in claims)


def test_the_page_has_intervals_and_verdicts(tmp_path):
    found = [
        {"metrics": {"error": e, "nearest_view_error": 0.2, "unstructured_20_way_error": 0.1}}
        for e in (0.13, 0.14, 0.15)
    ]
    found[0]["metrics"]["error_by_alphabet"] = {"a": 0.10, "b": 0.14, "c": 0.18}
    folders = written(tmp_path, *(report_of("omniglot-minimal", i, f) for i, f in enumerate(found)))
    text = page.page(results.gather(folders[::-1]))
    ours = "14.00 % | 11.52 to 16.48 % over 3 seeds; 4.06 to 23.94 % over 3 alphabets"
    reached = "cannot tell (ConvNet), met (prototypes)"  # by the wider interval, that of alphabets
    assert f"| 23.2 % (ConvNet), 30.1 % (prototypes) | {ours} | {reached} | – | – |" in text
    assert "test time | – | 20.00 % | 20.00 to 20.00 % over 3 seeds | – | ≤ 4 % | not met |" in text
    assert "| – | 10.00 % | 10.00 to 10.00 % over 3 seeds | – | – | – |" in text  # no published number, and no target
    assert "some/" not in text and "where.zip" in text


def test_a_table_of_a_paper_has_no_empty_columns_and_its_limits_below_it(tmp_path):
    text = page.page(results.gather(written(tmp_path, report_of("koch-30k", 0, accuracies(0.8, 0.9)))))
    table, limits = text.split("## Koch, Zemel & Salakhutdinov 2015")[1].split("\n\n- ", 1)
    assert "reaches the paper" in table and "target" not in table
    assert "from all alphabets | 90.61 % | not measured | – |" in table  # the report has no such metric
    assert "28 × 28 pixels" in limits and "Hadsell" not in text


def test_a_bound_inside_the_interval_gives_no_verdict(tmp_path):
    found = {"metrics": {"nearest": 0.9932, "linear": 0.9917, "nearest_of": 10000, "linear_of": 10000}}
    text = page.page(results.gather(written(tmp_path, report_of("hoffer-triplet", 0, found))))
    assert "| 99.54 % | 99.32 % | 99.14 to 99.46 % over 10,000 test images | not met | ≥ 99.2 % | cannot tell |" in text
    assert "| 99.54 % | 99.17 % | 98.97 to 99.33 % over 10,000 test images | not met | ≥ 99.2 % | cannot tell |" in text


def test_the_page_lists_changed_settings(tmp_path):
    (folder,) = written(tmp_path, report_of("koch-30k", 0, {}, steps=7))
    (run,) = results.gather([folder])
    assert run.changes == "steps 7"
    text = page.page([run])
    steps = f"{EXPERIMENTS['koch-30k'].settings['steps']:,}"
    assert (
        f"| 0 | {steps} | 1.5 | 1.90 | steps 7 |" in text and "verification accuracy" not in text
    )  # listed, not counted


def test_only_whole_runs_with_a_test_set_count(tmp_path):
    found = {"metrics": {"verification": 0.9}}
    folders = written(
        tmp_path,
        report_of("koch-30k", 0, found, holdout="none"),
        report_of("koch-30k", 1, found, holdout="fifth"),
        report_of("koch-30k", 2, found) | {"steps": 9},
    )
    assert [run.is_whole for run in results.gather(folders)] == [False, True, False]
    twice = written(tmp_path / "twice", report_of("koch-30k", 0, found), report_of("koch-30k", 0, found))
    with pytest.raises(ValueError, match="have the same experiment, data and seed"):
        results.gather(twice)


def accuracies(*values):
    """The metrics of a report on alphabets with these accuracies."""
    by = {f"alphabet {i}": value for i, value in enumerate(values)}
    return {"metrics": {"verification": float(np.mean(values)), "verification_by_alphabet": by}}


def test_a_difference_is_compared_alphabet_by_alphabet(tmp_path):
    values = {
        "koch-30k": accuracies(0.80, 0.90, 0.95),
        "koch-90k": accuracies(0.82, 0.921, 0.969),  # better on each, by about as much
        "koch-150k": accuracies(0.79, 0.93, 0.96),
    }
    text = page.page(results.gather(written(tmp_path, *(report_of(n, 0, v) for n, v in values.items()))))
    numbers = "88.33 % → 90.33 % | +2.00 points: +1.75 to +2.25 over 3 alphabets"
    assert f"| 90,000 pairs instead of 30,000: verification | 90.61 % → 91.54 % | {numbers} | met |" in text
    assert "150,000 pairs instead of 90,000: verification | 91.54 % → 91.63 % | 90.33 % → 89.33 %" in text
    assert "over 3 alphabets | cannot tell |" in text
    assert "copies added" not in text  # there are no such runs


def test_a_difference_over_test_images_and_one_over_seeds(tmp_path):
    pairs = {"metrics": {"nearest": 0.9943, "nearest_of": 10000}}
    triplets = {"metrics": {"nearest": 0.9932, "nearest_of": 10000}}
    both = written(tmp_path, report_of("hoffer-siamese", 0, pairs), report_of("hoffer-triplet", 0, triplets))
    numbers = "99.43 % → 99.32 % | −0.11 points: −0.33 to +0.11 over 10,000 test images | cannot tell"
    assert numbers in page.page(results.gather(both))
    seeds = [{"config": {"seed": i}, "metrics": {"nearest": 0.9 + 0.01 * i}} for i in range(3)]
    more = [report | {"metrics": {"nearest": report["metrics"]["nearest"] + 0.02}} for report in seeds]
    (interval,) = intervals.differences("nearest", seeds, more)
    assert interval[:2] == pytest.approx((0.02, 0.02)) and interval.over == "3 seeds"


def test_equal_experiments_are_not_met():
    zero = intervals.Interval(0.0, 0.0, "seeds")
    assert intervals.verdict(zero, intervals.POSITIVE, higher=True) == "not met"


@pytest.mark.parametrize("report", [None, {"config": {"paper": ""}}, {"config": {"paper": "none such"}}])
def test_only_runs_of_experiments_can_be_reported(tmp_path, report):
    if report is not None:
        (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match=r"has no report.json|is not a run of an experiment"):
        results.gather([tmp_path])


@pytest.mark.slow
def test_an_experiment_runs_from_the_command_line_to_the_page(tmp_path, glyphs, monkeypatch, capsys):
    few, more = (glyphs.where(np.isin(glyphs.groups, groups)) for groups in ([0, 1], [1, 3, 4, 6, 9, 12]))
    monkeypatch.setattr(data_spec, "load_all", lambda name, *_: few if name.startswith("omniglot") else more)
    words = ["papers", "run", "omniglot-minimal", "--data", "omniglot:x", "--holdout", "pen-glyphs:"]
    words += ["--steps", "2", "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    run = run_folder.open_run(tmp_path / "run")
    assert run.config.paper == "omniglot-minimal" and run.config.encoder == "conv3"
    assert 0 <= run.report["metrics"]["nearest_view_error"] <= 1
    assert (tmp_path / "run" / "figures" / "by_alphabet.png").stat().st_size > 10_000
    assert cli.main(["papers", "report", str(tmp_path / "run"), "--out", str(tmp_path / "RESULTS.md")]) == 0
    text = (tmp_path / "RESULTS.md").read_text()
    assert "| steps 2 |" in text and "![omniglot-minimal: by_alphabet](docs/results/" in text
    assert (tmp_path / "docs" / "results" / "omniglot-minimal-by_alphabet.png").is_file()
    capsys.readouterr()


@pytest.mark.slow
def test_a_run_without_a_test_set_is_labelled(tmp_path, glyphs, monkeypatch, capsys):
    few = glyphs.where(np.isin(glyphs.groups, [0, 1, 2]))
    monkeypatch.setattr(data_spec, "load_all", lambda name, *_: few)
    words = ["train", "--encoder", "mlp", "--holdout", "none", "--steps", "2", "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    assert "training classes: nothing was held out" in capsys.readouterr().out
    assert run_folder.open_run(tmp_path / "run").report["one_shot"]["new"] == "nothing"


def test_an_experiment_needs_its_data():
    with pytest.raises(ValueError, match=r"experiment hoffer-triplet needs its data: add --data mnist"):
        papers.config_of("hoffer-triplet")
    with pytest.raises(ValueError, match=r"needs its data: add --data mnist"):
        papers.config_of("hoffer-triplet", data="omniglot:here")
    assert papers.config_of("hoffer-triplet", data="mnist:here").encoder == "hoffer"
    assert papers.config_of("drlim-object").data == "rendered"


def test_an_experiment_is_resumed_by_its_name_only(tmp_path, capsys):
    data = data_spec.split(datasets.rendered(28, lights=4, elevations=3, sharper=1), "fifth")
    trainer.train(papers.config_of("drlim-object", steps=1), data, tmp_path / "run", lambda line: None)
    assert cli.main(["papers", "run", "drlim-digits", "--resume", str(tmp_path / "run")]) == 1
    assert "is a run of drlim-object, not of drlim-digits" in capsys.readouterr().err
    assert cli.main(["papers", "run", "drlim-objekt"]) == 1
    assert "did you mean 'drlim-object'" in capsys.readouterr().err


def test_the_list_has_every_experiment(capsys):
    assert cli.main(["papers", "list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text and entry.about in text for name, entry in EXPERIMENTS.items())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, glyphs):
    """A short run on a part of the alphabets."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    config = Config(encoder="mlp", steps=2, data="omniglot:one")
    few = glyphs.where(glyphs.groups < 10)
    return trainer.train(config, data_spec.split(few), folder, lambda line: None), few


def test_evaluation_refuses_alphabets_of_training(trained, glyphs, monkeypatch, capsys):
    run, few = trained
    monkeypatch.setattr(data_spec, "load_all", lambda name, *_: few if name == "omniglot:one" else glyphs)
    words = ["evaluate", str(run.folder), "--json"]
    for more in (["--holdout", "fifth"], ["--data", "omniglot:all", "--holdout", "fifth"]):
        assert cli.main(words + more) == 1
        assert "which this run was trained on" in capsys.readouterr().err
    assert cli.main([*words, "--data", "omniglot:one", "--holdout", "omniglot:all"]) == 0
    result = json.loads(capsys.readouterr().out)["one_shot"]
    assert (
        result["new"] == "alphabets" and result["alphabets"] == 16
    )  # of 21 that are not among the ten, less every 4th


def test_other_data_have_the_default_test_set(trained, monkeypatch, glyphs):
    run, few = trained
    loaded = []
    monkeypatch.setattr(data_spec, "load_all", lambda name, *_: loaded.append(name) or few)
    other = run._replace(config=replace(run.config, holdout="omniglot:elsewhere"))
    data_to_test(other, "pen-glyphs:7", None)
    assert loaded == ["pen-glyphs:7"]


def test_new_names_what_the_training_set_does_not_have():
    images = np.zeros((8, 2, 2, 1), np.float32)
    labels = np.repeat(np.arange(4), 2)
    data = datasets.Dataset(images, labels, labels // 2, labels * 0 - 1, ("one", "other"))
    first, second = data.where(data.groups == 0), data.where(data.groups == 1)
    assert data_spec.Data(first, second, second).new == "alphabets"
    assert data_spec.Data(first, first, first).new == "nothing"
    assert data_spec.Data(data.where(labels < 1), first, data.where(labels == 1)).new == "classes"
    assert data_spec.Data(data, data, data.where(np.arange(8) % 2 == 0)).new == "images"
