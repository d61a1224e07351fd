"""The comparison of the losses, as it was when the service started."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from models.comparison import ComparisonReport
from models.errors import ComparisonDamaged
from models.store import Store
from service.errors import UnknownFigure

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


def read_compared(store: Store) -> PublishedComparison:
    """Read what is published; damage is logged and kept, for nothing else depends on it."""
    try:
        report = store.comparison()
        paths = store.comparison_figures() if report else {}
        return PublishedComparison(
            report, {name: path.read_bytes() for name, path in paths.items()}
        )
    except ComparisonDamaged as error:
        reason = error.reason
    except OSError as error:
        reason = f"a figure cannot be read: {error}"
    log.error("comparison damaged", reason=reason)
    return PublishedComparison(damage=reason)
