"""Synthetic reports: valid, whole, with numbers of the size that real ones have."""

from datetime import UTC, datetime

from models.evidence.classification import McNemar
from models.evidence.confidence import (
    Calibration,
)
from models.evidence.cost import Cost, Latency
from models.evidence.feature_space import FeatureSpace
from models.evidence.finding import Finding
from models.evidence.geometry import (
    ClassMargin,
    GeometrySection,
    NeuralCollapse,
    Silhouette,
)
from models.evidence.precision import PrecisionSection
from models.evidence.transfer import TransferSection, TransferSet
from models.report import DatasetRecord, Epoch, Figure, Provenance, Report
from tests.support.classified import LABELS, N, classification
from tests.support.report_geometry import _projection, feature_space, geometry
from tests.support.report_pairs import pairs as pairs
from tests.support.report_sections import (
    confidence,
    estimate,
    leaks,
    retrieval,
    robustness,
    unknowns,
    verification,
)


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
        pairs=pairs(),
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
        "pairs": None,
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
