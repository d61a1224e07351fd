"""Audits of collections."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from service.collections.errors import AuditBusy, NoLabels, OneLabel, TooLargeToAudit
from service.http.responses.audits import AuditAnswer, show_audit
from service.http.responses.problems import COLLECTION_ERRORS, problems
from service.http.routes.collection_threads import read
from service.http.state import Parts

router = APIRouter(prefix="/collections/{name}", tags=["collections"])
_ERRORS = (*COLLECTION_ERRORS, NoLabels, OneLabel, TooLargeToAudit, AuditBusy)


class AuditQuery(BaseModel):
    """The most findings of each kind that are shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(100, ge=1, le=1000, description="most findings of each kind")


@router.get("/audit", responses=problems(*_ERRORS))
async def audit(
    request: Request, parts: Parts, name: str, query: Annotated[AuditQuery, Query()]
) -> AuditAnswer:
    """Look through a collection for probable label errors, copies and outliers.

    From the stored vectors and labels; the answer is kept until the collection changes.
    """

    def made() -> AuditAnswer:
        return show_audit(name, parts.audits.of(parts.library.get(name)), query.limit)

    return await read(request, parts, made)
