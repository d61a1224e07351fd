"""Administration: what an operator may do while the service runs, by a key of its own."""

from fastapi import APIRouter, Request

from service.access.errors import AdminClosed, AdminKeyNeeded
from service.access.keys import ApiKey
from service.errors import ReloadRefused
from service.http.requests.body import header
from service.http.requests.parameters import NoParameters
from service.http.responses.problems import problems
from service.http.responses.schemas import Reloaded
from service.http.state import Parts

router = APIRouter(prefix="/admin", tags=["administration"])
_REFUSALS = (AdminClosed, AdminKeyNeeded, ReloadRefused)


@router.post("/reload", responses=problems(*_REFUSALS))
async def reload(request: Request, parts: Parts, _query: NoParameters) -> Reloaded:
    """Serve what the registry holds now: new versions, promotions and rollbacks.

    Answers once all workers serve it. Where a version that would answer by default is damaged,
    nothing changes.
    """
    _check_key(request, parts)
    published = await request.app.state.reload.reload()
    return Reloaded(answering=dict(published.defaults))


def _check_key(request: Request, parts: Parts) -> None:
    key = parts.settings.admin_key
    if key is None:
        raise AdminClosed
    scheme, _, given = header(request.scope, b"authorization").strip().partition(" ")
    if scheme.lower() != "bearer" or not ApiKey(key.get_secret_value()).matches(
        given.strip().encode("latin-1")
    ):
        raise AdminKeyNeeded
