"""A check whose inputs and right results are kept finds the same in less time, and no op changes what is kept."""

from __future__ import annotations

import numpy as np
import pytest

from minisiam import distances, losses
from minisiam.course import remembered
from minisiam.course.remembered import Remembered, remembering
from minisiam.gradcheck import Case, reference, run_check
from minisiam.op import op
from minisiam.typing import Array, Float, Op


@op
def twice(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Float[Array, "n"]]:
    """The squared distance, with a gradient that is twice too large."""
    d, pullback = distances.squared_l2(a, b)
    return d, lambda dd: tuple(2 * g for g in pullback(dd))


def overwriting(a: Float[Array, "n d"], b: Float[Array, "n d"], /) -> Op[Float[Array, "n"]]:
    """The squared distance, which overwrites all that it gets at inputs of more than three rows, where none look."""
    d, pullback = distances.squared_l2(np.copy(a), np.copy(b))

    def pull(dd):
        found = pullback(np.copy(dd))
        for array in (a, b, dd):
            array[...] = 7
        return found

    return d, pull


def result(op, trials_of=None, definition=reference.squared_l2):
    """What a check finds, without the time; of a fault, without the inputs before it, some of which are tried twice."""
    kept = {} if trials_of is None else {"trials_of": trials_of}
    found = run_check(op, definition, 8, 10, rows=[], **kept)
    columns = found.fault and {name: np.asarray(x).tolist() for name, x in found.fault.columns.items()}
    where = found.fault and {name: np.asarray(x).tolist() for name, x in found.fault.case.inputs.items()}
    found = found._replace(points=0, error=0.0, skipped=0) if found.fault else found
    return found._replace(seconds=0.0, fault=found.fault and (found.fault.what, found.fault.variable, columns, where))


@pytest.mark.parametrize("checked", [distances.squared_l2, twice, overwriting])
def test_a_check_with_a_memory_finds_the_same_the_first_time_and_again(checked):
    trials_of, plain = remembering(), result(checked)
    for before in (distances.squared_l2, twice, overwriting, checked):
        result(before, trials_of)
        assert result(checked, trials_of) == plain


def test_an_op_that_overwrites_its_inputs_changes_nothing_that_is_kept():
    trials_of = remembering()
    result(distances.squared_l2, trials_of)
    kept = trials_of(distances.squared_l2, reference.squared_l2, False)
    before = [repr(each) for each in (kept.points, kept.rungs, *kept.truths.items())]
    assert len(before) > 50
    result(overwriting, trials_of)
    assert [repr(each) for each in (kept.points, kept.rungs, *kept.truths.items())][: len(before)] == before


def test_a_generic_point_is_a_copy():
    trials = Remembered(distances.squared_l2, reference.squared_l2)
    trials.generic(0).variables["a"][...] = 7
    assert not (trials.generic(0).variables["a"] == 7).all()


def test_a_definition_is_called_once_for_each_input():
    calls = []

    def formula(a, b):
        calls.append(1)
        return reference.squared_l2(a, b)

    definition, trials_of = reference.specify()(formula), remembering()
    result(distances.squared_l2, trials_of, definition)
    first = len(calls)
    assert first > 100
    result(distances.squared_l2, trials_of, definition)
    assert len(calls) == first


def test_a_full_memory_changes_no_result(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 5)
    trials_of = remembering()
    for checked in (distances.squared_l2, twice):
        assert result(checked, trials_of) == result(checked)


def test_inputs_that_differ_in_a_bit_or_a_type_are_not_confused():
    every = (0.0, -0.0, 0, False, np.float32(0), np.zeros(1), np.zeros((1, 1)), "0", None, losses.contrastive)
    assert len({remembered.identity(x) for x in every}) == len(every)
    trials = Remembered(distances.squared_l2, reference.squared_l2)
    cases = [Case({"a": np.array([[x]]), "b": np.array([[1.0]])}, {}, np.ones(1)) for x in (0.0, -0.0, 2.0)]
    assert [float(trials.truth(case).value[0]) for case in cases] == [1, 1, 1]
    assert len(trials.truths) == 3


def test_a_definition_that_is_not_kept_may_change():
    factor = [1]

    def formula(a, b):
        return factor[0] * reference.squared_l2(a, b)

    assert run_check(distances.squared_l2, formula, 2, 2)
    factor[0] = 2
    assert run_check(distances.squared_l2, formula, 2, 2).fault.what == "the value is wrong"
