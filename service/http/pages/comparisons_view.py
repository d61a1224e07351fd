"""Several comparisons on the overview page: each in a line, and their verdicts side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.comparison import ComparisonReport
from reports.across import Across
from reports.settings import convergence, setting
from service.http.responses.schemas import ComparisonSummary
from service.registry.comparison import Comparisons, PublishedComparison


@dataclass(frozen=True)
class Several:
    """All comparisons that can be read, for the page."""

    groups: Sequence[Across]
    settings: Mapping[str, str]  # by name
    convergence: Mapping[str, str]
    titles: Mapping[str, str]  # of measures

    @classmethod
    def of(cls, reports: Sequence[ComparisonReport], groups: Sequence[Across]) -> "Several":
        """Arrange them for reading."""
        return cls(
            groups,
            {one.name: setting(one) for one in reports},
            {one.name: convergence(one) for one in reports},
            {measure.name: measure.title for one in reports for measure in one.measures},
        )


def list_comparisons(comparisons: Comparisons) -> list[ComparisonSummary]:
    """Every published comparison in a line, damaged ones too."""
    return [_summary(name, one) for name, one in comparisons.by_name.items()]


def _summary(name: str, compared: PublishedComparison) -> ComparisonSummary:
    report, address = compared.report, f"/report?comparison={name}"
    if report is None:
        nothing = dict.fromkeys(ComparisonSummary.model_fields)
        known = {"name": name, "damage": compared.damage, "losses": (), "report": address}
        return ComparisonSummary.model_validate(nothing | known)
    return ComparisonSummary(
        name=name,
        damage=None,
        dataset=report.dataset.name,
        dataset_sha256=report.dataset.sha256,
        backbone=report.protocol.backbone,
        epochs=report.protocol.epochs,
        seeds=report.protocol.seeds,
        losses=report.losses,
        runs=report.runs,
        converged_runs=report.converged_runs,
        evaluated=report.evaluated,
        report=address,
    )
