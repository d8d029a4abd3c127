"""An answer whose calls are made in advance gets the same verdict, with few messages, and a fault in the same words."""

from functools import partial, wraps

import numpy as np
import pytest
from test_remembered import overwriting, result, twice

from minisiam import distances
from minisiam.course import find, in_advance, sandbox, worker
from minisiam.course import remote as remote_calls
from minisiam.course.in_advance import Calls
from minisiam.course.values import unpacked
from minisiam.gradcheck import reference, run_check


def remote(op, messages):
    """The op as that of another process: each call alone, or many in advance. `messages` gets the calls of each."""

    def ahead(adapt, arguments, text, data):
        results = unpacked(*in_advance.each(adapt, arguments, op, text, data), [])
        messages.append(sum(map(len, results)))
        return results

    @wraps(distances.squared_l2)
    def called(a, b, /):
        messages.append(1)
        return op(a, b)

    called.ahead = ahead
    return called


@pytest.fixture(scope="module")
def calls():
    """The calls of a check of a right answer."""
    made = Calls()
    op = made.adapted(remote(distances.squared_l2, []))
    assert result(op).fault is None
    made.keep(op)
    return made


def failing(a, b, /):
    """The squared distance, which fails on two rows."""
    if len(a) == 2:
        raise ZeroDivisionError("two rows")
    return distances.squared_l2(a, b)


def forgetful(a, b, /):
    """The squared distance, whose pullback uses the inputs of the latest call."""
    forgetful.a, forgetful.b = a, b
    return distances.squared_l2(a, b)[0], lambda dd: distances.squared_l2(forgetful.a, forgetful.b)[1](dd)


def reusing(a, b, /):
    """The squared distance, whose pullback returns the same array each time."""
    d, pullback = distances.squared_l2(a, b)
    buffer = np.empty_like(a)

    def pull(dd):
        buffer[...] = pullback(dd)[0]
        return buffer, -buffer

    return d, pull


def ending(a, b, /):
    """The squared distance, which ends the program on three rows."""
    return distances.squared_l2(a, b) if len(a) < 3 else exit(0)


for each in (failing, forgetful, reusing, ending):
    each.__annotations__, each.__name__ = distances.squared_l2.__annotations__, "squared_l2"

FAULTS = {
    twice: "the gradient of a is wrong",
    overwriting: "it changes its input",
    failing: "it raises ZeroDivisionError: two rows",
    forgetful: "pullback fails after another call of squared_l2",
    reusing: "pullback changes the gradients that it returned before",
}


@pytest.mark.parametrize("checked", [distances.squared_l2, *FAULTS])
def test_calls_in_advance_change_no_result(checked, calls):
    messages = []
    found = result(calls.adapted(remote(checked, messages)))
    assert found._replace(name="") == result(checked)._replace(name="")
    assert max(messages) > 1 or checked is overwriting
    assert checked not in FAULTS or found.fault[0].startswith(FAULTS[checked])


def test_an_answer_that_ends_the_program_ends_it_when_the_call_is_needed(calls):
    with pytest.raises(SystemExit):
        result(calls.adapted(remote(ending, [])))


def test_a_right_answer_is_called_in_few_messages(calls):
    messages = []
    assert result(calls.adapted(remote(distances.squared_l2, messages))).fault is None
    assert len(messages) <= len(in_advance.BLOCKS)
    assert sum(messages) > 100


def test_only_the_calls_of_an_answer_that_passes_are_kept():
    made = Calls()
    made.adapted(remote(twice, []))
    assert not made.blocks
    made.keep(distances.squared_l2)
    assert not made.blocks


def test_another_input_and_another_upstream_gradient_are_not_confused(calls):
    (first, *_), *_ = calls.blocks[0][0]
    op, zeros = calls.adapted(remote(distances.squared_l2, [])), np.zeros((1, 1))
    value, pullback = op(*first.variables)
    assert value == distances.squared_l2(*first.variables)[0]
    g = 3 * np.ones(1)
    np.testing.assert_array_equal(pullback(g)[0], distances.squared_l2(*first.variables)[1](g)[0])
    assert op(zeros + 5, zeros)[0] == 25
    assert op(*first.variables)[0] == value


@pytest.mark.parametrize("forged", [[[]], [], [[(7, True)], [(1, False)]]])
def test_results_that_are_missing_are_computed_when_they_are_needed(forged, calls):
    op = remote(distances.squared_l2, [])
    op.ahead = lambda *_: forged
    assert result(calls.adapted(op)).fault is None


class FakePeer:
    """A connection to an answer that replies to calls in advance with a given value."""

    ended = False

    def __init__(self, reply):
        self.reply = reply

    def function(self, number):
        def each(*_):
            if isinstance(self.reply, Exception):
                raise self.reply
            return self.reply

        return each

    def end(self):
        self.ended = True
        raise remote_calls.Ended


NOTHING = np.zeros(0, np.uint8)
DAMAGED = {
    "no pair": None,
    "no text": (1, NOTHING),
    "no bytes": ("[]", None),
    "no JSON": ("[", NOTHING),
    "a number": ("1", NOTHING),
    "no results": ('["list", [1]]', NOTHING),
    "no tuples": ('["list", [["list", [1]]]]', NOTHING),
    "an array without numbers": ('["list", [["array", "<f8", [3], true]]]', NOTHING),
    "a function of the package": ('["list", [["import", "os", "system"]]]', NOTHING),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_reply_ends_the_connection(what):
    ahead = worker.Ahead(FakePeer(DAMAGED[what]))
    with pytest.raises(remote_calls.Ended):
        ahead.results(None, in_advance.unchanged, [], "", NOTHING)
    assert ahead.peer.ended and ahead.waits


def test_results_that_are_too_large_to_send_are_computed_when_they_are_needed():
    ahead = worker.Ahead(FakePeer(ValueError("the result is larger than 64 megabytes")))
    assert ahead.results(None, in_advance.unchanged, [], "", NOTHING) == []
    assert not ahead.waits


ENDS_LATE = """
from __future__ import annotations
from minisiam.typing import Array, Float

def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):
    if a.shape == (2, 2) and not (4 * a % 1).any():
        __import__("os")._exit(0)
    return ((a - b) ** 2).sum(axis=1) FACTOR
"""


def test_a_call_in_advance_that_ends_the_process_changes_no_verdict():
    right = ENDS_LATE.replace("(2, 2)", "()").replace("FACTOR", "")
    with sandbox.Grader() as grader:
        reports = [
            grader.check(find("squared-distance"), text.encode())
            for text in (right, ENDS_LATE.replace("FACTOR", ""), ENDS_LATE.replace("FACTOR", "+ (len(a) == 3)"))
        ]
    assert [report.status for report in reports] == ["passed", "failed", "failed"]
    assert reports[1].what.startswith("it ended the program (os._exit)")
    assert reports[2].what == "the value is wrong"


def sum_of(factor, answer):
    """An op of an answer that is a function of one array."""
    return lambda x: factor * answer(x)


def test_the_process_of_the_answer_adapts_it():
    made, seen = Calls(partial(sum_of, 2)), []

    def answer(x):
        return x.sum()

    def ahead(adapt, arguments, text, data):
        seen.append((adapt, arguments))
        return unpacked(*in_advance.each(adapt, arguments, lambda x: x.sum(), text, data), [])

    answer.ahead = ahead
    for _ in range(2):
        op = made.adapted(answer)
        assert [op(np.arange(n)) for n in (2, 3)] == [2, 6]
        made.keep(op)
    assert seen == [(sum_of, [2])]


def test_a_slow_answer_is_continued_call_by_call(monkeypatch, calls):
    monkeypatch.setattr(in_advance, "SECONDS", -1.0)
    messages = []
    assert run_check(calls.adapted(remote(distances.squared_l2, messages)), reference.squared_l2, 8, 10, rows=[])
    assert messages.count(1) > 50
