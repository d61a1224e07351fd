"""The comparisons of the losses, as they were when the service started."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from models.comparison import DEFAULT, ComparisonReport
from models.errors import ComparisonDamaged
from models.store import Store
from reports.across import headline
from service.registry.errors import UnknownComparison, UnknownFigure

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PublishedComparison:
    """The published comparison and its figures, which belong together; or what is wrong with it."""

    report: ComparisonReport | None = None
    figures: Mapping[str, bytes] = field(default_factory=dict)
    damage: str | None = None

    def figure(self, name: str) -> bytes:
        """The SVG of that name. Raises ComparisonDamaged or UnknownFigure."""
        if self.damage is not None:
            raise ComparisonDamaged(self.damage)
        if name not in self.figures:
            raise UnknownFigure(name, tuple(self.figures))
        return self.figures[name]


@dataclass(frozen=True)
class Comparisons:
    """Every published comparison by its name, the default one first."""

    by_name: Mapping[str, PublishedComparison] = field(default_factory=dict)

    def named(self, name: str | None) -> PublishedComparison:
        """The comparison of that name; without one the default, or what is shown in its place.

        Raises UnknownComparison.
        """
        if name is None:
            return self.by_name.get(self._shown, PublishedComparison())
        if name not in self.by_name:
            raise UnknownComparison(name, tuple(self.by_name))
        return self.by_name[name]

    @property
    def reports(self) -> tuple[ComparisonReport, ...]:
        """Those that can be read."""
        return tuple(one.report for one in self.by_name.values() if one.report is not None)

    @property
    def _shown(self) -> str:
        """The default one, even if it is damaged; where there is none, the headline."""
        best = headline(self.reports)
        return DEFAULT if DEFAULT in self.by_name or best is None else best.name


def read_comparisons(store: Store) -> Comparisons:
    """Read what is published; damage is logged and kept, for nothing else depends on it."""
    return Comparisons({name: _read(store, name) for name in store.comparison_names()})


def _read(store: Store, name: str) -> PublishedComparison:
    try:
        report = store.comparison(name)
        paths = store.comparison_figures(name) if report else {}
        return PublishedComparison(
            report, {name: path.read_bytes() for name, path in paths.items()}
        )
    except ComparisonDamaged as error:
        reason = error.reason
    except OSError as error:
        reason = f"a figure cannot be read: {error}"
    log.error("comparison damaged", comparison=name, reason=reason)
    return PublishedComparison(damage=reason)
