"""The real service on a real port, for tests."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import httpx
import uvicorn
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from service.http.app import ROUTES, create_app
from service.http.transport.server_config import server_config
from service.logs import configure_logs
from service.settings import Settings

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120  # how long a test waits for something that must happen


@contextmanager
def serving(registry: Path, **settings: Any) -> Iterator[httpx.Client]:
    """Serve a registry until the block ends; the models may still be loading."""
    configure_logs("console")
    with TemporaryDirectory() as folder:
        # Machines that test may be busy. Requests that tests write by hand are for a host x.
        usual: dict[str, Any] = {
            "deadline_s": 2 * PATIENCE_S,
            "data_dir": folder,
            "allowed_hosts": "x",
        }
        patient = usual | settings
        chosen = Settings(registry=registry, device="cpu", **patient)
        with _running(create_app(chosen), chosen) as client:
            yield client


@contextmanager
def _running(app: ASGIApp, settings: Settings) -> Iterator[httpx.Client]:
    server = uvicorn.Server(server_config(app, settings, stop_s=5))
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


@contextmanager
def started(*flags: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """`python -m service` in a process of its own, whose models have loaded, and its client."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("LOSSATLAS_")}
    command = [sys.executable, "-m", "service", "--port=0", "--device=cpu", *flags]
    with subprocess.Popen(
        command, cwd=ROOT, env=mine, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        match = re.search(r"http://127\.0\.0\.1:\d+", said := process.stderr.readline())
        assert match, said
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(process.stderr.read)  # else a full pipe would hold the service up
            try:
                with httpx.Client(base_url=match[0], timeout=PATIENCE_S) as client:
                    wait_loaded(client)
                    yield client, process
            finally:
                process.terminate()
                rest.result(PATIENCE_S)


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
    found = [route for module in ROUTES for route in module.router.routes]
    return {
        (method, route.path_format)
        for route in found
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
