"""The precision that a service answers in, decided once by the process that starts the others."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from models.bundle import MANIFEST, Bundle
from models.errors import ModelsError
from models.manifest import Manifest
from models.store import Store
from service.errors import ServiceError
from service.machine.hardware import multiplies_int8
from service.registry.published import default_versions
from service.settings import PrecisionChoice, Settings

if TYPE_CHECKING:
    from service.collections import CollectionSpec
    from service.vectors import VectorIndex

_LONGEST_S = 120.0

log = structlog.get_logger("service")


def settle_precision(settings: Settings) -> PrecisionChoice:
    """The setting, but float32 for `auto` where int8 is not the better here; all workers use it.

    Nothing is timed where no model has an int8 graph, the processor has no instructions for it, or
    a GPU is asked for. A collection with vectors of float32 that int8 must not be mixed with keeps
    the service in float32.
    """
    if settings.precision != "auto":
        return settings.precision
    if settings.device in ("cuda", "tensorrt") or not multiplies_int8():
        return "float32"
    defaults = default_versions(Store(settings.registry), settings.pinned_versions)
    models = {name: each for name, each in defaults.items() if _has_int8(settings, name, each)}
    if not models:
        return "auto"
    reason = _why_float32(settings, models)
    log.info("precision", chosen="float32" if reason else "int8", models=models, reason=reason)
    return "float32" if reason else "auto"


def _has_int8(settings: Settings, name: str, version: int) -> bool:
    """By the manifest alone: the files are verified where they are opened."""
    path = settings.registry / name / str(version) / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return False  # loading it says what is wrong
    return any(one.precision == "int8" for one in manifest.variants)


def _why_float32(settings: Settings, models: dict[str, int]) -> str | None:
    """Found out in a process of its own, since this one forks; None where int8 is the better."""
    with_what = (settings.registry, settings.data_dir, models)
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(_look, *with_what).result(timeout=_LONGEST_S)
    except (BrokenProcessPool, ModelsError, ServiceError, OSError, TimeoutError) as error:
        return f"int8 could not be tried: {error}"


def _look(registry: Path, data_dir: Path, models: dict[str, int]) -> str | None:
    from service.inference.precision import is_faster

    store = Store(registry)
    bundles = {name: store.load(name, version) for name, version in models.items()}
    held = [spec for spec in _specs(data_dir) if _would_not_mix(spec, bundles.get(spec.loss))]
    if held:
        return f"collection {held[0].name!r} has vectors of float32, among which int8 finds others"
    return None if is_faster(bundles.values()) else "int8 takes more than 0.9 of float32's time"


def _specs(data_dir: Path) -> "Iterator[CollectionSpec]":
    from service.collections import Library
    from service.collections.data_folder import COLLECTIONS

    library = Library(data_dir / COLLECTIONS, _no_index, maintain_every_s=None)
    try:
        for name in library.names():
            with suppress(ServiceError):  # who asks for it learns what is damaged
                yield library.get(name).spec
    finally:
        library.close()


def _would_not_mix(spec: "CollectionSpec", bundle: Bundle | None) -> bool:
    if bundle is None or spec.version != bundle.manifest.version:
        return False
    return not bundle.may_mix("int8", spec.precision)


def _no_index(spec: "CollectionSpec", *_: object) -> "tuple[VectorIndex, int]":
    from service.vectors import ExactIndex

    return ExactIndex(spec.dimension, spec.metric), 0
