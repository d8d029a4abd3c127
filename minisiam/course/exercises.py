"""What is asked, in its order: each exercise is a function of the library, to be written again."""

from __future__ import annotations

from difflib import get_close_matches
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

from .texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable


class Exercise(NamedTuple):
    """One function of the library, to be written again.

    name, title, lesson : what it is called, in a word and in a line, and the number of the lesson it belongs to
    op : the function, as `room.name`
    without : parameters of it that a learner need not know
    value_only : whether the pullback is left for later
    hole : the function inside it whose body is cut out; "" its own
    start : what stands in the place of a hole: lines to be changed
    """

    name: str
    title: str
    lesson: str
    op: str
    without: tuple[str, ...] = ()
    value_only: bool = False
    hole: str = ""
    start: str = ""

    @property
    def function(self) -> str:
        """The name of the function."""
        return self.op.rpartition(".")[2]

    @property
    def library(self) -> Callable[..., Any]:
        """The function of the library."""
        room, _, name = self.op.rpartition(".")
        return getattr(import_module(f"minisiam.{room}"), name)

    @property
    def answer(self) -> Callable[..., Any]:
        """The same without the parameters that are left out, as a learner writes it."""
        library = self.library

        @wraps(library)
        def answer(*arguments: Any, **constants: Any) -> Any:
            return library(*arguments, **constants)

        kept = [p for p in signature(library).parameters.values() if p.name not in self.without]
        answer.__signature__ = signature(library).replace(parameters=kept)  # type: ignore[attr-defined]
        return answer

    @property
    def number(self) -> int:
        """Its place in the course, from 1."""
        return EXERCISES.index(self) + 1

    @property
    def file(self) -> str:
        """What a learner's file is called."""
        return f"{self.number:02d}_{self.name.replace('-', '_')}.py"

    @property
    def task(self) -> str:
        """A few sentences: what to do."""
        return TEXTS[self.name].strip().split("\n\n")[0]

    @property
    def hints(self) -> tuple[str, ...]:
        """The idea, then an identity, then a first line."""
        return tuple(hint.replace("\n", " ") for hint in TEXTS[self.name].strip().split("\n\n")[1:])

    def __str__(self) -> str:
        return f"{self.number:02d} {self.name}"


REDUCTION = ("reduction",)

EXERCISES = (
    Exercise("squared-distance", "the squared distance of two embeddings", "00", "distances.squared_l2", (), True),
    Exercise("squared-distance-gradient", "its gradient, by hand", "00", "distances.squared_l2"),
    Exercise("l2", "the distance, and its slope where it is 0", "02", "distances.l2"),
    Exercise("contrastive", "two springs: the contrastive loss", "04", "losses.contrastive", REDUCTION),
    Exercise("triplet", "order, not distance: the triplet loss", "05", "losses.triplet_hinge", REDUCTION),
    Exercise("soft-margin", "a hinge that never quite lets go", "05", "losses.triplet_soft_margin", REDUCTION),
    Exercise("two-branches", "one set of weights, used twice", "03", "networks.siamese", hole="apply"),
    Exercise("dense", "a dense layer", "03", "ops.dense", ("input_grad",)),
    Exercise("relu", "what is above zero passes", "03", "ops.relu"),
    Exercise("normalize", "on to the unit sphere", "02", "ops.normalize"),
    Exercise("cosine", "the angle between two embeddings", "02", "distances.cosine"),
    Exercise("cross-entropy", "the same or not, as a probability", "06", "losses.binary_cross_entropy", REDUCTION),
    Exercise("pairwise", "every embedding against every other", "08", "pairwise.l2"),
    Exercise("all-pairs", "every pair of a batch", "08", "miners.all_pairs"),
    Exercise("batch-hard", "the hardest triplet of each anchor", "08", "miners.batch_hard"),
    Exercise("semi-hard", "negatives a little farther than the positive", "08", "miners.semi_hard_facenet"),
    Exercise("log-sum-exp", "a sum of exponentials that does not overflow", "10", "losses.per_anchor.log_sum_exp",
             ("one", "scale")),
    Exercise("softmax-cross-entropy", "which of these is of my class?", "10", "losses.softmax_cross_entropy",
             ("margin", "others_only", "reduction")),
    Exercise("convolution", "windows and a matrix product", "07", "ops.conv2d", ("padding", "stride", "input_grad")),
    Exercise("max-pool", "the largest of a block", "07", "ops.max_pool"),
    Exercise("recall", "is one of my own among the nearest k?", "11", "evaluate.recall_at_k", ("distance", "chunk")),
    Exercise("sampler", "batches of P classes and K images of each", "11", "samplers.pk_indices", ("groups",)),
    Exercise("threshold", "at most so many strangers let in", "06", "evaluate.threshold_at"),
    Exercise("collapse", "repair a run that collapses", "09", "course.collapse.settings", start="COLLAPSING"),
    Exercise("find-the-bug", "the smallest input that shows a wrong gradient", "12", "course.bugs.smallest",
             start="TOO_LITTLE"),
)  # fmt: skip


def find(word: str) -> Exercise:
    """An exercise by its number or name; a word that is neither is answered with the nearest names."""
    if word.isdecimal():
        if not 1 <= int(word) <= len(EXERCISES):
            raise ValueError(f"there is no exercise {word}: they have the numbers 1 to {len(EXERCISES)}")
        return EXERCISES[int(word) - 1]
    name = word.strip().lower().replace("_", "-").replace(" ", "-")
    known = {exercise.name: exercise for exercise in EXERCISES}
    if name not in known:
        near = [n for n in known if name and (name in n or n in name)]
        near = list(dict.fromkeys([*near, *get_close_matches(name, known, n=3, cutoff=0.4)]))[:3]
        answer = f"did you mean {' or '.join(near)}?" if near else "`minisiam learn list` shows them"
        raise ValueError(f"there is no exercise {word!r}: {answer}")
    return known[name]


def numbered(word: str | None, done: set[str]) -> Exercise:
    """The exercise that a word names or, without one, the first that is not done."""
    if word is not None:
        return find(word)
    open_ones = [exercise for exercise in EXERCISES if exercise.name not in done]
    if not open_ones:
        raise ValueError("every exercise is done: `minisiam learn check NUMBER` checks one again")
    return open_ones[0]
