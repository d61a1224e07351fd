"""The published models side by side, as a Markdown table made from their reports."""

from models.report import Report
from models.store import Store

_HEAD = "| Model | Test accuracy | Macro F1 | Errors against softmax | Temperature | Training |"


def results_table(store: Store) -> str:
    """One row per model, best accuracy first; every figure is read from report.json."""
    reports = [store.load(name).report for name in store.names()]
    ranked = sorted(reports, key=lambda report: -report.accuracy)
    return "\n".join([_HEAD, "|---|---|---|---|---|---|", *map(_row, ranked)])


def _row(report: Report) -> str:
    macro_f1 = sum(row.f1 for row in report.classes) / len(report.classes)
    return (
        f"| {report.name} | {report.accuracy:.2%} | {macro_f1:.4f} | {_errors(report)} | "
        f"{report.calibration.temperature:.3f} | "
        f"{len(report.learning_curve)} epochs, {report.provenance.training_seconds / 60:.0f} min |"
    )


def _errors(report: Report) -> str:
    if report.against_softmax is None or report.loss == report.against_softmax.baseline:
        return "baseline"
    return f"{sum(row.false_negatives_difference for row in report.against_softmax.classes):+d}"
