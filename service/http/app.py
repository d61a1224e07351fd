"""Wiring: settings in, application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from models.store import Store
from service.batcher import Batcher, Limits
from service.catalog import Catalog
from service.comparison import read_compared
from service.decode import Decoder, processors
from service.device import choose_provider
from service.engine import Engine, LoadedModel
from service.http import errors
from service.http.metrics import Metrics
from service.http.middleware import RequestContext, RequireKey
from service.http.openapi import describe
from service.http.pages import Pages
from service.http.routes import answers, health, home, registry, reports
from service.http.state import Services
from service.loading import Loader
from service.logs import configure_logs
from service.settings import Settings, read_settings


def create_app(settings: Settings) -> FastAPI:
    """The application. Models load in the background once it runs.

    Starting it raises DeviceUnavailable where `device` is cuda and CUDA cannot be used.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts = _build(settings, metrics)
        app.state.services = parts
        parts.catalog.start()
        yield
        await parts.catalog.stop()
        parts.decoder.close()

    app = FastAPI(title="LossAtlas", version="0.1.0", lifespan=lifespan, redoc_url=None)
    for routes in (answers, registry, reports, health, home):
        app.include_router(routes.router)
    errors.install(app)
    describe(app)
    if settings.api_key is not None:
        app.add_middleware(RequireKey, key=settings.api_key.get_secret_value())
    app.add_middleware(RequestContext, metrics=metrics)
    return app


def worker_app() -> FastAPI:
    """The application of one worker process, which finds its settings in the environment."""
    settings = read_settings({})
    configure_logs(settings.log_format)
    return create_app(settings)


def _build(settings: Settings, metrics: Metrics) -> Services:
    store = Store(settings.registry)
    threads = max(1, processors() // settings.workers)
    loader = Loader(store, choose_provider(settings.device), threads)
    decoder = Decoder(settings.max_pixels)
    serve = partial(_start_engine, settings, metrics, decoder)
    catalog = Catalog(store, settings.default_loss, loader.load, serve)
    return Services(settings, metrics, decoder, catalog, read_compared(store), Pages())


def _start_engine(
    settings: Settings, metrics: Metrics, decoder: Decoder, model: LoadedModel
) -> Engine:
    manifest = model.bundle.manifest
    limits = Limits(settings.queue_items, settings.deadline_s)
    batcher = Batcher(model.session.run, limits, partial(metrics.observe_batch, manifest))
    batcher.start()
    metrics.follow(manifest, batcher, model.session.provider)
    return Engine(model, decoder, batcher)
