"""The exercises, in the order of their lessons. In each, the learner writes a function of the library again."""

from __future__ import annotations

from difflib import get_close_matches
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

from .texts import HINTS, TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]  # an op, a miner, a sampler …


class Exercise(NamedTuple):
    """A function of the library that the learner writes again.

    name, title, lesson : its name, a line about it, and the number of its lesson
    op : the function, as `module.name`
    omit : parameters that the learner's function does not have
    value_only : True to leave the pullback to a later exercise
    hole : the inner function without its body; "" for the function itself
    template : the name of a dict in the module of the function that the learner changes, instead of a hole
    steps : True for a page of several functions, graded one after the other; the function calls one of them by its name
    """

    name: str
    title: str
    lesson: str
    op: str
    omit: tuple[str, ...] = ()
    value_only: bool = False
    hole: str = ""
    template: str = ""
    steps: bool = False

    @property
    def function(self) -> str:
        """The name of the function."""
        return self.op.rpartition(".")[2]

    @property
    def library(self) -> Function:
        """The function of the library."""
        module, _, name = self.op.rpartition(".")
        return getattr(import_module(f"minisiam.{module}"), name)

    @property
    def model_answer(self) -> Function:
        """The function of the library without the omitted parameters, as a learner writes it."""
        library = self.library

        @wraps(library)
        def answer(*arguments: Any, **constants: Any) -> Any:
            return library(*arguments, **constants)

        kept = [p for p in signature(library).parameters.values() if p.name not in self.omit]
        answer.__signature__ = signature(library).replace(parameters=kept)  # type: ignore[attr-defined]
        return answer

    @property
    def number(self) -> int:
        """Its position in the course, from 1. It follows the order of the lessons."""
        return EXERCISES.index(self) + 1

    @property
    def file(self) -> str:
        """The name of the learner's file."""
        return f"{self.number:02d}_{self.name.replace('-', '_')}.py"

    @property
    def task(self) -> str:
        """The task, in a few sentences."""
        return TEXTS[self.name].strip().split("\n\n")[0]

    @property
    def origin(self) -> str:
        """Where the solution comes from."""
        return "lessons/siam.py" if self.steps else f"minisiam.{self.op}"

    @property
    def hint_names(self) -> tuple[str, ...]:
        """What each hint is."""
        return tuple(f"step {n}" for n in range(1, len(self.hints) + 1)) if self.steps else HINTS

    @property
    def hints(self) -> tuple[str, ...]:
        """The idea, an identity, and a first line of code; for a page, one for each step."""
        return tuple(hint.replace("\n", " ") for hint in TEXTS[self.name].strip().split("\n\n")[1:])

    def __str__(self) -> str:
        return f"{self.number:02d} {self.name}"


REDUCTION = ("reduction",)

EXERCISES = (
    Exercise("squared-distance", "the squared distance of two embeddings", "00", "distances.squared_l2", (), True),
    Exercise("squared-distance-gradient", "its gradient, by hand", "00", "distances.squared_l2"),
    Exercise("l2", "the distance, and its slope at 0", "02", "distances.l2"),
    Exercise("normalize", "rows scaled to length 1", "02", "ops.normalize"),
    Exercise("cosine", "the angle between two embeddings", "02", "distances.cosine"),
    Exercise("dense", "a dense layer", "03", "ops.dense", ("input_grad",)),
    Exercise("relu", "max(x, 0) and its gradient", "03", "ops.relu"),
    Exercise("two-branches", "one set of weights, used twice", "03", "networks.siamese", hole="apply"),
    Exercise("contrastive", "two springs: the contrastive loss", "04", "losses.contrastive", REDUCTION),
    Exercise("triplet", "order, not distance: the triplet loss", "05", "losses.triplet_hinge", REDUCTION),
    Exercise("soft-margin", "a smooth hinge: its slope is never 0", "05", "losses.triplet_soft_margin", REDUCTION),
    Exercise("cross-entropy", "same or different, as a probability", "06", "losses.binary_cross_entropy", REDUCTION),
    Exercise("threshold", "a threshold for a given false-accept rate", "06", "evaluate.threshold_at"),
    Exercise("convolution", "windows and a matrix product", "07", "ops.conv2d", ("padding", "stride", "input_grad")),
    Exercise("max-pool", "the largest entry of each block", "07", "ops.max_pool"),
    Exercise("batch-norm", "statistics that depend on every image", "07", "ops.batch_norm", ("mean", "variance")),
    Exercise("group-norm", "each image by itself, in groups of channels", "07", "ops.group_norm"),
    Exercise("pairwise", "the distances of all embeddings, as a matrix", "08", "pairwise.l2"),
    Exercise("all-pairs", "every pair of a batch", "08", "miners.all_pairs"),
    Exercise("batch-hard", "the hardest triplet of each anchor", "08", "miners.batch_hard"),
    Exercise("semi-hard", "negatives a little farther than the positive", "08", "miners.semi_hard_facenet"),
    Exercise("cached", "a batch larger than the memory of its activations", "08", "fast.cached.recomputed",
             hole="apply"),
    Exercise("collapse", "repair a run that collapses", "09", "course.collapse.settings", template="COLLAPSING"),
    Exercise("log-sum-exp", "a sum of exponentials without overflow", "10", "losses.per_anchor.log_sum_exp",
             ("one", "scale")),
    Exercise("softmax-cross-entropy", "which of these has the same class?", "10", "losses.softmax_cross_entropy",
             ("margin", "others_only", "reduction")),
    Exercise("supcon", "several positives in one softmax", "10", "losses.supcon", REDUCTION),
    Exercise("proxy-anchor", "a learned point is the anchor", "10", "losses.proxy_anchor"),
    Exercise("arcface", "a margin that is an angle", "10", "losses.arcface", REDUCTION),
    Exercise("recall", "is one of the nearest k of its class?", "11", "evaluate.recall_at_k", ("distance", "chunk")),
    Exercise("average-precision", "does the order of the neighbours count?", "11", "evaluate.retrieval.scores",
             ("distance", "chunk")),
    Exercise("sampler", "batches of P classes and K images of each", "11", "samplers.pk_indices", ("groups",)),
    Exercise("find-the-bug", "the smallest input that shows a wrong gradient", "12", "course.bugs.smallest",
             template="INSUFFICIENT"),
    Exercise("threshold-interval", "what a threshold promises for new classes", "15", "evaluate.choose_threshold",
             ("target", "unseen")),
    Exercise("open-set", "a name, or unknown", "15", "gallery.identify", ("distance", "chunk")),
    Exercise("all-gather", "every rank gets the rows of all", "16", "distributed.all_gather"),
    Exercise("sigmoid", "which of all pairs are pairs?", "17", "losses.pairwise_sigmoid"),
    Exercise("capstone", "a siamese network, on one page of your own", "18", "course.one_page.page", steps=True),
)  # fmt: skip


def find(text: str) -> Exercise:
    """An exercise by its number or name; the error for an unknown one suggests the nearest names."""
    if text.isdecimal():
        if not 1 <= int(text) <= len(EXERCISES):
            raise ValueError(f"there is no exercise {text}: use a number from 1 to {len(EXERCISES)}")
        return EXERCISES[int(text) - 1]
    name = text.strip().lower().replace("_", "-").replace(" ", "-")
    known = {exercise.name: exercise for exercise in EXERCISES}
    if name not in known:
        near = [n for n in known if name and (name in n or n in name)]
        near = list(dict.fromkeys([*near, *get_close_matches(name, known, n=3, cutoff=0.4)]))[:3]
        advice = f"did you mean {' or '.join(near)}?" if near else "`minisiam learn list` lists them"
        raise ValueError(f"there is no exercise {text!r}: {advice}")
    return known[name]


def of_lesson(lesson: str | None) -> tuple[Exercise, ...]:
    """The exercises of a lesson, by its number; all of them for None."""
    found = tuple(exercise for exercise in EXERCISES if lesson in (None, exercise.lesson))
    if not found:
        lessons = ", ".join(dict.fromkeys(exercise.lesson for exercise in EXERCISES))
        raise ValueError(f"lesson {lesson} has no exercises: use one of {lessons}")
    return found


def select(text: str | None, done: set[str], lesson: str | None = None) -> Exercise:
    """The exercise with this number or name or, for None, the first of a lesson, or of all, that is not done."""
    if text is not None:
        return find(text)
    open_ones = [exercise for exercise in of_lesson(lesson) if exercise.name not in done]
    if not open_ones:
        which = f"every exercise of lesson {lesson}" if lesson else "every exercise"
        raise ValueError(f"{which} is done: use `minisiam learn check NUMBER` to check one again")
    return open_ones[0]
