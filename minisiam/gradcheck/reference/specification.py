"""What the universal test needs besides the formula of a definition."""

from __future__ import annotations


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
    return definition if hasattr(definition, "corner") else specify(scales=(-1, 1), unit=1.0)(definition)
