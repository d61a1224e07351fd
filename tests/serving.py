"""The real service on a real port, for tests."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import uvicorn
from fastapi.routing import APIRoute

from service.http.app import create_app
from service.http.protocol import OneWriteProtocol
from service.http.routes import answers, compare, health, home, openai, registry, reports
from service.logs import configure_logs
from service.settings import Settings

PATIENCE_S = 120  # how long a test waits for something that must happen


@contextmanager
def serving(registry: Path, **settings: Any) -> Iterator[httpx.Client]:
    """Serve a registry until the block ends; the models may still be loading."""
    configure_logs("console")
    patient = {"deadline_s": 2 * PATIENCE_S, **settings}  # machines that test may be busy
    app = create_app(Settings(registry=registry, device="cpu", **patient))
    config = uvicorn.Config(
        app,
        http=OneWriteProtocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def ready(registry: Path, **settings: Any) -> Iterator[httpx.Client]:
    """Serve a registry whose models have loaded, as far as they can."""
    with serving(registry, **settings) as client:
        wait_loaded(client)
        yield client


def wait_loaded(client: httpx.Client) -> httpx.Response:
    """The first readiness answer in which nothing is loading any more."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        try:
            answer = client.get("/health/ready")
            if answer.json()["status"] != "loading":
                return answer
        except httpx.ConnectError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"the models were still loading after {PATIENCE_S} s")


def routes() -> set[tuple[str, str]]:
    """Every method and path that the service answers, FastAPI's own pages aside."""
    modules = (answers, compare, health, home, openai, registry, reports)
    found = [route for module in modules for route in module.router.routes]
    return {
        (method, route.path_format)
        for route in found
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
