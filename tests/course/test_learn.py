"""The exercises (stubs fail, the library passes, known mistakes are detected) and the commands of `minisiam learn`."""

import ast
import json
import os
from functools import cache
from itertools import repeat
from unicodedata import combining

import learner_answers
import numpy as np
import pytest
from clue_claims import claims

from minisiam import course
from minisiam.app import cli
from minisiam.course import EXERCISES, progress, selfcheck, stubs, watching
from minisiam.course.bugs import smallest
from minisiam.course.collapse import COLLAPSING
from minisiam.course.graders import checked, grade
from minisiam.course.mistakes import formulas
from minisiam.course.mistakes.gradients import siamese_with
from minisiam.course.mistakes.table import MISTAKES
from minisiam.typing import Array, Bool, Float

HEADER = "from __future__ import annotations\nimport numpy as np\nfrom minisiam.typing import Array, Float, Op\n"
SIGNATURE = 'def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):\n'
RIGHT = HEADER + SIGNATURE + "    return ((a - b) ** 2).sum(axis=1)\n"
NO_GRADIENT = {
    *("all-pairs", "batch-hard", "semi-hard", "recall", "sampler", "threshold", "collapse", "find-the-bug"),
    *("capstone", "threshold-interval", "open-set", "average-precision"),
}
ONE_FUNCTION = [exercise for exercise in EXERCISES if not exercise.steps]  # test_capstone.py has the other
MORE_ROWS = {"supcon": 4, "group-norm": 6}  # two positives and a negative; the channels of two groups
ids = {"argvalues": ONE_FUNCTION, "ids": lambda exercise: exercise.name}


def run(*arguments, work):
    return cli.main(["learn", *arguments, "--work", str(work)])


@cache
def rows_of(exercise):
    with pytest.MonkeyPatch.context() as patch:  # fewer inputs than for a learner take less time
        patch.setattr(checked, "EXAMPLES", 12)
        patch.setattr(checked, "POINTS", 12)
        return list(selfcheck.rows(exercise))


# the exercises


@pytest.mark.parametrize(
    "exercise",
    [
        pytest.param(exercise, id=exercise.name, marks=[pytest.mark.slow] * (exercise.name == "collapse"))  # it trains
        for exercise in ONE_FUNCTION
    ],
)
def test_the_stub_fails_the_library_passes_and_every_known_mistake_is_detected(exercise):
    rows = rows_of(exercise)
    assert [row.description for row in rows if not row.as_expected] == []
    assert [row.answer for row in rows[:2]] == ["stub", "library"]
    assert len(rows) == 2 + len(MISTAKES[exercise.name]) > 3
    for row in rows[2:]:
        if exercise.name not in NO_GRADIENT:
            assert row.rows <= MORE_ROWS.get(exercise.name, 3)
        if exercise.name != "collapse":  # there a network is trained
            assert row.seconds < 2


@pytest.mark.slow
@pytest.mark.parametrize("exercise", [e for e in ONE_FUNCTION if e.name != "collapse"], ids=lambda e: e.name)
def test_with_as_many_inputs_as_for_a_learner_the_verdicts_are_the_same(exercise):
    assert [(row.answer, row.as_expected, row.clue) for row in selfcheck.rows(exercise)] == [
        (row.answer, True, row.clue) for row in rows_of(exercise)
    ]


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.name not in NO_GRADIENT], ids=lambda e: e.name)
def test_a_verdict_mentions_autograd_only_if_the_exercise_asks_for_a_gradient(exercise):
    (library,) = (row.message for row in rows_of(exercise) if row.answer == "library")
    assert ("with autograd and differences" in library) == (exercise.name != "squared-distance")
    if exercise.value_only:
        assert "compared with the definition" in library
        for row in rows_of(exercise):
            assert "autograd" not in row.message and "g = " not in row.message


@pytest.mark.slow
@pytest.mark.parametrize("exercise", [e for e in EXERCISES if hasattr(learner_answers, e.function) and e.name != "l2"])
def test_a_correct_answer_may_differ_from_the_library(exercise):
    verdict = grade(exercise, getattr(learner_answers, exercise.function))
    assert verdict.status == "passed", verdict.message


def contrastive_in_float64(slope):
    def contrastive(d: "Float[Array, 'n']", /, same: "Bool[Array, 'n']", margin: float = 1.0):
        slack = np.maximum(0, margin - d)
        value = np.where(same, d**2, slack**2).mean() / 2
        return value, lambda dl: (dl * np.where(same, slope * d, -slope * slack) / len(d),)

    return contrastive


def test_a_correct_derivation_in_float64_passes_with_a_remark():
    verdict = grade(course.find("contrastive"), contrastive_in_float64(slope=1))
    assert verdict.status == "passed"
    assert "One remark: the gradient of d is float64, but all inputs are float32" in verdict.message
    assert "remark" not in grade(course.find("l2"), course.find("l2").model_answer).message


def test_a_wrong_derivation_in_float64_fails():
    verdict = grade(course.find("contrastive"), contrastive_in_float64(slope=2))
    assert verdict.status == "failed"
    assert "the gradient of d is wrong" in verdict.message
    assert "twice too large" in verdict.message


def test_an_exercise_does_not_require_numbers_whose_squares_underflow():
    def normalize(x: "Float[Array, 'n d']", /):
        length = np.linalg.norm(x, axis=1, keepdims=True)
        safe = np.where(length > 0, length, 1)
        y = x / safe
        return y, lambda dy: (np.where(length > 0, (dy - y * (y * dy).sum(axis=1, keepdims=True)) / safe, 0),)

    assert grade(course.find("normalize"), normalize).status == "passed"


MINERS = "it must return Triplets(anchor, positive, negative), not "
ANSWERS = {
    "nothing": ("batch-hard", lambda D, labels: None, MINERS + "None"),
    "two lengths": ("batch-hard", lambda D, labels: ([0], [1], [2, 2]), MINERS + "([0], [1], [2, 2])"),
    "no integers": ("batch-hard", lambda D, labels: ([0.5], [1.0], [2.0]), MINERS + "([0.5], [1.0], [2.0])"),
    "no triplet": ("batch-hard", lambda D, labels: ([], [], []), "are missing"),
    "out of the batch": ("batch-hard", lambda D, labels: ([9], [1], [2]), "an index is outside the batch"),
    "an error": ("batch-hard", lambda D, labels: labels[100], "it raises IndexError"),
    "a changed input": ("batch-hard", lambda D, labels: D.fill(0), "it changes its input D"),
    "a pair for a tree": (
        "two-branches",
        siamese_with(lambda dtheta: (dtheta, None)),
        "use its first part, the gradient",
    ),
    "a list": ("threshold", lambda d, same, false_accept: [1, 2], "it must return a number, not [1, 2]"),
    "NaN": ("threshold", lambda d, same, false_accept: float("nan"), "the result is wrong"),
    "no end": ("sampler", lambda labels, rng, P, K: [], "the generator must not end"),
    "no rows": ("sampler", lambda labels, rng, P, K: repeat("x"), "a batch must be an integer array of shape (4,)"),
    "out of range": ("sampler", lambda labels, rng, P, K: repeat([0, 1, 2, 4]), "has a row outside the data set"),
    "out of order": ("sampler", lambda labels, rng, P, K: repeat([0, 2, 1, 3]), "ordered by class, 2 images of each"),
    "no settings": ("collapse", lambda: None, "settings must return a dict, not NoneType"),
    "a setting too few": ("collapse", lambda: {"miner": "easy"}, "the setting 'loss' is missing"),
    "an unknown miner": ("collapse", lambda: COLLAPSING | {"miner": "semihard"}, "did you mean 'semi-hard'?"),
    "no dict": ("find-the-bug", lambda: [], "smallest must return a dict, not list"),
    "an answer too few": ("find-the-bug", lambda: {}, "the input for 'contrastive, hinge missing' is missing"),
    "no argument": (
        "find-the-bug",
        lambda: smallest() | {"normalize, along columns": {}},
        "normalize, along columns: it raises",
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_a_result_of_another_form_gets_a_message(what):
    name, function, message = ANSWERS[what]
    verdict = grade(course.find(name), function)
    assert verdict.status == "failed"
    assert message in verdict.message
    assert json.dumps(verdict._asdict())


def test_every_common_mistake_is_tested_in_some_exercise():
    known = {mistake for those in MISTAKES.values() for mistake in those}
    assert known >= {
        "wrong sign",
        "twice",
        "half",
        "sum instead of mean",
        "hinge missing",
        "gradient of the rows only",
        "transposed",
        "wrong axis",
        "divided by active terms",
        "equal points not handled",
        "input modified",
    }


SUM = "2 times too large, and there are 2 rows: a sum instead of a mean?"
MASK = "zero where it should not be, and right elsewhere: is a mask or a comparison too narrow?"
HINGE = "not zero where it should be, and right elsewhere: a hinge or a mask forgotten?"
COUNT = (
    "2 times what it should be, and another factor on other inputs: divided by a count of something other than rows?"
)
NAN, ZERO = "NaN: 0 / 0, or ∞ − ∞?", "zero, but should not be"
COLUMNS = "these are the triplets of the columns of D, but an anchor is a row"
REPEATED = "do you use every image of a class before you shuffle them again?"
SOFTMAX = "the slope is the softmax: does each of its rows sum to 1?"
NEIGHBOURS = "this is the result if an image is its own neighbour or one neighbour too many counts"
COLLAPSE = "and all distances are near 0: which triplets pull all images together?"
INTERVAL, OWN = "false_accept.high is the result if", "or each group chooses its own threshold"
CHUNKS = "the chunks share the weights, so dparams is a sum; each image has its own dx"
COPIES = "each rank has a copy of these rows: does dz contain the gradient of every copy, and are these its rows of dZ?"
STATISTICS = (
    "which entries of y does an entry of x change, through its mean and its variance? And one of scale or shift?"
)
ROWS = "write down the loss of one anchor: which of its candidates are in the sum, and does each row of dD sum to 0?"
COLUMN = "the proxy is the anchor: write down the sum of one proxy, which is over the images, down a column of D"
ENTRIES = "each entry of D is a question of its own: what is the probability of a pair there, and what should it be?"
ANGLE = "only the target's logit has a margin: what is the slope of cos(θ + m) in D, where cos θ = 1 − D?"
FORMULAS = [*formulas.SUPCON, *formulas.PROXY_ANCHOR, *formulas.ARCFACE, *formulas.SIGMOID]
COMMON_CLUES = {
    "wrong sign": "the right size, but the wrong sign",
    "twice": "twice too large",
    "half": "half of what it should be",
    "input modified": "",
    "sum instead of mean": SUM,
    "first variable only": ZERO,
    "wrong axis": "",
    "hinge missing": HINGE,
    "divided by active terms": COUNT,
    "equal points not handled": NAN,
    "overflow": NAN,
    "transposed": "transposed",
    "bias missing": ZERO,
    "gradient of the rows only": ZERO,
    "only one branch": "the weights are used twice: does the gradient include both uses?",
    "each pair twice": "list each pair once, with i < j: (j, i) is the same pair as (i, j)",
    "images paired with themselves": "an image does not form a pair with itself",
    "same inverted": "same must be True where the two labels are equal",
    "one pair missing": "(0, 1, 1) is missing",
    "the nearest positive": "2 is a positive of 0 and farther than 1",
    "the farthest negative": "2 is a negative of 0 and nearer than 3",
    "anchor as its own positive": "image 0 is its own positive",
    "column instead of row": COLUMNS,
    "negative nearer than the positive": "2 is nearer to 0 than 1: not semi-hard",
    "margin ignored": "0 is farther from 2 than 1 by 2, more than the margin 1",
    "margin excluded": "(0, 1, 2) is missing",
    "slope not divided": SOFTMAX,
    "kernel flipped": "write down one entry of z: which entries of x and W does it contain?",
    "shared among ties": "",
    "image as its own neighbour": NEIGHBOURS,
    "ties in favour of the model": "this is the result if a tie counts for the model, but it counts against it",
    "one neighbour too many": NEIGHBOURS,
    "images without positives count": (
        "this is the result if an image that is alone in its class counts as an error, but it does not count"
    ),
    "with replacement": "do you draw with replacement, or add a remaining image again after a new shuffle?",
    "always the first images": REPEATED,
    "independent batches": REPEATED,
    "rng not used": "do you use rng?",
    "another generator": "do you draw all random numbers from rng?",
    "only one batch": "",
    "next larger distance": "it accepts 100% of the different pairs, more than 0%",
    "strictly below": "1 is larger and also accepts at most 100% of the different pairs",
    "same pairs counted": "1 is larger and also accepts at most 0% of the different pairs",
    "largest distance": "it accepts 100% of the different pairs, more than 0%",
    "one threshold for all groups": f"{INTERVAL} the threshold of all pairs is tried on each group {OWN}",
    "each group chooses its own": f"{INTERVAL} the threshold of all pairs is tried on each group {OWN}",
    "interval of the mean": f"{INTERVAL} only the mean of the rates is uncertain: the new group varies as well",
    "normal instead of t": f"{INTERVAL} 1.96 stands for Student's t",
    "below 0": "false_accept.low must be between 0 and 1",
    "kinds exchanged": "false accepts are those of different pairs: the two rates are exchanged",
    "no threshold": "query 0: its nearest entry is at 1, farther than the threshold: None",
    "below the threshold": "query 0: a is at exactly the threshold, which is near enough",
    "the first of a tie": "query 0: a and b are equally near: None",
    "two examples of a name are a tie": ("query 0: all entries at 1 have one name, a, so there is no tie of names"),
    "squared distances": "query 1: a is at 8, nearer than the threshold",
    "all activations kept": "in the pullback, encode each chunk again",
    "all chunks encoded, then pulled": "use the pullback of a chunk before you encode the next",
    "the last chunk only": CHUNKS,
    "the mean of the chunks": COUNT.replace("2 times", "0.5 times"),
    "the first rows of dz for every chunk": CHUNKS,
    "the whole batch again": "chunk is the size of a part",
    "own copy only": COPIES,
    "multiplied by R": "twice too large",
    "mean of the copies": "half of what it should be",
    "the copy on rank 0 only": COPIES,
    "the first rows": COPIES,
    "equal numbers of rows": "",
    "unchanged": f"the loss stays at 1.00 {COLLAPSE}",
    "smaller learning rate only": (
        "do some triplets still pull all images together? Is the learning rate small enough?"
    ),
    "soft margin only": f"the loss stays at 1.31 {COLLAPSE}",
    "input without the mistake": "",
    "larger than necessary": "",
    "statistics taken for constants": STATISTICS,
    "only the mean is subtracted": STATISTICS,
    "scale missing in dx": STATISTICS,
    "divided by n − 1": "this is the value if the variance is divided by n − 1, not by n",
    "statistics of each example": STATISTICS,
    "scale after the means": STATISTICS,
    "statistics of the batch": STATISTICS,
    "every other channel": STATISTICS,
    **{words: f"this is the value if {words}" for words in FORMULAS},
    "cos(θ + m) is used beyond θ = π − m as well": ANGLE,
    "the gradient of the anchor's own entry": ROWS,
    "the gradient without the 1": COLUMN,
    "the gradient of the diagonal only": MASK,
    "the gradient of a softmax": ENTRIES,
    "the slope of the cosine": ANGLE,
    "θ = 0 not handled": "infinity: a division by 0, or an overflow?",
    "divided by the images found": (
        "map_at_r is the result if the precisions are divided by the number of images found, not by R"
    ),
    "the order ignored": "map_at_r is the R-precision: the k-th image found, at rank r, counts k / r",
    "another order of the measures": "the order is precision_at_1, r_precision, map_at_r",
}
OTHER_CLUES = {
    ("dense", "transposed"): "",  # the shape says it
    ("log-sum-exp", "overflow"): "infinity: a division by 0, or an overflow?",
    ("log-sum-exp", "wrong axis"): SOFTMAX,
    ("supcon", "sum instead of mean"): SUM.replace("2", "3"),
    ("average-precision", "ties in favour of the model"): (
        "precision_at_1 is the result if a tie counts for the model or an image is its own neighbour"
    ),
    ("average-precision", "image as its own neighbour"): (
        "precision_at_1 is the result if an image is its own neighbour"
    ),
    ("average-precision", "images without positives count"): (
        "precision_at_1 is the result if an image that is alone in its class is a query"
    ),
}


@pytest.mark.parametrize(
    "exercise",
    [pytest.param(one, id=one.name, marks=[pytest.mark.slow] * (one.name == "collapse")) for one in ONE_FUNCTION],
)
def test_every_known_mistake_gets_its_clue_and_the_numbers_agree_with_it(exercise):
    for row in rows_of(exercise)[2:]:
        expected = OTHER_CLUES.get((exercise.name, row.answer), COMMON_CLUES[row.answer])
        assert (row.answer, row.clue) == (row.answer, expected)
        assert all(claims(row.clue, row.case, row.columns).values())


def test_the_numbers_of_clues_are_read():
    read = {claim for e in EXERCISES[:8] for row in rows_of(e)[2:] for claim in claims(row.clue, row.case, row.columns)}
    assert len(read) >= 7
    shown = {"d": "[1., 1.]"}, {"yours": "[3., 3.]", "autograd": "[1., 1.]"}
    assert list(claims("3 times too large, and there are 3 rows: a sum?", *shown).values()) == [False]


@pytest.mark.parametrize("exercise", **ids)
def test_every_stub_has_a_task_a_hole_and_three_hints(exercise):
    text = stubs.stub(exercise)
    tree = ast.parse(text)
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert function.name == exercise.function
    assert ast.get_docstring(function).splitlines()[0] == exercise.library.__doc__.splitlines()[0]
    assert text.count("NotImplementedError") == (0 if exercise.template else 1)
    assert not {a.arg for a in function.args.args} & set(exercise.omit)
    assert not any(f"    {name}\n" in text for name in exercise.omit)
    assert "derive it" not in text or "pullback" in text
    assert len(exercise.hints) == 3
    assert all(len(hint) > 5 for hint in exercise.hints)
    assert exercise.name in ("collapse", "find-the-bug") or ast.parse(exercise.hints[2])
    source = stubs.solution(exercise)
    assert source.startswith(("def ", "@"))
    assert ast.parse(source)
    assert max(sum(not combining(c) for c in line) for line in text.splitlines()) <= 120


def test_a_stub_does_not_contain_the_formula_of_the_gradient():
    for name, formula in (("contrastive", "d / n"), ("dense", "dz Wᵀ"), ("cosine", "b̂"), ("soft-margin", "σ(d₊")):
        exercise = course.find(name)
        assert formula in exercise.library.__doc__
        assert formula not in stubs.stub(exercise)


def test_the_exercises_are_numbered_and_belong_to_lessons():
    assert [exercise.number for exercise in EXERCISES] == list(range(1, len(EXERCISES) + 1))
    assert len({exercise.name for exercise in EXERCISES}) == len(EXERCISES)
    lessons = [exercise.lesson for exercise in EXERCISES]
    assert lessons == sorted(lessons)
    assert course.find("squared-distance").lesson == "00"
    assert course.find("find-the-bug").lesson == "12"


@pytest.mark.parametrize("text", ["3", "03", "l2", "L2"])
def test_an_exercise_is_found_by_number_or_name(text):
    assert course.find(text).name == "l2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contrastve", "did you mean contrastive"),
        ("batch", "did you mean batch-norm or batch-hard"),
        (str(len(EXERCISES) + 1), f"a number from 1 to {len(EXERCISES)}"),
        ("0", f"a number from 1 to {len(EXERCISES)}"),
        ("qqq", "minisiam learn list"),
    ],
)
def test_the_error_for_an_unknown_exercise_suggests_the_nearest(text, message, tmp_path, capsys):
    assert run("start", text, work=tmp_path) == 1
    assert message in capsys.readouterr().err


# progress


def test_a_failed_write_leaves_the_old_progress(tmp_path, monkeypatch):
    progress.update(tmp_path, "l2", hints=2)
    before = (tmp_path / "progress.json").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        progress.update(tmp_path, "l2", passed=True)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    assert (tmp_path / "progress.json").read_bytes() == before
    assert progress.read(tmp_path)["l2"] == progress.State(False, 2, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"exercises": []}',
        '{"exercises": {"l2": 1}}',
        '{"exercises": {"l2": {"passed": 1}}}',
        '{"exercises": {"l2": {"hints": "two"}}}',
        '{"exercises": {"l2": {"hints": -1}}}',
        '{"exercises": {"l2": {"wings": 2}}}',
        "[" * 100_000,
        "\x00\x01",
    ],
)
def test_unreadable_progress_is_renamed(text, tmp_path, capsys):
    (tmp_path / "progress.json").write_text(text)
    assert run("list", work=tmp_path) == 0
    assert "was renamed to progress.json.unreadable" in capsys.readouterr().err
    assert (tmp_path / "progress.json.unreadable").read_text() == text
    assert run("hint", "l2", work=tmp_path) == 0
    (tmp_path / "progress.json").write_text("again")
    assert progress.read(tmp_path, lambda text: None)["l2"].hints == 0
    assert (tmp_path / "progress.json.unreadable.2").read_text() == "again"


# the commands


def test_list_shows_states_and_hints(tmp_path, capsys):
    progress.update(tmp_path, "squared-distance", passed=True)
    progress.update(tmp_path, "l2", hints=2)
    progress.update(tmp_path, "dense", hints=3, solution=True)
    assert run("list", work=tmp_path) == 0
    output = capsys.readouterr().out.splitlines()
    (of_l2,) = (line for line in output if " open  l2 " in line)
    (of_dense,) = (line for line in output if " open  dense " in line)
    assert output[:2] == ["lesson 00", "    01  done  squared-distance          the squared distance of two embeddings"]
    assert of_l2.startswith("    03  open  l2") and of_l2.endswith("2 of 3 hints")
    assert of_dense.endswith("3 of 3 hints, solution")
    assert f"1 of {len(EXERCISES)} done. Next: 02 squared-distance-gradient" in output[-1]
    assert run("list", "--json", work=tmp_path) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in rows] == list(range(1, len(EXERCISES) + 1))
    assert rows[0] == {
        "number": 1,
        "name": "squared-distance",
        "title": "the squared distance of two embeddings",
        "lesson": "00",
        "op": "distances.squared_l2",
        "file": "01_squared_distance.py",
        "passed": True,
        "hints": 0,
        "solution": False,
    }


def test_start_writes_a_stub_and_never_overwrites_a_file(tmp_path, capsys):
    assert run("start", "03", work=tmp_path / "new") == 0
    path = tmp_path / "new" / "03_l2.py"
    assert path.read_text() == stubs.stub(course.find("l2"))
    path.write_text("mine")
    assert run("start", "l2", work=tmp_path / "new") == 1
    assert "start again with `minisiam learn reset 03`" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_a_reset_restores_the_stub_keeps_every_file_and_forgets_the_progress_of_this_exercise_alone(tmp_path, capsys):
    path = tmp_path / "03_l2.py"
    kept = progress.State(True, 1, False)
    progress.update(tmp_path, "dense", **kept._asdict())
    for text in ("first", "second"):
        progress.update(tmp_path, "l2", passed=True, hints=2, solution=True)
        path.write_text(text)
        assert run("reset", "03", work=tmp_path) == 0
        assert path.read_bytes() == stubs.stub(course.find("l2")).encode()
        states = progress.read(tmp_path)
        assert (states["l2"], states["dense"]) == (progress.State(), kept)
    assert (tmp_path / "03_l2.py.bak").read_text() == "first"
    assert (tmp_path / "03_l2.py.bak.2").read_text() == "second"
    assert "its progress and its hints are forgotten" in capsys.readouterr().out


def test_the_exercises_of_one_lesson_are_listed_and_done_alone(tmp_path, capsys):
    inside = [exercise for exercise in EXERCISES if exercise.lesson == "02"]
    assert run("list", "--lesson", "2", work=tmp_path) == 0
    *rows, count = capsys.readouterr().out.splitlines()
    assert [row.split()[2] for row in rows[1:-1]] == [exercise.name for exercise in inside]
    assert (
        count
        == f"0 of {len(inside)} done. Next: {inside[0]}, {inside[0].title} (lesson 02): minisiam learn --lesson 02"
    )
    for exercise, after in zip(inside, [*inside[1:], EXERCISES[0]], strict=True):
        assert run("--lesson", "02", "hint", work=tmp_path) == 0
        assert str(exercise) in capsys.readouterr().out
        progress.update(tmp_path, exercise.name, passed=True)
        assert run("list", "--lesson", "02", work=tmp_path) == 0
        assert f"Next: {after}, " in capsys.readouterr().out
    assert run("--lesson", "02", work=tmp_path) == 0
    first = EXERCISES[0]
    next_one = f"Next: {first}, {first.title} (lesson 00): minisiam learn"
    assert capsys.readouterr().out == f"You have done every exercise of lesson 02. {next_one}\n"
    assert run("--lesson", "02", "check", work=tmp_path) == 1
    assert "every exercise of lesson 02 is done" in capsys.readouterr().err


@pytest.mark.parametrize("lesson", ["01", "99", "x"])
def test_the_error_for_a_lesson_without_exercises_lists_those_with_some(lesson, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("--lesson", lesson, work=tmp_path)
    assert "has no exercises: use one of 00, 02, 03," in capsys.readouterr().err


def test_hints_are_shown_one_by_one_and_counted(tmp_path, capsys):
    exercise = course.find("l2")
    for count in (1, 2, 3, 3):
        assert run("hint", "3", work=tmp_path) == 0
        output = capsys.readouterr().out
        assert [hint in output for hint in exercise.hints] == [k < count for k in range(3)]
        assert progress.read(tmp_path)["l2"].hints == count


def test_the_solution_of_an_open_exercise_needs_confirmation(tmp_path, capsys, monkeypatch):
    for reply, shown in (("n", False), ("", False), ("y", True)):
        monkeypatch.setattr("builtins.input", lambda question, reply=reply: reply)
        assert run("solution", "3", work=tmp_path) == (0 if shown else 1)
        assert ("u = _difference(a, b)" in capsys.readouterr().out) is shown
        assert progress.read(tmp_path)["l2"].solution is shown
    monkeypatch.setattr("builtins.input", lambda question: (_ for _ in ()).throw(EOFError))
    assert run("solution", "contrastive", work=tmp_path) == 1
    assert run("solution", "contrastive", "--yes", work=tmp_path) == 0
    assert "squeeze * squeeze" in capsys.readouterr().out
    progress.update(tmp_path, "dense", passed=True)
    assert run("solution", "dense", work=tmp_path) == 0
    assert not progress.read(tmp_path)["dense"].solution


def test_check_reports_as_text_and_as_json(tmp_path, capsys):
    assert run("check", work=tmp_path) == 1
    assert "minisiam learn start 01" in capsys.readouterr().out
    run("start", "1", work=tmp_path)
    assert run("check", "--json", work=tmp_path) == 1
    found = json.loads(capsys.readouterr().out.partition("check 01\n")[2])
    assert found["status"] == "open"
    path = tmp_path / "01_squared_distance.py"
    path.write_text(RIGHT.replace("axis=1", "axis=0"))
    assert run("check", "01", "--json", work=tmp_path) == 1
    found = json.loads(capsys.readouterr().out)
    assert {name: type(value) for name, value in found.items()} == {
        "exercise": str,
        "number": int,
        "status": str,
        "message": str,
        "what": str,
        "clue": str,
        "case": dict,
        "columns": dict,
        "rows": int,
        "seconds": float,
        "printed": str,
        "intro": str,
    }
    assert found["case"] == {"a": "[[1.], [1.]]", "b": "[[1.], [1.]]"}
    assert found["what"] == "the value has the shape (1,), not (2,)"
    path.write_text(RIGHT)
    assert run("check", work=tmp_path) == 0
    assert "Next: 02 squared-distance-gradient" in capsys.readouterr().out
    assert progress.read(tmp_path)["squared-distance"].passed


def test_options_may_precede_the_command(tmp_path, capsys):
    assert cli.main(["learn", "--work", str(tmp_path), "--limit", "5", "start", "1"]) == 0
    assert cli.main(["learn", "--work", str(tmp_path), "check"]) == 1
    assert "not started" in capsys.readouterr().out


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf"])
def test_a_time_limit_is_a_positive_number(limit, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("check", "1", "--limit", limit, work=tmp_path)
    assert "use a number of seconds > 0" in capsys.readouterr().err


def test_after_the_last_exercise_learn_says_that_all_are_done(tmp_path, capsys):
    progress.write(tmp_path, {exercise.name: progress.State(True) for exercise in EXERCISES})
    assert run(work=tmp_path) == 0
    assert "You have done every exercise" in capsys.readouterr().out
    assert run("check", work=tmp_path) == 1
    assert "every exercise is done" in capsys.readouterr().err


def test_the_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["learn", "--help"])
    output = capsys.readouterr().out
    for command in ("list", "start", "check", "hint", "solution", "reset", "grade", "selfcheck"):
        assert f"minisiam learn {command}" in output


def test_only_a_new_and_complete_file_is_checked(tmp_path):
    path = tmp_path / "file.py"
    assert watching.saved_text(path, None) is None
    path.write_text("")
    assert watching.saved_text(path, None) is None
    path.write_text("x = 1")
    assert watching.saved_text(path, None) == b"x = 1"
    assert watching.saved_text(path, b"x = 1") is None
