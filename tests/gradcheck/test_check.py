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


SQUARE = """
from __future__ import annotations
import functools, math, sys
import numpy as np
from minisiam.typing import Array, Float

def square(x: Float[Array, "n"], /):
    return x * x, lambda dy: (2 * x * dy,)
def formula(x):
    return x * x
class Loss:
    def square(self, x: Float[Array, "n"], /):
        return x * x, lambda dy: (2 * x * dy,)
loss, part = Loss(), functools.partial(square)
loss.__class__.__call__ = lambda self, x: square(x)
"""
DEFINITIONS = {
    "return math.exp(x)": "the definition mine fails: it raises ",  # a TypeError, with older NumPy a DeprecationWarning
    "return {}['a']": "the definition mine fails: it raises KeyError: 'a', in line",
    "return np.array([float(v) for v in x])": "Write it for whole arrays, with import autograd.numpy as np",
    "return np.square(getattr(x, '_value', x))": "autograd cannot differentiate mine: write it with autograd.numpy",
    "return x * np.array(getattr(x, '_value', x))": "autograd and differences disagree. Write it with autograd.numpy",
    "return square(x)": "the definition mine must return the value alone, not tuple",
    "x * x": "the definition mine must return the value alone, not NoneType",
    "while True: x = x + 1": "mine did not finish and was stopped after 0.5 seconds, in line",
}


def checked(tmp_path, capsys, op, definition, more=""):
    """The exit code and the output of `minisiam check` for functions of a file, with a limit for infinite loops."""
    file = tmp_path / "mine.py"
    file.write_text(SQUARE + more)
    code = cli.main(
        ["check", f"{file}:{op}", "--definition", f"{file}:{definition}", "--limit", "0.5" if "while" in more else "20"]
    )
    said = capsys.readouterr()
    return code, said.out + said.err


@pytest.mark.parametrize("body", DEFINITIONS)
def test_an_error_names_the_definition_that_cannot_be_used(body, tmp_path, capsys):
    code, said = checked(tmp_path, capsys, "square", "mine", f"def mine(x):\n    {body}\n")
    assert code == 1
    assert DEFINITIONS[body] in said


def test_a_definition_with_other_arguments_is_an_error(tmp_path, capsys):
    code, said = checked(tmp_path, capsys, "square", "mine", "def mine(a, b):\n    return a * b\n")
    assert code == 1
    assert "the definition mine does not take the arguments of square" in said


def test_a_report_names_the_definition(tmp_path, capsys):
    code, said = checked(tmp_path, capsys, "square", "mine", "def mine(x):\n    return x * x + 1\n")
    assert code == 1
    assert said.startswith("square, compared with mine: the value is wrong.")
    assert "too small by 1 on every input" in said


def test_a_constant_that_is_ignored_is_found_with_a_custom_definition(tmp_path, capsys):
    functions = (
        'def scaled(x: Float[Array, "n"], /, scale: float = 2.0):\n    return 2.0 * x, lambda dy: (2.0 * dy,)\n'
        "def mine(x, scale=2.0):\n    return scale * x\n"
    )
    code, said = checked(tmp_path, capsys, "scaled", "mine", functions)
    assert code == 1
    assert "scale = 1.4" in said


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("Loss.square", "Loss.square is a method"),
        ("Loss", "Loss is a class"),
        ("loss", "loss is a Loss"),
        ("part", "part is a partial"),
        ("Loss.cube", "has no function Loss.cube; it has square, formula, Loss"),
    ],
)
def test_the_error_for_something_other_than_a_function_says_what_it_is(op, message, tmp_path, capsys):
    code, said = checked(tmp_path, capsys, op, "formula")
    assert code == 1
    assert message in said


BODIES = {
    "return x * x, lambda dy: (x if (dy * x == x).all() else 2 * x * dy,)": "is a view of the input x: return a copy",
    "return x * x, lambda dy: [2 * x * dy]": "must return a tuple, one gradient for each of x, not list",
    "return x * x, lambda dy: ([2.0] * len(x),)": "the gradient of x is a list, not an array: return np.array(…)",
    "return x * x, lambda dy: None": "one gradient for each of x, not None (is a return missing?)",
    "return x * x, lambda dy: (None,)": "the gradient of x must be an array of numbers, not NoneType",
    "return (x * x)[:, None], lambda dy: (2 * x * dy,)": "not (1,): use [..., 0], or leave out keepdims=True",
    "return x * x, lambda dy: ((2 * x * dy).astype(int),)": "an array of int64, which has no fractions",
    "return x * x, lambda dy: (2 * x,)": "it does not depend on g, the argument of the pullback: multiply by it",
    "return x * x": "it must return a pair, value and pullback, not ndarray",
    "sys.exit(0)": "it ends the program (sys.exit): use return instead",
    "while True: x = x + 1": "mine did not finish and was stopped after 0.5 seconds, in line",
}


@pytest.mark.parametrize("body", BODIES)
def test_the_message_says_what_is_wrong_with_a_result(body, tmp_path, capsys):
    function = f'def mine(x: Float[Array, "n"], /):\n    {body}\n'
    formula = "def half(x):\n    return x * x\n"
    code, said = checked(tmp_path, capsys, "mine", "half", function + formula)
    assert code == 1
    assert BODIES[body] in said


def test_a_derivation_in_float32_is_not_correct_and_the_message_says_why(capsys):
    def contrastive(d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0):
        d = d.astype(np.float32)
        far = np.maximum(np.float32(margin) - d, 0)
        value = np.where(same, d * d, far * far).mean() / 2
        return value, lambda dl: (np.where(same, d, -far) * np.float32(dl / len(d)),)

    assert not gradcheck.check(contrastive)
    said = capsys.readouterr().out
    assert "computed in float32, which has 7 digits, but the inputs are float64" in said
    yours, definition = said.splitlines()[5].split()[:2]
    assert yours != definition


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
        ([f"{file}:square"], "no formula of the library is called square"),
    ):
        assert cli.main(["check", *words]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_checks_an_op_of_the_library(capsys, tmp_path):
    assert cli.main(["check", "losses.contrastive"]) == 0
    assert "contrastive: correct" in capsys.readouterr().out
    figure = tmp_path / "page.png"
    assert cli.main(["check", "--figure", "contrastive", "--out", str(figure)]) == 0
    assert figure.stat().st_size > 10_000
