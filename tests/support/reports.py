"""Synthetic reports: valid, whole, with numbers of the size that real ones have."""

from datetime import UTC, datetime
from typing import Literal

from models.evidence.classification import McNemar
from models.evidence.confidence import (
    Calibration,
    Confidence,
    ConfidenceMap,
    ConfidenceQuality,
    CrossValidation,
    ReliabilityBin,
)
from models.evidence.cost import Cost, Latency
from models.evidence.estimate import Estimate
from models.evidence.feature_space import FeatureSpace, Plane, Projection
from models.evidence.finding import Finding
from models.evidence.geometry import (
    AngularMargin,
    ClassMargin,
    GeometrySection,
    NeuralCollapse,
    PairValues,
    Silhouette,
)
from models.evidence.leaks import Copy, Leaks, Overlap
from models.evidence.precision import PrecisionSection
from models.evidence.retrieval import (
    AcceptRate,
    NeighbourAccuracy,
    RetrievalSection,
    RocPoint,
    VerificationSection,
)
from models.evidence.robustness import Answered, Changed, Robustness
from models.evidence.selective import Accepted, Choice, RiskCoverage, Statement
from models.evidence.transfer import TransferSection, TransferSet
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
from models.report import DatasetRecord, Epoch, Figure, Provenance, Report
from tests.support.classified import LABELS, N, classification

RULE = UnknownRule(scorer="max_probability", threshold=0.62, accepts=0.95)
SCORERS: tuple[Scorer, ...] = ("max_probability", "class_mean_distance", "knn_distance")


def report(name: str) -> Report:
    """A report that the contract accepts, every section filled."""
    return Report(
        name=name,
        loss=name,
        classification=classification(name),
        confidence=confidence(),
        unknowns=unknowns(),
        geometry=geometry(),
        retrieval=retrieval(),
        verification=verification(),
        robustness=robustness(),
        precisions=(_int8(),),
        leaks=leaks(),
        transfer=transfer(),
        feature_space=feature_space(),
        cost=cost(),
        learning_curve=tuple(map(_epoch, range(1, 21))),
        findings=(
            Finding(
                detector="center-collapse",
                epoch=3,
                severity="warning",
                degree=1.5,
                sentence="The class centers lie close together; lower `weight`.",
            ),
        ),
        figures=(
            Figure(name="confusion-matrix", title="Confusion matrix", caption="Rows: the truth."),
        ),
        provenance=_provenance(),
    )


def least(name: str) -> Report:
    """Everything that can be undefined is, and every list that can be empty."""
    whole = report(name)
    quality = whole.confidence.after
    empty_bin = quality.reliability[0].model_copy(
        update={"count": 0, "mean_confidence": None, "accuracy": None}
    )
    selective = whole.confidence.selective.model_copy(
        update={"choices": (), "statements": (), "curve": ()}
    )
    bare = quality.model_copy(update={"reliability": (empty_bin,)})
    parts = {
        "classification": classification("softmax", least=True),
        "confidence": whole.confidence.model_copy(
            update={"before": bare, "tempered": bare, "after": bare, "selective": selective}
        ),
        "unknowns": whole.unknowns.model_copy(
            update={
                "rounds": (),
                "means": (),
                "sets": (),
                "chosen_by": "default",
                "test_accepted": None,
            }
        ),
        "geometry": _least_geometry(),
        "retrieval": whole.retrieval.model_copy(
            update={
                **dict.fromkeys(("recall_at_1", "recall_at_5", "recall_at_10")),
                **dict.fromkeys(("r_precision", "map_at_r")),
                "queries": 0,
                "neighbour_accuracy": (),
            }
        ),
        "verification": whole.verification.model_copy(
            update={"eer": None, "eer_threshold": None, "tar_at_far": (), "roc": ()}
        ),
        "feature_space": FeatureSpace(
            before=_projection(None), after=_projection(None), plane=None
        ),
        "robustness": None,
        "transfer": None,
        "precisions": (),
        "leaks": None,
        "cost": whole.cost.model_copy(update={"latencies": ()}),
        "learning_curve": (),
        "findings": (),
        "figures": (),
    }
    return Report.model_validate(whole.model_copy(update=parts).model_dump())


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


def transfer() -> TransferSection:
    one = TransferSet(
        name="letters",
        sha256="5" * 64,
        classes=26,
        train=1913,
        test=1871,
        accuracy=estimate(0.6789),
        majority=0.0654,
    )
    return TransferSection(sets=(one,))


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


def geometry() -> GeometrySection:
    return GeometrySection(
        metric="cosine",
        images=N,
        paired_images=N,
        seed=0,
        within_distance=_pairs(0.71, 49_500),
        between_distance=_pairs(1.33, 450_000),
        within_angle_rad=_pairs(0.75, 49_500),
        between_angle_rad=_pairs(1.52, 450_000),
        alignment=0.5612,
        uniformity=-3.1234,
        fisher_ratio=1.8765,
        silhouette=Silhouette(value=0.3141, images=N),
        collapse=NeuralCollapse(
            train_images=40_000,
            classes=10,
            nc1_within_over_between=2.3456,
            nc2_norm_variation=0.0876,
            nc2_cosine_std=0.1432,
            nc2_cosine_offset=0.1123,
            nc3_self_duality=0.0432,
            nc4_disagreement=0.0213,
        ),
        margin=_margin(0.44),
        class_margins=tuple(
            ClassMargin(label=label, margin=_margin(0.3 + 0.03 * i))
            for i, label in enumerate(LABELS)
        ),
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


def feature_space() -> FeatureSpace:
    return FeatureSpace(
        before=_projection(0.8123),
        after=_projection(0.9567),
        plane=Plane(
            test_images=N,
            accuracy=0.7345,
            epochs=20,
            seed=0,
            parameters={"scale": 16.0, "margin": 0.3},
            largest_margin=0.6283,
            separation_deg=36.0,
        ),
    )


def _int8() -> PrecisionSection:
    return PrecisionSection(
        precision="int8",
        published=True,
        n=N,
        calibrated_on=512,
        float_convolutions=2,
        convolutions=9,
        calibration=Calibration(temperature=1.31, nll_before=0.71, nll_after=0.68, n=90, errors=17),
        accuracy=estimate(0.84),
        accuracy_difference=estimate(-0.001, 0.0031),
        test=McNemar(
            only_own_right=11, only_baseline_right=14, statistic=11.0, p_value=0.69, exact=False
        ),
        agreement=estimate(0.97),
        ece=estimate(0.021),
        ece_of_float32=estimate(0.019),
        cosine=0.9991,
        least_cosine=0.9812,
        recall_in_float32=0.985,
        recall_by_float32=0.987,
        cost=cost(),
    )


def cost() -> Cost:
    return Cost(
        model_bytes=912_345,
        parameters=217_000,
        latencies=(
            Latency(batch=1, median_ms=0.8123, p95_ms=1.1045, runs=100),
            Latency(batch=64, median_ms=31.415, p95_ms=35.926, runs=20),
        ),
        provider="CPUExecutionProvider",
        threads=2,
        hardware="two cores",
    )


def dataset() -> DatasetRecord:
    return DatasetRecord(
        name="noise",
        edition="made by tests/support/bundles.py",
        sha256="0" * 64,
        train=40_000,
        tuning=5000,
        calibration=500,
        test=N,
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


def _pairs(mean: float, pairs: int) -> PairValues:
    return PairValues(
        pairs=pairs,
        mean=mean,
        std=mean / 3,
        edges=tuple(i / 25 for i in range(51)),
        counts=(pairs, *[0] * 49),
    )


def _margin(mean: float) -> AngularMargin:
    return AngularMargin(
        images=100,
        mean_rad=mean,
        std_rad=mean / 2,
        percentile_5_rad=mean - 0.5,
        share_negative=0.2 - mean / 5,
    )


def _least_geometry() -> GeometrySection:
    empty = dict.fromkeys(name for name in NeuralCollapse.model_fields if name.startswith("nc"))
    undefined = (
        "within_distance", "between_distance", "within_angle_rad", "between_angle_rad",
        "alignment", "uniformity", "fisher_ratio", "margin",
    )  # fmt: skip
    whole = geometry()
    return whole.model_copy(
        update={
            **dict.fromkeys(undefined),
            "silhouette": Silhouette(value=None, images=N),
            "collapse": whole.collapse.model_copy(update=empty),
            "class_margins": tuple(ClassMargin(label=label, margin=None) for label in LABELS),
        }
    )


def _projection(quality: float | None) -> Projection:
    return Projection(
        method="t-SNE",
        images=500,
        neighbours=10,
        trustworthiness=quality,
        neighbour_agreement=None if quality is None else quality - 0.3,
        picture_accuracy=None if quality is None else quality - 0.2,
    )


def _epoch(number: int) -> Epoch:
    return Epoch(
        epoch=number,
        loss=2.3 / number,
        tuning_accuracy=0.85 - 0.7 / (number + 1),
        seconds=16,
        diagnostics={"angle": 0.5},
    )


def _provenance() -> Provenance:
    return Provenance(
        dataset=dataset(),
        recipe={"epochs": 20, "batch": 128},
        seed=0,
        command="python -m training run --loss arcface",
        commit=None,
        versions={"torch": "2.14.1"},
        hardware="two cores",
        training_seconds=320,
        evaluated=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
