"""The state that routes share: built once by `create_app`, reached through the request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access.keys import ApiKey
from service.access.sessions import Sessions, WrongKeys
from service.collections import Evaluations, Library
from service.collections.audit import Audits
from service.collections.planes.shelf import PlaneShelf
from service.http.middleware.deadline import RequestTimeout
from service.http.middleware.threads import Threads
from service.http.observability.metrics import Metrics
from service.http.pages.pages import Pages
from service.inference.catalog import Catalog
from service.inference.decode import Decoder
from service.inference.votes import Votes
from service.registry.comparison import Comparisons
from service.registry.shelf import ReportShelf
from service.registry.sprite_sheets import SheetShelf
from service.settings import Settings


@dataclass(frozen=True)
class Door:
    """The ways in, where an API key is set."""

    key: ApiKey
    sessions: Sessions
    wrong_keys: WrongKeys


@dataclass(frozen=True)
class Services:
    """The parts of one application."""

    settings: Settings
    metrics: Metrics
    decoder: Decoder
    catalog: Catalog
    patience: RequestTimeout
    comparisons: Comparisons
    pages: Pages
    library: Library
    evaluations: Evaluations
    audits: Audits
    threads: Threads
    sheets: SheetShelf
    shelf: ReportShelf
    votes: Votes
    planes: PlaneShelf
    door: Door | None


def services(request: Request) -> Services:
    """The application's parts."""
    found: Services = request.app.state.services
    return found


Parts = Annotated[Services, Depends(services)]
