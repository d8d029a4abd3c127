"""An op that computes calls in advance gives the same check, with few messages, and a fault in the same words."""

import copy
from functools import wraps

import numpy as np
import pytest
from test_remembered import overwriting, result, twice

from minisiam import distances
from minisiam.gradcheck import reference, replay, run_check
from minisiam.gradcheck.memory import remembering


def remote(op, messages):
    """The op with a function `many`, as that of another process; `messages` gets the number of calls of each."""

    def many(calls):
        messages.append(len(calls))
        results = []
        for variables, constants, g in calls:
            given = copy.deepcopy((variables, constants, g))
            try:
                value, pullback = op(*given[0], **given[1])
                both = value, pullback(given[2])
            except ZeroDivisionError:
                break
            same = all(np.array_equal(x, y) for x, y in zip([*variables, g], [*given[0], given[2]], strict=True))
            results.append(both if same else None)
        return results

    @wraps(distances.squared_l2)
    def called(a, b, /):
        messages.append(1)
        return op(a, b)

    called.many = many
    return called


@wraps(distances.squared_l2)
def failing(a, b, /):
    """The squared distance, which fails on two rows."""
    if len(a) == 2:
        raise ZeroDivisionError("two rows")
    return distances.squared_l2(a, b)


@pytest.mark.parametrize("checked", [distances.squared_l2, twice, overwriting, failing])
def test_calls_in_advance_change_no_result(checked):
    definition = remembering(reference.squared_l2)
    result(distances.squared_l2, definition)
    messages = []
    found = result(remote(checked, messages), definition)
    assert found._replace(name="") == result(checked, reference.squared_l2)._replace(name="")
    assert max(messages) > 1


def test_a_correct_op_is_called_in_few_messages():
    definition, messages, alone = remembering(reference.squared_l2), [], []
    run_check(remote(distances.squared_l2, alone), definition, 8, 10, rows=[])
    run_check(remote(distances.squared_l2, messages), definition, 8, 10, rows=[])
    assert set(alone) == {1}
    assert len(messages) < len(alone) / 2


def test_a_pullback_gets_an_upstream_gradient_that_is_not_in_the_list():
    calls = [((np.ones((1, 1)), np.zeros((1, 1))), {}, np.ones(1))]
    op = replay.in_advance(remote(distances.squared_l2, []), calls)
    _, pullback = op(*calls[0][0])
    assert pullback(np.ones(1))[0] == 2
    assert pullback(3 * np.ones(1))[0] == 6
