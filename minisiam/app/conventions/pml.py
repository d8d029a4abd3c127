"""The losses of pytorch-metric-learning 2.9.0 by name, with the defaults of that version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ... import require
from . import pml_losses as make
from .compose import REDUCED_OVER, NamedLoss
from .pml_distances import KNOWN, Measure, measure
from .pml_losses import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[..., Any]

SOURCE = "pytorch-metric-learning 2.9.0"
L2, SQUARED_L2, COSINE = measure("l2"), measure("squared_l2"), measure("cosine")
REDUCTIONS = ("mean", "mean_active", "sum")
MINED = ("contrastive", "triplet")  # with a miner of minisiam.miners


class Row(NamedTuple):
    """A loss of pytorch-metric-learning: its arguments and defaults, the function that makes it, and what it is."""

    name: str
    arguments: dict[str, Any]
    build: Callable[[Options], Operation]
    formula: str
    distance: Measure = L2
    reduction: str = "mean"
    variables: tuple[str, ...] = ("z",)


SIZES = {"num_classes": None, "embedding_size": None}  # read off the proxies
MARGINS = {"neg_margin": 1, "pos_margin": 0}
WITH_PROXIES = ("z", "proxies")

LOSSES: dict[str, Row] = {
    "ContrastiveLoss": Row(
        "contrastive",
        {"pos_margin": 0, "neg_margin": 1},
        make.contrastive,
        "max(0, d − m₊) where same, max(0, m₋ − d) where not, not squared; same and different reduced apart and added",
        reduction="mean_active",
    ),
    "TripletMarginLoss": Row(
        "triplet",
        {"margin": 0.05, "swap": False, "smooth_loss": False, "triplets_per_anchor": "all"},
        make.triplet,
        "max(0, d₊ − d₋ + m)",
        reduction="mean_active",
    ),
    "MarginLoss": Row(
        "margin",
        {
            "margin": 0.2,
            "nu": 0,
            "beta": 1.2,
            "triplets_per_anchor": "all",
            "learn_beta": False,
            "num_classes": None,
        },
        make.margin,
        "max(0, d₊ − β + m) + max(0, β − d₋ + m) over all triplets, divided by how many of these terms are above 0",
        reduction="terms",
    ),
    "NTXentLoss": Row(
        "nt_xent",
        {"temperature": 0.07},
        make.nt_xent,
        "log(1 + Σₙ e^((d_ap − d_an)/τ)) for each ordered positive pair: other positives are not in the denominator",
        COSINE,
    ),
    "SupConLoss": Row(
        "supcon",
        {"temperature": 0.1},
        make.supcon,
        "for each anchor the mean over its positives of −log softmax(−d/τ), all others in the denominator",
        COSINE,
        "mean_active",
    ),
    "NPairsLoss": Row(
        "n_pair",
        {},
        make.n_pair,
        "one pair of each class: −log softmax over the partners of the negative distances",
        measure("dot"),
    ),
    "MultiSimilarityLoss": Row(
        "multi_similarity",
        {"alpha": 2, "beta": 50, "base": 0.5},
        make.multi_similarity,
        "1/α log(1 + Σₚ e^(α (λ − s))) + 1/β log(1 + Σₙ e^(β (s − λ))) for each anchor",
        COSINE,
    ),
    "CircleLoss": Row(
        "circle",
        {"m": 0.4, "gamma": 80},
        make.circle,
        "log(1 + Σₚ e^(−γ [1 + m − s]₊ (s − 1 + m)) Σₙ e^(γ [s + m]₊ (s − m))), the weights [·]₊ held fixed",
        COSINE,
        "mean_active",
    ),
    "LiftedStructureLoss": Row(
        "lifted",
        MARGINS,
        make.lifted,
        "½ max(0, d_ap − m₊ + log Σ e^(m₋ − d))² for each ordered positive pair, over the negatives of both ends",
    ),
    "GeneralizedLiftedStructureLoss": Row(
        "generalised_lifted",
        MARGINS,
        make.generalised_lifted,
        "max(0, log Σₚ e^(d − m₊) + log Σₙ e^(m₋ − d)) for each anchor",
    ),
    "NCALoss": Row(
        "nca",
        {"softmax_scale": 1},
        make.nca,
        "−log Σₚ softmaxⱼ(−scale · d) for each anchor that has a positive",
        SQUARED_L2,
    ),
    "AngularLoss": Row(
        "angular",
        {"alpha": 40},
        make.angular,
        "log(1 + Σₙ e^(4 tan²α (â + p̂)·n − 2 (1 + tan²α) â·p̂)) for each ordered positive pair; n is not normalised",
    ),
    "TupletMarginLoss": Row(
        "tuplet_margin",
        {"margin": 5.73, "scale": 64},
        make.tuplet_margin,
        "log(1 + Σₙ e^(s (cos θ_an − cos(θ_ap − β)))) for each ordered positive pair",
        COSINE,
    ),
    "FastAPLoss": Row(
        "fast_ap",
        {"num_bins": 10},
        make.fast_ap,
        "1 − (1/|P|) Σ h⁺ H⁺ / H for each anchor, with soft histograms of the distances",
        SQUARED_L2,
    ),
    "HistogramLoss": Row(
        "histogram",
        {"n_bins": None, "delta": None},
        make.histogram,
        "Σ_q h⁻_q Σ_{r ≤ q} h⁺_r over soft histograms of the similarities",
        COSINE,
        "own",
    ),
    "ThresholdConsistentMarginLoss": Row(
        "threshold_consistent",
        {"lambda_plus": 1.0, "lambda_minus": 1.0, "margin_plus": 0.9, "margin_minus": 0.5},
        make.threshold_consistent,
        "λ₊ · mean of m₊ − s over the same with s ≤ m₊, and λ₋ · mean of s − m₋ over the others with s ≥ m₋",
        COSINE,
        "own",
    ),
    "IntraPairVarianceLoss": Row(
        "intra_pair_variance",
        {"pos_eps": 0.01, "neg_eps": 0.01},
        make.variance,
        "max(0, (1 − ε) mean s₊ − s)² over the same and max(0, s − (1 + ε) mean s₋)² over the others, added",
        COSINE,
    ),
    "SignalToNoiseRatioContrastiveLoss": Row(
        "signal_to_noise",
        {"pos_margin": 0, "neg_margin": 1},
        make.contrastive,
        "the contrastive loss on var(a − b) / var(a)",
        measure("signal_to_noise"),
        "mean_active",
    ),
    "ProxyNCALoss": Row(
        "proxy_nca",
        SIZES | {"softmax_scale": 1},
        make.proxy_nca,
        "−log softmax(−scale · d) at the own proxy, which is kept in the denominator",
        SQUARED_L2,
        variables=WITH_PROXIES,
    ),
    "ProxyAnchorLoss": Row(
        "proxy_anchor",
        SIZES | {"margin": 0.1, "alpha": 32},
        make.proxy_anchor,
        "for each proxy log(1 + Σ e^(α (m − s))) over its images, / proxies present, + log(1 + Σ e^(α (s + m))), / all",
        COSINE,
        "own",
        WITH_PROXIES,
    ),
    "ArcFaceLoss": Row(
        "arcface",
        SIZES | {"margin": 28.6, "scale": 64},
        make.arcface,
        "−log softmax of s cos θ, the target's angle widened by m degrees",
        COSINE,
        variables=WITH_PROXIES,
    ),
    "CosFaceLoss": Row(
        "cosface",
        SIZES | {"margin": 0.35, "scale": 64},
        make.cosface,
        "−log softmax of s cos θ, the target's cosine lowered by m",
        COSINE,
        variables=WITH_PROXIES,
    ),
    "NormalizedSoftmaxLoss": Row(
        "normalized_softmax",
        SIZES | {"temperature": 0.05},
        make.normalized_softmax,
        "−log softmax of cos θ / τ; the proxies are always normalised",
        measure("dot"),
        variables=WITH_PROXIES,
    ),
    "SoftTripleLoss": Row(
        "soft_triple",
        SIZES | {"centers_per_class": 10, "la": 20, "gamma": 0.1, "margin": 0.01},
        make.soft_triple,
        "−log softmax of λ (S − m[target]), where S = Σ softmax(s/γ) s over the centres of a class",
        COSINE,
        variables=WITH_PROXIES,
    ),
    "VICRegLoss": Row(
        "vicreg",
        {"invariance_lambda": 25, "variance_mu": 25, "covariance_v": 1, "eps": 1e-4},
        make.vicreg,
        "λ mean (z₁ − z₂)² + μ mean ½ max(0, 1 − √(var + ε)) + ν Σ cov² / d, the last two for each view",
        variables=("z1", "z2"),
    ),
}
BY_NAME = {row.name: row for row in LOSSES.values()}


def named_loss(name: str, **overrides: Any) -> NamedLoss:
    """A loss of pytorch-metric-learning by its name here, with some of its arguments changed.

    Parameters
    ----------
    name
        A key of `BY_NAME`: "triplet", "nt_xent", "supcon", …
    overrides
        pytorch-metric-learning's own arguments by its names (`margin`, `temperature`, `pos_margin`, …), and in the
        words of this package `distance` ("l2", "squared_l2", "l1", "cosine", "dot"), `normalize`, `reduction` and, for
        "contrastive" and "triplet", `miner`.

    Returns
    -------
    NamedLoss
    """
    require.one_of("loss", name, BY_NAME)
    row = BY_NAME[name]
    common = ("distance", "normalize", "reduction") if row.variables != ("z1", "z2") else ()
    known = [*row.arguments, *common, *(["miner"] if name in MINED else [])]
    for key in overrides:
        require.one_of("override", key, known)
    arguments = row.arguments | {key: value for key, value in overrides.items() if key in row.arguments}
    distance, reduction = _distance(row, overrides), overrides.get("reduction", row.reduction)
    if "reduction" in overrides:
        require.one_of("reduction", reduction, REDUCTIONS)
    return described(row, Options(arguments, distance, reduction, overrides.get("miner")))


def _distance(row: Row, overrides: dict[str, Any]) -> Measure:
    """The distance asked for; without a name that of the row, normalised or not."""
    if not {"distance", "normalize"} & set(overrides):
        return row.distance
    name = overrides.get("distance") or next(
        name for name, one in KNOWN.items() if one.distance is row.distance.distance
    )
    return measure(name, overrides.get("normalize", True))


def described(row: Row, options: Options) -> NamedLoss:
    """The op of a row with these options, and the facts about it."""
    constants = ", ".join(f"{key} {value:g}" for key, value in options.a.items() if _is_number(value))
    return NamedLoss(
        row.build(options),
        formula_of(row, options.a),
        options.measure.words,
        options.measure.squared,
        options.measure.normalized,
        constants,
        REDUCED_OVER[options.reduction],
        SOURCE,
        row.variables,
    )


def formula_of(row: Row, arguments: dict[str, Any]) -> str:
    """The formula in words, as the arguments change it."""
    formula = "log(1 + e^(d₊ − d₋ + m))" if arguments.get("smooth_loss") else row.formula
    return formula + (", d₋ from the nearer of anchor and positive" if arguments.get("swap") else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
