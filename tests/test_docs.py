"""The pages agree with the package: their code runs, their commands are accepted, their links and counts are right."""

import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from minisiam import fast, gradcheck, losses
from minisiam.analysis import diagnosis
from minisiam.analysis.registry import MINERS
from minisiam.app import cli
from minisiam.gradcheck import kinks, reference, registry
from minisiam.losses import pairs

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
COURSE = [ROOT / "lessons" / "README.md", ROOT / "lessons" / "museum" / "README.md"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS, *COURSE]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.S | re.M)


def prose(page):
    """A page without its blocks of Python."""
    return re.sub(r"^```python\n.*?^```", "", page.read_text(), flags=re.S | re.M)


def commands(page):
    """The words of each `minisiam …` in a block or in a sentence."""
    text = re.sub(r" \\\n +", " ", prose(page))  # a command that continues on the next line
    in_blocks = re.findall(r"^ {4,}(?:\$ )?(?:\.venv/bin/|uv run )?(minisiam .*)$", text, flags=re.M)
    in_sentences = re.findall(r"`(?:\.venv/bin/)?(minisiam [^`]*)`", text)
    in_sentences = [re.sub(r"^minisiam (\w+)$", r"minisiam \1 --help", command) for command in in_sentences]  # a name
    return [shlex.split(line, comments=True)[1:] for line in in_blocks + in_sentences]


# the page of recipes needs other packages, and that on using a network a run: test_recipes.py and test_use.py run them
RUN_HERE = [page for page in DOCS if blocks(page) and page.stem not in ("interop", "using")]


@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for number, block in enumerate(blocks(page), start=1):
        exec(compile(block, f"{page.name} block {number}", "exec"), namespace)


def test_the_loss_of_contributing_equals_its_formula_and_its_special_values():
    written, formula, special = blocks(ROOT / "CONTRIBUTING.md")
    module, definitions, table = dict(vars(pairs)), dict(vars(reference)), vars(kinks.pairs) | {"ROWS": []}
    exec("from __future__ import annotations\n" + written, module)
    exec(formula, definitions)
    exec(special, table)
    loss = module["soft_contrastive"]
    assert gradcheck.check(loss, definitions["soft_contrastive"])
    assert len(table["ROWS"]) == 2
    for row in table["ROWS"]:
        value, pullback = loss(*row.variables, **row.constants)
        np.testing.assert_allclose(value, row.value, rtol=1e-15)
        np.testing.assert_allclose(pullback(row.upstream), row.gradients, rtol=1e-15)


ACCEPTED = [
    pytest.param(words, id=f"{page.relative_to(ROOT)}: {' '.join(words)}") for page in PAGES for words in commands(page)
]


@pytest.mark.parametrize("words", ACCEPTED)
def test_the_parser_accepts_a_printed_command(words, capsys):
    try:
        cli.parser().parse_args(words)
    except SystemExit as end:
        assert end.code == 0, capsys.readouterr().err  # 0: --help and --version


def test_the_pages_print_commands():
    assert len(ACCEPTED) > 50


@each_page
def test_links_and_pictures_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"`[^`]*`", "", prose(page))):
        assert "://" in target or (page.parent / target).exists(), target


@each_page
def test_a_path_in_a_page_exists(page):
    for path in re.findall(r"`((?:minisiam|tests|tools|benchmarks|lessons|docs|\.github)/[\w./-]*)`", prose(page)):
        assert (ROOT / path).exists(), path


@each_page
def test_a_make_target_in_a_page_exists(page):
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", prose(page), flags=re.M)) <= targets


def test_make_demo_installs_what_makes_training_fast():
    """The extra "threads": without it, an encoder runs on one core."""
    (recipe,) = re.findall(r"^\.venv/demo\.stamp:.*\n\t.*'\.\[(.+)\]'", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "threads" in recipe.split(",")


def test_the_index_links_every_page():
    index = (ROOT / "docs" / "index.md").read_text()
    assert set(re.findall(r"\]\((\w[\w-]*\.md)\)", index)) == {page.name for page in DOCS} - {"index.md"}


FUNCTIONS = [name for name in losses.__all__ if getattr(getattr(losses, name), "is_op", False)]
COUNTS = {
    ("losses.md", r"(\w+) loss functions"): len(FUNCTIONS),
    ("losses.md", r"any of (\w+) miners"): len(MINERS),
    ("correctness.md", r"gradients, (\w+) in all"): len(kinks.TABLE),
}
WORDS = {"sixteen": 16}


@pytest.mark.parametrize(("page", "phrase"), COUNTS)
def test_a_count_in_the_docs_is_correct(page, phrase):
    found = re.findall(phrase, (ROOT / "docs" / page).read_text())
    assert found, "the sentence is gone: remove its phrase here"
    assert {WORDS.get(word) or int(word) for word in found} == {COUNTS[page, phrase]}


def test_the_table_of_ops_lists_every_op_with_its_kinks():
    """`minisiam check --all` prints the table. Errors differ between machines, names and kinks do not."""
    lines = (ROOT / "docs" / "correctness.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    ops = registry.ops_of(*registry.CORE, fast)
    expected = {f"`{name}`": (", ".join(gradcheck.variables(op)), str(len(kinks.of(op)))) for name, op in ops.items()}
    assert {name: (variables, number) for name, variables, _, number in rows} == expected


def test_every_loss_is_in_the_table_of_losses():
    page = (ROOT / "docs" / "losses.md").read_text()
    assert [name for name in FUNCTIONS if not re.search(rf"\b{name}\b", page)] == []


@pytest.mark.parametrize("page", ["README.md", "docs/teaching.md", "lessons/README.md", "CHANGELOG.md"])
def test_no_page_counts_losses_in_words(page):
    assert not re.search(r"\b(thirty|twenty-\w+|thirty-\w+) losses", (ROOT / page).read_text(), flags=re.I)


def test_the_page_for_teachers_quotes_messages_of_the_diagnosis():
    quoted = re.findall(r"`trouble: (.*?) …`", (ROOT / "docs" / "teaching.md").read_text())
    assert len(quoted) == 3
    for start in quoted:
        assert any(message.startswith(start) for message in diagnosis.MESSAGES.values()), start


PROSE = ("*.md", "docs/*.md", "lessons/**/*.md", "lessons/**/*.py", "minisiam/**/*.py")


def test_pen_glyphs_are_called_simulated_wherever_their_drawers_are_counted():
    """Their letters are font skeletons, redrawn by a random model; Omniglot's were drawn by people."""
    for path in (path for pattern in PROSE for path in ROOT.glob(pattern)):
        for sentence in re.split(r"(?<=[.])\s|\n\n", path.read_text()):
            if re.search(r"pen.?glyphs", sentence, flags=re.I) and re.search(r"\b(twenty|20) (people|hands)", sentence):
                assert "simulated" in sentence, (path, sentence)


def requirements(text, name):
    return set(re.findall(rf'"({name}[<>=~][^"]*)"', text))


@pytest.mark.parametrize("tool", ["ruff", "mypy"])
def test_the_hooks_use_the_versions_of_pyproject(tool):
    pinned = requirements((ROOT / "pyproject.toml").read_text(), tool)
    assert len(pinned) == 1
    assert requirements((ROOT / ".pre-commit-config.yaml").read_text(), tool) == pinned


def test_the_workflow_runs_the_script_with_each_python_and_all_tests_with_the_oldest_versions():
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    assert re.findall(r"- run: (.*)", workflow) == [".ci/run", "make test-oldest"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    supported = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert re.findall(r"python: \[(.*)\]", workflow) == [", ".join(f'"{version}"' for version in supported)]
