"""Wiring: settings in, application out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from models.machine import processors
from models.store import Store
from service.access.hosts import own_hosts
from service.access.keys import ApiKey
from service.access.sessions import Sessions, WrongKeys
from service.collections.data_folder import open_library
from service.collections.planes.shelf import PlaneShelf
from service.http.middleware.access import RequireKey, RequireOwnSite
from service.http.middleware.context import RequestContext
from service.http.middleware.deadline import RequestTimeout
from service.http.middleware.proxies import behind_proxies
from service.http.middleware.threads import Threads
from service.http.observability.metrics import Metrics, forget_ended_workers
from service.http.observability.tracing import Tracing
from service.http.pages import manual, static_files
from service.http.pages.pages import Pages
from service.http.requests.addresses import check_address
from service.http.requests.methods import AnswerHead
from service.http.responses import errors
from service.http.responses.openapi import describe
from service.http.routes import (
    collections,
    compare,
    embed,
    health,
    home,
    items,
    maps,
    neighbors,
    openai,
    planes,
    registry,
    reports,
    revisions,
    sign_in,
    thumbnails,
    versions,
)
from service.http.routes.direct import Shortcut
from service.http.state import Door, Services
from service.http.transport.budget import BodyBudget
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
from service.logs import configure_logs
from service.processes.workers import PROMETHEUS_DIR, keep_alike, wait_for_all_workers
from service.registry.published import PublishedModels, read_published
from service.registry.shelf import ReportShelf
from service.registry.sprite_sheets import SheetShelf
from service.settings import Settings

_GPU_BATCH = 256  # it gains from every image
_BRIEF_PIXELS = 2**20  # of a photograph that the event loop may decode in its batch


# In the order in which they are documented.
ROUTES = (
    embed,
    neighbors,
    compare,
    collections,
    items,
    revisions,
    planes,
    thumbnails,
    openai,
    registry,
    reports,
    versions,
    maps,
    health,
    home,
    sign_in,
)


def create_app(settings: Settings, published: PublishedModels | None = None) -> ASGIApp:
    """The application, of what is published (None: of what the registry holds by then).

    Models load in the background once it runs. Starting it raises DeviceUnavailable where `device`
    is cuda and CUDA cannot be used. Raises TracingUnavailable where tracing is asked for without
    its packages.
    """
    metrics, pages = Metrics(), Pages(has_key=settings.api_key is not None)
    door = _door(settings)
    tracing = Tracing() if settings.tracing == "otlp" else None

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        lanes, parts = _build(settings, metrics, pages, published, door)
        api.state.services = parts
        lanes.start()
        parts.catalog.start()
        if settings.workers is not None and settings.workers > 1:
            await parts.catalog.loaded()
            await wait_for_all_workers(
                Path(os.environ[PROMETHEUS_DIR]), settings.workers, parts.catalog.answering
            )
        tasks = [asyncio.create_task(metrics.keep_showing(), name="show queues")]
        if settings.workers is not None and settings.workers > 1:
            alike = keep_alike(Path(os.environ[PROMETHEUS_DIR]), parts.catalog)
            tasks.append(asyncio.create_task(alike, name="keep workers alike"))
        yield
        for task in tasks:
            task.cancel()
        await parts.catalog.stop()
        await lanes.stop()
        parts.decoder.close()
        await asyncio.to_thread(_put_away, parts)
        if tracing is not None:
            await asyncio.to_thread(tracing.stop)

    api = FastAPI(
        title="LossAtlas",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(check_address)],
    )
    routers = [part.router for part in ROUTES]
    for router in routers:
        api.include_router(router)
    routes = [route for router in routers for route in router.routes]
    errors.install(api, routes)
    describe(api)
    manual.install(api, pages)
    static_files.install(api, pages.static)
    app: ASGIApp = AnswerHead(Shortcut(api, routes))
    if door is None:
        app = RequireOwnSite(app, own_hosts(settings.host, settings.allowed_hosts))
    else:
        app = RequireKey(app, door.key, door.sessions)
    budget = BodyBudget(max(settings.max_inflight_bytes, settings.max_body_bytes))
    metrics.follow_bodies(budget)
    app = RequestContext(app, metrics, settings.log_requests, budget, pages.problem)
    return app if tracing is None else behind_proxies(tracing.wrap(app))


def worker_app(settings: Settings, published: PublishedModels) -> ASGIApp:
    """The application of one worker process of several, which all serve the same."""
    forget_ended_workers()
    configure_logs(settings.log_format)
    structlog.contextvars.bind_contextvars(process=os.getpid())
    return create_app(settings, published)


def _build(
    settings: Settings,
    metrics: Metrics,
    pages: Pages,
    published: PublishedModels | None,
    door: Door | None,
) -> tuple[InferenceExecutor, Services]:
    store = Store(settings.registry)
    if published is None:
        published = read_published(store, settings.pinned_versions)
    provider = choose_provider(settings.device)
    on_gpu = provider != CPU
    workers = settings.workers or 1
    share = max(1, processors() // workers)
    queue_items = max(settings.max_images, settings.queue_items // workers)
    on_loop = share == 1 and not on_gpu
    lanes = InferenceExecutor(1 if on_gpu else share, on_loop=on_loop)
    defer_pixels = _BRIEF_PIXELS if on_loop else SMALL_PIXELS
    wait_s = WAITING_SHARE * settings.deadline_s
    budget = PixelBudget(settings.max_pixels, settings.max_request_pixels, wait_s)
    decoder = Decoder(budget, share, metrics.observe_decode, defer_pixels=defer_pixels)
    gpu = Gpu(_GPU_BATCH, settings.data_dir / "tensorrt")
    loader = Loader(store, provider, 1, gpu, precision_here(settings.precision))

    def load(name: str, version: int) -> LoadedModel:
        return loader.load(name, version, published.manifests[name, version])

    def serve(model: LoadedModel) -> Engine:
        manifest = model.bundle.manifest
        limits = Limits(queue_items, _GPU_BATCH, wait_s=wait_s)
        if not on_gpu:
            limits = cpu_limits(queue_items, model.image_s, wait_s)
        observe = metrics.batch_observer(manifest)
        batcher = Batcher(
            model.session.run, limits, lanes, observe, model.image_s, learns=not on_gpu
        )
        metrics.follow(manifest, batcher, model.session)
        return Engine(model, decoder, batcher)

    versions, defaults = published.versions(), published.defaults
    catalog = Catalog(versions, settings.default_loss, load, serve, defaults)
    patience = RequestTimeout(settings.deadline_s)
    library = open_library(settings)
    return lanes, Services(
        settings,
        metrics,
        decoder,
        catalog,
        patience,
        published.comparisons,
        pages,
        library,
        Threads(),
        SheetShelf(settings.registry),
        ReportShelf(store, published.manifests),
        Votes(store, published.manifests),
        PlaneShelf(),
        door,
    )


def _door(settings: Settings) -> Door | None:
    if settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value()
    return Door(ApiKey(key), Sessions(key), WrongKeys())


def _put_away(parts: Services) -> None:
    parts.planes.close()
    parts.threads.close()
    parts.library.close()
