"""The published models side by side, as a Markdown table made from their reports."""

from models.report import Report
from models.store import Store

_HEAD = "| Model | Test accuracy | Macro F1 | Errors against softmax | Temperature | Training |"


def results_table(store: Store) -> str:
    """One row per model, best accuracy first; every figure is read from report.json."""
    reports = [store.load(name).report for name in store.names()]
    ranked = sorted(reports, key=lambda report: -report.classification.accuracy.value)
    return "\n".join([_HEAD, "|---|---|---|---|---|---|", *map(_row, ranked)])


def _row(report: Report) -> str:
    found = report.classification
    return (
        f"| {report.name} | {found.accuracy.value:.2%} | {found.macro_f1:.4f} | "
        f"{_errors(report)} | {report.confidence.calibration.temperature:.3f} | "
        f"{len(report.learning_curve)} epochs, {report.provenance.training_seconds / 60:.0f} min |"
    )


def _errors(report: Report) -> str:
    against = report.classification.against_softmax
    if against is None or report.loss == against.baseline:
        return "baseline"
    return f"{sum(row.false_negatives_difference for row in against.classes):+d}"
