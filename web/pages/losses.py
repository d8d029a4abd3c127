"""A page for each loss, distance and miner, and three indexes.

Nothing is written here twice: what a function does is its docstring, the derivation is docs/derivations/, the kinks and
the formula that it is tested against are those of gradcheck, and every number is computed when the page is written.
"""

from __future__ import annotations

import inspect
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minisiam.analysis.registry import LOSSES
from minisiam.course.exercises import EXERCISES

from . import loss_facts as facts
from .cell import executed, source
from .docstring import definitions, markdown, read
from .loss_catalogue import FOLDERS, Entry, entries, linker, pairwise_of
from .loss_examples import code_of, commands, networks
from .loss_figures import Drawn, of_distance, of_loss, of_miner
from .loss_index import distances_index, losses_index, miners_index

DERIVATIONS = facts.ROOT / "docs" / "derivations"
SCRIPTS = facts.ROOT / "lessons"


def write(folder: Path) -> None:
    """Write the pages of all losses, distances and miners into the folder of sources."""
    figures = {one: figure_of(one) for one in entries()}
    for one in entries():
        _write(folder / f"{one.page}.md", page(one, figures[one], folder))
    for name, text in (("losses", losses_index), ("distances", distances_index), ("miners", miners_index)):
        _write(folder / FOLDERS[name] / "index.md", text({one: drawn.small for one, drawn in figures.items() if drawn}))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def figure_of(one: Entry) -> Drawn | None:
    """The figures of a page; what only combines other functions has none."""
    if one.module == "miners":
        rng = np.random.default_rng(0)
        given: dict[str, dict[str, Any]] = {
            "random_triplets": {"rng": rng},
            "distance_weighted": {"rng": rng, "dimensions": 2},
        }
        return of_miner(partial(one.thing, **given.get(one.name, {})), unit=one.name == "distance_weighted")
    if not one.is_op:
        return None
    return of_distance(one.name) if one.module == "distances" else of_loss(one.name, one.distance)


def page(one: Entry, figure: Drawn | None, site: Path) -> str:
    """The page of one function. `site` is the folder of sources: lessons and exercises in it are linked."""
    sections = (
        opening(one), use_it(one), parameters(one), drawing(figure), derivation(one), special_values(one),
        in_libraries(one), check_it(one), its_source(one), references(one), related(one, site),
    )  # fmt: skip
    return "\n".join(filter(None, sections))


def opening(one: Entry) -> str:
    """The title, the formula, and the docstring's own words."""
    doc, link = read(one.thing), linker(FOLDERS[one.module])
    lines = [f"# {one.title} (`{one.name}`)\n"]
    if formula := formula_of(one):
        lines.append(f"{formula}\n")
    if "`" in doc.summary:  # a sentence, not a formula
        lines.append(f"{markdown(doc.summary, link)}\n")
    else:
        lines.append(f"```{{code-block}} text\n:class: formula\n{doc.summary}\n```\n")
    if doc.extended:
        lines.append(f"{markdown(doc.extended, link)}\n")
    if one.module == "losses" and (found := compared(one)):
        count = len(facts.comparison()[1])
        rows = [f"`{row.name}`: {row.map_at_r} % MAP@R, rank {row.rank} of {count}" for row in found]
        up = "../" * (FOLDERS[one.module].count("/") + 1)
        lines.append(f"[Compared on one protocol]({up}docs/comparison.md): {'; '.join(rows)}.\n")
    return "\n".join(lines)


def compared(one: Entry) -> list[facts.Compared]:
    """The best row of each of its names in docs/comparison.md: the best miner, if there are several."""
    best = {row.loss: row for row in reversed(facts.comparison()[1])}
    return [row for loss, row in best.items() if loss in one.words]


def formula_of(one: Entry) -> str:
    """The formula with which the derivation begins."""
    text = derivation_text(one)
    found = re.match(r"\s*(\$\$.*?\$\$)", text, flags=re.S)
    return found[1] if found else ""


def derivation_text(one: Entry) -> str:
    """The derivation of an op, or "" if it has none."""
    path = DERIVATIONS / f"{one.name}.md"
    return path.read_text(encoding="utf-8") if one.is_op and path.is_file() else ""


def use_it(one: Entry) -> str:
    """Python that runs, and the words of the command line."""
    text = f"## Use it\n\n{executed(code_of(one))}"
    found = commands(one)
    if not found:
        return text
    lines = "\n".join(command for command, _ in found)
    text += f"\nOn the command line:\n\n```{{code-block}} console\n{lines}\n```\n"
    if one.module != "losses":
        return text
    for word, (_, config) in zip(one.words, found, strict=True):
        parts = [f"distance {config.distance}"]
        parts += [f"miner {config.miner}"] if config.miner else []
        parts += [f"margin {config.margin:g}"] if config.margin is not None else []
        parts += [f"{name} {value:g}" for name, value in _set(word).items()]
        text += f"\n- `{word}`: {', '.join(parts)}; networks {', '.join(networks(word))}"
    return text + "\n"


def _set(word: str) -> dict[str, float]:
    """The constants that the command line sets for a loss."""
    keywords = getattr(LOSSES[word], "keywords", {})
    return {name: value for name, value in keywords.items() if not isinstance(value, bool)}


def parameters(one: Entry) -> str:
    """The parameters and what is returned, from the docstring."""
    doc, link = read(one.thing), linker(FOLDERS[one.module])
    text = f"## Parameters\n\n```{{code-block}} python\n{one.call}({_arguments(one)})\n```\n"
    if "Parameters" in doc.sections:
        text += f"\n{definitions(doc.sections['Parameters'], link)}"
    if "Returns" in doc.sections:
        text += f"\nReturns\n\n{definitions(doc.sections['Returns'], link)}"
    return text


def _arguments(one: Entry) -> str:
    """The arguments with their defaults, without types: `d, /, same, margin=1.0`."""
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in inspect.signature(one.thing).parameters.values()]
    return str(inspect.Signature(bare)).strip("()").replace("'", '"')


def drawing(figure: Drawn | None) -> str:
    """The figures, and what they show."""
    if figure is None:
        return ""
    svgs = "\n".join(figure.svgs)
    return f'## Figure\n\n```{{raw}} html\n<div class="figures">\n{svgs}\n</div>\n```\n\n{figure.caption}\n'


def derivation(one: Entry) -> str:
    """The gradient, step by step."""
    text = derivation_text(one)
    return f"## Derivation of the gradient\n\n{text}" if text else ""


def special_values(one: Entry) -> str:
    """Kinks: the notes of the docstring, and the table of exact results."""
    doc, link = read(one.thing), linker(FOLDERS[one.module])
    notes, table = doc.sections.get("Notes", ""), facts.kink_table(one) if one.is_op else ""
    if not notes and not table:
        return ""
    title = "Where it has a kink, and other special values" if table else "Notes"
    text = f"## {title}\n\n{markdown(notes, link)}\n" if notes else f"## {title}\n"
    if table:
        text += f"\nThe tests require these results exactly, up to rounding; a 0 is exactly 0.\n\n{table}"
    return text


def in_libraries(one: Entry) -> str:
    """The conventions of other libraries, computed on the common batch."""
    found = facts.conventions_of(one)
    if not found:
        return ""
    return (
        "## In other libraries\n\nValue and length of the gradient on one batch, twelve points of four classes in "
        "eight dimensions (the batch of `minisiam compare`; proxies are the class means):\n\n"
        f"{facts.convention_table(found)}"
        "\nIn Python: `conventions.loss(NAME, convention=CONVENTION)` of `minisiam.app.conventions`.\n"
    )


def check_it(one: Entry) -> str:
    """A cell that checks the gradient."""
    if not one.is_op:
        return ""
    code = f"from minisiam import {one.module}, gradcheck\n\ngradcheck.check({one.call})\n"
    return (
        "## Check it here\n\nThe check compares the gradient with automatic differentiation of the printed formula and "
        f"with finite differences:\n\n{executed(code)}"
    )


def its_source(one: Entry) -> str:
    """The op as it is, and the formula that it is tested against."""
    text = f"## Source\n\n{source(facts.source_of(one.thing), facts.place_of(one.thing))}"
    if one.module == "distances" and one.is_op:
        matrix = pairwise_of(one)
        text += f"\nThe matrix form:\n\n{source(facts.source_of(matrix), facts.place_of(matrix))}"
    if one.is_op:
        text += (
            "\nThe formula that it is tested against, in autograd's NumPy:\n\n"
            f"{source(facts.reference_of(one), facts.place_of(_definition(one)))}"
        )
    return text


def _definition(one: Entry) -> object:
    return facts.reference.DEFINITIONS[one.name]


def references(one: Entry) -> str:
    """The papers of the docstring."""
    said = read(one.thing).sections.get("References")
    if not said:
        return ""
    works = re.split(r"; (?=[A-Z][^;]*\(\d{4}\))", " ".join(said.split()))
    link = linker(FOLDERS[one.module])
    return "## References\n\n" + "\n".join(f"- {markdown(work.rstrip('.'), link)}" for work in works) + "\n"


def related(one: Entry, site: Path) -> str:
    """Links to exercises, lessons, the API, and pages near it."""
    up = "../" * (FOLDERS[one.module].count("/") + 1)
    lines = [
        f"- Exercise: {{doc}}`{title} <{up}{place}>`" for title, place in _exercises(one) if _is_staged(site, place)
    ]
    for title, place in _lessons(one):
        if _is_staged(site, place):
            lines.append(f"- {'Museum' if 'museum' in place else 'Lesson'}: {{doc}}`{title} <{up}{place}>`")
    near = [other for other in entries() if other.module == one.module and other is not one and _near(one, other)]
    lines.append(f"- The same kind: {', '.join(f'[{other.title}]({other.name}.md)' for other in near)}")
    lines.append(f"- API: {{py:func}}`minisiam.{one.call}`")
    return "## Related\n\n" + "\n".join(lines) + "\n"


def _is_staged(site: Path, place: str) -> bool:
    """Whether the site has this page."""
    return any((site / place).parent.glob(f"{Path(place).name}.*"))


def _exercises(one: Entry) -> list[tuple[str, str]]:
    """The title and the address of each exercise on this function."""
    calls = (one.call, one.call.replace("distances.", "pairwise."))
    return [(exercise.title, f"exercises/{exercise.name}") for exercise in EXERCISES if exercise.op in calls]


def _lessons(one: Entry) -> list[tuple[str, str]]:
    """The title and the address of each lesson and each museum piece that calls this function."""
    found = []
    for path in sorted(SCRIPTS.rglob("[0-9]*.py")):
        text = path.read_text(encoding="utf-8")
        title = re.search(r"^# # (.*)$", text, flags=re.M)
        if title and re.search(rf"\b{one.call}\b", text):
            found.append((title[1], path.relative_to(SCRIPTS.parent).with_suffix("").as_posix()))
    return found


def _near(one: Entry, other: Entry) -> bool:
    return one.module != "losses" or one.reads == other.reads
