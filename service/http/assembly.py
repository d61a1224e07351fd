"""The parts of an application: those that live as long as it does, and those of its models."""

from collections.abc import Container
from dataclasses import replace
from functools import partial

from models.machine import processors
from models.store import Store
from service.access.keys import ApiKey
from service.access.sessions import Sessions, WrongKeys
from service.collections import Evaluations
from service.collections.audit import Audits
from service.collections.data_folder import open_library
from service.collections.planes.shelf import PlaneShelf
from service.http.middleware.deadline import RequestTimeout
from service.http.middleware.threads import Threads
from service.http.observability.metrics import Metrics
from service.http.pages.pages import Pages
from service.http.state import Door, Services
from service.inference.batch_limits import WAITING_SHARE, Limits, cpu_limits
from service.inference.batcher import Batcher
from service.inference.catalog import Catalog
from service.inference.cuda import Gpu
from service.inference.decode import SMALL_PIXELS, Decoder
from service.inference.device import CPU, choose_provider
from service.inference.engine import Engine, LoadedModel
from service.inference.executor import InferenceExecutor
from service.inference.loader import Loader
from service.inference.pixel_budget import PixelBudget
from service.inference.precision import precision_here
from service.inference.votes import Votes
from service.registry.published import PublishedModels, Version
from service.registry.shelf import ReportShelf
from service.registry.sprite_sheets import SheetShelf
from service.settings import Settings

_GPU_BATCH = 256  # it gains from every image
_BRIEF_PIXELS = 2**20  # of a photograph that the event loop may decode in its batch


class Assembly:
    """Makes the parts of one application from its settings and from what is published."""

    def __init__(
        self, settings: Settings, metrics: Metrics, pages: Pages, door: Door | None
    ) -> None:
        """Prepare the device. Raises DeviceUnavailable where it cannot be used."""
        self._settings = settings
        self._metrics = metrics
        self._pages = pages
        self._door = door
        self._store = Store(settings.registry)
        provider = choose_provider(settings.device)
        self._on_gpu = provider != CPU
        workers = settings.workers or 1
        share = max(1, processors() // workers)
        self._queue_items = max(settings.max_images, settings.queue_items // workers)
        on_loop = share == 1 and not self._on_gpu
        self.executor = InferenceExecutor(1 if self._on_gpu else share, on_loop=on_loop)
        self._wait_s = WAITING_SHARE * settings.deadline_s
        budget = PixelBudget(settings.max_pixels, settings.max_request_pixels, self._wait_s)
        defer_pixels = _BRIEF_PIXELS if on_loop else SMALL_PIXELS
        self._decoder = Decoder(budget, share, metrics.observe_decode, defer_pixels=defer_pixels)
        gpu = Gpu(_GPU_BATCH, settings.data_dir / "tensorrt")
        precision = precision_here(settings.precision)
        self._loader = Loader(self._store, provider, 1, gpu, precision)

    def make_services(self, published: PublishedModels) -> Services:
        """Make all parts."""
        return Services(
            self._settings,
            self._metrics,
            self._decoder,
            self._catalog(published),
            RequestTimeout(self._settings.deadline_s),
            published.comparisons,
            self._pages,
            open_library(self._settings),
            Evaluations(),
            Audits(self._settings.deadline_s),
            Threads(),
            SheetShelf(self._settings.registry),
            ReportShelf(self._store, published.manifests),
            Votes(self._store, published.manifests),
            PlaneShelf(),
            self._door,
        )

    def with_models(
        self, services: Services, published: PublishedModels, unchanged: Container[Version]
    ) -> Services:
        """Make the same with what is published now; versions that are `unchanged` stay loaded."""
        return replace(
            services,
            catalog=self._catalog(published, services.catalog, unchanged),
            comparisons=published.comparisons,
            sheets=SheetShelf(self._settings.registry),
            shelf=ReportShelf(self._store, published.manifests),
            votes=Votes(self._store, published.manifests),
        )

    def _catalog(
        self,
        published: PublishedModels,
        before: Catalog | None = None,
        unchanged: Container[Version] = (),
    ) -> Catalog:
        catalog = Catalog(
            published.versions(),
            self._settings.default_loss,
            partial(self._load, published),
            self._serve,
            published.defaults,
        )
        if before is not None:
            catalog.take_over(before, unchanged)
        return catalog

    def _load(self, published: PublishedModels, name: str, version: int) -> LoadedModel:
        return self._loader.load(name, version, published.manifests[name, version])

    def _serve(self, model: LoadedModel) -> Engine:
        manifest = model.bundle.manifest
        limits = Limits(self._queue_items, _GPU_BATCH, wait_s=self._wait_s)
        if not self._on_gpu:
            limits = cpu_limits(self._queue_items, model.image_s, self._wait_s)
        observe = self._metrics.batch_observer(manifest)
        infer, learns = model.session.run, not self._on_gpu
        batcher = Batcher(infer, limits, self.executor, observe, model.image_s, learns=learns)
        engine = Engine(model, self._decoder, batcher)
        self._metrics.follow(engine)
        return engine


def make_door(settings: Settings) -> Door | None:
    """Make the ways in, where an API key is set."""
    if settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value()
    return Door(ApiKey(key), Sessions(key), WrongKeys())
