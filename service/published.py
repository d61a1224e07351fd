"""What the registry held when the service started: decided once, served by every worker."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.bundle import MANIFEST
from models.manifest import Sha256
from models.store import Store
from service.comparison import Compared, read_compared

Version = tuple[str, int]  # a model's name, and which of its versions


@dataclass(frozen=True)
class Published:
    """Each version with the hash of its manifest, which holds those of its files.

    A worker that starts later serves these and no others: what is published meanwhile waits for a
    restart, and a bundle that is no longer what it was is damaged.
    """

    manifests: Mapping[Version, Sha256 | None]  # None where there was nothing to read
    compared: Compared = field(default_factory=Compared)

    def versions(self) -> dict[str, tuple[int, ...]]:
        """The versions of each model, oldest first; models sorted by name."""
        found: dict[str, tuple[int, ...]] = {}
        for name, version in sorted(self.manifests):
            found[name] = (*found.get(name, ()), version)
        return found


def read_published(store: Store) -> Published:
    """Decide what is served: all that the registry holds now."""
    manifests = {
        (name, version): _manifest_sha256(store, name, version)
        for name in store.names()
        for version in store.versions(name)
    }
    return Published(manifests, read_compared(store))


def _manifest_sha256(store: Store, name: str, version: int) -> Sha256 | None:
    try:
        content = (store.root / name / str(version) / MANIFEST).read_bytes()
    except OSError:
        return None
    return hashlib.sha256(content).hexdigest()
