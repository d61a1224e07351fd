"""The models that are served, and the thumbnails of their galleries."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from models.errors import BundleNotFound
from service.errors import UnknownThumbnail
from service.http.requests.parameters import Whole
from service.http.responses.problems import MODEL_ERRORS, problems
from service.http.responses.schemas import ModelDetail, ModelList
from service.http.state import Parts
from service.inference.catalog import Catalog
from service.inference.entry import ModelEntry

router = APIRouter(prefix="/models", tags=["models"])
_FOREVER = "public, max-age=31536000, immutable"  # the address names the version


@router.get("", responses=problems())
async def list_models(parts: Parts) -> ModelList:
    """List the newest version of every model, with its state and manifest."""
    catalog = parts.catalog
    models = [_detail(catalog, entry) for entry in catalog.newest()]
    return ModelList(default=catalog.default, models=models)


@router.get("/{loss}", responses=problems(BundleNotFound))
async def show_model(parts: Parts, loss: str, version: Whole | None = None) -> ModelDetail:
    """Show one model, by default its newest version."""
    return _detail(parts.catalog, parts.catalog.entry(loss, version))


@router.get(
    "/{loss}/thumbnails/{row}.jpg",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        **problems(*MODEL_ERRORS, UnknownThumbnail),
    },
)
async def thumbnail(
    parts: Parts,
    loss: str,
    row: Annotated[Whole, Path(ge=0)],
    version: Whole | None = None,
) -> Response:
    """Show one item of the model's gallery as a small JPEG."""
    engine = await parts.catalog.engine(loss, version)
    caching = "no-cache" if version is None else _FOREVER
    return Response(engine.gallery.thumbnail(row), 200, {"Cache-Control": caching}, "image/jpeg")


def _detail(catalog: Catalog, entry: ModelEntry) -> ModelDetail:
    batcher = entry.engine.batcher if entry.engine else None
    return ModelDetail(
        **entry.facts(),
        batch_limit=batcher.limits.max_batch if batcher else None,
        queue_limit=batcher.capacity.limit if batcher else None,
        versions=[other.version for other in catalog.versions(entry.name)],
        manifest=entry.engine.manifest if entry.engine else None,
    )
