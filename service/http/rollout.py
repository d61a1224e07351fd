"""A change of what one process serves, without a restart and without a lost request.

The versions that answer next are loaded beside those that answer now. Only when all of them are
ready do requests go to them; a request that is under way keeps what it has.
"""

import asyncio
import contextlib
import gc
import signal
from dataclasses import replace
from typing import Protocol

import structlog
from fastapi import FastAPI

from models.errors import ModelsError
from models.store import Store
from service.errors import ReloadRefused
from service.http.assembly import Assembly
from service.http.state import Services
from service.machine.hardware import give_back_memory
from service.registry.comparison import read_comparisons
from service.registry.published import PublishedModels, Version, read_published
from service.settings import Settings

_GRACE_S = 5.0  # for requests that are under way, before the memory of old versions is collected

log = structlog.get_logger(__name__)


class Rollout:
    """Prepares what is to be served next, and serves it. For one event loop."""

    def __init__(self, api: FastAPI, assembly: Assembly, published: PublishedModels) -> None:
        self._api = api
        self._assembly = assembly
        self.published = published
        self._next: tuple[Services, PublishedModels] | None = None

    @property
    def services(self) -> Services:
        """Return the parts that answer now."""
        found: Services = self._api.state.services
        return found

    @property
    def answering(self) -> list[Version]:
        """Return the versions that are loaded."""
        return self.services.catalog.answering

    async def engine(self, name: str, version: int) -> object:
        """Load a version of what is served now."""
        return await self.services.catalog.engine(name, version)

    async def prepare(self, published: PublishedModels) -> None:
        """Load what is to answer next.

        Raises ReloadRefused where a version that would answer by default cannot be loaded; what
        could not be loaded before either is no reason.
        """
        await self.withdraw()
        comparisons = await asyncio.to_thread(read_comparisons, self.services.shelf.store)
        published = replace(published, comparisons=comparisons)
        unchanged = published.unchanged_since(self.published)
        services = self._assembly.with_models(self.services, published, unchanged)
        catalog = services.catalog
        await catalog.load()
        for entry in catalog.defaults():
            known = (entry.name, entry.version) in unchanged and entry.state == "damaged"
            if entry.engine is None and not known:
                await self._put_back(services)
                what = f"{entry.name}/{entry.version}"
                raise ReloadRefused(f"{what} is {entry.state}: {entry.reason}")
        self._next = services, published

    async def serve(self) -> None:
        """Let what was prepared answer from now on."""
        if self._next is None:
            return
        before, (services, published) = self.services, self._next
        self._api.state.services, self.published, self._next = services, published, None
        services.catalog.keep_trying()
        await before.catalog.retire()
        _show(services, instead_of=before)
        asyncio.get_running_loop().call_later(_GRACE_S, _collect)

    async def withdraw(self) -> None:
        """Forget what was prepared."""
        if self._next is not None:
            prepared, self._next = self._next[0], None
            await self._put_back(prepared)

    async def _put_back(self, prepared: Services) -> None:
        """Show what answers in place of what was loaded for nothing."""
        await prepared.catalog.retire()
        _show(self.services, instead_of=prepared)


def _show(services: Services, *, instead_of: Services) -> None:
    """Have the metrics follow the engines that answer, and no others."""
    catalog, other = services.catalog, instead_of.catalog
    for name, version in set(other.answering).difference(catalog.answering):
        services.metrics.forget(other.entry(name, version).ready_engine())
    for name, version in catalog.answering:
        services.metrics.follow(catalog.entry(name, version).ready_engine())


def _collect() -> None:
    gc.collect()
    give_back_memory()


class Reload(Protocol):
    """A way to have the service serve what the registry holds now."""

    async def reload(self) -> PublishedModels:
        """Do it. Raises ReloadRefused where it cannot; then nothing has changed."""
        ...


class ReloadAlone:
    """Reloads the models of a service that is one process."""

    def __init__(self, rollout: Rollout, settings: Settings) -> None:
        self._rollout = rollout
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()
        self._tried: PublishedModels | None = None

    async def reload(self) -> PublishedModels:
        """Serve what the registry holds now. Raises ReloadRefused."""
        async with self._one_at_a_time:
            try:
                found = await self._read()
                self._tried = found
                await self._rollout.prepare(found)
            except (ModelsError, OSError) as error:
                raise ReloadRefused(str(error)) from error
            await self._rollout.serve()
            log.info("models changed", answering=dict(found.defaults))
            return found

    def listen(self) -> None:
        """Reload on SIGHUP, where this is the main thread of a system that has it."""
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._on_signal)

    async def keep_looking(self) -> None:
        """Look at the registry by itself, as often as the settings say; until cancelled."""
        if self._settings.reload_every_s is None:
            return
        while True:
            await asyncio.sleep(self._settings.reload_every_s)
            with contextlib.suppress(ModelsError, OSError):
                found = await self._read()
                known = self._tried or self._rollout.published
                if not found.chooses_as(known):
                    await self._try()

    def _on_signal(self) -> None:
        self._running = asyncio.create_task(self._try(), name="reload")

    async def _try(self) -> None:
        refused = None
        try:
            await self.reload()
        except ReloadRefused as error:
            refused = error.reason
        if refused is not None:
            log.error("models not changed", reason=refused)

    async def _read(self) -> PublishedModels:
        store = Store(self._settings.registry)
        return await asyncio.to_thread(read_published, store, self._settings.pinned_versions)
