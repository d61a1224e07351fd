"""Pages for people: plain HTML; scripts of our own add to it, nothing is fetched from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from models.manifest import Manifest
from models.report import Report
from reports.words import images_known
from service.http.pages import comparison_view, filters, prose, report_view, trust
from service.http.pages.static_files import read_static_files
from service.http.responses.schemas import ReportOverview, ThresholdAnswer
from service.inference.entry import ModelEntry

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_MOST_LABELS = 30
_WIDEST_MATRIX = 40  # classes; a wider confusion matrix is left to the JSON


@dataclass(frozen=True)
class Tabs:
    """The models that a page can be switched to, and the versions of the one it shows."""

    losses: tuple[str, ...]
    versions: tuple[int, ...]  # newest first


class Pages:
    """Renders the templates."""

    def __init__(self) -> None:
        self.static = read_static_files()
        self._templates = Environment(
            loader=PackageLoader("service.http.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(filters.FILTERS)
        self._templates.globals["static"] = self.static.address

    def home(self, address: str, default: str, entries: list[ModelEntry]) -> Response:
        """The front page; `address` is where the client reached the service."""
        return self._render(
            "home.html",
            here="/",
            address=address,
            default=default,
            entries=entries,
            most_labels=_MOST_LABELS,
        )

    def explore(self, losses: Sequence[str]) -> Response:
        """The map, on which images are looked at under two of these losses."""
        return self._render("explore.html", here="/explore", losses=losses)

    def overview(self, overview: ReportOverview) -> Response:
        """Show which loss to choose: the comparison over seeds, and the published models."""
        report = overview.comparison
        return self._render(
            "overview.html",
            here="/report",
            comparing=None if report is None else comparison_view.arrange(report),
            improves=comparison_view.improves,
            images_known=images_known,
            questions=comparison_view.QUESTIONS,
            damage=overview.comparison_damage,
            losses=sorted(overview.losses, key=lambda one: -one.accuracy.value),
            unavailable=overview.unavailable,
            differing=report_view.differences(overview.losses),
            disagreeing=report_view.disagreements(overview.losses),
        )

    def report(
        self,
        report: Report,
        manifest: Manifest,
        asked: ThresholdAnswer | None,
        tabs: Tabs | None = None,
    ) -> Response:
        """One model's report; `asked` is the threshold that the reader wanted to know."""
        curve = report.learning_curve
        return self._render(
            "report.html",
            here="",
            tabs=tabs,
            report=report,
            manifest=manifest,
            asked=asked,
            claims=prose.claims(report),
            limits=(trust.TRUSTED, trust.ROUGHLY),
            calibration_notes=trust.calibration_notes(report.confidence),
            sections=report_view.SECTIONS,
            figures=report_view.figures_by_section(report.figures),
            widest_matrix=_WIDEST_MATRIX,
            accuracy_line=report_view.accuracy_line(curve) if curve else None,
            loss_line=report_view.loss_line(curve) if curve else None,
        )

    def _render(self, template: str, **values: Any) -> Response:
        html = self._templates.get_template(template).render(**values)
        return Response(html, 200, HEADERS, "text/html; charset=utf-8")
