"""Checks before the service takes its port: what it cannot do without, or has to."""

import os

import structlog

from models.errors import ModelsError
from models.store import Store
from service.errors import RegistryEmpty, VersionUnavailable
from service.http.observability.tracing import require_tracing
from service.machine.environment import from_kubernetes
from service.machine.folders import can_share, why_not_writable
from service.processes.workers import default_workers
from service.registry.published import bytes_to_load, default_versions
from service.settings import PREFIX, Settings, flag

log = structlog.get_logger("service")


def check(settings: Settings) -> None:
    """Raise the StartError of what it cannot serve without; log what it does without."""
    if injected := from_kubernetes(os.environ, PREFIX):
        log.info("variables that Kubernetes sets are not read", variables=injected)
    _check_registry(settings)
    _check_data_dir(settings)
    _check_device(settings)
    _check_extras(settings)


def count_workers(settings: Settings) -> int:
    """Count the processes to start."""
    store = Store(settings.registry)
    bytes_of_models = bytes_to_load(store, default_versions(store, settings.pinned_versions))
    workers = settings.workers or default_workers(settings.device, bytes_of_models)
    if workers > 1 and not can_share(settings.data_dir):
        log.warning(
            "one process serves alone: workers share a folder of small files, and none can be "
            f"written; make TMPDIR or {flag('data_dir')} one that can",
            wanted=workers,
        )
        return 1
    return workers


def _check_registry(settings: Settings) -> None:
    try:
        names = Store(settings.registry).names()
    except OSError as error:
        raise RegistryEmpty(
            f"{settings.registry} cannot be read ({error.strerror or error}); give its user the "
            f"right, or name another folder with {flag('registry')}"
        ) from None
    if not names:
        raise RegistryEmpty(
            f"there is no published model in {settings.registry}; publish one with "
            f"'python -m training run', or name another folder with {flag('registry')}"
        )
    try:
        default_versions(Store(settings.registry), settings.pinned_versions)
    except ModelsError as error:
        raise VersionUnavailable(
            f"{error}; publish it, correct {flag('default_versions')}, or choose another with "
            "'python -m models promote'"
        ) from None
    if settings.default_loss not in names:
        log.warning("the default model is not published", name=settings.default_loss, models=names)


def _check_data_dir(settings: Settings) -> None:
    if (reason := why_not_writable(settings.data_dir)) is not None:
        log.warning(
            "the data folder cannot be written: collections can be read and searched, and nothing "
            f"can be put; name another with {flag('data_dir')}, or give the user the right",
            reason=reason,
        )


def _check_device(settings: Settings) -> None:
    if settings.device in ("cuda", "tensorrt"):
        from service.inference.device import choose_provider

        choose_provider(settings.device)


def _check_extras(settings: Settings) -> None:
    if settings.tracing == "otlp":
        require_tracing()
    if settings.index_url != "embedded":
        from service.vectors.milvus.server import require_milvus

        require_milvus()
