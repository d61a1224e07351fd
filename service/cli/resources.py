"""The library and the models, for commands that put items and search nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.bundle import MODEL, Bundle
from models.store import Store
from service.collections import Collection, CollectionSpec, Library
from service.collections.data_folder import COLLECTIONS
from service.collections.errors import ModelMismatch
from service.errors import PrecisionMismatch
from service.inference.cuda import Gpu
from service.inference.device import CPU, choose_provider
from service.inference.loader import Loader
from service.inference.session import Session
from service.settings import Settings
from service.vectors import ExactIndex, VectorIndex

REEMBEDDED = "reembedded"  # below the data folder: collections that shall replace others


@contextmanager
def open_library(settings: Settings) -> Iterator[Library]:
    """The collections; services that run meanwhile see what is put into them."""
    with _opened(settings.data_dir / COLLECTIONS) as library:
        yield library


@contextmanager
def open_successors(settings: Settings) -> Iterator[Library]:
    """Collections that are made to replace others of the same names, when they are complete."""
    with _opened(settings.data_dir / REEMBEDDED) as library:
        yield library


@contextmanager
def _opened(folder: Path) -> Iterator[Library]:
    library = Library(folder, _no_index, maintain_every_s=None)
    try:
        yield library
    finally:
        library.close()


def _no_index(spec: CollectionSpec, *_: object) -> tuple[VectorIndex, int]:
    return ExactIndex(spec.dimension, spec.metric), 0


def model_of(collection: Collection, store: Store) -> Bundle:
    """The model that made the collection. Raises BundleNotFound, BundleDamaged, ModelMismatch."""
    spec = collection.spec
    bundle = store.load(spec.loss, spec.version)
    if model_sha256(bundle) != spec.model_sha256:
        which = f"{spec.loss}/{spec.version}"
        given = f"the {which} in {store.root}"
        raise ModelMismatch(spec.name, f"another {which}", given)
    if not bundle.may_mix("float32", spec.precision):
        raise PrecisionMismatch(f"collection {spec.name!r}", spec.precision, "float32")
    return bundle


def model_sha256(bundle: Bundle) -> str:
    """The hash by which a collection knows its model."""
    return bundle.manifest.files[MODEL].sha256


def open_session(bundle: Bundle, settings: Settings) -> Session:
    """The model, verified and ready to run from several threads at once.

    Raises BundleDamaged, and DeviceUnavailable where the settings ask for a missing device.
    """
    provider = choose_provider(settings.device)
    gpu = Gpu(engines=settings.data_dir / "tensorrt")
    loader = Loader(Store(settings.registry), provider, 1, gpu)
    manifest = bundle.manifest
    return loader.load(manifest.name, manifest.version).session


def at_once(session: Session) -> int:
    """Return how many images one run takes: more gain nothing (docs/lab/performance.md)."""
    return 32 if session.provider == CPU else 256
