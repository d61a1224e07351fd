"""The problems that a route can answer, for OpenAPI, from the table of errors."""

from collections import defaultdict
from typing import Any

from models.errors import BundleDamaged, BundleNotFound
from service import errors
from service.access import errors as access
from service.collections import errors as collections
from service.http.requests.images import IMAGES_CONTENT, ImagesBody
from service.http.responses.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMETER,
    MEDIA_TYPE,
    TABLE,
    ProblemType,
)
from service.http.transport import errors as transport
from service.vectors import errors as search

MODEL_ERRORS = (BundleNotFound, BundleDamaged, errors.ModelNotReady)
REQUEST_ERRORS = (  # of any request, before there is a route
    transport.MalformedRequest,
    transport.IncompleteRequest,
    transport.HeadTimeout,
    transport.TargetTooLong,
    transport.HeadersTooLarge,
    transport.UnsupportedRequest,
    transport.UnsupportedVersion,
)
BODY_ERRORS = (
    errors.BodyTooLarge,
    errors.BodiesFull,
    transport.BodyTimeout,
    errors.TooManyValues,
    errors.UnsupportedMediaType,
    errors.UnsupportedEncoding,
    errors.MalformedBody,
)
IMAGE_ERRORS = (
    *BODY_ERRORS,
    errors.TooManyImages,
    errors.OversizedImages,
    errors.TooManyPixels,
    errors.NoImage,
    errors.UndecodableImages,
    errors.Overloaded,
    errors.Stopping,
    errors.DeadlineExceeded,
)
COLLECTION_ERRORS = (
    collections.UnknownCollection,
    collections.CollectionDamaged,
    collections.CollectionBusy,
    errors.TooManyOpenFiles,
    errors.Stopping,
    errors.DeadlineExceeded,
)
VECTOR_ERRORS = (
    *MODEL_ERRORS,
    *IMAGE_ERRORS,
    *COLLECTION_ERRORS,
    collections.ModelMismatch,
    errors.PrecisionMismatch,
    collections.TooManyItems,
    search.InvalidItems,
)
IMAGES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **IMAGES_CONTENT,
            "application/json": {"schema": ImagesBody.model_json_schema()},
        },
    }
}


def problems(*raised: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for a route that can raise these errors."""
    answers = [TABLE[error] for error in (*raised, access.Unauthorized)]
    return _by_status(*answers, INVALID_PARAMETER, INTERNAL_ERROR)


def refusals(*, writes: bool) -> dict[int | str, dict[str, Any]]:
    """List the problems that are answered before routing: malformed requests, missing keys."""
    read = (*REQUEST_ERRORS, access.InvalidHost, access.HostNotAllowed)
    raised = (*read, access.CrossSite) if writes else read
    return _by_status(*(TABLE[error] for error in raised))


def _by_status(*answers: ProblemType) -> dict[int | str, dict[str, Any]]:
    by_status: defaultdict[int, list[ProblemType]] = defaultdict(list)
    for answer in answers:
        by_status[answer.status].append(answer)
    return {status: _documented(by_status[status]) for status in sorted(by_status)}


def _documented(answers: list[ProblemType]) -> dict[str, Any]:
    return {
        "description": "; ".join(
            f"`{answer.code}`: {answer.title}" for answer in dict.fromkeys(answers)
        ),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
