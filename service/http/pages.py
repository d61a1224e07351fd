"""Pages for people: plain HTML with its style inside, no script, nothing fetched from elsewhere."""

from datetime import timedelta
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from models.manifest import Manifest
from models.report import Report
from service.catalog import Entry
from service.http import reporting
from service.http.schemas import ReportOverview

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
}


class Pages:
    """Renders the templates."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("service.http"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(percent=_percent, signed=_signed, duration=_duration)

    def home(self, address: str, default: str, entries: list[Entry]) -> Response:
        """The front page; `address` is where the client reached the service."""
        return self._render("home.html", address=address, default=default, entries=entries)

    def overview(self, overview: ReportOverview) -> Response:
        """The losses side by side."""
        labels = list(overview.losses[0].f1) if overview.losses else []
        intervals = {
            one.name: reporting.interval(one.accuracy, one.test_images) for one in overview.losses
        }
        return self._render(
            "overview.html",
            losses=sorted(overview.losses, key=lambda one: -one.accuracy),
            unavailable=overview.unavailable,
            labels=labels,
            differences=reporting.differences(overview.losses),
            intervals=intervals,
        )

    def report(self, report: Report, manifest: Manifest) -> Response:
        """One model's report."""
        curve = report.learning_curve
        return self._render(
            "report.html",
            report=report,
            manifest=manifest,
            summary=reporting.summarize(report, manifest),
            interval=reporting.interval(report.accuracy, report.test_images),
            mistakes=reporting.mistakes(report, 5),
            weakest=reporting.weakest(report),
            accuracy_line=reporting.accuracy_line(curve) if curve else None,
            loss_line=reporting.loss_line(curve) if curve else None,
        )

    def _render(self, template: str, **values: Any) -> Response:
        html = self._templates.get_template(template).render(**values)
        return Response(html, 200, _HEADERS, "text/html; charset=utf-8")


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}\N{NARROW NO-BREAK SPACE}%"


def _signed(value: int) -> str:
    return f"{value:+d}".replace("-", "\N{MINUS SIGN}") if value else "0"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
