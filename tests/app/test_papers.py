"""The papers' experiments: entries that can be trained, judges that measure what they say, a page that is true."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fixtures import mnist
from hypothesis import given
from hypothesis import strategies as st

from minisiam import datasets, evaluate, pairwise
from minisiam.app import cli, commands, data_spec, papers, trainer
from minisiam.app.config import Settings
from minisiam.app.papers import EXPERIMENTS, ORDERS, Claim, Paper, metrics, regression, results


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_entry_is_a_set_of_settings_and_says_what_it_claims(name):
    entry = papers.find(name)
    made = Settings(preset=name, **entry.settings)
    assert Settings.of(json.loads(json.dumps(made.as_dict()))) == made
    assert entry.about and entry.paper and entry.claims


def test_orders_name_entries():
    assert {name for order in ORDERS for name in (order.worse, order.better)} <= set(EXPERIMENTS)


def test_distorted_copies_are_compared_at_equal_epochs_and_at_equal_steps():
    chosen = {name: EXPERIMENTS[f"koch-{name}"].settings for name in ("30k", "30k-affine", "30k-long")}
    epochs = {name: s["steps"] * s["batch"] // 2 / (s["pairs"] * (1 + s["copies"])) for name, s in chosen.items()}
    assert epochs["30k"] == pytest.approx(epochs["30k-affine"], rel=2e-3)
    assert chosen["30k-affine"]["copies"] == 8 and chosen["30k"]["copies"] == 0
    assert chosen["30k-long"] == chosen["30k"] | {"steps": chosen["30k-affine"]["steps"]}
    different = {name for name in chosen["30k"] if chosen["30k"][name] != chosen["30k-affine"][name]}
    assert different == {"copies", "augment", "steps"}


def test_an_unknown_preset_is_told_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'omniglot-minimal'"):
        papers.find("omniglot-minimla")


# what is judged


def letters(rng, alphabets=3, count=21, drawers=4, noise=0.0):
    """Letters as points: every drawer writes every letter of an alphabet at its own place, more or less."""
    of, drawer = np.divmod(np.arange(alphabets * count * drawers), drawers)
    z = np.eye(alphabets * count)[of] + noise * rng.normal(size=(len(of), alphabets * count))
    names = tuple(f"alphabet {i}" for i in range(alphabets))
    return z, datasets.Dataset(np.zeros((len(of), 2, 2, 1), np.float32), of, of // count, drawer, names)


def test_each_alphabet_counts_alike(rng):
    z, data = letters(rng)
    assert metrics.by_alphabet(z, data, pairwise.l2) == dict.fromkeys(data.names, 0.0)
    z[data.groups == 1] = 1  # one point: every answer is a tie, and ties count against it
    assert list(metrics.by_alphabet(z, data, pairwise.l2).values()) == [0, 1, 0]


def test_small_alphabets_are_left_out(rng):
    z, data = letters(rng, alphabets=2, count=19)
    with pytest.raises(ValueError, match="no alphabet to be judged by has 20 letters"):
        metrics.by_alphabet(z, data, pairwise.l2)


def test_unstructured_episodes_know_four_turns_of_each_letter(rng):
    data = letters(rng, alphabets=1, count=5)[1]
    data = data._replace(images=rng.random((5, 1, 6, 6, 1)).repeat(4, axis=1).reshape(20, 6, 6, 1))
    found = metrics.unstructured(evaluate.pixels, data, pairwise.l2)
    for way in (5, 20):  # 5 letters × 4 turns make 20
        assert found[f"unstructured_{way}_way_error"] == 0
        low, high = found[f"unstructured_{way}_way_error_interval"]
        assert low == 0 and 0 < high < 0.01  # no error in 1,000 episodes is no certainty


def test_the_mean_of_views_is_a_mean_of_directions(rng):
    z = rng.normal(size=(5, 3))
    same = evaluate.averaged(lambda x: x, z, rng, 3, lambda x, rng: 2 * x)
    np.testing.assert_allclose(same, z / np.linalg.norm(z, axis=1, keepdims=True), atol=1e-7)
    opposite = evaluate.averaged(lambda x: x, z, rng, 1, lambda x, rng: -x)
    np.testing.assert_allclose(opposite, 0, atol=1e-7)


def test_a_linear_classifier_separates_what_is_separable_and_nothing_else(rng):
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


def test_one_neighbour_is_the_vote_of_one(rng):
    z, labels = rng.integers(0, 4, (60, 2)).astype(float), rng.integers(0, 3, 60)
    asked, wanted = rng.integers(0, 4, (30, 2)).astype(float), rng.integers(0, 3, 30)
    right = 0
    for q, w in zip(asked, wanted, strict=True):
        d = np.linalg.norm(z - q, axis=1)
        right += set(labels[d == d.min()]) == {w}
    assert evaluate.knn_accuracy(z, labels, asked, wanted) == right / 30


# what is held out


def test_unseen(tmp_path, rng, glyphs):
    fifth = data_spec.parted(glyphs, "fifth")
    groups = [set(np.unique(part.groups)) for part in fifth]
    assert not groups[0] & (groups[1] | groups[2]) and not groups[1] & groups[2]
    assert len(groups[1]) == 1 and len(groups[2]) == len(np.unique(glyphs.groups)) // 5 - 1
    images = data_spec.parted(glyphs, "images")
    assert all(set(np.unique(part.labels)) == set(np.unique(glyphs.labels)) for part in images)
    assert sum(len(part.images) for part in images) == len(glyphs.images)
    mnist(tmp_path, rng)
    digits = data_spec.load(f"mnist:{tmp_path}", 28, "none")
    assert not digits.judged and digits.test is digits.train
    with pytest.raises(ValueError, match="did you mean 'third'"):
        data_spec.load("pen-glyphs", 28, "thrid")
    with pytest.raises(ValueError, match="fewer than four alphabets"):
        data_spec.load("pen-glyphs", 28, "pen-glyphs:7")


def test_what_is_learnt_is_not_judged(glyphs, monkeypatch):
    few = glyphs.where(glyphs.groups < 5)
    monkeypatch.setattr(data_spec, "whole", lambda name, pixels: few if name == "few" else glyphs)
    data = data_spec.load("few", 28, "all:of them")
    assert len(data.train.labels) == len(few.labels)
    judged = set(np.unique(data.test.groups)) | set(np.unique(data.validation.groups))
    assert judged == set(np.unique(glyphs.groups)) - set(range(5))


# the page


def report_of(preset, seed, found, **more):
    settings = Settings(preset=preset, seed=seed, data="omniglot:some/where.zip", **papers.find(preset).settings)
    return {
        "settings": settings.as_dict() | more.pop("settings", {}),
        "steps": settings.steps,
        "train_seconds": 90.0,
        "busy": 1.9,
        "machine": {"cores": 2, "numpy": "2.4"},
        **found,
        **more,
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
    said = results.verdict(results.Interval(low, high, "seeds"), bound, higher)
    inside = np.linspace(low, high, 101)
    right = inside >= bound if higher else inside <= bound
    assert (said == "met") == bool(right.all())
    assert (said == "not met") == (not right[[0, -1]].any())
    assert said in ("met", "not met", "cannot tell")
    mirrored = results.verdict(results.Interval(-high, -low, "seeds"), -bound, not higher)
    assert mirrored == said


@given(st.lists(st.floats(0, 1), min_size=1, max_size=1), ENDS, st.booleans())
def test_one_number_without_an_interval_tells_nothing(values, bound, higher):
    claim = Claim("", "found.error", (Paper(bound),), target=bound, higher=higher)
    row = results.row("", claim, [{"found": {"error": values[0]}}])
    assert row.reached == row.met == "cannot tell" and "no interval" in row.ours


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_row_without_a_number_in_the_paper_has_no_verdict_on_the_paper(name):
    for claim in EXPERIMENTS[name].claims:
        key = claim.found.removeprefix("found.")
        row = results.row(name, claim, [{"found": {key: 0.5, f"{key}_by_alphabet": {"a": 0.4, "b": 0.6}}}])
        assert (row.paper == "–") == (row.reached == "–") == (not claim.papers)
        assert (row.target == "–") == (row.met == "–") == (claim.target is None)


def test_maps_without_numbers_in_the_paper_are_not_among_the_papers_claims():
    claims = [claim for entry in EXPERIMENTS.values() if "Hadsell" in entry.paper for claim in entry.claims]
    assert claims and not any(claim.papers for claim in claims)


def test_the_page_has_intervals_and_verdicts(tmp_path):
    found = [
        {"found": {"error": e, "averaged_error": 0.2, "unstructured_20_way_error": 0.1}} for e in (0.13, 0.14, 0.15)
    ]
    found[0]["found"]["error_by_alphabet"] = {"a": 0.10, "b": 0.14, "c": 0.18}
    folders = written(tmp_path, *(report_of("omniglot-minimal", i, f) for i, f in enumerate(found)))
    page = results.page(results.gather(folders[::-1]))
    ours = "14.00 % (11.52 to 16.48 % over 3 seeds; 4.06 to 23.94 % over 3 alphabets)"
    reached = "cannot tell (ConvNet), met (prototypes)"  # by the wider interval, that of alphabets
    assert f"| 23.2 % (ConvNet), 30.1 % (prototypes) | {ours} | {reached} | ≤ 15 % | cannot tell |" in page
    first, own = page.split("Without a number in the paper:")
    assert "averaged" not in first and "| 20.00 % (20.00 to 20.00 % over 3 seeds) | ≤ 15 % | not met |" in own
    assert "| 10.00 % (10.00 to 10.00 % over 3 seeds) | – | – |" in own  # neither the paper nor this project says more
    assert "some/" not in page and "where.zip" in page


def test_the_gap_of_two_standard_errors_is_a_verdict_and_that_of_a_third_is_none(tmp_path):
    found = {"found": {"nearest": 0.9932, "linear": 0.9917, "nearest_of": 10000, "linear_of": 10000}}
    page = results.page(results.gather(written(tmp_path, report_of("hoffer-triplet", 0, found))))
    assert "| 99.54 % | 99.32 % (99.14 to 99.46 % over 10,000 test images) | not met | ≥ 99.2 % | cannot tell |" in page
    assert "| 99.54 % | 99.17 % (98.97 to 99.33 % over 10,000 test images) | not met | ≥ 99.2 % | cannot tell |" in page


def test_the_page_says_where_a_run_is_not_its_preset(tmp_path):
    (folder,) = written(tmp_path, report_of("koch-30k", 0, {}, settings={"steps": 7}))
    (run,) = results.gather([folder])
    assert run.otherwise == "--steps 7"
    page = results.page([run])
    steps = f"{EXPERIMENTS['koch-30k'].settings['steps']:,}"
    assert (
        f"| 0 | {steps} | 1.5 | 1.90 | --steps 7 |" in page and "same letter or not" not in page
    )  # listed, not counted


def test_only_whole_runs_on_what_was_left_out_count(tmp_path):
    found = {"found": {"verification": 0.9}}
    folders = written(
        tmp_path,
        report_of("koch-30k", 0, found, settings={"unseen": "none"}),
        report_of("koch-30k", 1, found, settings={"unseen": "fifth"}),
        report_of("koch-30k", 2, found) | {"steps": 9},
    )
    assert [run.counts for run in results.gather(folders)] == [False, True, False]
    twice = written(tmp_path / "twice", report_of("koch-30k", 0, found), report_of("koch-30k", 0, found))
    with pytest.raises(ValueError, match="are the same preset, data and seed"):
        results.gather(twice)


def accuracies(*values):
    """What a report holds of alphabets with these accuracies."""
    by = {f"alphabet {i}": value for i, value in enumerate(values)}
    return {"found": {"verification": float(np.mean(values)), "verification_by_alphabet": by}}


def test_a_difference_is_compared_alphabet_by_alphabet(tmp_path):
    values = {
        "koch-30k": accuracies(0.80, 0.90, 0.95),
        "koch-90k": accuracies(0.82, 0.921, 0.969),  # better on each, by about as much
        "koch-150k": accuracies(0.79, 0.93, 0.96),
    }
    page = results.page(results.gather(written(tmp_path, *(report_of(n, 0, v) for n, v in values.items()))))
    told = "88.33 % → 90.33 %: +2.00 points (+1.75 to +2.25 over 3 alphabets)"
    assert f"| 90,000 pairs instead of 30,000: verification | 90.61 % → 91.54 % | {told} | met | – | – |" in page
    assert "150,000 pairs instead of 90,000: verification | 91.54 % → 91.63 % | 90.33 % → 89.33 %" in page
    assert "over 3 alphabets) | cannot tell | – | – |" in page
    assert "copies added" not in page  # nobody ran them


def test_a_difference_over_test_images_and_one_over_seeds(tmp_path):
    pairs = {"found": {"nearest": 0.9943, "nearest_of": 10000}}
    triplets = {"found": {"nearest": 0.9932, "nearest_of": 10000}}
    both = written(tmp_path, report_of("hoffer-siamese", 0, pairs), report_of("hoffer-triplet", 0, triplets))
    told = "99.43 % → 99.32 %: -0.11 points (-0.33 to +0.11 over 10,000 test images) | cannot tell"
    assert told in results.page(results.gather(both))
    seeds = [{"settings": {"seed": i}, "found": {"nearest": 0.9 + 0.01 * i}} for i in range(3)]
    more = [report | {"found": {"nearest": report["found"]["nearest"] + 0.02}} for report in seeds]
    (interval,) = results.differences("found.nearest", seeds, more)
    assert interval[:2] == pytest.approx((0.02, 0.02)) and interval.over == "3 seeds"


def test_equal_experiments_are_no_order():
    zero = results.Interval(0.0, 0.0, "seeds")
    assert results.verdict(zero, results.POSITIVE, higher=True) == "not met"


@pytest.mark.parametrize("report", [None, {"settings": {"preset": ""}}, {"settings": {"preset": "none such"}}])
def test_what_is_no_run_of_a_preset_is_refused(tmp_path, report):
    if report is not None:
        (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match=r"has no report.json|is not the run of a preset"):
        results.gather([tmp_path])


def test_from_the_command_line_to_the_page(tmp_path, glyphs, monkeypatch, capsys):
    few, more = (glyphs.where(np.isin(glyphs.groups, groups)) for groups in ([0, 1], [1, 3, 4, 6, 9, 12]))
    monkeypatch.setattr(data_spec, "whole", lambda name, pixels: few if name.startswith("omniglot") else more)
    words = ["train", "--preset", "omniglot-minimal", "--data", "omniglot:x", "--unseen", "pen-glyphs:"]
    words += ["--steps", "2", "--views", "1", "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    run = trainer.open_run(tmp_path / "run")
    assert run.settings.preset == "omniglot-minimal" and run.settings.encoder == "conv3"
    assert 0 <= run.report["found"]["averaged_error"] <= 1
    assert (tmp_path / "run" / "figures" / "by_alphabet.png").stat().st_size > 10_000
    assert cli.main(["report", str(tmp_path / "run"), "--out", str(tmp_path / "RESULTS.md")]) == 0
    text = (tmp_path / "RESULTS.md").read_text()
    assert "--views 1 --steps 2" in text and "![omniglot-minimal: by_alphabet](docs/results/" in text
    assert (tmp_path / "docs" / "results" / "omniglot-minimal-by_alphabet.png").is_file()
    capsys.readouterr()


def test_a_run_that_has_seen_everything_says_so(tmp_path, glyphs, monkeypatch, capsys):
    few = glyphs.where(np.isin(glyphs.groups, [0, 1, 2]))
    monkeypatch.setattr(data_spec, "whole", lambda name, pixels: few)
    words = ["train", "--encoder", "mlp", "--unseen", "none", "--steps", "2", "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    assert "it has learnt from all of them" in capsys.readouterr().out
    assert trainer.open_run(tmp_path / "run").report["one_shot"]["new"] == "nothing"


def test_a_preset_wants_its_data():
    with pytest.raises(ValueError, match=r"--preset hoffer-triplet is an experiment on other data: add --data mnist"):
        papers.asked("hoffer-triplet", {})
    assert papers.asked("hoffer-triplet", {"data": "mnist:here"})["encoder"] == "hoffer"
    assert papers.asked("drlim-object", {})["data"] == "rendered"


@pytest.fixture(scope="module")
def learnt(tmp_path_factory, glyphs):
    """A run on every third alphabet of a set, made in no time."""
    folder = tmp_path_factory.mktemp("learnt") / "run"
    settings = Settings(encoder="mlp", steps=2, data="omniglot:one")
    few = glyphs.where(glyphs.groups < 10)
    return trainer.train(settings, data_spec.parted(few), folder, lambda line: None), few


def test_an_examination_never_asks_what_was_learnt(learnt, glyphs, monkeypatch, capsys):
    run, few = learnt
    monkeypatch.setattr(data_spec, "whole", lambda name, pixels: few if name == "omniglot:one" else glyphs)
    words = ["evaluate", str(run.folder), "--json"]
    for more in (["--unseen", "fifth"], ["--data", "omniglot:all", "--unseen", "fifth"]):
        assert cli.main(words + more) == 1
        assert "from which this run has learnt" in capsys.readouterr().err
    assert cli.main([*words, "--data", "omniglot:one", "--unseen", "omniglot:all"]) == 0
    asked = json.loads(capsys.readouterr().out)["one_shot"]
    assert asked["new"] == "alphabets" and asked["alphabets"] == 16  # of 21 that are not among the ten, less every 4th


def test_other_data_is_divided_in_its_own_way(learnt, monkeypatch, glyphs):
    run, few = learnt
    asked = []
    monkeypatch.setattr(data_spec, "whole", lambda name, pixels: asked.append(name) or few)
    apart = run._replace(settings=replace(run.settings, unseen="omniglot:elsewhere"))
    commands._not_learnt(apart, "pen-glyphs:7", None)
    assert asked == ["pen-glyphs:7"]


def test_what_is_new():
    images = np.zeros((8, 2, 2, 1), np.float32)
    labels = np.repeat(np.arange(4), 2)
    data = datasets.Dataset(images, labels, labels // 2, labels * 0 - 1, ("one", "other"))
    first, second = data.where(data.groups == 0), data.where(data.groups == 1)
    assert data_spec.Data(first, second, second).new == "alphabets"
    assert data_spec.Data(first, first, first).new == "nothing"
    assert data_spec.Data(data.where(labels < 1), first, data.where(labels == 1)).new == "classes"
    assert data_spec.Data(data, data, data.where(np.arange(8) % 2 == 0)).new == "images"
