"""The parts of the page that follow from the protocol alone: the method, what p means, the limits, the constants."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ..config import DIHEDRAL, Config
from . import search
from .methods import METHODS, miner_of
from .runner import EVALUATED
from .wording import ALPHA, SYMBOLS, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .protocol import Protocol

TITLES = {"pen-glyphs": "pen glyphs", "omniglot": "Omniglot", "mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}


def kind_of_data(protocol: Protocol) -> str:
    """The data without their path or seed."""
    return protocol.data.partition(":")[0]


def data_title(protocol: Protocol) -> str:
    """The data as a name for readers."""
    return TITLES.get(kind_of_data(protocol), kind_of_data(protocol))


def data_option(protocol: Protocol) -> str:
    """The option that names the data, with a space before it; nothing for the default."""
    return "" if protocol.data == Config.data else f" --data {shlex.quote(protocol.data)}"


def command(protocol: Protocol) -> str:
    """The command that makes this comparison."""
    some = "" if protocol.methods == METHODS else f" --methods {shlex.quote(','.join(protocol.methods))}"
    numbers = f" --steps {protocol.steps} --seeds {protocol.seeds} --search {protocol.search}"
    return f"minisiam benchmark{data_option(protocol)}{some}{numbers}"


def trials_of(protocol: Protocol) -> str:
    """How many trials a method has, in words."""
    return f"{protocol.search} trial{'s' * (protocol.search > 1)}"


def how(protocol: Protocol, images: Iterable[int]) -> str:
    """The protocol in words; `images` are the numbers of training images per run that were counted."""
    low, high = search.RATE
    total = f" ({' or '.join(f'{count:,}' for count in sorted(images))} per run)" if images else ""
    sizes = ", ".join(f"{n:,} of {classes:,} classes ({name})" for name, (n, classes) in protocol.sizes.items())
    return (
        "A method is a loss, or a loss over a miner. Each miner has one loss here: contrastive for pairs, hinge for "
        "triplets. Every other loss on pairs or triplets has the package's miner for it (all-pairs or batch-hard), "
        "or its paper's as a constant of the search.\n\n"
        f"Every method has {search.BATCH} images per step{total}, {protocol.steps:,} steps per run: 64 classes × 4 "
        "images, 128 × 2 for two views, 128 pairs for verification.\n\n"
        f"Search: {trials_of(protocol)} of each method, with as many steps as a run, and a seed that no run has. The "
        "first has the package's constants, the second the paper's, and any others are log-uniform draws (a Latin "
        f"hypercube for each method): the learning rate from {low:g} to {high:g}, and the constants of the loss in the "
        "ranges below. If the paper prints no constants, or the package's, the second is a draw, too. Draws use the "
        "paper's form of the loss (distance, mining) and the package's form in turn. The miner in the name of a method "
        "is the same in all its trials.\n\n"
        f"Images: {sizes}. Of each class of the validation and the test set, the first {EVALUATED} images are used. "
        "Trials and runs train on the training set. MAP@R on the validation set chooses the trial of each method, and "
        "the method with the best trial is the reference. The runs are tested on the test set, which affects no "
        "choice of constants or reference. The three sets share no class.\n\n"
        "After Musgrave, Belongie, Lim 2020, A Metric Learning Reality Check."
    )


WHAT_P_MEANS = f"""\
The trials chose the reference, with other seeds and on other classes than the runs, so each test compares two methods
that were fixed before the runs. p is the probability of a mean difference in MAP@R at least as large as the one
found, if the two methods, with the constants chosen here, had the same mean over all seeds. It assumes that the
differences by seed are normally distributed. Holm's correction makes the probability of any p < {ALPHA:g}, if no
difference were real, at most {ALPHA:g}.

A seed decides the initial parameters and the order of the batches. p says nothing about other classes, other data,
other encoders, or another search. p ≥ {ALPHA:g} does not show that two methods are equal: it shows that these runs do
not distinguish them."""


def limits(protocol: Protocol) -> str:
    """What this comparison does not show."""
    pairs = search.BATCH * (search.BATCH - 1) // 2
    same = "alphabets of this data set" if kind_of_data(protocol) == Config.data else "pen glyphs"
    found = [
        f"{protocol.steps:,} steps are a short run. Losses that improve slowly at first, such as those with proxies, "
        "may overtake others later.",
        f"One encoder (conv2, 128 outputs, 14 × 14 pixels) and one data set ({data_title(protocol)}).",
        f"{trials_of(protocol)} of each method, with one seed, are a small search. The search of a loss with three "
        "constants is less dense than that of a loss with none, and a lucky draw helps a method.",
        f"The package's constants were found by earlier searches on {same}, with other budgets.",
        "Fixed for all: Adam, its schedule and weight decay, the batches, the number of outputs. Fixed for each: every "
        "constant that is not in the table below.",
        "The learning rates of the papers are for other networks: the trial with the paper's constants has the "
        f"package's rate, which was chosen for longer runs: {_package_rates(protocol)}, by what the loss reads."
        + _one_rate(protocol),
        f"The same images are not the same comparisons: verification reads {search.BATCH // 2} pairs per step, a loss "
        f"on a whole batch all {pairs:,}.",
        "The intervals are over seeds only: all runs have the same training and test set.",
    ]
    if any(miner_of(method) for method in protocol.methods):
        found.append(
            "A miner has its default constants in every trial, such as a margin of 0.2, small for raw vectors. "
            "With another loss, the miners may be in another order."
        )
    if kind_of_data(protocol) in DIHEDRAL:
        found.append(
            "Losses with proxies train on letters without rotation. The others train on eight rotations and "
            "reflections of each letter, each as its own class."
        )
    if "circle" in protocol.methods:
        found.append("The weights of circle are detached, in every trial, as in the paper.")
    return "\n".join(f"- {limit}" for limit in found)


def _package_rates(protocol: Protocol) -> str:
    rates = sorted({search.config_of(method, {}).learning_rate for method in protocol.methods})
    return " or ".join(f"{rate:g}" for rate in rates)


def _one_rate(protocol: Protocol) -> str:
    """What a search without a draw leaves out."""
    if protocol.search > 2 or not any(search.space_of(method).paper for method in protocol.methods):
        return ""
    return (
        f" With {trials_of(protocol)}, a method whose paper prints other constants is tried at this rate only. So a "
        "place can be due to the rate instead of the loss, above all for a low rate in a short run."
    )


def constants(protocol: Protocol) -> str:
    """The package's and the paper's constants of each method, and the ranges of the draws."""
    head = "| method | package | paper, if different | source | checked | drawn, besides the learning rate |"
    lines = [head, "|---|---|---|---|---|---|"]
    for method in protocol.methods:
        space = search.space_of(method)
        ranges = _ranges(space.ranges)
        if space.paper_ranges is not None:
            ranges = f"{ranges}; in the paper's form {_ranges(space.paper_ranges)}"
        cells = [in_words(search.package_constants(method)), in_words(space.paper), space.source, space.checked, ranges]
        lines.append(f"| {method} | " + " | ".join(cell or "–" for cell in cells) + " |")
    return "\n".join(lines)


def _ranges(ranges: search.Ranges) -> str:
    words = [
        f"{SYMBOLS.get(name, name.replace('_', ' '))} {low:.3g} to {high:.3g}" for name, (low, high) in ranges.items()
    ]
    return ", ".join(words) or "nothing"
