"""Wiring: settings in, application out."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from models.store import Store
from models.version import VERSION
from service.access.hosts import own_hosts
from service.http.assembly import Assembly, make_door
from service.http.middleware.access import RequireKey, RequireOwnSite
from service.http.middleware.context import RequestContext
from service.http.middleware.proxies import behind_proxies
from service.http.observability.metrics import Metrics, forget_ended_workers
from service.http.observability.tracing import Tracing
from service.http.pages import manual, static_files
from service.http.pages.pages import Pages
from service.http.requests.addresses import check_address
from service.http.requests.methods import AnswerHead
from service.http.responses import errors
from service.http.responses.openapi import describe
from service.http.rollout import Reload, ReloadAlone, Rollout
from service.http.routes import (
    admin,
    audits,
    collections,
    compare,
    embed,
    health,
    home,
    items,
    labels,
    maps,
    neighbors,
    openai,
    planes,
    registry,
    reports,
    revisions,
    sign_in,
    thumbnails,
    verify,
    versions,
)
from service.http.routes.direct import Shortcut
from service.http.state import Services
from service.http.transport.budget import BodyBudget
from service.logs import configure_logs
from service.processes.proposals import ReloadTogether, follow_proposals
from service.processes.workers import PROMETHEUS_DIR, keep_alike, wait_for_all_workers
from service.registry.published import PublishedModels, read_published
from service.settings import Settings

# In the order in which they are documented.
ROUTES = (
    embed,
    neighbors,
    compare,
    verify,
    collections,
    audits,
    labels,
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
    admin,
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
    door = make_door(settings)
    tracing = Tracing() if settings.tracing == "otlp" else None

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        assembly = Assembly(settings, metrics, pages, door)
        first = published or read_published(Store(settings.registry), settings.pinned_versions)
        api.state.services = parts = assembly.make_services(first)
        rollout = Rollout(api, assembly, first)
        assembly.executor.start()
        parts.catalog.start()
        api.state.reload, work = await _begin(settings, rollout)
        work.append(metrics.keep_showing())
        tasks = [asyncio.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()
        await rollout.withdraw()
        await rollout.services.catalog.stop()
        await assembly.executor.stop()
        parts.decoder.close()
        await asyncio.to_thread(_put_away, parts)
        if tracing is not None:
            await asyncio.to_thread(tracing.stop)

    api = FastAPI(
        title="LossAtlas",
        version=VERSION,
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
    metrics.process.follow(settings.workers or 1, settings.data_dir)
    app = RequestContext(app, metrics, settings.log_requests, budget, pages.problem)
    return app if tracing is None else behind_proxies(tracing.wrap(app))


def worker_app(settings: Settings, published: PublishedModels) -> ASGIApp:
    """The application of one worker process of several, which all serve the same."""
    forget_ended_workers()
    configure_logs(settings.log_format)
    structlog.contextvars.bind_contextvars(process=os.getpid())
    return create_app(settings, published)


async def _begin(
    settings: Settings, rollout: Rollout
) -> tuple[Reload, list[Coroutine[Any, Any, None]]]:
    """Wait for the other workers, if any: how to change the models, and what to do meanwhile."""
    if settings.workers is None or settings.workers == 1:
        alone = ReloadAlone(rollout, settings)
        alone.listen()
        return alone, [alone.keep_looking()]
    folder = Path(os.environ[PROMETHEUS_DIR])
    await rollout.services.catalog.loaded()
    await wait_for_all_workers(folder, settings.workers, rollout.answering)
    return ReloadTogether(folder), [
        keep_alike(folder, rollout),
        follow_proposals(folder, rollout, rollout.published.generation),
    ]


def _put_away(parts: Services) -> None:
    parts.planes.close()
    parts.threads.close()
    parts.library.close()
