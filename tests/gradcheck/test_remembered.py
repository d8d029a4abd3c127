"""A definition with a memory gives the same check, in less time, and nothing that an op does changes the memory."""

from __future__ import annotations

import numpy as np
import pytest

from minisiam import distances, losses
from minisiam.gradcheck import Case, check, inputs, memory, oracles, reference, run_check
from minisiam.gradcheck.memory import remembering
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


def result(op, definition):
    """What a check finds, without the time; of a fault, without the inputs before it, some of which are tried twice."""
    found = run_check(op, definition, 8, 10, rows=[])
    columns = found.fault and {name: np.asarray(x).tolist() for name, x in found.fault.columns.items()}
    where = found.fault and {name: np.asarray(x).tolist() for name, x in found.fault.case.inputs.items()}
    found = found._replace(points=0, error=0.0, skipped=0) if found.fault else found
    return found._replace(seconds=0.0, fault=found.fault and (found.fault.what, found.fault.variable, columns, where))


@pytest.mark.parametrize("checked", [distances.squared_l2, twice, overwriting])
def test_a_check_with_a_memory_finds_the_same_the_first_time_and_again(checked):
    remembers, plain = remembering(reference.squared_l2), result(checked, reference.squared_l2)
    for before in (distances.squared_l2, twice, overwriting, checked):
        result(before, remembers)
        assert result(checked, remembers) == plain


def test_an_op_that_overwrites_its_inputs_changes_nothing_that_is_kept():
    definition = remembering(reference.squared_l2)
    result(distances.squared_l2, definition)
    before = {key: repr(kept) for key, kept in definition.memory.items()}
    result(overwriting, definition)
    assert before == {key: repr(definition.memory[key]) for key in before}


def test_results_are_copies():
    definition = remembering(reference.squared_l2)
    case = Case({"a": np.ones((1, 1)), "b": np.zeros((1, 1))}, {}, np.ones(1))
    for _ in range(2):
        value, (da, db) = oracles.by_autograd(definition, case)
        assert (value, da, db) == (1, 2, -2)
        for array in (value, da, db):
            array[...] = 7
    drawn = inputs.generic(distances.squared_l2, definition, 0)
    drawn.variables["a"][...] = 7
    assert not (inputs.generic(distances.squared_l2, definition, 0).variables["a"] == 7).all()


def test_a_definition_is_called_once_for_each_input():
    calls = []

    def formula(a, b):
        calls.append(1)
        return reference.squared_l2(a, b)

    definition = remembering(reference.specify()(formula))
    result(distances.squared_l2, definition)
    first = len(calls)
    assert first > 100
    result(distances.squared_l2, definition)
    assert len(calls) == first


def test_a_full_memory_changes_no_result(monkeypatch):
    monkeypatch.setattr(memory, "MOST", 5)
    definition = remembering(reference.squared_l2)
    for checked in (distances.squared_l2, twice):
        assert result(checked, definition) == result(checked, reference.squared_l2)


def test_inputs_that_differ_in_a_bit_or_a_type_are_not_confused():
    seen = {memory.identity(x) for x in (0.0, -0.0, 0, False, np.float32(0), np.zeros(1), np.zeros((1, 1)), "0", None)}
    assert len(seen) == 9
    with pytest.raises(TypeError):
        memory.identity(losses.contrastive)


def test_a_definition_without_a_memory_may_change(capsys):
    factor = [1]

    def formula(a, b):
        return factor[0] * reference.squared_l2(a, b)

    assert check(distances.squared_l2, formula)
    factor[0] = 2
    assert not check(distances.squared_l2, formula)
    assert "the value is wrong" in capsys.readouterr().out
