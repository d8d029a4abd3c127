"""A fair comparison: the statistics by hand, a protocol alike for all, and a folder that survives being killed."""

import json
import signal
import subprocess
import sys
from math import gamma, inf, isnan, pi, sqrt

import numpy as np
import pytest

from minisiam import cli, datasets, fair, methods, plots, report, runs, sources, students, tree
from minisiam.fair import ledger, protocol, running, summary
from minisiam.settings import FUNCTIONS, LOSSES, MARGINS, Settings
from minisiam.threads import one_blas_thread

# Student's t, two-sided 95 %, as every table has it
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 30: 2.042}


@pytest.mark.parametrize("freedom", TABLE)
def test_quantiles_of_the_tables(freedom):
    assert students.t_quantile(0.95, freedom) == pytest.approx(TABLE[freedom], abs=6e-4)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 12])
def test_the_finite_sum_is_the_integral_of_the_density(freedom):
    x = np.linspace(0, 2.5, 4001)
    scale = gamma((freedom + 1) / 2) / (sqrt(freedom * pi) * gamma(freedom / 2))
    density = scale * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    assert students.t_within(2.5, freedom) == pytest.approx(2 * np.trapezoid(density, x), rel=1e-6)
    assert students.t_within(0, freedom) == 0
    assert students.t_within(inf, freedom) == 1


def test_a_mean_by_hand():
    """1, 2, 3: s = 1, so 2 ± 4.303 / √3."""
    assert students.mean([1, 2, 3]) == pytest.approx((2, 4.30265 / sqrt(3)), rel=1e-5)
    assert isnan(students.mean([0.5]).half)


def test_an_interval_covers_the_truth_as_often_as_it_says(rng):
    inside = [abs(m.value) <= m.half for m in (students.mean(rng.normal(size=4)) for _ in range(1500))]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_a_paired_comparison_by_hand():
    """Differences 1, 2, 3: t = 2√3 with two degrees of freedom, where P(|T| ≤ t) = t / √(t² + 2)."""
    t = 2 * sqrt(3)
    assert students.paired_p([5, 1, 9], [4, -1, 6]) == pytest.approx(1 - t / sqrt(t**2 + 2))
    assert students.paired_p([4, -1, 6], [5, 1, 9]) == students.paired_p([5, 1, 9], [4, -1, 6])
    assert students.paired_p([1, 2], [1, 2]) == 1
    assert students.paired_p([2, 3], [1, 2]) == 0  # always by the same amount
    assert students.paired_p([2], [1]) == 1  # one run tells nothing
    with pytest.raises(ValueError, match="common seeds"):
        students.paired_p([1, 2], [1])


def test_what_the_seeds_share_does_not_count(rng):
    """A difference far smaller than the spread over seeds is seen if both see the same seeds."""
    luck = 10 * rng.normal(size=5)
    noise = 0.01 * rng.normal(size=5)
    assert students.paired_p(luck + 0.1 + noise, luck) < 0.001
    assert students.paired_p(luck + 0.1 + noise, luck[::-1]) > 0.05


def test_holm_by_hand():
    """In order 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 may not come before that."""
    assert students.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert students.holm([0.6, 0.9]) == [1, 1]
    assert students.holm([]) == []


def test_holm_keeps_the_rate_of_false_alarms(rng):
    alarms = [min(students.holm(rng.random(10))) < 0.05 for _ in range(2000)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.015)


# the protocol


def test_every_loss_of_the_command_line_takes_part():
    assert set(fair.Protocol().losses) == set(FUNCTIONS)
    for loss in FUNCTIONS:
        network = protocol.settings_of(loss).network
        assert network == ("batch" if loss in LOSSES["batch"] else "verification")


def test_a_budget_of_seconds_becomes_steps():
    agreed = fair.Protocol(("supcon", "hinge"), seconds=10, pace={"supcon": 0.1, "hinge": 0.25})
    assert [agreed.steps_of(fair.Task("run", loss, 0)) for loss in agreed.losses] == [100, 40]
    assert [agreed.steps_of(fair.Task("trial", loss, 0)) for loss in agreed.losses] == [25, 10]
    alike = fair.Protocol(("supcon", "hinge"), steps=7)
    assert [alike.steps_of(fair.Task("run", loss, 0)) for loss in alike.losses] == [7, 7]


def test_the_search_tries_the_same_rates_for_all_and_a_margin_where_there_is_one():
    agreed = fair.Protocol(("supcon", "hinge", "cosface"), search=5, steps=8)
    tried = {loss: [agreed.settings(fair.Task("trial", loss, k), {}) for k in range(5)] for loss in agreed.losses}
    for loss, settings in tried.items():
        assert settings[0] == Settings(loss=loss, steps=2)
        assert [s.learning_rate for s in settings[1:]] == [s.learning_rate for s in tried["supcon"][1:]]
        assert len({s.margin for s in settings}) == (5 if loss in MARGINS else 1)
    low, high = np.log(protocol.RATES)
    quarter = [int(4 * (np.log(s.learning_rate) - low) / (high - low)) for s in tried["supcon"][1:]]
    assert sorted(quarter) == [0, 1, 2, 3]
    assert all(MARGINS["hinge"]["l2"] / 4 <= s.margin <= MARGINS["hinge"]["l2"] * 4 for s in tried["hinge"])


def test_a_run_takes_the_best_trial_and_of_equals_the_first():
    agreed = fair.Protocol(("hinge",), search=3, steps=8)
    trials = {
        fair.Task("trial", "hinge", k): {"learning_rate": rate, "margin": margin, "map_at_r": score}
        for k, (rate, margin, score) in enumerate([(1e-3, 1.0, 0.2), (4e-3, 2.0, 0.3), (5e-3, 3.0, 0.3)])
    }
    chosen = agreed.settings(fair.Task("run", "hinge", 7), trials)
    assert chosen == Settings(loss="hinge", learning_rate=4e-3, margin=2.0, seed=7, steps=8)
    usual = fair.Protocol(("hinge",), search=0, steps=8).settings(fair.Task("run", "hinge", 7), {})
    assert usual == Settings(loss="hinge", seed=7, steps=8)


# the folder


@pytest.fixture(scope="module")
def small(glyphs):
    rest, test = datasets.split(glyphs)
    return sources.Data(*datasets.split(rest, every=5), test)


TINY = {"seeds": 2, "search": 1, "steps": 8}


def quiet(line):
    pass


def without_time(folder):
    """The lines of a folder, in their order, without what depends on the clock."""
    records = [json.loads(line) for line in (folder / ledger.RESULTS).read_text().splitlines()]
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def test_a_run_is_the_run_of_minisiam_train(small, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "examine", lambda run, data, *_: {})
    settings = Settings(loss="cosface", steps=5, seed=3, minutes=60.0)
    trained = runs.train(settings, small, tmp_path / "run", quiet)
    method = methods.build(trained.settings)
    with one_blas_thread:  # as `compare` does: sums of another number of threads end in other digits
        *_, (_, _, params) = running._steps(trained.settings, method, method.prepared(small.train))
    for a, b in zip(tree.leaves(params), tree.leaves(trained.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_stopped_by_hand_anywhere_it_goes_on_to_the_same_results(small, tmp_path, monkeypatch):
    agreed = fair.Protocol(("supcon", "hinge"), **TINY)
    assert fair.compare(tmp_path / "whole", agreed, small, quiet)
    perform = running.perform
    for count in (0, 1, 3):  # finished before Ctrl-C, each time
        left = iter(range(count))

        def stopped(task, *rest, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return perform(task, *rest)

        monkeypatch.setattr(running, "perform", stopped)
        assert not fair.compare(tmp_path / "parts", agreed, small, quiet)
    monkeypatch.setattr(running, "perform", perform)
    monkeypatch.setattr(running, "_seconds", None)  # nothing is timed again
    assert fair.compare(tmp_path / "parts", agreed, small, quiet)
    assert without_time(tmp_path / "whole") == without_time(tmp_path / "parts")
    monkeypatch.setattr(running, "perform", None)  # nothing is run again
    assert fair.compare(tmp_path / "parts", agreed, small, quiet)
    with pytest.raises(ValueError, match="--steps 9 would be another one"):
        fair.compare(tmp_path / "parts", fair.Protocol(("supcon",), **TINY | {"steps": 9}), small, quiet)


def test_a_torn_last_line_is_dropped_and_a_damaged_one_told(tmp_path):
    ledger.agree(tmp_path, fair.Protocol(("supcon",), **TINY))
    record = {"what": "run", "loss": "supcon", "number": 0}
    ledger.append(tmp_path, record)
    path = tmp_path / ledger.RESULTS
    whole = path.read_bytes()
    for torn in (b'{"what": "run", "lo', whole[:-1]):
        path.write_bytes(whole + torn)
        assert list(fair.load(tmp_path)[1]) == [fair.Task("run", "supcon", 0)]
        assert path.read_bytes() == whole + torn  # looking changes nothing
        assert list(ledger.mended(tmp_path)) == [fair.Task("run", "supcon", 0)]
        assert path.read_bytes() == whole
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(ValueError, match="line 1, is no record of a run"):
        fair.load(tmp_path)


def test_training_that_runs_away_scores_nothing_and_the_others_go_on(small, tmp_path, monkeypatch):
    def runs_away(settings, method, learnt):
        raise FloatingPointError("step 3: the loss is nan")

    monkeypatch.setattr(running, "_steps", runs_away)
    agreed = fair.Protocol(("supcon",), pace={"supcon": 0.1}, **TINY)
    ledger.agree(tmp_path / "c", agreed)
    assert fair.compare(tmp_path / "c", agreed, small, quiet)
    found = without_time(tmp_path / "c")
    assert [(r["map_at_r"], r["one_shot_error"], r["failed"]) for r in found] == [(0, 1, "step 3: the loss is nan")] * 3
    assert "Ran away, and count with scores of 0: supcon (2 of 2)" in fair.table(*fair.load(tmp_path / "c"))


# a process that is killed

LIGHT = """
import sys
from functools import partial
from minisiam import cli, datasets
datasets.pen_glyphs = partial(datasets.pen_glyphs, drawers=6)
sys.exit(cli.main(sys.argv[1:]))
"""
COMPARE = [sys.executable, "-W", "error", "-c", LIGHT, "compare-methods"]
WORDS = ["--losses", "supcon,hinge", "--steps", "8", "--seeds", "2", "--search", "1"]


def test_a_process_that_is_killed_and_resumed(tmp_path):
    """SIGKILL after two and after four of six, then to the end: the same results as in one go."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    going = subprocess.Popen([*COMPARE, *WORDS, "--out", whole], stdout=subprocess.PIPE, text=True)
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
    assert "of 6 are done" in done.stdout
    told, _ = going.communicate()
    assert going.returncode == 0
    assert "left" in told
    assert without_time(whole) == without_time(parts)
    assert len(without_time(parts)) == 6
    assert {p.name for p in parts.iterdir()} == {"protocol.json", "results.jsonl", "COMPARISON.md", "comparison.png"}


# what it says


def synthetic(folder, levels, seeds=5, search=0, spread=0.004):
    """A comparison with known means of MAP@R."""
    rng = np.random.default_rng(0)
    agreed = fair.Protocol(tuple(levels), seeds=seeds, search=search, pace=dict.fromkeys(levels, 0.03))
    ledger.agree(folder, agreed)
    for task in agreed.tasks():
        score = levels[task.loss] + spread * rng.normal()
        ledger.append(
            folder,
            task._asdict()
            | {"learning_rate": 0.01, "margin": None, "steps": 2000, "seconds": 60.0, "failed": None}
            | {"precision_at_1": score + 0.2, "r_precision": score + 0.1, "map_at_r": score}
            | {"one_shot_error": 0.9 - score},
        )
    return fair.load(folder)


def test_losses_are_in_order_and_those_alike_are_told(tmp_path):
    _, records = synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5, "cosface": 0.499, "nca": 0.45})
    rows = fair.rows(records)
    assert {row.loss for row in rows[:2]} == {"supcon", "cosface"}
    assert [row.loss for row in rows[2:]] == ["nca", "hinge"]
    assert [row.alike for row in rows] == [True, True, False, False]
    assert rows[0].p is None
    best, nca = rows[0], rows[2]
    raw = [students.paired_p(list(best.by_seed.values()), list(row.by_seed.values())) for row in rows[1:]]
    assert [row.p for row in rows[1:]] == students.holm(raw)
    assert nca.means["map_at_r"].value == pytest.approx(np.mean(list(nca.by_seed.values())))


def test_the_table_says_how_much_there_is(tmp_path):
    agreed, records = synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5}, search=2)
    text = fair.table(agreed, records)
    for words in ("10 of 10 runs, 4 of 4 trials; 14.0 minutes", "**supcon**", "| 2 | hinge |", "best", "< 0.001"):
        assert words in text
    half = dict(list(records.items())[:-3])
    assert "7 of 10 runs, 4 of 4 trials" in fair.table(agreed, half)
    assert "3 of 14 trials and runs are missing" in fair.table(agreed, half)
    assert "No run is finished yet" in fair.table(agreed, {})


@pytest.mark.parametrize(("losses", "seeds"), [(tuple(FUNCTIONS), 5), (("supcon",), 1)])
def test_the_figure_has_a_row_a_loss(tmp_path, losses, seeds):
    agreed, records = synthetic(tmp_path, {loss: 0.5 - 0.004 * k for k, loss in enumerate(losses)}, seeds)
    rows = fair.rows(records)
    left, right = plots.losses_compared(rows, summary.caption(agreed, records)).axes
    assert [label.get_text() for label in left.get_yticklabels()] == [row.loss for row in rows]
    assert len(left.patches) == len(right.patches) == sum(row.alike for row in rows)
    assert [path.name for path in fair.draw(tmp_path)] == ["COMPARISON.md", "comparison.png"]
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_no_row_no_figure():
    with pytest.raises(ValueError, match="no run to draw"):
        plots.losses_compared([])


def test_draw_alone_runs_nothing(tmp_path, capsys):
    synthetic(tmp_path, {"hinge": 0.3, "supcon": 0.5}, search=1)
    assert cli.main(["compare-methods", "--out", str(tmp_path), "--draw"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / n) for n in ("COMPARISON.md", "comparison.png")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--losses", "supcon,hindge"], "unknown loss 'hindge': did you mean 'hinge'"),
        (["--losses", ""], "there is no loss to compare"),
        (["--seconds", "0"], "seconds must be"),
        (["--steps", "0"], "steps must be"),
        (["--seeds", "0"], "seeds must be"),
        (["--search", "-1"], "search must be"),
        (["--out", "{full}"], "is not empty: choose another --out"),
        (["--out", "{full}", "--draw"], "is not empty"),
        (["--out", "{full}/nothing", "--draw"], "holds no comparison"),
        (["--out", "{begun}", "--seconds", "7"], "begun with --seconds 60.0, so --seconds 7.0 would be another one"),
        (["--out", "{begun}", "--steps", "7"], "begun with no --steps"),
        (["--out", "{begun}", "--losses", "hindge"], "did you mean 'hinge'"),
        (["--out", "{broken}"], "protocol.json cannot be read"),
    ],
)
def test_mistakes_are_explained_in_one_line(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    places = {name: tmp_path / name for name in ("full", "begun", "broken")}
    for path in places.values():
        path.mkdir()
    (places["full"] / "file").write_text("mine")
    (places["broken"] / ledger.PROTOCOL).write_text('{"losses": 3}')
    ledger.agree(places["begun"], fair.Protocol(("supcon",)))
    assert cli.main(["compare-methods", *(word.format(**places) for word in words)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_more_seeds_and_more_losses_may_be_asked_for():
    agreed = fair.Protocol(("supcon",), seeds=3, search=0)
    more = agreed.extended(losses=("hinge", "supcon"), seeds=5, search=0)
    assert more.losses == ("supcon", "hinge")
    assert more.seeds == 5
    assert set(agreed.tasks()) < set(more.tasks())
    assert agreed.extended(seeds=2).seeds == 3  # nothing is taken away
