"""Losses as tabs and versions as a switch, on every page that shows one model."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import BundleNotFound
from service.inference.catalog import Catalog


@dataclass(frozen=True)
class Tab:
    """One way to go."""

    title: str
    address: str
    current: bool


@dataclass(frozen=True)
class Tabs:
    """The models and versions that a page can be switched to, and the pages of the one it shows."""

    losses: tuple[Tab, ...]
    versions: tuple[Tab, ...]  # newest first
    views: tuple[Tab, ...]


_VIEWS = (("report", "/report/{}"), ("card", "/models/{}"), ("versions", "/report/{}/versions"))


def tabs_of(catalog: Catalog, view: str, loss: str, version: int | None = None) -> Tabs:
    """Tabs of one view of one model. A switch of the loss keeps the version where it has it.

    `version` is None where the view shows several. Raises BundleNotFound.
    """
    default = catalog.entry(loss).version
    path = dict(_VIEWS)[view]

    def address(name: str, number: int | None, way: str = path) -> str:
        kept = number is not None and number in _numbers(catalog, name)
        is_default = number == catalog.entry(name).version
        return way.format(name) + (f"?version={number}" if kept and not is_default else "")

    kept = None if version == default else version
    versions = _numbers(catalog, loss) if version is not None else ()
    return Tabs(
        tuple(
            Tab(one.name, address(one.name, kept), one.name == loss) for one in catalog.defaults()
        ),
        tuple(Tab(str(one), address(loss, one), one == version) for one in versions),
        tuple(
            Tab(title, address(loss, kept if title != "versions" else None, way), title == view)
            for title, way in _VIEWS
            if title != "versions" or len(_numbers(catalog, loss)) > 1
        ),
    )


def _numbers(catalog: Catalog, name: str) -> Sequence[int]:
    try:
        return [entry.version for entry in catalog.versions(name)]
    except BundleNotFound:
        return []
