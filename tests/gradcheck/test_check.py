"""`gradcheck.check` finds each common mistake on a small input and gives a clue."""

from __future__ import annotations

import time
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest

from minisiam import distances, gradcheck, losses, ops
from minisiam.app import cli
from minisiam.typing import Array, Bool, Float


def contrastive(
    mistake="", value_of=lambda d, same, margin: losses.contrastive(d, same, margin)[0]
):  # a learner's, with one mistake
    def contrastive(d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0):
        slack = np.maximum(margin - d, 0)

        def pullback(dl):
            dd = np.where(same, d, -slack) * d.dtype.type(dl / len(d))
            match mistake:
                case "sign":
                    return (-dd,)
                case "twice":
                    return (2 * dd,)
                case "half":
                    return (dd / 2,)
                case "sum":
                    return (dd * len(d),)
                case "mean twice":
                    return (dd / len(d),)
                case "zero":
                    return (0 * dd,)
                case "inner sign":
                    return (np.where(same, d, slack) * d.dtype.type(dl / len(d)),)
                case "hinge ignored":
                    return (np.where(same, d, d - margin) * d.dtype.type(dl / len(d)),)
                case "leak":
                    return (np.where(same, d, -slack) * np.float64(dl / len(d)),)
                case "no tuple":
                    return dd
                case "two":
                    return dd, dd
                case "column":
                    return (dd[:, None],)
                case "input modified":
                    d[:] = 0
                    return (dd,)
                case "upstream ignored":
                    return (np.where(same, d, -slack) / d.dtype.type(len(d)),)
                case "raises":
                    return (dd @ np.ones((7, 7)),)
                case "margin at the corner":
                    return (dd + (~same & (d == margin)),)
            return (dd,)

        value = value_of(d, same, margin)
        return (2 * value if mistake == "value" else value), pullback

    return contrastive


MISTAKES = {
    "sign": "the right size, but the wrong sign",
    "twice": "twice too large",
    "half": "half of what it should be",
    "sum": "2 times too large, and there are 2 rows: a sum instead of a mean?",
    "mean twice": "2 times too small, and there are 2 rows: divided by the number of rows, but it should not be?",
    "zero": "zero, but should not be",
    "inner sign": "right where same is True; where it is False: the right size, but the wrong sign",
    "hinge ignored": "a hinge or a mask forgotten?",
    "no tuple": "must return a tuple, one gradient for each of d, not ndarray",
    "two": "returns 2 gradients for the 1 variables d",
    "column": "has the shape (1, 1), not (1,)",
    "input modified": "it changes its input d",
    "upstream ignored": "it does not depend on g, the argument of the pullback: multiply by it",
    "raises": "it raises ValueError",
    "value": "the value is wrong",
    "margin at the corner": "does not follow the convention where d = margin, different",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_on_a_small_input_with_a_clue(mistake, capsys):
    start = time.process_time()
    assert not gradcheck.check(contrastive(mistake))
    said = capsys.readouterr().out
    assert MISTAKES[mistake] in said
    assert "The smallest case:" in said
    found = gradcheck.run_check(contrastive(mistake)).fault
    assert len(found.case.variables["d"]) <= 3
    assert time.process_time() - start < 4  # twice the two seconds of work it may take


def test_a_correct_op_is_reported_as_correct(capsys):
    assert gradcheck.check(contrastive())
    said = capsys.readouterr().out
    assert said.startswith("contrastive: correct. ")
    assert "remark" not in said


def test_float64_from_a_correct_formula_is_a_remark_with_its_correction(capsys):
    assert gradcheck.check(contrastive("leak"))
    remark = "One remark: the gradient of d is float64, but all inputs are float32, and float64 makes training slower. "
    assert remark + "Return np.asarray(dd, d.dtype)" in capsys.readouterr().out


def test_the_report_shows_the_gradients_in_three_columns(capsys):
    gradcheck.check(contrastive("sign"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "contrastive: the gradient of d is wrong. The smallest case:"
    assert lines[2].split("   ")[1:] == [" d = [1.]", "same = [ True]", "g = 1."]
    assert lines[4].split() == ["yours", "autograd", "differences", "clue"]
    assert lines[5].split()[:3] == ["[-1.]", "[1.]", "[1.]"]


def l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):
    d, pullback = distances.l2(a, b)
    return d, lambda dd: (pullback(dd)[0], pullback(dd)[0])


def dense(x: Float[Array, "n i"], W: Float[Array, "i o"], b: Float[Array, "o"], /):
    return x @ W + b, lambda dz: (dz @ W.T, dz.T @ x, dz.sum(axis=0))


def relu(x: Float[Array, "..."], /):
    return ops.relu(x)[0], lambda dy: (dy * (x >= 0),)


def stateful(x: Float[Array, "n d"], /):
    cache.append(x)
    return np.tanh(x), lambda dy: ((1 - np.tanh(cache[-1]) ** 2) * dy,)


cache: list[Array] = []
stateful.__name__ = "tanh"


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (l2, "the gradient of b is wrong"),
        (dense, "the gradient of W"),
        (relu, "does not follow the convention where x = 0: slope 0"),
        (stateful, "another gradient the second time"),
    ],
)
def test_mistakes_in_other_ops_are_found(op, message, capsys):
    assert not gradcheck.check(op)
    assert message in capsys.readouterr().out


def test_an_undeclared_corner_is_not_reported_as_a_mistake(capsys):
    """If autograd and differences disagree, there is no derivative at this input."""

    def absolute(x: Float[Array, "n"], /):
        return np.abs(x), lambda dy: (np.sign(x) * dy,)

    assert gradcheck.check(absolute, anp.abs)


@pytest.mark.parametrize("slope_at_zero", [0, 1])
def test_a_custom_hinge_may_have_any_slope_at_the_corner(slope_at_zero):
    """At the corner autograd and central differences agree on ½, but 0 and 1 are as right."""

    def hinge(x: Float[Array, "n"], /):
        return np.maximum(x, 0), lambda dy: (dy * (x > 0 if slope_at_zero == 0 else x >= 0),)

    assert gradcheck.check(hinge, lambda x: anp.maximum(x, 0))


def test_with_a_custom_definition_the_kinks_of_the_library_are_not_tested():
    def l2(x: Float[Array, "n"], /):
        return x * x, lambda dy: (2 * x * dy,)

    assert gradcheck.check(l2, anp.square)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(x): return x", "annotate its variables, before a slash"),
        ("def f(x, /): return x", "annotate the shape of x"),
        ("def f(x:", "does not run: SyntaxError"),
        ("import nothing_there", "does not run: ModuleNotFoundError"),
    ],
)
def test_an_error_says_why_a_file_cannot_be_checked(tmp_path, capsys, source, message):
    file = tmp_path / "mine.py"
    file.write_text(source)
    definition = tmp_path / "definition.py"
    definition.write_text("import autograd.numpy as np\ntanh = np.tanh")
    assert cli.main(["check", f"{file}:f", "--definition", f"{definition}:tanh"]) == 1
    assert message in capsys.readouterr().err


def test_a_stub_is_reported_and_does_not_crash_the_check(capsys):
    def tanh(x: Float[Array, "n"], /):
        raise NotImplementedError("your turn")

    assert not gradcheck.check(tanh)
    assert "it raises NotImplementedError: your turn" in capsys.readouterr().out


def test_a_function_in_a_file_is_checked_against_its_definition(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(Path(__file__).with_name("learner_example.txt").read_text())
    assert cli.main(["check", f"{file}:square", "--definition", f"{file}:formula"]) == 0
    assert cli.main(["check", f"{file}:wrong", "--definition", f"{file}:formula"]) == 1
    assert "half of what it should be" in capsys.readouterr().out
    for words, message in (
        ([f"{file}:nothing"], "has no function nothing; it has"),
        ([f"{tmp_path}/no.py:f"], "there is no file"),
        (["losses.contrastve"], "did you mean 'losses.contrastive'"),
        ([f"{file}:square"], "there is no definition of square"),
    ):
        assert cli.main(["check", *words]) == 1
        assert message in capsys.readouterr().err


def test_the_command_checks_an_op_of_the_library(capsys, tmp_path):
    assert cli.main(["check", "losses.contrastive"]) == 0
    assert "contrastive: correct" in capsys.readouterr().out
    figure = tmp_path / "page.png"
    assert cli.main(["check", "--figure", "contrastive", "--out", str(figure)]) == 0
    assert figure.stat().st_size > 10_000
