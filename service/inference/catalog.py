"""Every published model and its state: which one answers, and whether all are ready."""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping
from time import perf_counter

import structlog

from models.errors import BundleDamaged, BundleNotFound
from service.inference.engine import Engine, LoadedModel
from service.inference.model_entry import ModelEntry
from service.machine.open_files import is_passing

_LOOK_S = 0.5

log = structlog.get_logger(__name__)


class Catalog:
    """The models of one registry as it was when the service started.

    The default version of each is loaded in the background by `start`, that of the default model
    first; another version when it is first asked for.
    """

    def __init__(
        self,
        versions: Mapping[str, tuple[int, ...]],
        default: str,
        load: Callable[[str, int], LoadedModel],
        serve: Callable[[LoadedModel], Engine],
        defaults: Mapping[str, int] | None = None,
    ) -> None:
        """List these versions of these models, each oldest first.

        `defaults` are the versions that answer where none is named, the newest where a model is
        not in it. `load` reads and verifies a model, on a thread; `serve` makes a started engine
        of it.
        """
        self.default = default
        self._load_model = load
        self._serve = serve
        self._one_at_a_time = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._defaults = {
            name: (defaults or {}).get(name, published[-1]) for name, published in versions.items()
        }
        self._entries = {
            name: _entries(name, versions[name], self._defaults[name])
            for name in sorted(versions, key=lambda name: (name != default, name))
        }

    @property
    def ready(self) -> bool:
        """Every default version has answered its golden batch or is damaged; one at least has."""
        states = [entry.state for entry in self.defaults()]
        return "ready" in states and "loading" not in states

    def defaults(self) -> list[ModelEntry]:
        """The version of each model that answers where none is named, sorted by name."""
        return [self._entries[name][self._defaults[name]] for name in sorted(self._entries)]

    def versions(self, name: str) -> list[ModelEntry]:
        """Every version of one model, newest first. Raises BundleNotFound."""
        found = self.entry(name)
        return list(reversed(self._entries[found.name].values()))

    def entry(self, name: str | None = None, version: int | None = None) -> ModelEntry:
        """One version, by default the default model's default. Raises BundleNotFound."""
        name = self.default if name is None else name
        versions = self._entries.get(name)
        if versions is None:
            raise BundleNotFound(name, None, tuple(sorted(self._entries)))
        number = self._defaults[name] if version is None else version
        if number not in versions:
            known = tuple(f"{name}/{each}" for each in reversed(versions))
            raise BundleNotFound(name, version, known)
        return versions[number]

    async def engine(self, name: str | None = None, version: int | None = None) -> Engine:
        """The engine of one version; an older one is loaded now if it was not yet.

        Raises BundleNotFound, BundleDamaged or ModelNotReady.
        """
        entry = self.entry(name, version)
        if not entry.is_default and entry.engine is None:
            await self._load(entry)
        return entry.ready_engine()

    @property
    def answering(self) -> list[tuple[str, int]]:
        """Names and versions of what is loaded."""
        return [(engine.manifest.name, engine.manifest.version) for engine in self._engines()]

    def take_over(self, before: "Catalog", unchanged: Container[tuple[str, int]]) -> None:
        """Keep what another catalog has loaded of versions that are `unchanged`."""
        for versions in self._entries.values():
            for entry in versions.values():
                old = before.find(entry.name, entry.version)
                if old is not None and old.engine and (entry.name, entry.version) in unchanged:
                    entry.engine, entry.state = old.engine, "ready"

    def find(self, name: str, version: int) -> ModelEntry | None:
        """Return one version, or None where it is not published."""
        return self._entries.get(name, {}).get(version)

    def start(self) -> None:
        """Begin to load in the background."""
        self._background = asyncio.create_task(self.load(), name="load models")
        self.keep_trying()

    def keep_trying(self) -> None:
        """Begin to load in the background what could not be loaded."""
        self._retrying = asyncio.create_task(self.retry(), name="load models again")

    async def retry(self) -> None:
        """Go on to load what could not be loaded, each after a pause of its own."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for versions in self._entries.values():
                for entry in versions.values():
                    if entry.attempts.failed and entry.attempts.is_due():
                        await self._load(entry)

    async def loaded(self) -> None:
        """Come back once every default version is ready or damaged."""
        if self._background is not None:
            await asyncio.wait([self._background])

    async def retire(self) -> None:
        """End the loading; requests that have an engine are answered."""
        tasks = [task for task in (self._background, self._retrying) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def stop(self) -> None:
        """End the loading, and let no engine take more."""
        await self.retire()
        for engine in self._engines():
            engine.batcher.stop()

    async def load(self) -> None:
        """Load the default version of each model, as far as it can be loaded."""
        started = perf_counter()
        for name, versions in self._entries.items():
            await self._load(versions[self._defaults[name]])
        _log_outcome(self.defaults(), perf_counter() - started)

    async def _load(self, entry: ModelEntry) -> None:
        async with entry.lock, self._one_at_a_time:
            if entry.engine is not None or not entry.attempts.is_due():
                return
            await self._try(entry)

    async def _try(self, entry: ModelEntry) -> None:
        try:
            model = await asyncio.to_thread(self._load_model, entry.name, entry.version)
            entry.engine = self._serve(model)
        except (BundleDamaged, BundleNotFound) as error:
            self._note(entry, error)
        except Exception as error:
            # Of whatever kind: the other models are to be loaded too.
            if not is_passing(error):  # without handles, a traceback's lines could not be read
                log.exception("model cannot be loaded", model=entry.name, version=entry.version)
            self._note(entry, error)
        else:
            entry.state, entry.reason = "ready", None
            if entry.attempts.failed:
                log.info("model loaded at last", model=entry.name, version=entry.version)

    def _note(self, entry: ModelEntry, error: Exception) -> None:
        """Remember what keeps a model from being loaded, and say so once for each reason."""
        entry.attempts.fail()
        before, entry.reason = entry.reason, _reason(error)
        passing = is_passing(error)
        if not passing:
            entry.state = "damaged"
        if entry.reason != before:
            event = "model cannot be loaded now" if passing else "model damaged"
            log.error(event, model=entry.name, version=entry.version, reason=entry.reason)

    def _engines(self) -> Iterable[Engine]:
        for versions in self._entries.values():
            for entry in versions.values():
                if entry.engine is not None:
                    yield entry.engine


def _reason(error: Exception) -> str:
    if isinstance(error, BundleDamaged):
        return error.reason
    if isinstance(error, BundleNotFound):
        return "it is no longer in the registry"
    return f"could not be loaded: {error}"


def _entries(name: str, versions: tuple[int, ...], default: int) -> dict[int, ModelEntry]:
    return {
        version: ModelEntry(
            name, version, version == default, "loading" if version == default else "published"
        )
        for version in versions
    }


def _log_outcome(entries: list[ModelEntry], seconds: float) -> None:
    models = [entry.name for entry in entries if entry.engine]
    damaged = [entry.name for entry in entries if entry.state == "damaged"]
    if not models:
        log.error("no model can be served", damaged=damaged)
        return
    provider = next(entry.engine.provider for entry in entries if entry.engine)
    log.info("ready", models=models, damaged=damaged, provider=provider, seconds=round(seconds, 2))
