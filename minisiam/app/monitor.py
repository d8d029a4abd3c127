"""The records of a training log: what is measured while a network trains, and the problems that are found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import evaluate, miners, samplers
from ..analysis import diagnosis, forces
from . import report
from .run import stream
from .run_xray import xray_of_embeddings

if TYPE_CHECKING:
    from ..typing import Array, Params
    from .build import Method
    from .config import Config
    from .data_spec import Data

PROBE_OF_XRAY = 64  # images of the probe that the X-ray of the log uses
EPISODES = 60  # of the validation accuracy in the log


class Monitor:
    """The records of the log: measured on the validation set, and on a fixed probe of 32 training classes × 4.

    There are fewer if the data have fewer.
    """

    HEADER = "  step      loss   active   d same   d different   validation one-shot   time left"

    def __init__(self, config: Config, method: Method, data: Data) -> None:
        self.config, self.method, self.validation = config, method, data.validation
        train, rng = data.train, stream(config.seed, "probe")
        sizes = np.unique(train.labels, return_counts=True)[1]
        classes, per_class = min(32, len(sizes)), min(4, int(sizes.min()))
        self.last: dict[str, Any] | None = None  # record
        self.best: evaluate.Score | None = None  # accuracy on the validation set, of all records
        self.images, self.labels = next(
            samplers.pk(train.images, train.labels, rng, classes=classes, per_class=per_class)
        )

    def continue_from(self, records: list[dict[str, Any]]) -> None:
        """Take over the records of a run that is resumed."""
        for self.last in records:
            score = evaluate.Score(self.last["validation"], *self.last["interval"])
            self.best = max(score, self.best or score)

    def record(
        self, step: int, seconds: float, loss: float, params: Params, constant: bool = False, done: bool = False
    ) -> dict[str, Any]:
        """One record of the log; `constant` if the loss has stopped changing, `done` if it is the last record."""
        distance = self.method.matrix(params)
        z = self.method.embed(params, self.images)
        D, _ = distance(z, z)
        rows, columns, same = miners.all_pairs(D, self.labels)
        d = D[rows, columns]
        validation = self.method.embed(params, self.validation.images)
        xray = {"xray": self.forces(z, params)} if self.method.matrix_loss is not None else {}
        predicted, true = report.few_shot_answers(validation, self.validation, EPISODES, distance)
        score = evaluate.mean_score((predicted == true).mean(axis=1))
        numbers = {
            "step": step,
            "seconds": round(seconds, 2),
            "loss": loss,
            "active": float(self.active(D, d, same).mean()),
            "same": float(d[same].mean()),
            "different": float(d[~same].mean()),
            "validation": score.accuracy,
            "interval": [score.low, score.high],
        }
        names = self.trouble(numbers, d, same, predicted, constant)
        if done and self.best is not None:
            names += diagnosis.overfitted(self.best, score)
        self.best = max(score, self.best or score)
        self.last = numbers | ({"trouble": names} if names else {}) | xray
        return self.last

    def trouble(self, numbers: dict[str, Any], d: Array, same: Array, predicted: Array, constant: bool) -> list[str]:
        """The problems that `diagnosis` finds in a record."""
        config = self.config
        if config.pair_by != "class":  # the pairs of training are not those of the probe
            return []
        return diagnosis.diagnose(
            d,
            same,
            loss=numbers["loss"],
            kind=str(config.loss),
            margin=config.margin,
            active=numbers["active"] if config.loss == "hinge" else None,
            accuracy=numbers["validation"],
            chance=1 / predicted.shape[1],
            predictions=predicted,
            before=(self.last["same"], self.last["different"]) if self.last else None,
            constant=constant,
        )

    def forces(self, z: Array, params: Params) -> dict[str, float]:
        """A summary of the X-ray of the loss on a part of the probe: pull, push, and how many triplets are hard."""
        part = slice(0, PROBE_OF_XRAY)
        found = xray_of_embeddings(self.method, z[part], self.labels[part], params, self.config.margin or 0.0)
        return {name: round(number, 6) for name, number in forces.summary(found).items()}

    def active(self, D: Array, d: Array, same: Array) -> Array:
        """Which pairs or triplets of the probe have a gradient.

        Contrastive loss: different pairs inside the margin. Verification: pairs on the wrong side of the threshold.
        Other losses: triplets with d₊ − d₋ + margin > 0; a loss without a margin has margin 0. A network on whole
        batches counts only the hardest triplet of each anchor.
        """
        margin = float(self.config.margin or 0)
        if self.config.loss == "contrastive":
            return d[~same] < margin
        if self.config.loss == "cross-entropy":
            return (d > 0) == same
        mine = miners.batch_hard if self.config.network == "batch" else miners.all_triplets
        near, far = (D[entries] for entries in mine(D, self.labels).entries)
        return near - far + margin > 0

    @staticmethod
    def line(record: dict[str, Any], left: float) -> str:
        """A record as a row under HEADER."""
        return (
            f"{record['step']:6d} {record['loss']:9.4f} {100 * record['active']:6.1f} % {record['same']:8.3f} "
            f"{record['different']:13.3f} {100 * record['validation']:19.1f} % {left:9.0f} s"
        )
