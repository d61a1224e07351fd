"""One model and version as a row of `/models`, and as a card of its own."""

from dataclasses import dataclass

from models.evidence.cost import Latency
from models.manifest import Manifest
from models.report import Report
from service.inference.model_entry import ModelEntry
from service.registry.shelf import Described


@dataclass(frozen=True)
class ModelRow:
    """One version of one model, as far as its files can be read."""

    entry: ModelEntry
    answers: str  # for whom: "everybody", "by name", or "by version"
    described: Described | None
    damage: str | None

    @property
    def manifest(self) -> Manifest | None:
        """Return its manifest."""
        return self.described.manifest if self.described else None

    @property
    def report(self) -> Report | None:
        """Return its report."""
        return self.described.report if self.described else None

    @property
    def query(self) -> str:
        """Return the query that leads its addresses to this version."""
        return "" if self.entry.is_default else f"?version={self.entry.version}"

    @property
    def has_map(self) -> bool:
        """Return whether its test images can be looked at."""
        return self.manifest is not None and self.manifest.test_images is not None

    @property
    def precisions(self) -> tuple[str, ...]:
        """Return the precisions at which it is published."""
        if self.manifest is None:
            return ()
        return ("float32", *(one.precision for one in self.manifest.variants))

    @property
    def single(self) -> Latency | None:
        """Return the time of one image at a time, where it was measured."""
        latencies = self.report.cost.latencies if self.report else ()
        return next((one for one in latencies if one.batch == 1), None)


def answers(entry: ModelEntry, default: str) -> str:
    """Return the requests that a version answers: all without a name, its model's, or its own."""
    if not entry.is_default:
        return "by version"
    return "everybody" if entry.name == default else "by name"
