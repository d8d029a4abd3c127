"""Calls of a function in another process, made many at a time: a check calls every right answer with the same inputs.

The calls of the first check that finds no fault are kept. For later answers the other process makes them in advance, in
few messages. From the first call that is not the next of these, or that does not simply return numbers, every call is
made when it is needed, so a fault is found at the same input and described in the same words.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from functools import partial, wraps
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from .remembered import identity
from .values import Values, unpacked

if TYPE_CHECKING:
    from ..typing import Array
    from .exercises import Function

    Section = list["Step"]  # some calls, and those of all pullbacks that they return
    Block = tuple[list[Section], str, Array]  # sections, and the same as a message

BLOCKS = (0, 8, 32, 128, 512)  # where a new message starts: few calls are made in vain if the answer is wrong
SECONDS = 1.0  # after which a message is answered, so that a slow answer is not one that waits


class Step(NamedTuple):
    """A call of the function, with its variables and constants; or of the pullback of an earlier call, its place."""

    variables: tuple[Any, ...]
    constants: dict[str, Any]
    of: int = -1


def unchanged(function: Function) -> Function:
    """The function itself."""
    return function


class Calls:
    """The calls that a check makes of every right answer.

    Parameters
    ----------
    adapt
        Makes an op of an answer, in either process: a function of this package, or a `partial` of one.
    """

    def __init__(self, adapt: Callable[[Function], Function] = unchanged) -> None:
        self.adapt = adapt if isinstance(adapt, partial) else partial(adapt)
        self.blocks: list[Block] = []

    def adapted(self, answer: Function) -> Function:
        """The op of an answer; if that is in another process, its calls are recorded, or made in advance."""
        op = self.adapt(answer)
        if not hasattr(answer, "ahead"):
            return op
        if not self.blocks:
            return _recorded(op)
        return _replayed(op, _results(self.blocks, partial(answer.ahead, self.adapt.func, list(self.adapt.args))))

    def keep(self, op: Function) -> None:
        """Keep the calls of an op that has passed, if they were recorded."""
        if not self.blocks and hasattr(op, "steps"):
            sections = _sections(op.steps)
            parts = (sections[start:end] for start, end in pairwise([*BLOCKS, None]))
            self.blocks = [_block(part) for part in parts if part]


def _block(sections: list[Section]) -> Block:
    values = Values()
    for section in sections:
        values.append(list(step) for step in section)
    return sections, *values.packed()


def _recorded(op: Function) -> Function:
    """The same op, with a list of its calls, `steps`."""
    steps: list[Step] = []

    @wraps(op)
    def recorded(*variables: Any, **constants: Any) -> Any:
        place = len(steps)
        steps.append(copy.deepcopy(Step(variables, constants)))
        result = op(*variables, **constants)
        if not _is_pair(result):
            return result

        def pullback(g: Any) -> Any:
            steps.append(copy.deepcopy(Step((g,), {}, place)))
            return result[1](g)

        return result[0], pullback

    recorded.steps = steps  # type: ignore[attr-defined]
    return recorded


def _is_pair(result: Any) -> bool:
    return isinstance(result, tuple) and len(result) == 2 and callable(result[1])


def _sections(steps: list[Step]) -> list[Section]:
    """Steps in sections: a pullback is in the section of its call, at which it has a place."""
    last = {step.of: place for place, step in enumerate(steps)}
    sections: list[Section] = []
    end = start = -1
    for place, step in enumerate(steps):
        if place > end:
            sections.append([])
            start = place
        end = max(end, last.get(place, place))
        sections[-1].append(step if step.of < 0 else step._replace(of=step.of - start))
    return sections


def _results(blocks: list[Block], ahead: Callable[..., Any]) -> Iterator[tuple[Step, Step | None, Any]]:
    """Each step, the call of whose pullback it is, and its result; up to the first section without results."""
    for sections, text, data in blocks:
        found = ahead(text, data)
        for section, results in zip(sections, found, strict=False):
            if len(results) != len(section):
                return
            for step, result in zip(section, results, strict=True):
                yield step, section[step.of] if step.of >= 0 else None, result
        if len(found) < len(sections):
            return


def _replayed(op: Function, results: Iterator[tuple[Step, Step | None, Any]]) -> Function:
    """The same op, which takes its results from an iterator as long as it gets the inputs of the steps there."""
    left = results

    def following(call: Step | None, variables: Any, constants: Any) -> tuple[Step, Any] | None:
        """The next step and its result, if it is a call with these inputs, or one of the pullback of a call."""
        nonlocal left
        step, owner, result = next(left, (None, None, None))
        if step and owner is call and _same(step, variables, constants):
            return step, result
        left = iter(())
        return None

    @wraps(op)
    def replayed(*variables: Any, **constants: Any) -> Any:
        found = following(None, variables, constants)
        if found is None:
            return op(*variables, **constants)
        step, (value, is_pair) = found
        if not is_pair:
            return value

        def pullback(g: Any) -> Any:
            pulled = following(step, (g,), {})
            return op(*variables, **constants)[1](g) if pulled is None else pulled[1][0]

        return value, pullback

    return replayed


def _same(step: Step, variables: Any, constants: Any) -> bool:
    return (
        len(step.variables) == len(variables)
        and list(step.constants) == list(constants)
        and all(map(_equal, (*step.variables, *step.constants.values()), (*variables, *constants.values())))
    )


def _equal(x: Any, y: Any) -> bool:
    return x is y or identity(x) == identity(y)


def each(adapt: Callable[..., Function], arguments: list[Any], answer: Function, text: str, data: Array) -> Any:
    """In the process of an answer: the results of each section, up to the first that does not simply return numbers."""
    inputs: list[Array] = []
    op, sections, start = adapt(*arguments, answer), unpacked(text, data, inputs), time.monotonic()
    before, replies = [x.tobytes() for x in inputs], Values()
    for section in sections:
        try:
            replies.append(_made(op, section))
        except BaseException:  # the grader makes this call again, and gets the error
            break
        if time.monotonic() > start + SECONDS:
            break
    return replies.packed() if before == [x.tobytes() for x in inputs] else Values().packed()


def _made(op: Function, section: list[list[Any]]) -> Iterator[tuple[Any, bool]]:
    """The result of each call of a section, and whether it is the value of a pair with a pullback."""
    pullbacks: list[Any] = []
    for variables, constants, of in section:
        result = pullbacks[of](*variables) if of >= 0 else op(*variables, **constants)
        is_pair = of < 0 and _is_pair(result)
        pullbacks.append(result[1] if is_pair else None)
        yield (result[0], True) if is_pair else (result, False)
