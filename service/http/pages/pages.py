"""Pages for people: plain HTML; scripts of our own add to it, nothing is fetched from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from models.comparison import ComparisonReport
from models.manifest import Manifest
from models.report import Report
from reports.settings import convergence, setting
from reports.words import images_known
from service.http.pages import (
    advice,
    comparison_view,
    comparisons_view,
    filters,
    prose,
    report_view,
    trust,
)
from service.http.pages.manual_view import Manual
from service.http.pages.models_view import ModelRow
from service.http.pages.static_files import read_static_files
from service.http.pages.tabs import Tabs
from service.http.requests.negotiation import VARYING
from service.http.responses.collections import CollectionDetail, CollectionList
from service.http.responses.schemas import ReportOverview, ThresholdAnswer
from service.http.responses.versions import VersionChange
from service.inference.catalog import Catalog
from service.inference.model_entry import ModelEntry

_POLICY = "Content-Security-Policy"
HEADERS = {
    _POLICY: "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_MOST_LABELS = 30
_WIDEST_MATRIX = 40  # classes; a wider confusion matrix is left to the JSON


_SIGNED_OUT = 401, 429  # of statuses: their page has the form to sign in, and leads nowhere else


class Pages:
    """Renders the templates."""

    def __init__(self, *, has_key: bool = False) -> None:
        """Prepare the pages; with a key, they have a button to sign out."""
        self.static = read_static_files()
        self._templates = Environment(
            loader=PackageLoader("service.http.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(filters.FILTERS)
        self._templates.filters["address"] = lambda text: quote(str(text), safe="")
        self._templates.globals["static"] = self.static.address
        self._templates.globals["has_key"] = has_key
        style = self.static.files["style.css"]
        self._style = Markup(style.decode())  # noqa: S704 - our own file
        self._style_sha256 = base64.b64encode(hashlib.sha256(style).digest()).decode()

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

    def explore(self, losses: Sequence[str], collections: Sequence[str] = ()) -> Response:
        """The map, on which images are looked at under two of these losses."""
        return self._render("explore.html", here="/explore", losses=losses, collections=collections)

    def explore_collection(self, found: CollectionDetail) -> Response:
        """The map of one collection."""
        return self._render("explore_collection.html", here="/explore", collection=found)

    def collection(self, found: CollectionDetail) -> Response:
        """One collection: its items, what is put into it, and its map."""
        return self._render("collection.html", here="/collections", collection=found)

    def overview(
        self, overview: ReportOverview, reports: Sequence[ComparisonReport] = ()
    ) -> Response:
        """Show which loss to choose: the comparisons over seeds, and the published models.

        `reports` are all comparisons, of which the overview holds one.
        """
        report = overview.comparison
        return self._render(
            "overview.html",
            here="/report",
            comparing=None if report is None else comparison_view.arrange(report),
            several=comparisons_view.Several.of(reports, overview.across),
            comparisons=overview.comparisons,
            setting=setting,
            convergence=convergence,
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

    def models(self, default: str, rows: Sequence[ModelRow]) -> Response:
        """Every version of every model."""
        return _varying(self._render("models.html", here="/models", default=default, rows=rows))

    def model(self, row: ModelRow, tabs: Tabs) -> Response:
        """One version of one model: what it is, and what it is for."""
        return _varying(
            self._render("model.html", here="", tabs=tabs, row=row, most_labels=_MOST_LABELS)
        )

    def manual(self, manual: Manual, address: str) -> Response:
        """Every route, with a form to try it."""
        return self._render("docs.html", here="/docs", manual=manual, address=address)

    def versions(self, change: VersionChange, tabs: Tabs) -> Response:
        """Two versions of one model side by side."""
        return _varying(self._render("versions.html", here="", tabs=tabs, change=change))

    def collections(self, listed: CollectionList, catalog: Catalog, address: str) -> Response:
        """Every collection; models lead to their reports where they are published here."""
        names = {entry.name for entry in catalog.defaults()}
        values = {"listed": listed, "models": names, "base": address}
        return _varying(self._render("collections.html", here="/collections", **values))

    def problem(self, request: Request, problem: Mapping[str, Any]) -> Response:
        """A refusal. It brings its style along, for nothing else may be served by then."""
        status, path = problem["status"], request.url.path
        back = problem.get("return_to") or (path if request.method == "GET" else "/")
        query = request.url.query
        values = {
            "here": "",
            "problem": problem,
            "advice": advice.next_step(status, problem["code"]),
            "signed_out": status in _SIGNED_OUT,
            "return_to": f"{back}?{query}" if query and back == path else back,
            "style": self._style,
        }
        html = self._templates.get_template("error.html").render(values)
        own = f"style-src 'self' 'sha256-{self._style_sha256}'"
        policy = HEADERS[_POLICY].replace("style-src 'self'", own)
        headers = HEADERS | VARYING | {_POLICY: policy, "Cache-Control": "no-store"}
        return Response(html, status, headers, "text/html; charset=utf-8")

    def _render(self, template: str, **values: Any) -> Response:
        html = self._templates.get_template(template).render(**values)
        return Response(html, 200, HEADERS, "text/html; charset=utf-8")


def _varying(response: Response) -> Response:
    response.headers.update(VARYING)
    return response
