"""The pages of losses, distances and miners: complete, from the docstrings, and with code that runs."""

import ast
import inspect
import re
import textwrap

import numpy as np
import pytest
from pages import loss_facts, loss_index, losses
from pages.cell import output_of, runnable
from pages.docstring import definitions, literal, markdown, read
from pages.figure import inline, words
from pages.loss_catalogue import GROUPS, constants, entries, entry, linker
from pages.loss_examples import code_of, commands

import minisiam
from minisiam import distances, miners
from minisiam.analysis.registry import LOSSES
from minisiam.app import cli
from minisiam.gradcheck import kinks
from minisiam.plots import loss_figure

ALL = entries()
OPS = [one for one in ALL if one.is_op]
each = pytest.mark.parametrize("one", ALL, ids=lambda one: one.call)
each_op = pytest.mark.parametrize("one", OPS, ids=lambda one: one.call)


def test_every_public_loss_distance_and_miner_has_a_page():
    named = {module: {one.name for one in ALL if one.module == module} for module in ("losses", "distances", "miners")}
    assert named["losses"] == set(minisiam.losses.__all__)
    assert named["miners"] == {name for name in miners.__all__ if name[0].islower()}
    assert named["distances"] == {name for name, f in vars(distances).items() if getattr(f, "is_op", False)} | {
        "calibrated",
        "tempered",
    }
    assert len({one.page for one in ALL}) == len(ALL)


@each_op
def test_every_loss_and_distance_has_a_derivation_that_begins_with_its_formula(one):
    assert losses.formula_of(one).startswith("$$")
    assert losses.derivation_text(one) in losses.derivation(one)


@each
def test_the_code_of_use_it_runs_and_its_commands_are_accepted(one):
    code = code_of(one)
    assert one.name in code
    assert len(output_of(code).strip()) > 0
    for command, _ in commands(one):
        cli.parser().parse_args(command.split()[1:])


@each
def test_a_page_says_the_first_line_of_the_docstring_and_explains_every_parameter(one):
    doc = read(one.thing)
    assert doc.summary == " ".join(inspect.getdoc(one.thing).split("\n\n")[0].split())
    assert doc.summary in losses.opening(one) or markdown(doc.summary, linker("losses/miners")) in losses.opening(one)
    if "Parameters" in doc.sections:
        explained = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^- (.*?):", losses.parameters(one), flags=re.M))))
        assert set(inspect.signature(one.thing).parameters) <= explained


@each
def test_no_formula_of_a_docstring_is_read_as_markup(one):
    text = losses.special_values(one) + losses.parameters(one)
    prose = re.sub(r"```.*?```|\[?`[^`]*`(?:\]\([^)]*\))?|^\|.*\|$", "", text, flags=re.S | re.M)
    assert not re.search(r"(?<!\\)[*_$|<>]", prose)


@each
def test_the_source_on_a_page_is_that_of_the_function_without_its_docstring(one):
    def body(text):
        (function, *_) = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        return ast.dump(function)

    whole = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(one.thing))))
    del whole.body[0].body[0]
    shown = loss_facts.source_of(one.thing)
    assert body(shown) == ast.dump(whole.body[0])
    assert '"""' not in shown.split("\n\n\n")[0]
    assert loss_facts.place_of(one.thing).startswith(f"minisiam/{one.module}")


@each_op
def test_the_reference_on_a_page_is_the_definition(one):
    definition = loss_facts.reference.DEFINITIONS[one.name]
    shown = loss_facts.reference_of(one)
    assert shown.startswith(f"def {definition.__name__}(")
    assert "noqa" not in shown
    last = inspect.getsource(definition).rstrip().splitlines()[-1].strip()
    assert re.sub(r"  # noqa: \w+", "", last) in shown


@each_op
def test_the_table_of_kinks_has_every_row_of_gradcheck(one):
    table = loss_facts.kink_table(one).splitlines()
    assert len(table) == (2 + len(kinks.of(one.thing)) if kinks.of(one.thing) else 0)
    assert all(line.count(" | ") == 3 for line in table if not line.startswith("|---"))


def test_the_conventions_are_those_of_the_command_and_each_is_on_a_page():
    from minisiam.app.conventions import compare

    rows = {(row.loss, row.convention): row for row in compare.table(*compare.example(np.random.default_rng(0)))}
    on_pages = {c.name: c for c in loss_facts.conventions_of(entry("losses.contrastive"))}
    for (loss, name), row in rows.items():
        if loss == "contrastive":
            assert (on_pages[name].value, on_pages[name].gradient) == (row.value, row.gradient)
    hinge = [c.name for c in loss_facts.conventions_of(entry("losses.triplet_hinge"))]
    assert sorted(hinge) == sorted(name for loss, name in rows if loss == "triplet")
    assert [c.calls for c in loss_facts.conventions_of(entry("losses.supcon"))] == ["SupConLoss"]
    everywhere = {op for ops, _ in loss_facts._all_conventions() for op in ops}
    assert everywhere <= {one.name for one in ALL if one.module == "losses"}


def test_a_page_links_to_the_exercises_and_lessons_that_the_site_has(tmp_path):
    one = entry("losses.contrastive")
    assert "{doc}" not in losses.related(one, tmp_path)
    for page in ("exercises/contrastive.md", "lessons/04_contrastive.py"):
        (tmp_path / page).parent.mkdir()
        (tmp_path / page).touch()
    links = losses.related(one, tmp_path)
    assert "- Exercise: {doc}`two springs: the contrastive loss <../exercises/contrastive>`" in links
    assert re.findall(r"- Lesson: \{doc\}`.* <(.*)>`", links) == ["../lessons/04_contrastive"]
    assert "Contrastive" not in links.split("The same kind")[1]
    in_folder = losses.related(entry("distances.l2"), tmp_path)
    assert "lessons/04_contrastive>`" in in_folder
    assert "<../../lessons" in in_folder


def test_the_index_has_every_loss_once_and_the_measured_comparison():
    text = loss_index.losses_index({})
    for one in ALL:
        if one.module == "losses":
            assert text.count(f"[{one.title}]({one.name}.md)") == 1
    comparison = (loss_facts.ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    conditions, rows = loss_facts.comparison()
    assert conditions in comparison
    assert len(rows) == 46
    assert {row.loss for row in rows} == set(LOSSES)
    for row in rows:
        assert f"| {row.map_at_r} |" in comparison
        assert f"| {row.map_at_r} |" in text
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(minisiam.losses.__all__)


@pytest.mark.parametrize(
    "call, text",
    [
        ("losses.contrastive", "0 where same d = 0, different d ≥ 1"),
        ("losses.pair_hinge", "0 where same d = 0, different d ≥ 1"),
        ("losses.double_margin", "0 where same d ≤ 0.2, different d ≥ 1"),
        ("losses.margin_loss", "0 where same d ≤ 1, different d ≥ 1.4"),
        ("losses.binary_cross_entropy", "never 0"),
        ("losses.triplet_hinge", "0 where d₋ − d₊ ≥ 1"),
        ("losses.triplet_ratio", "never 0"),
        ("losses.histogram", "best case 0"),
        ("losses.nca", "best case 0.43"),
        ("losses.supcon", "best case below 10⁻⁴"),
        ("losses.vicreg", ""),
    ],
)
def test_where_a_loss_is_zero(call, text):
    assert loss_index.where_zero(entry(call)) == text


def test_kinks_are_found_where_the_slope_jumps_and_not_where_it_is_steep():
    x = np.linspace(-1, 1, 41)
    assert loss_figure.kinks(lambda x: float(x > 0.123), x) == [pytest.approx(0.123, abs=1e-8)]
    assert loss_figure.kinks(lambda x: float(np.tanh(50 * x)), x) == []
    assert loss_figure.kinks(lambda x: 1.0, x) == []


def test_a_figure_in_a_page_has_the_colours_of_the_page_and_its_own_names():
    x = np.linspace(0, 1, 5)
    curve = loss_figure.Curve("one", x, x, 0 * x + 0.25, (0.5,))
    svg = inline(loss_figure.curves([curve], "d", "slope"), 'a "figure" < 2')
    assert svg.startswith('<svg class="figure" role="img" aria-label="a &quot;figure&quot; &lt; 2" viewBox=')
    assert "<style" not in svg
    assert set(re.findall(r"(?:stroke|fill): (#\w+)", svg)) <= {"#808080"}
    assert set(re.findall(r'href="#(\w+)', svg)) <= set(re.findall(r' id="(\w+)"', svg))
    assert ">0.25<" in svg
    assert "\n\n" not in svg
    assert len(svg) < 40_000


def test_a_curve_in_words():
    x = np.array([0.0, 1.0, 2.0])
    assert words(x, np.array([1.0, 0.0, -0.5])) == "from 1 at 0 to −0.5 at 2"
    assert words(x, np.array([1.0, 3.0, 1.0])) == "from 1 at 0 to 1 at 2, with its greatest value 3 at 1"


def test_the_parts_of_a_docstring():
    def f(a, b):
        """ℓ = a_b.

        More.

        Parameters
        ----------
        a, b
            (n,) numbers,
            a_b of them.
        """

    doc = read(f)
    assert (doc.summary, doc.extended) == ("ℓ = a_b.", "More.")
    assert definitions(doc.sections["Parameters"]) == "- `a`, `b`: (n,) numbers, a\\_b of them.\n"
    assert literal("Σ_q |x| < 2*y") == "Σ\\_q \\|x\\| \\< 2\\*y"
    link = linker("losses/miners")
    assert markdown("as `losses.nca` and `pairwise.l2`, not `D`", link) == (
        "as [`losses.nca`](../../losses/nca.md) and [`pairwise.l2`](../../losses/distances/l2.md), not `D`"
    )


def test_a_runnable_cell_has_the_classes_of_a_notebook_and_names_its_role():
    text = runnable("print(1)", "1\n", "check")
    assert re.findall(r'<div class="(\w+) docutils container"', text) == ["cell", "cell_input", "cell_output"]
    assert 'data-role="check"' in text
    assert text.count("<div") == text.count("</div>")
    assert output_of("print(1 + 1)") == "2\n"
    with pytest.raises(ZeroDivisionError):
        output_of("1 / 0")


def test_constants_are_the_defaults():
    assert constants(minisiam.losses.contrastive) == {"margin": 1.0}


@pytest.mark.slow
def test_the_pages_are_complete_and_written_only_if_changed(tmp_path):
    losses.write(tmp_path)
    pages = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}
    assert len(pages) == len(ALL) + 3
    for one in OPS:
        text = (tmp_path / f"{one.page}.md").read_text(encoding="utf-8")
        assert f"{one.name}: correct." in text
        assert text.count('<svg class="figure"') == 2
    losses.write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")} == pages
