"""The graders of the capstone: the functions of a learner's page, one step after the other, and then all of them.

A learner's page is a function here: `page(name, *arguments)` calls the function of that name. Steps with a gradient use
the universal check against the formulas of the library; the others compare with the definition, or state laws.
"""

from __future__ import annotations

from functools import partial, wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import distances, losses, ops
from ...gradcheck import Case, Fault, reference
from ...gradcheck.compare import WrongForm
from ...gradcheck.reference import np as anp
from ...typing import Array, Bool, Float
from ..one_page import STEPS, functions, page
from . import capstone_laws as laws
from .checked import by_check
from .compared import by_difference
from .results import Result

if TYPE_CHECKING:
    from ...typing import AnyOp
    from ..exercises import Function
    from .results import Grader

LAYERS = (
    "go back through the layers in reverse order: the gradient of one layer's output is that of the next one's input"
)
BRANCHES = "the weights are used twice: does the gradient include both uses?"


def by_steps(written: Function) -> Result:
    """The first step at which a page is wrong, or not written."""
    result = Result(None)
    for number, (step, grader) in enumerate(zip(STEPS, GRADERS, strict=True), start=1):
        result = grader(written)
        if result.fault:
            return _at_step(number, step.title, result)
    return result


def _at_step(number: int, title: str, result: Result) -> Result:
    """A fault with the step at which it is found."""
    fault: Any = result.fault
    what = f"step {number} of {len(STEPS)}, {title}: {fault.what}"
    if not fault.what.startswith(UNWRITTEN):
        return result._replace(fault=fault._replace(what=what))
    before = f"steps 1 to {number - 1} are right. " if number > 2 else "step 1 is right. " if number == 2 else ""
    what = f"{before}Next is step {number} of {len(STEPS)}, {title}"
    return Result(Fault(what, Case({}, {}, None)), unwritten=True)


NO_PULLBACK = "it does not return a pullback yet"
UNWRITTEN = ("it raises NotImplementedError", NO_PULLBACK)


def _as_op(library: AnyOp, name: str, omit: tuple[str, ...], written: Function) -> AnyOp:
    """A function of the page with the signature of the library's op."""
    kept = [p for p in signature(library).parameters.values() if p.name not in omit]

    @wraps(library)
    def op(*variables: Any, **constants: Any) -> Any:
        return written(name, *variables, **constants)

    op.__signature__ = signature(library).replace(parameters=kept)  # type: ignore[attr-defined]
    return op


def _as_valued(library: AnyOp, name: str, omit: tuple[str, ...], written: Function) -> AnyOp:
    """The same for a function that returns a value and, later, a pullback; with the pullback of the library."""
    op = _as_op(library, name, omit, written)

    @wraps(op)
    def valued(*variables: Any, **constants: Any) -> Any:
        result = op(*variables, **constants)
        value = result[0] if isinstance(result, tuple) and len(result) == 2 else result
        return value, library(*map(np.array, variables), **constants)[1]

    return valued


def _value(library: AnyOp, name: str, omit: tuple[str, ...] = ()) -> Grader:
    """Grade the value of a function."""
    return by_check(library, partial(_as_valued, library, name, omit), value_only=True, share=3)


def _gradient(library: AnyOp, name: str, omit: tuple[str, ...] = ()) -> Grader:
    """Grade a function with its pullback."""
    grader = by_check(library, partial(_as_op, library, name, omit), share=2)

    def graded(written: Function) -> Result:
        result = grader(written)
        if result.fault and result.fault.what.startswith("it must return a pair"):
            return result._replace(fault=result.fault._replace(what=NO_PULLBACK))
        return result

    return graded


def _only_list(gradients: Any, like: list[Array]) -> tuple[Any, ...]:
    """The list in the tuple that a pullback returns, which must be like the parameters."""
    if not isinstance(gradients, tuple) or len(gradients) != 1 or not isinstance(gradients[0], list):
        raise WrongForm("the pullback must return a tuple with one list, (dparams,)")
    if len(gradients[0]) != len(like):
        raise WrongForm(f"dparams must be a list of {len(like)} arrays, like params, and it has {len(gradients[0])}")
    return tuple(gradients[0])


def _encoder(written: Function) -> AnyOp:
    def encoder(
        W1: Float[Array, "i h"], b1: Float[Array, "h"], W2: Float[Array, "h o"], b2: Float[Array, "o"], /,
        x: Float[Array, "n i"],
    ) -> Any:  # fmt: skip
        params = [W1, b1, W2, b2]
        z, pullback = written("encoder", params, x.astype(W1.dtype))
        return z, lambda dz: _only_list(pullback(dz), params)

    return encoder


def _siamese(written: Function) -> AnyOp:
    def siamese(
        W1: Float[Array, "i h"], b1: Float[Array, "h"], W2: Float[Array, "h o"], b2: Float[Array, "o"], /,
        x1: Float[Array, "n i"], x2: Float[Array, "n i"], same: Bool[Array, "n"],
    ) -> Any:  # fmt: skip
        params = [W1, b1, W2, b2]
        value, pullback = written("siamese", params, x1.astype(W1.dtype), x2.astype(W1.dtype), same)
        return value, lambda dl: _only_list(pullback(dl), params)

    return siamese


def _hidden(W1: Any, b1: Any, W2: Any, b2: Any, x: Any) -> Any:
    return x @ W1 + b1


@reference.specify(corner=_hidden, degree=2, scales=(-2, 2))
def two_layers(W1: Any, b1: Any, W2: Any, b2: Any, x: Any) -> Any:
    """The formula of the encoder."""
    return anp.maximum(_hidden(W1, b1, W2, b2, x), 0) @ W2 + b2


def _corners(*variables: Any, x1: Any, x2: Any, same: Any) -> Any:
    """0 where a hidden unit is 0, two embeddings are equal, or a distance is the margin."""
    W1, b1, *_ = variables
    d = np.linalg.norm(two_layers(*variables, x1) - two_layers(*variables, x2), axis=1)
    return np.concatenate([*((x @ W1 + b1).ravel() for x in (x1, x2)), d, d - 1])


@reference.specify(corner=_corners, degree=2, scales=(-2, 2))
def two_branches(*variables: Any, x1: Any, x2: Any, same: Any) -> Any:
    """The formula of the siamese network."""
    d = reference.l2(two_layers(*variables, x1), two_layers(*variables, x2))
    return reference.contrastive(d, same)


def _test(written: Function) -> Function:
    return partial(written, "one_shot")


REDUCTION, INPUT_GRAD = ("reduction",), ("input_grad",)
GRADERS: tuple[Grader, ...] = (
    _value(distances.l2, "distance"),
    _gradient(distances.l2, "distance"),
    _value(losses.contrastive, "contrastive", REDUCTION),
    _gradient(losses.contrastive, "contrastive", REDUCTION),
    _gradient(ops.dense, "dense", INPUT_GRAD),
    _gradient(ops.relu, "relu"),
    by_check(page, _encoder, two_layers, [], LAYERS, share=4),
    by_check(page, _siamese, two_branches, [], BRANCHES, share=2),
    laws.by_laws_of_pairs,
    laws.by_descent,
    by_difference(functions()["one_shot"], laws.embeddings, float, "a number", laws.clue_of_test, _test),
    laws.by_whole,
)
