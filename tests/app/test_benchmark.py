"""The benchmark: statistics by hand, one protocol for all losses, and a folder that is intact after a kill."""

import argparse
import json
import signal
import subprocess
import sys
from math import isnan, sqrt

import numpy as np
import pytest

from minisiam import datasets, losses, miners, plots, tree
from minisiam.analysis import statistics
from minisiam.analysis.registry import LOSSES, MINERS
from minisiam.app import benchmark, build, cli, data_spec, trainer
from minisiam.app.benchmark import METHODS, advice, methods, run_records, runner, search, summary, wording
from minisiam.app.commands import train
from minisiam.app.config import Config
from minisiam.app.loss_options import OF_NETWORK
from minisiam.fast.threads import one_blas_thread


def test_a_mean_by_hand():
    """1, 2, 3: s = 1, so 2 ± 4.303 / √3."""
    assert statistics.mean([1, 2, 3]) == pytest.approx((2, 4.30265 / sqrt(3)), rel=1e-5)
    assert isnan(statistics.mean([0.5]).half)


def test_a_95_percent_interval_covers_the_mean_in_95_percent_of_cases(rng):
    inside = [abs(m.value) <= m.half for m in (statistics.mean(rng.normal(size=4)) for _ in range(1500))]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_a_paired_comparison_by_hand():
    """Differences 1, 2, 3: t = 2√3 with two degrees of freedom, where P(|T| ≤ t) = t / √(t² + 2)."""
    t = 2 * sqrt(3)
    assert statistics.paired_p([5, 1, 9], [4, -1, 6]) == pytest.approx(1 - t / sqrt(t**2 + 2))
    assert statistics.paired_p([4, -1, 6], [5, 1, 9]) == statistics.paired_p([5, 1, 9], [4, -1, 6])
    assert statistics.paired_p([1, 2], [1, 2]) == 1
    assert statistics.paired_p([2, 3], [1, 2]) == 0  # always by the same amount
    assert statistics.paired_p([2], [1]) == 1  # one run is not enough
    with pytest.raises(ValueError, match="common seeds"):
        statistics.paired_p([1, 2], [1])


def test_a_paired_test_removes_what_two_runs_of_a_seed_share(rng):
    """A difference much smaller than the spread over seeds is significant if both have the same seeds."""
    luck = 10 * rng.normal(size=5)
    noise = 0.01 * rng.normal(size=5)
    assert statistics.paired_p(luck + 0.1 + noise, luck) < 0.001
    assert statistics.paired_p(luck + 0.1 + noise, luck[::-1]) > 0.05


def test_holm_by_hand():
    """In order 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 may not come before that."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.9]) == [1, 1]
    assert statistics.holm([]) == []


def test_holm_keeps_the_rate_of_false_alarms(rng):
    alarms = [min(statistics.holm(rng.random(10))) < 0.05 for _ in range(2000)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.015)


def test_without_scipy_the_error_names_the_extra_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert cli.main(["benchmark", "--out", str(tmp_path / "c")]) == 1
    assert "pip install -e '.[benchmark]'" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


# the search


TRIALS = 5


def tried(method):
    return [search.trial(method, number, TRIALS) for number in range(TRIALS)]


@pytest.mark.parametrize("method", METHODS)
def test_a_search_has_the_package_the_paper_and_draws_in_range(method):
    space, trials = search.space_of(method), dict(enumerate(tried(method)))
    assert trials.pop(0) == ("package", {})
    if space.paper:
        assert trials.pop(1) == ("paper", space.paper)
    for number, (origin, constants) in trials.items():
        assert origin == "drawn"
        in_paper_form = space.paper and number % 2 == 0
        ranges = space.paper_ranges if in_paper_form and space.paper_ranges is not None else space.ranges
        for name, (low, high) in (ranges | {"learning_rate": search.RATE}).items():
            assert low <= constants[name] <= high
            assert isinstance(constants[name], type(low))
        for name in constants.keys() - ranges.keys() - {"learning_rate"}:
            assert constants[name] == space.paper[name]


@pytest.mark.parametrize("method", METHODS)
def test_the_draws_of_a_method_cover_the_range_of_learning_rates(method):
    rates = [constants["learning_rate"] for origin, constants in tried(method) if origin == "drawn"]
    low, high = np.log(search.RATE)
    parts = [int(len(rates) * (np.log(rate) - low) / (high - low) * (1 - 1e-9)) for rate in rates]
    assert sorted(parts) == list(range(len(rates)))


def test_no_two_methods_share_a_draw():
    rates = [c["learning_rate"] for method in METHODS for origin, c in tried(method) if origin == "drawn"]
    assert len(set(rates)) > 0.9 * len(rates)  # three digits may coincide


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_trial_is_a_method_that_can_be_trained(name, glyphs, monkeypatch):
    monkeypatch.setattr(search, "BATCH", 48)
    for _, constants in tried(name):
        settings = search.config_of(name, constants, steps=1, classes=len(np.unique(glyphs.labels)))
        method = build.build(settings, search.function_of(name, constants))
        [(_, value, _)] = runner._steps(settings, method, method.prepared(glyphs), [])
        assert np.isfinite(value)


@pytest.mark.parametrize("method", METHODS)
def test_every_constant_of_a_trial_changes_what_is_trained(method):
    """A constant that is not used would be searched in vain."""
    for _, constants in tried(method):
        settings, function = search.config_of(method, constants), search.function_of(method, constants)
        for name, value in constants.items():
            assert getattr(settings, name, None) == value or function.keywords.get(name) == value


def test_the_constants_of_the_papers():
    paper = {loss: space.paper for loss, space in search.SPACES.items()}
    assert paper["supcon"] == {"temperature": 0.1}
    assert paper["cosface"] == {"temperature": 1 / 64, "margin": 0.35}
    assert paper["multi-similarity"] == {"alpha": 2, "beta": 50, "threshold": 0, "mining": 0.1}
    assert paper["prototypical"] == {"distance": "squared-l2", "temperature": 1}
    assert search.function_of("circle", {}).keywords["detached"] is True


def unit_distances(rng, n=12):
    z = rng.normal(size=(n, 3))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return 1 - z @ z.T, np.repeat(np.arange(n // 3), 3)


WANG = {"alpha": 2.0, "beta": 50.0, "threshold": 0.5}


def test_mined_multi_similarity_by_hand(rng):
    """The formula of the paper, anchor by anchor, over the pairs that the miner keeps."""
    D, labels = unit_distances(rng)
    kept = miners.multi_similarity(D, labels, 0.1)
    assert 0 < len(kept.rows) < D.size - len(D)
    near, far = np.zeros(len(D)), np.zeros(len(D))
    for i, j, same in zip(*kept, strict=True):
        if same:
            near[i] += np.exp(2 * (D[i, j] - 0.5))
        else:
            far[i] += np.exp(50 * (0.5 - D[i, j]))
    value, _ = search.mined_multi_similarity(D, labels, 0.1, **WANG)
    assert value == pytest.approx(np.mean(np.log1p(near) / 2 + np.log1p(far) / 50), rel=1e-12)


def test_mined_multi_similarity_agrees_with_differences(rng):
    D, labels = unit_distances(rng)
    _, pull = search.mined_multi_similarity(D, labels, 0.1, **WANG)
    direction = rng.normal(size=D.shape)
    step = 1e-6 * direction
    up, down = (search.mined_multi_similarity(E, labels, 0.1, **WANG)[0] for E in (D + step, D - step))
    assert np.sum(pull(1.0)[0] * direction) == pytest.approx((up - down) / 2e-6, rel=1e-6)


def test_with_a_wide_margin_mining_selects_every_pair(rng):
    D, labels = unit_distances(rng)
    mined, plain = search.mined_multi_similarity(D, labels, 5.0, **WANG), losses.multi_similarity(D, labels, **WANG)
    assert mined[0] == plain[0]
    np.testing.assert_array_equal(mined[1](1.0)[0], plain[1](1.0)[0])


# the protocol


def test_every_loss_and_every_miner_of_the_command_line_is_compared():
    assert set(LOSSES) == set(search.SPACES)
    assert {methods.loss_of(method) for method in benchmark.Protocol().methods} == set(LOSSES)
    assert {methods.miner_of(method) for method in METHODS} == {None, *MINERS}
    assert len(set(METHODS)) == len(METHODS) == 46


@pytest.mark.parametrize("method", METHODS)
def test_the_miner_of_a_method_is_the_same_in_every_trial(method):
    miner = methods.miner_of(method)
    for _, constants in tried(method):
        settings = search.config_of(method, constants)
        if miner is not None:
            assert settings.miner == miner
            assert "miner" not in constants
        if miner in ("angular", "distance-weighted"):  # their formulas are for the L2 distance
            assert settings.distance == "l2"


@pytest.mark.parametrize("method", METHODS)
def test_the_options_of_a_method_train_it_with_the_constants_of_its_first_trial(method):
    parser = argparse.ArgumentParser()
    train.add(parser.add_subparsers())
    given = vars(parser.parse_args(["train", *methods.options(method)]))
    settings = Config(**{name: value for name, value in given.items() if name != "command"}).as_dict()
    compared = search.config_of(method, {}).as_dict()
    assert {name for name in settings if settings[name] != compared[name]} <= {"batch", "learning_rate"}


def test_evaluation_has_at_most_ten_images_of_each_class(letters):
    data = runner._first_of_each_class(data_spec.Data(letters, letters, letters))
    assert data.train is letters
    assert np.unique(data.test.labels, return_counts=True)[1].max() == 4
    twenty = letters._replace(labels=letters.labels // 3)
    used = runner._first_of_each_class(data_spec.Data(twenty, twenty, twenty)).test
    assert set(np.unique(used.labels, return_counts=True)[1]) == {10}
    np.testing.assert_array_equal(used.images[used.labels == 0], twenty.images[twenty.labels == 0][:10])


def test_every_loss_has_a_network():
    for loss in LOSSES:
        network = search.config_of(loss, {}).network
        assert network == ("batch" if loss in OF_NETWORK["batch"] else "verification")


@pytest.fixture(scope="module")
def letters():
    return datasets.pen_glyphs(drawers=4)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_of_every_method_has_the_same_number_of_images(method, letters):
    for _, constants in tried(method):
        settings = search.config_of(method, constants)
        batch = next(build.build(settings).batches(letters, np.random.default_rng(0)))
        assert sum(len(part) for part in batch if part.ndim == letters.images.ndim) == 256


def test_every_method_has_the_same_number_of_trials_and_runs():
    agreed = benchmark.Protocol(("supcon", "hinge over hard", "cross-entropy"), search=3)
    for method in agreed.methods:
        assert [task.what for task in agreed.tasks() if task.method == method] == ["trial"] * 3 + ["run"] * 5


def test_no_run_has_the_seed_of_a_trial():
    agreed = benchmark.Protocol(("supcon",), seeds=1000)
    seeds = {what: {agreed.seed_of(t) for t in agreed.tasks() if t.what == what} for what in ("trial", "run")}
    assert seeds["run"] == set(range(1000))
    assert not seeds["run"] & seeds["trial"]


def searched(scores):
    """Records of trials with these scores on validation alphabets."""
    return {
        benchmark.Task("trial", loss, k): {
            "number": k,
            "constants": {"learning_rate": 0.001 * (k + 1)},
            "map_at_r": score,
        }
        for loss, own in scores.items()
        for k, score in enumerate(own)
    }


def test_a_run_takes_the_best_trial_and_the_first_of_equals():
    agreed = benchmark.Protocol(("hinge",), search=3, steps=8)
    records = searched({"hinge": [0.2, 0.3, 0.3]})
    assert agreed.constants(benchmark.Task("run", "hinge", 7), records) == {"learning_rate": 0.002}


def test_only_the_trials_determine_the_reference():
    agreed = benchmark.Protocol(("hinge", "supcon"), search=2, steps=8)
    records = searched({"hinge": [0.2, 0.4], "supcon": [0.3, 0.3]})
    assert agreed.reference(records) == "hinge"
    records[benchmark.Task("run", "supcon", 0)] = {"map_at_r": 0.9}
    assert agreed.reference(records) == "hinge"
    del records[benchmark.Task("trial", "supcon", 0)]
    assert agreed.reference(records) is None


# the folder


@pytest.fixture(scope="module")
def small(glyphs):
    rest, test = datasets.split(glyphs)
    return data_spec.Data(*datasets.split(rest, every=5), test)


TINY = {"seeds": 2, "search": 1, "steps": 8}


def quiet(line):
    pass


def without_time(folder):
    """The lines of a folder, in their order, without what depends on the clock."""
    records = [json.loads(line) for line in (folder / run_records.RESULTS).read_text().splitlines()]
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def test_a_run_has_the_bits_of_minisiam_train(small, tmp_path):
    trained = trainer.train(Config(loss="cosface", steps=5, seed=3), small, tmp_path / "run", quiet)
    method = build.build(trained.config)
    with one_blas_thread:  # as `compare` does: sums of another number of threads end in other digits
        *_, (_, _, params) = runner._steps(trained.config, method, method.prepared(small.train), [])
    for a, b in zip(tree.leaves(params), tree.leaves(trained.params), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_an_interrupted_benchmark_continues_to_the_same_results(small, tmp_path, monkeypatch):
    agreed = benchmark.Protocol(("supcon", "cross-entropy"), **TINY)
    assert benchmark.compare(tmp_path / "whole", agreed, small, quiet)
    assert {record["images"] for record in without_time(tmp_path / "whole")} == {8 * 256}
    perform = runner.perform
    for count in (0, 1, 3):  # finished before Ctrl-C, each time
        left = iter(range(count))

        def interrupted(task, *rest, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return perform(task, *rest)

        monkeypatch.setattr(runner, "perform", interrupted)
        assert not benchmark.compare(tmp_path / "parts", agreed, small, quiet)
    monkeypatch.setattr(runner, "perform", perform)
    assert benchmark.compare(tmp_path / "parts", agreed, small, quiet)
    assert without_time(tmp_path / "whole") == without_time(tmp_path / "parts")
    monkeypatch.setattr(runner, "perform", None)  # nothing is run again
    assert benchmark.compare(tmp_path / "parts", agreed, small, quiet)
    with pytest.raises(ValueError, match="--steps 9 needs another --out"):
        benchmark.compare(tmp_path / "parts", benchmark.Protocol(("supcon",), **TINY | {"steps": 9}), small, quiet)


def test_an_incomplete_last_line_is_removed_and_a_damaged_line_is_an_error(tmp_path):
    run_records.save_protocol(tmp_path, benchmark.Protocol(("supcon",), **TINY))
    record = {"what": "run", "method": "supcon", "number": 0}
    run_records.append(tmp_path, record)
    path = tmp_path / run_records.RESULTS
    whole = path.read_bytes()
    for torn in (b'{"what": "run", "me', whole[:-1]):
        path.write_bytes(whole + torn)
        assert list(benchmark.load(tmp_path)[1]) == [benchmark.Task("run", "supcon", 0)]
        assert path.read_bytes() == whole + torn  # looking changes nothing
        assert list(run_records.repaired(tmp_path)) == [benchmark.Task("run", "supcon", 0)]
        assert path.read_bytes() == whole
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(ValueError, match="line 1, is not a record of a task"):
        benchmark.load(tmp_path)


def test_training_that_diverges_has_scores_of_0_and_the_next_task_runs(small, tmp_path, monkeypatch):
    def diverges(*_):
        raise FloatingPointError("step 3: the loss is nan")

    monkeypatch.setattr(runner, "_steps", diverges)
    agreed = benchmark.Protocol(("supcon",), **TINY)
    run_records.save_protocol(tmp_path / "c", agreed)
    assert benchmark.compare(tmp_path / "c", agreed, small, quiet)
    found = without_time(tmp_path / "c")
    assert [(r["map_at_r"], r["one_shot_error"], r["failed"]) for r in found] == [(0, 1, "step 3: the loss is nan")] * 3
    assert "Runs that diverged, whose scores are 0: supcon (2 of 2)" in benchmark.table(*benchmark.load(tmp_path / "c"))


# a process that is killed

LIGHT = """
import sys
from functools import partial
from minisiam import datasets
from minisiam.app import cli
datasets.pen_glyphs = partial(datasets.pen_glyphs, drawers=6)
sys.exit(cli.main(sys.argv[1:]))
"""
COMPARE = [sys.executable, "-W", "error", "-c", LIGHT, "benchmark"]
WORDS = ["--methods", "supcon,hinge", "--steps", "8", "--seeds", "2", "--search", "1"]


@pytest.mark.slow
def test_a_killed_and_resumed_process_has_the_same_results(tmp_path):
    """SIGKILL after two and after four of six tasks, then to the end."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole_run = subprocess.Popen([*COMPARE, *WORDS, "--out", whole], stdout=subprocess.PIPE, text=True)
    for words, last in ((WORDS, "2/6"), ([], "4/6")):  # the folder knows the protocol
        process = subprocess.Popen([*COMPARE, *words, "--out", parts], stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.split()[:1] == [last]:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
    done = subprocess.run([*COMPARE, "--out", parts], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "of 6 tasks are done" in done.stdout
    output, _ = whole_run.communicate()
    assert whole_run.returncode == 0
    assert "left" in output
    assert without_time(whole) == without_time(parts)
    assert len(without_time(parts)) == 6
    assert {p.name for p in parts.iterdir()} == {"protocol.json", "results.jsonl", "COMPARISON.md", "comparison.png"}


# the results


def synthetic(folder, levels, seeds=5, search=1, spread=0.004, validation=None):
    """A comparison with known means of MAP@R, on test alphabets and, if they differ, on validation alphabets."""
    agreed = benchmark.Protocol(tuple(levels), seeds=seeds, search=search)
    run_records.save_protocol(folder, agreed)
    for record in drawn(agreed, levels, levels if validation is None else validation, spread):
        run_records.append(folder, record)
    return benchmark.load(folder)


def drawn(agreed, levels, validation, spread, seed=0):
    """The records of a comparison."""
    rng = np.random.default_rng(seed)
    for task in agreed.tasks():
        score = (validation if task.what == "trial" else levels)[task.method] + spread * rng.normal()
        yield (
            task._asdict()
            | {"constants": {}, "learning_rate": 0.01, "steps": 400, "images": 102400, "seconds": 60.0, "failed": None}
            | {"precision_at_1": score + 0.2, "r_precision": score + 0.1, "map_at_r": score}
            | {"one_shot_error": 0.9 - score}
        )


def test_methods_are_in_order_and_tested_against_the_reference(tmp_path):
    levels = {"hinge": 0.3, "supcon": 0.5, "cosface": 0.499, "nca": 0.45}
    agreed, records = synthetic(tmp_path, levels, validation=levels | {"cosface": 0.6})
    rows = benchmark.rows(agreed, records)
    assert [row.method for row in rows if row.reference] == ["cosface"]
    assert {row.method for row in rows[:2]} == {"supcon", "cosface"}
    assert [row.method for row in rows[2:]] == ["nca", "hinge"]
    assert [row.alike for row in rows] == [True, True, False, False]
    (reference,) = (row for row in rows if row.reference)
    others = [row for row in rows if not row.reference]
    assert reference.p is None
    raw = [statistics.paired_p(list(reference.by_seed.values()), list(row.by_seed.values())) for row in others]
    assert [row.p for row in others] == statistics.holm(raw)
    nca = rows[2]
    assert nca.means["map_at_r"].value == pytest.approx(np.mean(list(nca.by_seed.values())))


def test_the_reference_does_not_depend_on_the_test_alphabets(tmp_path):
    agreed, records = synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5}, validation={"hinge": 0.6, "supcon": 0.5})
    best, last = benchmark.rows(agreed, records)
    assert (best.method, best.reference, best.alike) == ("supcon", False, False)
    assert (last.method, last.reference, last.alike) == ("hinge", True, True)


@pytest.mark.slow
def test_if_no_method_differs_false_alarms_have_at_most_their_rate():
    agreed = benchmark.Protocol(("hinge", "supcon", "cosface", "nca", "circle", "lifted"), search=1)
    levels = dict.fromkeys(agreed.methods, 0.5)
    alarms = []
    for seed in range(300):
        records = {
            benchmark.Task(r["what"], r["method"], r["number"]): r
            for r in drawn(agreed, levels, levels, 0.01, seed=seed)
        }
        alarms.append(any(row.p < 0.05 for row in benchmark.rows(agreed, records) if not row.reference))
    assert np.mean(alarms) <= 0.05 + 2 * sqrt(0.05 * 0.95 / 300)


def test_the_page_counts_the_finished_tasks(tmp_path):
    agreed, records = synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5}, search=2)
    text = benchmark.table(agreed, records)
    for words in ("10 of 10 runs, 4 of 4 trials; 14.0 minutes", "**supcon**", "| 2 | hinge |", "reference", "< 0.001"):
        assert words in text
    half = dict(list(records.items())[:-3])
    assert "7 of 10 runs, 4 of 4 trials" in benchmark.table(agreed, half)
    assert "3 of 14 trials and runs are missing" in benchmark.table(agreed, half)
    assert "No run is finished yet" in benchmark.table(agreed, {})


def test_the_page_states_limits_and_never_that_two_methods_are_equal(tmp_path):
    text = benchmark.table(*synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5}, search=3))
    for words in (
        "## What p means",
        "## Limits",
        "400 steps are a short run",
        "One encoder",
        "3 trials of each method",
    ):
        assert words in text
    assert "not distinguishable" in text
    assert "no difference in" not in text
    for loss in ("hinge", "supcon"):  # the constants, the paper's beside the package's
        assert f"| {loss} | " in text.split("## Constants")[1]


@pytest.mark.parametrize(("names", "seeds"), [(METHODS, 5), (("supcon",), 1)])
def test_the_figure_has_a_row_for_each_method(tmp_path, names, seeds):
    agreed, records = synthetic(tmp_path, {method: 0.5 - 0.004 * k for k, method in enumerate(names)}, seeds)
    rows = benchmark.rows(agreed, records)
    left, right = plots.methods_compared(rows, summary.caption(agreed, records)).axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        f"{row.method} (reference)" if row.reference else row.method for row in rows
    ]
    assert len(left.patches) == len(right.patches) == sum(row.alike for row in rows)
    assert [path.name for path in benchmark.draw(tmp_path)] == ["COMPARISON.md", "comparison.png"]
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_every_pair_of_methods_is_tested(tmp_path):
    """supcon and cosface differ by less than their spread; hinge is far below both."""
    rows = benchmark.rows(*synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5, "cosface": 0.499}))
    assert [row.peers for row in rows] == [(2,), (1,), ()]
    assert "Of all 3 pairs of methods, 1 are not distinguishable" in advice.not_distinguishable(rows)


def test_a_beginner_should_choose_the_best_without_a_search_among_those_not_distinguishable(tmp_path):
    levels = {"supcon": 0.5, "cosface": 0.5, "hinge over hard": 0.3}
    agreed, records = synthetic(tmp_path, levels, search=2)
    for method, package in {"supcon": 0.4, "cosface": 0.45, "hinge over hard": 0.49}.items():
        records[benchmark.Task("trial", method, 0)]["map_at_r"] = package
    rows = benchmark.rows(agreed, records)
    assert [row.alike for row in rows] == [True, True, False]
    assert [row.method for row in advice.beginners(rows)] == ["cosface", "supcon"]
    text = advice.choice(agreed, rows)
    assert "`minisiam train --loss cosface`" in text
    assert "Next: supcon (40.0 %)" in text
    assert "triplets: hinge over hard (29.8 ± 0." in text


def test_the_best_of_a_kind_is_chosen_on_the_validation_set(tmp_path):
    on_test, validation = {"supcon": 0.3, "nt-xent": 0.6}, {"supcon": 0.5, "nt-xent": 0.4}
    agreed, records = synthetic(tmp_path, on_test, validation=validation)
    assert "a whole batch: supcon (" in advice.choice(agreed, benchmark.rows(agreed, records))


def test_places_are_written_as_ranges():
    assert wording.as_ranges((1, 2, 3, 5, 8, 9)) == "1–3, 5, 8–9"
    assert wording.as_ranges(()) == ""


def test_the_page_says_if_the_search_has_one_learning_rate(tmp_path):
    for trials, says in ((2, True), (3, False)):
        agreed, records = synthetic(tmp_path / str(trials), {"supcon": 0.5, "hinge": 0.3}, search=trials)
        assert ("is tried at this rate only" in benchmark.table(agreed, records)) == says


def test_the_page_of_other_data_names_them(tmp_path):
    agreed = benchmark.Protocol(("supcon", "hinge"), data="omniglot:small.zip", search=1, sizes={"test": [4000, 400]})
    records = {
        benchmark.Task(r["what"], r["method"], r["number"]): r
        for r in drawn(agreed, {"supcon": 0.5, "hinge": 0.3}, {"supcon": 0.5, "hinge": 0.3}, 0.004)
    }
    text = benchmark.table(agreed, records)
    assert text.startswith("# Losses and miners on one protocol: Omniglot")
    assert (
        "`minisiam benchmark --data omniglot:small.zip --methods supcon,hinge --steps 400 --seeds 5 --search 1`" in text
    )
    assert "`minisiam train --data omniglot:small.zip --loss supcon`" in text
    assert "each of 4,000 images of 400 test classes" in text
    assert "pen glyphs, with other budgets" in text


def test_a_figure_needs_a_row():
    with pytest.raises(ValueError, match="no run to draw"):
        plots.methods_compared([])


def test_draw_runs_no_task(tmp_path, capsys):
    synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5}, search=1)
    assert cli.main(["benchmark", "--out", str(tmp_path), "--draw"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / n) for n in ("COMPARISON.md", "comparison.png")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "supcon,hindge"], "unknown loss 'hindge': did you mean 'hinge'"),
        (["--methods", ""], "there is no method to compare"),
        (["--methods", "hinge over hrad"], "unknown miner 'hrad': did you mean 'hard'"),
        (["--methods", "supcon over hard"], "supcon uses no miner: compare supcon without one"),
        (["--data", "no-data"], "unknown data 'no-data'"),
        (
            ["--out", "{begun}", "--data", "pen-glyphs:7"],
            "started with --data pen-glyphs, so --data pen-glyphs:7 needs",
        ),
        (["--steps", "0"], "steps must be"),
        (["--seeds", "0"], "seeds must be"),
        (["--search", "0"], "search must be"),
        (["--out", "{full}"], "is not empty: choose another --out"),
        (["--out", "{full}", "--draw"], "is not empty"),
        (["--out", "{full}/nothing", "--draw"], "has no comparison"),
        (["--out", "{begun}", "--steps", "7"], "started with --steps 400, so --steps 7 needs another --out"),
        (["--out", "{begun}", "--methods", "hindge"], "did you mean 'hinge'"),
        (["--out", "{broken}"], "protocol.json cannot be read"),
    ],
)
def test_an_error_is_explained_in_one_line(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    places = {name: tmp_path / name for name in ("full", "begun", "broken")}
    for path in places.values():
        path.mkdir()
    (places["full"] / "file").write_text("mine")
    (places["broken"] / run_records.PROTOCOL).write_text('{"methods": 3}')
    run_records.save_protocol(places["begun"], benchmark.Protocol(("supcon",)))
    assert cli.main(["benchmark", *(word.format(**places) for word in words)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_seeds_and_methods_can_be_added():
    agreed = benchmark.Protocol(("supcon",), seeds=3, search=1)
    more = agreed.extended(methods=("hinge", "supcon"), seeds=5, search=1)
    assert more.methods == ("supcon", "hinge")
    assert more.seeds == 5
    assert set(agreed.tasks()) < set(more.tasks())
    assert agreed.extended(seeds=2).seeds == 3  # nothing is removed
