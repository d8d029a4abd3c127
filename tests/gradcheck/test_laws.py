"""Laws of every pullback: it is linear and repeatable, changes no input, and keeps dtypes and shapes."""

import copy
import inspect

import numpy as np
import pytest
from every_op import OPS
from hypothesis import HealthCheck, given, settings

from minisiam import gradcheck
from minisiam.gradcheck import reference


def law(op):
    """Run a test on 40 small inputs of an op, including corners and ties, or on 20 if the op takes a batch."""
    *_, largest = gradcheck.ladder(op, reference.of(op))
    examples = 20 if "labels" in inspect.signature(op).parameters else 40

    def decorate(test):
        run = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        run(given(largest)(test))()

    return decorate


def upstream(value, dtype=float):
    return np.random.default_rng(0).normal(size=np.shape(value)).astype(dtype)[()]


@pytest.mark.slow
@pytest.mark.parametrize("op", OPS)
def test_pullbacks_are_linear_and_repeatable(op):
    @law(op)
    def holds(case):
        value, pullback = op(*case.variables.values(), **case.constants)
        g = upstream(value)
        first = copy.deepcopy(pullback(g))
        op(*[v + 1 for v in case.variables.values()], **case.constants)  # somebody else uses the op meanwhile
        for once, again, twice in zip(first, pullback(g), pullback(2 * g), strict=True):
            np.testing.assert_array_equal(once, again)
            np.testing.assert_allclose(twice, 2 * np.asarray(once), rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("op", OPS)
def test_an_op_does_not_change_its_inputs(op):
    @law(op)
    def holds(case):
        before = copy.deepcopy(case)
        value, pullback = op(*case.variables.values(), **case.constants)
        g = upstream(value)
        g_before = np.copy(g)
        pullback(g)
        np.testing.assert_array_equal(g, g_before)
        for name, array in (case.variables | case.constants).items():
            np.testing.assert_array_equal(array, (before.variables | before.constants)[name])


@pytest.mark.parametrize("op", OPS)
def test_float32_stays_float32_and_gradients_have_the_shape_of_their_variable(op):
    @law(op)
    def holds(case):
        variables = [v.astype(np.float32) for v in case.variables.values()]
        value, pullback = op(*variables, **case.constants)
        assert value.dtype == np.float32
        # the upstream gradient of a loss may be a Python float or a np.float64; neither may change the dtype
        upstreams = [1.0, np.float64(0.5)] if np.ndim(value) == 0 else [upstream(value, np.float32)]
        for g in upstreams:
            grads = pullback(g)
            assert [np.asarray(dv).dtype for dv in grads] == [np.float32] * len(variables)
            assert [np.shape(dv) for dv in grads] == [v.shape for v in variables]
            assert all(np.isfinite(dv).all() for dv in grads)


@pytest.mark.parametrize("op", [p for p in OPS if p.values[0].__name__ in ("dense", "conv2d")])
def test_input_grad_false_removes_only_dx(op):
    @law(op)
    def holds(case):
        value, full = op(*case.variables.values(), **case.constants)
        _, short = op(*case.variables.values(), **case.constants, input_grad=False)
        g = upstream(value)
        dx, *dparams = short(g)
        assert dx is None
        for ours, truth in zip(dparams, full(g)[1:], strict=True):
            np.testing.assert_array_equal(ours, truth)
