"""The registry as it was when the service started: decided once, served by every worker."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.aliases import current_versions
from models.bundle import MANIFEST, THUMBNAILS
from models.errors import BundleNotFound, ModelsError
from models.manifest import Sha256
from models.store import Store
from service.registry.comparison import Comparisons, read_comparisons

Version = tuple[str, int]  # a model's name, and which of its versions


@dataclass(frozen=True)
class PublishedModels:
    """Each version with the hash of its manifest, which holds those of its files.

    A worker that starts later serves these and no others: what is published meanwhile waits for a
    reload, and a bundle that is no longer what it was is damaged.
    """

    manifests: Mapping[Version, Sha256 | None]  # None where there was nothing to read
    defaults: Mapping[str, int] = field(default_factory=dict)  # answer where none is named
    comparisons: Comparisons = field(default_factory=Comparisons)
    generation: int = 0  # how often it was read since the service started

    def versions(self) -> dict[str, tuple[int, ...]]:
        """The versions of each model, oldest first; models sorted by name."""
        found: dict[str, tuple[int, ...]] = {}
        for name, version in sorted(self.manifests):
            found[name] = (*found.get(name, ()), version)
        return found

    def unchanged_since(self, before: "PublishedModels") -> frozenset[Version]:
        """The versions whose manifests, and so all of their files, are what they were."""
        return frozenset(
            version
            for version, sha256 in self.manifests.items()
            if sha256 is not None and before.manifests.get(version) == sha256
        )

    def chooses_as(self, other: "PublishedModels") -> bool:
        """Return whether it has the same versions, and the same ones answer."""
        return (self.manifests, self.defaults) == (other.manifests, other.defaults)

    def as_json(self) -> dict[str, Any]:
        """Return the choice as plain values; comparisons are read from the registry again."""
        manifests = [[*version, sha256] for version, sha256 in self.manifests.items()]
        return {
            "manifests": manifests,
            "defaults": dict(self.defaults),
            "generation": self.generation,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PublishedModels":
        """Read what `as_json` gave."""
        manifests = {(name, version): sha256 for name, version, sha256 in values["manifests"]}
        return cls(manifests, values["defaults"], generation=values["generation"])


def default_versions(store: Store, pinned: Mapping[str, int]) -> dict[str, int]:
    """The version of each model that answers where a request names none.

    It is the one that is pinned, or else current by the registry's aliases, or else the newest.
    Raises AliasesDamaged, and BundleNotFound where one of them is not published.
    """
    found = current_versions(store)
    for name, version in pinned.items():
        if version not in store.versions(name):
            known = tuple(f"{name}/{each}" for each in store.versions(name)) or store.names()
            raise BundleNotFound(name, version, known)
    return found | dict(pinned)


def read_published(store: Store, pinned: Mapping[str, int]) -> PublishedModels:
    """Decide what is served: all that the registry holds now. Raises as `default_versions`."""
    defaults = default_versions(store, pinned)
    manifests = {
        (name, version): _manifest_sha256(store, name, version)
        for name in store.names()
        for version in store.versions(name)
    }
    return PublishedModels(manifests, defaults, read_comparisons(store))


def why_changed(store: Store, published: PublishedModels, loaded: Iterable[Version]) -> str | None:
    """Explain why these versions could not be loaded again as they were; None where they could.

    It reads and hashes every file of them.
    """
    for name, version in sorted(set(loaded).intersection(published.manifests)):
        try:
            bundle = store.load(name, version, published.manifests[name, version])
            bundle.thumbnails()
            bundle.test_images()
        except (ModelsError, OSError) as error:
            return str(error)
    return None


def bytes_to_load(store: Store, defaults: Mapping[str, int]) -> int:
    """The size of the default versions' files on disk, which every worker loads."""
    folders = [store.root / name / str(version) for name, version in defaults.items()]
    return sum(_size(folder) for folder in (*folders, store.root / THUMBNAILS))


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _manifest_sha256(store: Store, name: str, version: int) -> Sha256 | None:
    try:
        content = (store.root / name / str(version) / MANIFEST).read_bytes()
    except OSError:
        return None
    return hashlib.sha256(content).hexdigest()
