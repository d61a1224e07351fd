"""Sections of a made-up report."""

from typing import Literal

from models.evidence.confidence import (
    Calibration,
    Confidence,
    ConfidenceMap,
    ConfidenceQuality,
    CrossValidation,
    ReliabilityBin,
)
from models.evidence.estimate import Estimate
from models.evidence.leaks import Copy, Leaks, Overlap
from models.evidence.retrieval import (
    AcceptRate,
    NeighbourAccuracy,
    RetrievalSection,
    RocPoint,
    VerificationSection,
)
from models.evidence.robustness import Answered, Changed, Robustness
from models.evidence.selective import Accepted, Choice, RiskCoverage, Statement
from models.evidence.unknowns import (
    FarSet,
    LeaveOutRound,
    ScorerMean,
    ScorerResult,
    UnknownSet,
    UnknownsSection,
    UnseenRetrieval,
)
from models.manifest import Scorer, UnknownRule
from tests.support.classified import LABELS, N

SCORERS: tuple[Scorer, ...] = ("max_probability", "class_mean_distance", "knn_distance")
RULE = UnknownRule(scorer="max_probability", threshold=0.62, accepts=0.95)


def estimate(value: float, half: float = 0.0123) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


def confidence() -> Confidence:
    return Confidence(
        n=N,
        calibration=Calibration(
            temperature=1.3617,
            nll_before=0.6638,
            nll_after=0.6165,
            n=500,
            errors=87,
            method="soft_targets",
            cross_validation=CrossValidation(
                folds=5, gain=0.0451, standard_error=0.0123, favored=True
            ),
            confidence_map=ConfidenceMap(
                log_odds=(-0.5123, 1.2345, 4.5678), calibrated_log_odds=(-0.7891, 1.0123, 3.4567)
            ),
        ),
        before=_quality(0.0631),
        tempered=_quality(0.0217),
        after=_quality(0.0112),
        selective=RiskCoverage(
            aurc=0.0571,
            excess_aurc=0.0362,
            augrc=estimate(0.0389, 0.0021),
            excess_augrc=0.0147,
            curve=tuple(_accepted(i / 20, N) for i in range(1, 21)),
            statements=tuple(
                Statement(target_coverage=coverage, **_accepted(coverage, N).model_dump())
                for coverage in (0.80, 0.90, 0.95, 0.99)
            ),
            choices=tuple(
                Choice(calibration=_accepted(i / 20, 500), test=_accepted(i / 20 + 0.004, N))
                for i in range(1, 20)
            ),
        ),
    )


def unknowns() -> UnknownsSection:
    rounds = tuple(
        LeaveOutRound(
            left_out=LABELS[2 * i : 2 * i + 2],
            known=800,
            unknown=200,
            scorers=tuple(
                ScorerResult(
                    scorer=scorer,
                    auroc=estimate(0.79 - 0.02 * j + 0.01 * i),
                    fpr95=0.71 + 0.01 * j - 0.02 * i,
                    selection_auroc=0.78 - 0.02 * j,
                )
                for j, scorer in enumerate(SCORERS)
            ),
            far=(
                FarSet(
                    name="digits",
                    sha256="d" * 64,
                    unknown=1797,
                    scorers=tuple(
                        ScorerResult(
                            scorer=scorer,
                            auroc=estimate(0.91 - 0.02 * j + 0.01 * i),
                            fpr95=0.313 + 0.01 * j - 0.02 * i,
                            selection_auroc=0.78 - 0.02 * j,
                            accepted=0.334 + 0.01 * j - 0.02 * i,
                        )
                        for j, scorer in enumerate(SCORERS)
                    ),
                ),
            ),
            retrieval=UnseenRetrieval(
                images=200,
                classes=2,
                recall_at_1=estimate(0.8123 + 0.01 * i),
                map_at_r=estimate(0.6234 + 0.01 * i),
                eer=estimate(0.2345 + 0.01 * i),
                opis=estimate(0.0456 + 0.01 * i, 0.0023),
            ),
        )
        for i in range(3)
    )
    means = tuple(
        ScorerMean(scorer=scorer, auroc=0.8 - 0.02 * j, fpr95=0.69 + 0.01 * j, selection_auroc=0.78)
        for j, scorer in enumerate(SCORERS)
    )
    return UnknownsSection(
        rounds=rounds,
        means=means,
        rule=RULE,
        chosen_by="selection_auroc",
        test_accepted=0.947,
        sets=(_unknown_set("other-birds", "near"), _unknown_set("scribbles", "far")),
    )


def retrieval() -> RetrievalSection:
    return RetrievalSection(
        metric="cosine",
        images=N,
        queries=N - 1,
        queries_left_out=1,
        recall_at_1=estimate(0.7712),
        recall_at_5=estimate(0.9034),
        recall_at_10=estimate(0.9356),
        r_precision=estimate(0.6478),
        map_at_r=estimate(0.5591),
        gallery_images=5000,
        neighbour_accuracy=tuple(
            NeighbourAccuracy(k=k, accuracy=estimate(0.77 + k / 1000)) for k in (1, 5, 20)
        ),
        resamples=1000,
        seed=0,
    )


def verification() -> VerificationSection:
    return VerificationSection(
        metric="cosine",
        score="cosine",
        images=N,
        genuine_pairs=49_500,
        impostor_pairs=450_000,
        eer=estimate(0.1432),
        eer_threshold=0.4321,
        tar_at_far=tuple(
            AcceptRate(far=far, tar=estimate(tar), threshold=threshold)
            for far, tar, threshold in ((1e-2, 0.5123, 0.7654), (1e-3, 0.2345, 0.8912))
        ),
        roc=(RocPoint(far=1e-4, tar=0.1), RocPoint(far=1.0, tar=1.0)),
        opis=estimate(0.0267, 0.0033),
        interval_pairs=1_000_000,
        resamples=200,
        seed=0,
    )


def robustness() -> Robustness:
    def answered(accuracy: float) -> Answered:
        return Answered(n=N, accuracy=estimate(accuracy), ece=0.0123, mean_confidence=0.8765)

    return Robustness(
        images=N,
        of=N,
        seed=0,
        unchanged=answered(0.8112),
        changed=tuple(
            Changed(
                **answered(0.8112 - sd / 40).model_dump(),
                change="gaussian-noise",
                title="Gaussian noise",
                strength=sd,
                unit="sd, of 255",
            )
            for sd in (4.0, 8.0)
        ),
    )


def leaks() -> Leaks:
    overlap = Overlap(
        split="test",
        other="train",
        images=N,
        searched=N,
        exact=1,
        near=2,
        crowded=4,
        examples=(Copy(id="test/a.png", of="train/b.png", difference=3.5, same_label=True),),
    )
    return Leaks(
        largest_distance=10,
        largest_difference=24.0,
        overlaps=(overlap,),
        test_copies=3,
        accuracy=estimate(0.8112),
        accuracy_without=estimate(0.8109),
        accuracy_on_copies=Estimate(value=1.0, low=0.4385, high=1.0),
    )


def _quality(ece: float) -> ConfidenceQuality:
    return ConfidenceQuality(
        nll=0.55 + ece,
        brier=0.28 + ece,
        ece=Estimate(value=ece, low=0.7 * ece, high=1.4 * ece),
        adaptive_ece=Estimate(value=1.1 * ece, low=0.8 * ece, high=1.5 * ece),
        reliability=tuple(_bin(i, ece) for i in range(15)),
    )


def _bin(i: int, ece: float) -> ReliabilityBin:
    low, high = i / 15, (i + 1) / 15
    if i == 0:
        return ReliabilityBin(low=low, high=high, count=0, mean_confidence=None, accuracy=None)
    middle = (low + high) / 2
    return ReliabilityBin(
        low=low,
        high=high,
        count=10 * i,
        mean_confidence=middle,
        accuracy=Estimate(value=middle - ece, low=middle - ece - 0.05, high=middle + 0.02),
    )


def _accepted(coverage: float, n: int) -> Accepted:
    accepted = round(coverage * n)
    errors = round(0.19 * coverage**2 * accepted)
    return Accepted(
        threshold=1 - 0.7 * coverage,
        n=accepted,
        errors=errors,
        coverage=accepted / n,
        error=errors / accepted,
        upper=errors / accepted + 0.02,
    )


def _unknown_set(name: str, kind: Literal["near", "far"]) -> UnknownSet:
    results = [
        ScorerResult(
            scorer=scorer,
            auroc=estimate(0.8543 + 0.01 * place, 0.0023),
            fpr95=0.4321 + 0.01 * place,
            selection_auroc=None,
            accepted=0.3456 + 0.01 * place,
        )
        for place, scorer in enumerate(SCORERS)
    ]
    return UnknownSet(
        name=name, sha256="6" * 64, kind=kind, known=N, unknown=1789, scorers=tuple(results)
    )
