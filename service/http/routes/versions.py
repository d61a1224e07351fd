"""Two versions of one model side by side: JSON, or a page."""

from fastapi import APIRouter, Response

from models.errors import ModelsError
from service.errors import OnlyOneVersion, ServiceError
from service.http.pages.tabs import tabs_of
from service.http.requests.negotiation import JSON, PAGE_TOO, VARYING, Accept, wants_page
from service.http.requests.parameters import Whole
from service.http.responses.problems import MODEL_ERRORS, problems
from service.http.responses.versions import (
    PairedChange,
    VersionChange,
    measure_changes,
    paired_change,
    recipe_changes,
)
from service.http.state import Parts, Services
from service.inference.paired import PairedVersions

router = APIRouter(prefix="/report", tags=["report"])


@router.get(
    "/{loss}/versions",
    response_model=VersionChange,
    responses=PAGE_TOO | problems(*MODEL_ERRORS, OnlyOneVersion),
)
async def compare_versions(
    parts: Parts,
    loss: str,
    before: Whole | None = None,
    after: Whole | None = None,
    accept: Accept = None,
) -> Response:
    """Compare two versions of one model, by default its newest with the one before.

    Where both have a map of the same test images, they are compared image by image.
    """
    name, one, other, versions = _chosen(parts, loss, before, after)
    old, new = await parts.shelf.describe(name, one), await parts.shelf.describe(name, other)
    pairs = await _paired(parts, name, one, other)
    datasets = {each.report.provenance.dataset.sha256 for each in (old, new)}
    change = VersionChange(
        loss=name,
        versions=versions,
        before=one,
        after=other,
        same_test_images=pairs is not None or len(datasets) == 1,
        recipe=recipe_changes((old.manifest, old.report), (new.manifest, new.report)),
        measures=measure_changes(old.report, new.report),
        paired=pairs,
    )
    if not wants_page(accept):
        return Response(change.model_dump_json(), 200, VARYING, JSON)
    return parts.pages.versions(change, tabs_of(parts.catalog, "versions", name))


def _chosen(
    parts: Services, loss: str, before: int | None, after: int | None
) -> tuple[str, int, int, list[int]]:
    catalog = parts.catalog
    name = catalog.entry(loss).name
    versions = [entry.version for entry in catalog.versions(name)]
    later = catalog.entry(loss, after).version
    if before is not None:
        return name, catalog.entry(loss, before).version, later, versions
    others = [each for each in versions if each != later]
    if not others:
        raise OnlyOneVersion(name, later)
    earlier = [each for each in others if each < later]
    return name, earlier[0] if earlier else others[-1], later, versions


async def _paired(parts: Services, name: str, before: int, after: int) -> PairedChange | None:
    try:
        old = await parts.catalog.engine(name, before)
        new = await parts.catalog.engine(name, after)
    except (ServiceError, ModelsError):  # their reports can be compared all the same
        return None
    if old.plane is None or new.plane is None:
        return None
    same_images = old.plane.test_images == new.plane.test_images
    if not same_images or old.manifest.labels != new.manifest.labels:
        return None
    return paired_change(PairedVersions(old.plane, new.plane), new.manifest.labels)
