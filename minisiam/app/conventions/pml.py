"""What pytorch-metric-learning 2.9.0 calls its losses, with the defaults of that version, and what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import build, measures

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[..., Any]


class Row(NamedTuple):
    """A loss of the reference: its arguments and defaults, how it is built, and what it is."""

    name: str
    arguments: dict[str, Any]
    build: Callable[[measures.Asked], Operation]
    formula: str
    distance: measures.Measure = measures.lp()
    reduction: str = "mean"
    variables: tuple[str, ...] = ("z",)


SIZES = {"num_classes": None, "embedding_size": None}  # read off the proxies
MARGINS = {"neg_margin": 1, "pos_margin": 0}
WITH_PROXIES = ("z", "proxies")

LOSSES: dict[str, Row] = {
    "ContrastiveLoss": Row(
        "contrastive",
        {"pos_margin": 0, "neg_margin": 1},
        build.contrastive,
        "max(0, d − m₊) where same, max(0, m₋ − d) where not, not squared; same and different reduced apart and added",
        reduction="mean_active",
    ),
    "TripletMarginLoss": Row(
        "triplet",
        {"margin": 0.05, "swap": False, "smooth_loss": False, "triplets_per_anchor": "all"},
        build.triplet,
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
        build.margin,
        "max(0, d₊ − β + m) + max(0, β − d₋ + m) over all triplets, divided by how many of these terms are above 0",
        reduction="terms",
    ),
    "NTXentLoss": Row(
        "nt_xent",
        {"temperature": 0.07},
        build.nt_xent,
        "log(1 + Σₙ e^((d_ap − d_an)/τ)) for each ordered positive pair: other positives are not in the denominator",
        measures.cosine(),
    ),
    "SupConLoss": Row(
        "supcon",
        {"temperature": 0.1},
        build.supcon,
        "for each anchor the mean over its positives of −log softmax(−d/τ), all others in the denominator",
        measures.cosine(),
        "mean_active",
    ),
    "NPairsLoss": Row(
        "n_pair",
        {},
        build.n_pair,
        "one pair of each class: −log softmax over the partners of the negative distances",
        measures.dot(),
    ),
    "MultiSimilarityLoss": Row(
        "multi_similarity",
        {"alpha": 2, "beta": 50, "base": 0.5},
        build.multi_similarity,
        "1/α log(1 + Σₚ e^(α (λ − s))) + 1/β log(1 + Σₙ e^(β (s − λ))) for each anchor",
        measures.cosine(),
    ),
    "CircleLoss": Row(
        "circle",
        {"m": 0.4, "gamma": 80},
        build.circle,
        "log(1 + Σₚ e^(−γ [1 + m − s]₊ (s − 1 + m)) Σₙ e^(γ [s + m]₊ (s − m))), the weights [·]₊ held fixed",
        measures.cosine(),
        "mean_active",
    ),
    "LiftedStructureLoss": Row(
        "lifted",
        MARGINS,
        build.lifted,
        "½ max(0, d_ap − m₊ + log Σ e^(m₋ − d))² for each ordered positive pair, over the negatives of both ends",
    ),
    "GeneralizedLiftedStructureLoss": Row(
        "generalised_lifted",
        MARGINS,
        build.generalised_lifted,
        "max(0, log Σₚ e^(d − m₊) + log Σₙ e^(m₋ − d)) for each anchor",
    ),
    "NCALoss": Row(
        "nca",
        {"softmax_scale": 1},
        build.nca,
        "−log Σₚ softmaxⱼ(−scale · d) for each anchor that has a positive",
        measures.lp(power=2),
    ),
    "AngularLoss": Row(
        "angular",
        {"alpha": 40},
        build.angular,
        "log(1 + Σₙ e^(4 tan²α (â + p̂)·n − 2 (1 + tan²α) â·p̂)) for each ordered positive pair; n is not normalised",
    ),
    "TupletMarginLoss": Row(
        "tuplet_margin",
        {"margin": 5.73, "scale": 64},
        build.tuplet_margin,
        "log(1 + Σₙ e^(s (cos θ_an − cos(θ_ap − β)))) for each ordered positive pair",
        measures.cosine(),
    ),
    "FastAPLoss": Row(
        "fast_ap",
        {"num_bins": 10},
        build.fast_ap,
        "1 − (1/|P|) Σ h⁺ H⁺ / H for each anchor, with soft histograms of the distances",
        measures.lp(power=2),
    ),
    "HistogramLoss": Row(
        "histogram",
        {"n_bins": None, "delta": None},
        build.histogram,
        "Σ_q h⁻_q Σ_{r ≤ q} h⁺_r over soft histograms of the similarities",
        measures.cosine(),
        "own",
    ),
    "ThresholdConsistentMarginLoss": Row(
        "threshold_consistent",
        {"lambda_plus": 1.0, "lambda_minus": 1.0, "margin_plus": 0.9, "margin_minus": 0.5},
        build.threshold_consistent,
        "λ₊ · mean of m₊ − s over the same with s ≤ m₊, and λ₋ · mean of s − m₋ over the others with s ≥ m₋",
        measures.cosine(),
        "own",
    ),
    "IntraPairVarianceLoss": Row(
        "intra_pair_variance",
        {"pos_eps": 0.01, "neg_eps": 0.01},
        build.variance,
        "max(0, (1 − ε) mean s₊ − s)² over the same and max(0, s − (1 + ε) mean s₋)² over the others, added",
        measures.cosine(),
    ),
    "SignalToNoiseRatioContrastiveLoss": Row(
        "signal_to_noise",
        {"pos_margin": 0, "neg_margin": 1},
        build.contrastive,
        "the contrastive loss on var(a − b) / var(a)",
        measures.snr(),
        "mean_active",
    ),
    "ProxyNCALoss": Row(
        "proxy_nca",
        SIZES | {"softmax_scale": 1},
        build.proxy_nca,
        "−log softmax(−scale · d) at the own proxy, which is kept in the denominator",
        measures.lp(power=2),
        variables=WITH_PROXIES,
    ),
    "ProxyAnchorLoss": Row(
        "proxy_anchor",
        SIZES | {"margin": 0.1, "alpha": 32},
        build.proxy_anchor,
        "for each proxy log(1 + Σ e^(α (m − s))) over its images, / proxies present, + log(1 + Σ e^(α (s + m))), / all",
        measures.cosine(),
        "own",
        WITH_PROXIES,
    ),
    "ArcFaceLoss": Row(
        "arcface",
        SIZES | {"margin": 28.6, "scale": 64},
        build.arcface,
        "−log softmax of s cos θ, the target's angle widened by m degrees",
        measures.cosine(),
        variables=WITH_PROXIES,
    ),
    "CosFaceLoss": Row(
        "cosface",
        SIZES | {"margin": 0.35, "scale": 64},
        build.cosface,
        "−log softmax of s cos θ, the target's cosine lowered by m",
        measures.cosine(),
        variables=WITH_PROXIES,
    ),
    "NormalizedSoftmaxLoss": Row(
        "normalized_softmax",
        SIZES | {"temperature": 0.05},
        build.normalized_softmax,
        "−log softmax of cos θ / τ; the proxies are always normalised",
        measures.dot(),
        variables=WITH_PROXIES,
    ),
    "SoftTripleLoss": Row(
        "soft_triple",
        SIZES | {"centers_per_class": 10, "la": 20, "gamma": 0.1, "margin": 0.01},
        build.soft_triple,
        "−log softmax of λ (S − m[target]), where S = Σ softmax(s/γ) s over the centres of a class",
        measures.cosine(),
        variables=WITH_PROXIES,
    ),
    "VICRegLoss": Row(
        "vicreg",
        {"invariance_lambda": 25, "variance_mu": 25, "covariance_v": 1, "eps": 1e-4},
        build.vicreg,
        "λ mean (z₁ − z₂)² + μ mean ½ max(0, 1 − √(var + ε)) + ν Σ cov² / d, the last two for each view",
        variables=("z1", "z2"),
    ),
}
UNMAPPED = {
    "SphereFaceLoss": "multiples of an angle are no loss of ours",
    "LargeMarginSoftmaxLoss": "multiples of an angle are no loss of ours",
    "SubCenterArcFaceLoss": "the nearest of several centres is no distance of ours (soft_classes is the soft one)",
    "RankedListLoss": "no loss of ours weighs pairs by an exponential that is differentiated as well",
    "PNPLoss": "a smoothed average precision is no loss of ours; fast_ap is the nearest",
    "SmoothAPLoss": "a smoothed average precision is no loss of ours; fast_ap is the nearest",
    "DynamicSoftMarginLoss": "it keeps a histogram from batch to batch, and an op has no state",
    "P2SGradLoss": "a regression on cosines is no loss of ours",
    "InstanceLoss": "no loss of ours",
    "ManifoldLoss": "a random walk on the batch is no loss of ours",
    "CrossBatchMemory": "it keeps embeddings from batch to batch, and an op has no state",
    "SelfSupervisedLoss": "it wraps another loss: give that one the labels 0 … n − 1 twice",
}
