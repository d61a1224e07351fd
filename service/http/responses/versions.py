"""Answer of the route that puts two versions of a model side by side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.evidence.classification import AdjustedMcNemar, McNemar
from models.evidence.estimate import Estimate
from models.manifest import Manifest
from models.report import Report
from service.http.responses.maps import Sheets, show_sheets
from service.http.responses.schemas import Schema
from service.inference.paired import PairedVersions


class MeasureChange(Schema):
    """One measure of both versions, each with its 95 % interval where it has one."""

    name: str
    title: str
    kind: str = Field(description="percent (a share in 0..1), number, bytes, ms, or seconds")
    better: str = Field(description="higher or lower")
    before: Estimate | float | None
    after: Estimate | float | None
    difference: float | None = Field(description="after less before")


class ChangedClass(Schema):
    """The images of one class that one version alone has right."""

    label: str
    images: int
    test: AdjustedMcNemar = Field(description="`own` is the later version")


class ChangedImage(Schema):
    """A test image that one version alone has right."""

    row: int = Field(description="its tile on the sheets")
    id: str
    label: str
    before: str
    after: str
    probability: float = Field(description="calibrated, of the later version's answer")


class PairedChange(Schema):
    """The same test images under both versions."""

    images: int
    difference: Estimate = Field(
        description="accuracy after less before; interval of Bonett and Price for pairs"
    )
    test: McNemar = Field(description="`own` is the later version, `baseline` the earlier one")
    classes: list[ChangedClass]
    gained: list[ChangedImage] = Field(description="the later version alone is right; surest first")
    lost: list[ChangedImage] = Field(description="the earlier version alone is right")
    sheets: Sheets


class VersionChange(Schema):
    """Two versions of one model."""

    loss: str
    versions: list[int] = Field(description="every published version, newest first")
    before: int
    after: int
    same_test_images: bool
    recipe: dict[str, list[Any]] = Field(
        description="what differs in how they were made: before and after"
    )
    measures: list[MeasureChange]
    paired: PairedChange | None = Field(
        description="null where the versions have no maps, or of other test images"
    )


_MOST_IMAGES = 60


def measure_changes(before: Report, after: Report) -> list[MeasureChange]:
    """Every headline of the two reports."""
    return [
        _change(name, title, kind, better, read(before), read(after))
        for name, title, kind, better, read in _MEASURES
    ]


def recipe_changes(
    before: tuple[Manifest, Report], after: tuple[Manifest, Report]
) -> dict[str, list[Any]]:
    """The facts of how the two were made that are not the same."""
    one, other = _facts(*before), _facts(*after)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return {name: [one.get(name), other.get(name)] for name in names}


def paired_change(paired: PairedVersions, labels: tuple[str, ...]) -> PairedChange:
    """The images that changed, and whether that is more than chance."""
    images = paired.after.tests
    support = np.bincount(paired.after.labels[:images], minlength=len(labels)).tolist()
    tests = zip(labels, support, paired.classes(len(labels)), strict=True)
    return PairedChange(
        images=images,
        difference=paired.difference(),
        test=paired.test(),
        classes=[
            ChangedClass(label=label, images=count, test=test)
            for label, count, test in tests
            if test is not None
        ],
        gained=_listed(paired, paired.gained, labels),
        lost=_listed(paired, paired.lost, labels),
        sheets=show_sheets(paired.after),
    )


def _listed(
    paired: PairedVersions, rows: NDArray[np.intp], labels: tuple[str, ...]
) -> list[ChangedImage]:
    before, after = paired.before.points, paired.after.points
    return [
        ChangedImage(
            row=row,
            id=paired.after.ids[row],
            label=labels[paired.after.labels[row]],
            before=labels[before.prediction[row]],
            after=labels[after.prediction[row]],
            probability=float(after.confidence[row]),
        )
        for row in rows[:_MOST_IMAGES].tolist()
    ]


def _change(
    name: str,
    title: str,
    kind: str,
    better: str,
    before: Estimate | float | None,
    after: Estimate | float | None,
) -> MeasureChange:
    one, other = _value(before), _value(after)
    return MeasureChange(
        name=name,
        title=title,
        kind=kind,
        better=better,
        before=before,
        after=after,
        difference=None if one is None or other is None else other - one,
    )


def _value(found: Estimate | float | None) -> float | None:
    return found.value if isinstance(found, Estimate) else found


def _single_ms(report: Report) -> float | None:
    return next((one.median_ms for one in report.cost.latencies if one.batch == 1), None)


def _facts(manifest: Manifest, report: Report) -> dict[str, Any]:
    provenance = report.provenance
    return {
        "network": manifest.backbone,
        "input_px": manifest.preprocess.size_px,
        "dimension": manifest.dimension,
        "metric": manifest.metric,
        "classes": len(manifest.labels),
        "images": f"{provenance.dataset.name}, {provenance.dataset.edition}",
        "training_images": provenance.dataset.train,
        "precisions": ["float32", *(one.precision for one in manifest.variants)],
        **provenance.recipe,
    }


_MEASURES: tuple[tuple[str, str, str, str, Any], ...] = (
    ("accuracy", "Accuracy", "percent", "higher", lambda r: r.classification.accuracy),
    ("macro_f1", "Macro F1", "number", "higher", lambda r: r.classification.macro_f1),
    ("ece", "Calibration error (ECE)", "percent", "lower", lambda r: r.confidence.after.ece),
    (
        "nll",
        "NLL, nats",
        "number",
        "lower",
        lambda r: r.confidence.after.nll_interval or r.confidence.after.nll,
    ),
    (
        "aurc",
        "AURC",
        "number",
        "lower",
        lambda r: r.confidence.selective.aurc_interval or r.confidence.selective.aurc,
    ),
    ("recall_at_1", "Recall@1", "percent", "higher", lambda r: r.retrieval.recall_at_1),
    ("map_at_r", "MAP@R", "percent", "higher", lambda r: r.retrieval.map_at_r),
    ("eer", "Equal error rate", "percent", "lower", lambda r: r.verification.eer),
    ("model_bytes", "Size", "bytes", "lower", lambda r: r.cost.model_bytes),
    ("single_ms", "One image", "ms", "lower", _single_ms),
    ("training_seconds", "Training time", "seconds", "lower",
     lambda r: r.provenance.training_seconds),
)  # fmt: skip
