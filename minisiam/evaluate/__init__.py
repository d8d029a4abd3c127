"""How good is an embedding on classes not used in training? Few-shot episodes, neighbours, verification, retrieval.

All functions take embeddings or distances. If two classes are equally near, the prediction counts as wrong, so a
network that maps all images to one point scores 0 and not 100 %.
"""

from . import retrieval
from .embedding import averaged, embed, pixels
from .few_shot import (
    Score,
    answer,
    clustered,
    difference,
    few_shot,
    few_shot_answers,
    mean_score,
    official_answers,
    official_runs,
    paired_difference,
    wilson,
)
from .neighbours import knn_accuracy, recall_at_k
from .verification import EqualError, Roc, auc, equal_error, roc, threshold_at

__all__ = [
    "EqualError",
    "Roc",
    "Score",
    "answer",
    "auc",
    "averaged",
    "clustered",
    "difference",
    "embed",
    "equal_error",
    "few_shot",
    "few_shot_answers",
    "knn_accuracy",
    "mean_score",
    "official_answers",
    "official_runs",
    "paired_difference",
    "pixels",
    "recall_at_k",
    "retrieval",
    "roc",
    "threshold_at",
    "wilson",
]
