"""The papers' experiments: entries that can be trained, judges that measure what they say, a page that is true."""

import json

import numpy as np
import pytest
from fixtures import mnist

from minisiam import cli, datasets, evaluate, experiments, regression, runs, sources
from minisiam.experiments import EXPERIMENTS, ORDERS, judges, results
from minisiam.settings import Settings


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_entry_is_a_set_of_settings_and_says_what_it_claims(name):
    entry = experiments.find(name)
    made = Settings(preset=name, **entry.settings)
    assert Settings.of(json.loads(json.dumps(made.as_dict()))) == made
    assert entry.about and entry.paper and entry.claims
    assert all(claim.least <= claim.most for claim in entry.claims)


def test_orders_name_entries():
    assert {name for order in ORDERS for name in order.names} <= set(EXPERIMENTS)


def test_an_unknown_preset_is_told_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'omniglot-minimal'"):
        experiments.find("omniglot-minimla")


# what is judged


def letters(rng, alphabets=3, count=21, drawers=4, noise=0.0):
    """Letters as points: every drawer writes every letter of an alphabet at its own place, more or less."""
    of, drawer = np.divmod(np.arange(alphabets * count * drawers), drawers)
    z = np.eye(alphabets * count)[of] + noise * rng.normal(size=(len(of), alphabets * count))
    names = tuple(f"alphabet {i}" for i in range(alphabets))
    return z, datasets.Dataset(np.zeros((len(of), 2, 2, 1), np.float32), of, of // count, drawer, names)


def test_each_alphabet_counts_alike(rng):
    z, data = letters(rng)
    assert judges.by_alphabet(z, data, evaluate.pairwise.l2) == dict.fromkeys(data.names, 0.0)
    z[data.groups == 1] = 1  # one point: every answer is a tie, and ties count against it
    assert list(judges.by_alphabet(z, data, evaluate.pairwise.l2).values()) == [0, 1, 0]


def test_small_alphabets_are_left_out(rng):
    z, data = letters(rng, alphabets=2, count=19)
    with pytest.raises(ValueError, match="no alphabet to be judged by has 20 letters"):
        judges.by_alphabet(z, data, evaluate.pairwise.l2)


def test_unstructured_episodes_know_four_turns_of_each_letter(rng):
    data = letters(rng, alphabets=1, count=5)[1]
    data = data._replace(images=rng.random((5, 1, 6, 6, 1)).repeat(4, axis=1).reshape(20, 6, 6, 1))
    found = judges.unstructured(evaluate.pixels, data, evaluate.pairwise.l2)
    assert found == {"unstructured_5_way_error": 0, "unstructured_20_way_error": 0}  # 5 letters × 4 turns make 20


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
    fifth = sources.parted(glyphs, "fifth")
    groups = [set(np.unique(part.groups)) for part in fifth]
    assert not groups[0] & (groups[1] | groups[2]) and not groups[1] & groups[2]
    assert len(groups[1]) == 1 and len(groups[2]) == len(np.unique(glyphs.groups)) // 5 - 1
    images = sources.parted(glyphs, "images")
    assert all(set(np.unique(part.labels)) == set(np.unique(glyphs.labels)) for part in images)
    assert sum(len(part.images) for part in images) == len(glyphs.images)
    mnist(tmp_path, rng)
    digits = sources.load(f"mnist:{tmp_path}", 28, "none")
    assert not digits.judged and digits.test is digits.train
    with pytest.raises(ValueError, match="did you mean 'third'"):
        sources.load("pen-glyphs", 28, "thrid")
    with pytest.raises(ValueError, match="fewer than four alphabets"):
        sources.load("pen-glyphs", 28, "pen-glyphs:7")


def test_what_is_learnt_is_not_judged(glyphs, monkeypatch):
    few = glyphs.where(glyphs.groups < 5)
    monkeypatch.setattr(sources, "whole", lambda name, pixels: few if name == "few" else glyphs)
    data = sources.load("few", 28, "all:of them")
    assert len(data.train.labels) == len(few.labels)
    judged = set(np.unique(data.test.groups)) | set(np.unique(data.validation.groups))
    assert judged == set(np.unique(glyphs.groups)) - set(range(5))


# the page


def report_of(preset, seed, found, **more):
    settings = Settings(preset=preset, seed=seed, data="omniglot:some/where.zip", **experiments.find(preset).settings)
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
        path.mkdir()
        (path / "report.json").write_text(json.dumps(report))
    return folders


def test_the_page_says_what_agrees_and_what_does_not(tmp_path):
    found = [{"found": {"error": e, "averaged_error": 0.2}} for e in (0.13, 0.14, 0.15)]
    folders = written(tmp_path, *(report_of("omniglot-minimal", i, f) for i, f in enumerate(found)))
    page = results.page(results.gather(folders[::-1]))
    assert "| 14.00 % (11.52 % to 16.48 %; 3 seeds) | yes |" in page
    assert "| 20.00 % (20.00 % to 20.00 %; 3 seeds) | **no**: at most 15.00 % |" in page
    assert "somewhere" not in page and "some/" not in page and "where.zip" in page


def test_the_page_says_where_a_run_is_not_its_preset(tmp_path):
    (folder,) = written(tmp_path, report_of("koch-30k", 0, {}, settings={"steps": 7}))
    (run,) = results.gather([folder])
    assert run.otherwise == "--steps 7"
    assert "not judged" in results.page([run])


def test_orders_hold_or_do_not(tmp_path):
    values = {"koch-30k": 0.9, "koch-90k": 0.92, "koch-150k": 0.91}
    folders = written(tmp_path, *(report_of(name, 0, {"verification": {"accuracy": v}}) for name, v in values.items()))
    page = results.page(results.gather(folders))
    assert "| more pairs verify better | 90.61 < 91.54 < 91.63 % | 90.00 % → 92.00 % → 91.00 % | **no** |" in page
    assert "distortions help" not in page  # nobody ran them


@pytest.mark.parametrize("report", [None, {"settings": {"preset": ""}}, {"settings": {"preset": "none such"}}])
def test_what_is_no_run_of_a_preset_is_refused(tmp_path, report):
    if report is not None:
        (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match=r"has no report.json|is not the run of a preset"):
        results.gather([tmp_path])


def test_from_the_command_line_to_the_page(tmp_path, glyphs, monkeypatch, capsys):
    few, more = (glyphs.where(np.isin(glyphs.groups, groups)) for groups in ([0, 1], [1, 3, 4, 6, 9, 12]))
    monkeypatch.setattr(sources, "whole", lambda name, pixels: few if name.startswith("omniglot") else more)
    words = ["train", "--preset", "omniglot-minimal", "--data", "omniglot:x", "--unseen", "pen-glyphs:"]
    words += ["--steps", "2", "--views", "1", "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    run = runs.open_run(tmp_path / "run")
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
    monkeypatch.setattr(sources, "whole", lambda name, pixels: few)
    words = ["train", "--encoder", "mlp", "--unseen", "none", "--steps", "2", "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0
    assert "it has learnt from all of them" in capsys.readouterr().out
    assert runs.open_run(tmp_path / "run").report["one_shot"]["seen"] is True
