"""Collections as they are asked for and made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from models.bundle import MODEL
from models.manifest import Manifest, Metric, Precision
from service.collections.errors import CollectionDiffers
from service.vectors.kinds import Kind

# What tells one collection from another with the same choices, and what the service chooses.
_NOT_CHOSEN = ("created", "identity", "precision")


@dataclass(frozen=True)
class CollectionSpec:
    """The definition of a collection; it never changes."""

    name: str
    loss: str  # the model that its vectors come from, by name,
    version: int  # version
    model_sha256: str  # and the hash of its model.onnx
    metric: Metric
    dimension: int
    index: Kind
    keep_images: bool
    created: str  # ISO 8601, UTC
    identity: str = ""  # a uuid; empty in files that are older than it
    precision: Precision = "float32"  # of the model's graph that made its vectors

    @classmethod
    def new(
        cls,
        name: str,
        manifest: Manifest,
        *,
        metric: Metric | None = None,
        index: Kind = "auto",
        keep_images: bool = True,
        precision: Precision = "float32",
    ) -> "CollectionSpec":
        """Make the spec of a collection that is to hold embeddings of this model."""
        return cls(
            name=name,
            loss=manifest.name,
            version=manifest.version,
            model_sha256=manifest.files[MODEL].sha256,
            metric=metric or manifest.metric,
            dimension=manifest.dimension,
            index=index,
            keep_images=keep_images,
            created=_now(),
            identity=uuid4().hex,
            precision=precision,
        )

    def copied(self, name: str) -> "CollectionSpec":
        """Make the spec of another collection with the same choices."""
        return replace(self, name=name, created=_now(), identity=uuid4().hex)

    @property
    def key(self) -> str:
        """Return what no other collection has, nor had: its index may be kept elsewhere by it."""
        return self.identity or f"{self.created} {self.model_sha256}"

    @property
    def choices(self) -> dict[str, object]:
        """Return what may be asked of an existing collection."""
        found = asdict(self)
        return {name: found[name] for name in found if name not in _NOT_CHOSEN}

    def require(self, asked: Mapping[str, object]) -> None:
        """Raise CollectionDiffers where some of the choices are others than those asked for."""
        differences = tuple(
            f"{name} ({there!r}, not {asked[name]!r})"
            for name, there in self.choices.items()
            if name in asked and there != asked[name]
        )
        if differences:
            raise CollectionDiffers(self.name, differences)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
