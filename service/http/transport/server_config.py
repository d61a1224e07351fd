"""The configuration of uvicorn."""

from functools import partial

import uvicorn
from starlette.types import ASGIApp

from service.http.transport.protocol import OneWriteProtocol
from service.http.transport.timeouts import ConnectionLimits
from service.settings import Settings


def server_config(app: ASGIApp, settings: Settings, stop_s: int) -> uvicorn.Config:
    """Return the configuration of `uvicorn.Server`; requests have `stop_s` seconds to end."""
    return uvicorn.Config(
        app,
        http=partial(OneWriteProtocol, ConnectionLimits(settings)),  # type: ignore[arg-type]  # makes them
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `behind_proxies` reads them where they matter
        timeout_graceful_shutdown=stop_s,
    )
