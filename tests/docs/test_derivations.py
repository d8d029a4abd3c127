"""The derivations are right: each result, written again as loops from its page, equals the pullback of its op."""

import inspect
import re
from itertools import count, islice
from pathlib import Path

import derivation_results
import numpy as np
import pytest
from derivation_results import RESULTS

from minisiam.gradcheck import generic, kinks, reference, registry
from minisiam.gradcheck.inputs import scale_of

PAGES = {page.stem: page for page in (Path(__file__).parents[2] / "docs" / "derivations").glob("*.md")}
OPS = registry.ops_of(*registry.CORE)


def test_every_op_has_a_derivation():
    assert set(PAGES) == {name.partition(".")[2] for name in OPS}
    assert set(RESULTS) == set(OPS)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_derivation_has_numbered_steps_a_result_and_a_word_on_kinks(page):
    text = page.read_text()
    assert text.startswith("$$\n")
    steps = [int(number) for number in re.findall(r"^(\d+)\. \*\*", text, flags=re.M)]
    assert steps == list(range(1, len(steps) + 1)), "the steps are not numbered 1, 2, 3 …"
    assert len(steps) >= 2
    assert len(re.findall(r"^\*\*Result\.\*\*", text, flags=re.M)) == 1
    assert len(re.findall(r"^\*\*At the kink\.\*\*", text, flags=re.M)) == 1
    assert r"\mathtt{pullback}(" in text
    assert not re.search(r"\b(clearly|obviously|trivially)\b", text, flags=re.I)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_formulas_of_a_derivation_survive_markdown(page):
    """GitHub reads Markdown first: it would take \\, or }_ or * inside a formula for its own."""
    text = page.read_text()
    displayed = re.findall(r"^ *\$\$\n(.*?)^ *\$\$$", text, flags=re.M | re.S)
    rest = re.sub(r"`[^`]*`", "", re.sub(r"^ *\$\$\n.*?^ *\$\$$", "", text, flags=re.M | re.S))
    inline = re.findall(r"\$([^$]*)\$", rest)
    assert rest.count("$") == 2 * len(inline)
    for formula in displayed + inline:
        assert not re.search(r"\\[^a-zA-Z]|\*|\]\(|<\w|(^|[^A-Za-z0-9])_", formula), formula
        assert formula.count("{") == formula.count("}"), formula
        assert not re.search(r"^ *([-+#>]|\d+[.)]) |^ *=+ *$|\n *\n", formula, flags=re.M), formula


each_result = pytest.mark.parametrize("name", RESULTS)


def assert_equal(found, expected, where=""):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12, err_msg=where)


def random_cases(name):
    """Inputs of ordinary size: the loops round like the printed formula, and the op may be more accurate."""
    cases = (generic(OPS[name], reference.of(OPS[name]), seed) for seed in count())
    return islice((case for case in cases if 0.01 < scale_of(case) < 100), 40)


@pytest.mark.slow
@each_result
def test_the_result_of_a_derivation_is_the_pullback(name):
    for case in random_cases(name):
        _, pullback = case.call(OPS[name])
        found = RESULTS[name](case.upstream, *case.variables.values(), **case.constants)
        assert_equal(found, pullback(case.upstream), where=str(case))


WITH_TERMS = [name for name, f in RESULTS.items() if "reduction" in inspect.signature(f).parameters]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_TERMS)
def test_the_first_formula_of_a_derivation_is_the_value(name, monkeypatch):
    """The transcriptions give the terms ℓᵢ of the first formula to `share`."""
    original, values = derivation_results.share, []

    def recorded(dl, terms, reduction, *entry):
        values.append(sum(factor * terms[key] for key, factor in original(1, terms, reduction).items()))
        return original(dl, terms, reduction, *entry)

    monkeypatch.setattr(derivation_results, "share", recorded)
    for case in random_cases(name):
        if case.constants["reduction"] != "none":
            RESULTS[name](case.upstream, *case.variables.values(), **case.constants)
            np.testing.assert_allclose(values.pop(), case.call(OPS[name])[0], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@each_result
def test_the_result_of_a_derivation_holds_at_the_kinks(name):
    for row in kinks.of(OPS[name]):
        found = RESULTS[name](np.asarray(row.upstream)[()], *row.variables, **row.constants)
        assert_equal(found, row.gradients, where=row.where)
