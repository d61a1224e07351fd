"""What the routes share: built once by `create_app`, reached through the request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.catalog import Catalog
from service.collections import Library
from service.comparison import Compared
from service.decode import Decoder
from service.http.metrics import Metrics
from service.http.pages import Pages
from service.http.patience import Patience
from service.http.threads import Threads
from service.settings import Settings


@dataclass(frozen=True)
class Services:
    """The parts of one application."""

    settings: Settings
    metrics: Metrics
    decoder: Decoder
    catalog: Catalog
    patience: Patience
    compared: Compared
    pages: Pages
    library: Library
    threads: Threads


def services(request: Request) -> Services:
    """The application's parts."""
    found: Services = request.app.state.services
    return found


Parts = Annotated[Services, Depends(services)]
