"""How good is an embedding on classes not used in training? Few-shot episodes, neighbours, verification, retrieval.

`embed` computes embeddings, and the metrics take embeddings or distances. If two classes are equally near, the
prediction counts as wrong, so a network that maps all images to one point scores 0 and not 100 %.
"""

from . import retrieval
from .embedding import embed, pixels
from .few_shot import (
    Score,
    answer,
    few_shot,
    few_shot_answers,
    mean_score,
    wilson,
)
from .neighbours import knn_accuracy, recall_at_k
from .search import nearest
from .thresholds import Calibration, Rate, Threshold, calibrate, choose_threshold, probability
from .verification import EqualError, Roc, auc, equal_error, roc, threshold_at

__all__ = [
    "Calibration", "EqualError", "Rate", "Roc", "Score", "Threshold", "answer", "auc", "calibrate", "choose_threshold",
    "embed", "equal_error", "few_shot", "few_shot_answers", "knn_accuracy", "mean_score", "nearest", "pixels",
    "probability", "recall_at_k", "retrieval", "roc", "threshold_at", "wilson",
]  # fmt: skip
