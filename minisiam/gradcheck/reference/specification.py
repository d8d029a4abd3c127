"""What the universal test needs besides the formula of a definition."""

from __future__ import annotations

import inspect
from functools import wraps

from ..compare import raised


class DefinitionError(ValueError):
    """A definition that cannot be the oracle of an op; the message names it and says what to do."""


def specify(
    corner=None,
    degree=1,
    sizes=None,
    cases=({},),
    scales=(-8, 8),
    unit=0.0,
    labels=(0, 0, 1),
    reach=1.0,
    domain=None,
    held=None,
):
    """Attach facts to a definition that the universal test needs.

    Parameters
    ----------
    corner, degree
        A function of the arguments that is 0 where the formula has no derivative, and its degree in the variables.
    sizes
        The smallest and largest size of a dimension, if not 1 and 5.
    cases
        The constants to try.
    scales
        The powers of ten of the input for which the printed formula itself can be computed.
    unit
        The scale of a value's rounding errors: 1 for a cosine, 0 for a length.
    labels
        Classes that every batch has: most losses on a batch need a positive and a negative.
    reach
        Wild inputs are at most the largest number to the power `reach`.
    domain
        The interval of the variables, if it is not the whole line.
    held
        What the gradient holds constant although it depends on the variables: a function of the arguments that returns
        it as further arguments of the definition, which then uses it instead of computing it.
    """

    def mark(definition):
        definition.corner, definition.degree = corner, degree
        definition.sizes, definition.cases = sizes or {}, cases
        definition.scales, definition.unit = scales, unit
        definition.labels, definition.reach, definition.domain = labels, reach, domain
        definition.held = held
        return definition

    return mark


def specified(definition):
    """The definition, with facts for numbers of ordinary size if it has none, as for a learner's formula."""
    if hasattr(definition, "corner"):
        return definition
    return specify(scales=(-1, 1), unit=1.0, cases=({}, *_other_constants(definition)))(_with_named_errors(definition))


def _other_constants(definition):
    """Other numbers than the defaults, because an op could ignore a constant: 0.7 times each that is not whole."""
    parameters = inspect.signature(definition).parameters.values()
    found = {p.name: 0.7 * p.default for p in parameters if isinstance(p.default, float) and p.default}
    return [found] if found else []


def _with_named_errors(definition):
    """The definition, whose errors name it: without this they look like errors of the op."""
    name = getattr(definition, "__name__", type(definition).__name__)

    @wraps(definition)
    def named(*variables, **constants):
        try:
            value = definition(*variables, **constants)
        except Exception as mistake:
            advice = "Write it for whole arrays, with import autograd.numpy as np"
            raise DefinitionError(f"the definition {name} fails: {raised(mistake)}. {advice}") from mistake
        if value is None or isinstance(value, (tuple, list)):
            raise DefinitionError(f"the definition {name} must return the value alone, not {type(value).__name__}")
        return value

    return named
