"""The scheme and the address of a client, as a trusted proxy names them."""

import os
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_TRUSTED = "127.0.0.1,::1"  # as uvicorn has it, by the same variable


def behind_proxies(app: ASGIApp) -> ASGIApp:
    """The application, with the scheme and the client that `X-Forwarded-*` of a proxy name.

    uvicorn would do so around everything, which costs each request as much as a look at its key.
    The direct routes ask for neither; whatever redirects, shows or traces an address does.
    """
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", _TRUSTED)
    return cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, app), trusted))
