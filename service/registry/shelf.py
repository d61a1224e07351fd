"""Manifests and reports of published versions, read without loading the models."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.manifest import Manifest, Sha256
from models.report import Report
from models.store import Store


@dataclass(frozen=True)
class Described:
    """One version."""

    manifest: Manifest
    report: Report


@dataclass(frozen=True)
class ReportShelf:
    """The reports of one registry, each read when it is first asked for and then kept."""

    store: Store
    manifests: Mapping[tuple[str, int], Sha256 | None]
    _kept: dict[tuple[str, int], Described] = field(default_factory=dict)

    async def describe(self, name: str, version: int) -> Described:
        """Return one version's manifest and report. Raises BundleNotFound and BundleDamaged."""
        key = (name, version)
        if key not in self._kept:
            sha256 = self.manifests.get(key)
            found = await asyncio.to_thread(self.store.describe, name, version, sha256)
            self._kept[key] = Described(*found)
        return self._kept[key]
