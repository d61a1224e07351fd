"""How uvicorn is to serve the application."""

from functools import partial

import uvicorn
from starlette.types import ASGIApp

from service.http.transport.protocol import OneWriteProtocol
from service.http.transport.timeouts import Wire
from service.settings import Settings


def server_config(app: ASGIApp, settings: Settings, stop_s: int) -> uvicorn.Config:
    """What `uvicorn.Server` takes; requests have `stop_s` seconds to end."""
    return uvicorn.Config(
        app,
        http=partial(OneWriteProtocol, Wire(settings)),  # type: ignore[arg-type]  # makes them
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=stop_s,
    )
