"""The one place where a domain error becomes an HTTP answer (RFC 9457 problem details)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from models import errors as models
from service import errors as service
from service.access import errors as access
from service.collections import errors as collections
from service.http.requests.methods import allowed_methods
from service.http.requests.negotiation import VARYING, wants_page
from service.http.transport import errors as transport
from service.registry import errors as registry
from service.vectors import errors as search

MEDIA_TYPE = "application/problem+json"
ERROR = "error"  # where a scope's state holds the domain error that was answered
PAGE = "error_page"  # where it holds what makes a page of a problem
ProblemPage = Callable[[Request, Mapping[str, Any]], Response]


@dataclass(frozen=True)
class ProblemType:
    """The HTTP answer of one class of errors."""

    status: int
    code: str
    title: str


TABLE: Mapping[type[Exception], ProblemType] = {
    service.BodyTooLarge: ProblemType(413, "body_too_large", "The body is too large"),
    service.ExpandsTooMuch: ProblemType(413, "body_too_large", "The body is too large"),
    service.TooManyValues: ProblemType(413, "too_many_values", "Too many values in one JSON body"),
    service.UnsupportedEncoding: ProblemType(
        415, "unsupported_content_encoding", "The content encoding is not accepted"
    ),
    service.BodiesFull: ProblemType(503, "bodies_full", "Too many bytes of bodies at the moment"),
    transport.MalformedRequest: ProblemType(400, "malformed_request", "The request cannot be read"),
    transport.IncompleteRequest: ProblemType(
        400, "incomplete_request", "The request was not complete"
    ),
    transport.HeadTimeout: ProblemType(
        408, "request_timeout", "The request took too long to arrive"
    ),
    transport.BodyTimeout: ProblemType(
        408, "request_timeout", "The request took too long to arrive"
    ),
    transport.TargetTooLong: ProblemType(414, "target_too_long", "The address is too long"),
    transport.HeadersTooLarge: ProblemType(431, "headers_too_large", "The headers are too large"),
    transport.UnsupportedRequest: ProblemType(
        501, "not_implemented", "This part of HTTP is missing"
    ),
    transport.UnsupportedVersion: ProblemType(505, "unsupported_version", "Not HTTP/1.1"),
    service.TooManyImages: ProblemType(413, "too_many_images", "Too many images in one request"),
    service.OversizedImages: ProblemType(413, "image_too_large", "An image has too many pixels"),
    service.TooManyPixels: ProblemType(413, "too_many_pixels", "Too many pixels in one request"),
    models.ImageTooLarge: ProblemType(413, "image_too_large", "An image has too many pixels"),
    service.UnsupportedMediaType: ProblemType(
        415, "unsupported_media_type", "The content type is not accepted"
    ),
    service.MalformedBody: ProblemType(422, "malformed_body", "The body cannot be read"),
    service.NoImage: ProblemType(422, "no_image", "No image in the body"),
    service.UndecodableImages: ProblemType(422, "undecodable_image", "An image cannot be decoded"),
    models.UndecodableImage: ProblemType(422, "undecodable_image", "An image cannot be decoded"),
    models.BundleNotFound: ProblemType(404, "unknown_model", "No such model or collection"),
    collections.UnknownCollection: ProblemType(404, "unknown_model", "No such model or collection"),
    service.OnlyOneVersion: ProblemType(404, "only_one_version", "The model has one version"),
    registry.UnknownComparison: ProblemType(404, "unknown_comparison", "No such comparison"),
    registry.UnknownFigure: ProblemType(404, "unknown_figure", "No such figure"),
    registry.UnknownThumbnail: ProblemType(404, "unknown_thumbnail", "No such thumbnail"),
    registry.UnknownMap: ProblemType(404, "unknown_map", "The model has no map"),
    registry.UnknownClass: ProblemType(404, "unknown_class", "No such class"),
    registry.UnknownSheet: ProblemType(404, "unknown_sheet", "No such sheet of test images"),
    collections.TooManyItems: ProblemType(413, "too_many_items", "Too many items in one request"),
    search.InvalidItems: ProblemType(422, "invalid_items", "An item cannot be taken"),
    search.InvalidFilter: ProblemType(422, "invalid_filter", "The filter cannot be understood"),
    collections.InvalidCollectionName: ProblemType(
        422, "invalid_collection_name", "The name cannot be one of a collection"
    ),
    service.PairsNotMeasured: ProblemType(
        409, "pairs_not_measured", "The model's pairs are unmeasured"
    ),
    service.VectorsOfAnotherModel: ProblemType(
        409, "vectors_of_another_model", "Another model made the vectors"
    ),
    service.PairsOfAnotherMetric: ProblemType(
        409, "metric_mismatch", "The collection has another metric than its model's pairs"
    ),
    service.RateUnreachable: ProblemType(422, "rate_unreachable", "No threshold has so low a rate"),
    search.UnknownItem: ProblemType(404, "unknown_item", "No such item"),
    collections.UnknownPlane: ProblemType(404, "unknown_map", "The model has no map"),
    collections.UnknownImage: ProblemType(404, "unknown_image", "The item has no such picture"),
    collections.CollectionDiffers: ProblemType(
        409, "collection_differs", "The collection exists with other settings"
    ),
    collections.ModelMismatch: ProblemType(
        409, "model_mismatch", "Another model made the collection"
    ),
    service.PrecisionMismatch: ProblemType(
        409, "precision_mismatch", "The vectors are of another precision"
    ),
    collections.CollectionDamaged: ProblemType(
        409, "collection_damaged", "The collection's files are damaged"
    ),
    collections.NoLabels: ProblemType(422, "no_labels", "No item has a label"),
    collections.OneLabel: ProblemType(422, "one_label", "All labels are the same"),
    collections.TooLargeToAudit: ProblemType(
        422, "too_large_to_audit", "The collection has too many items for an audit"
    ),
    collections.AuditBusy: ProblemType(503, "audit_busy", "Another audit is running"),
    collections.CollectionBusy: ProblemType(
        503, "collection_busy", "Others write to the collection"
    ),
    collections.StorageFull: ProblemType(507, "storage_full", "No room on the disk"),
    collections.StorageReadOnly: ProblemType(
        507, "storage_read_only", "The data folder cannot be written"
    ),
    service.IndexUnavailable: ProblemType(
        503, "index_unavailable", "The vector index does not answer"
    ),
    service.ReloadRefused: ProblemType(409, "reload_refused", "The models were not changed"),
    models.AliasesDamaged: ProblemType(
        409, "aliases_damaged", "The registry's aliases are damaged"
    ),
    models.NothingToRollBack: ProblemType(409, "nothing_to_roll_back", "No version was before it"),
    models.BundleDamaged: ProblemType(409, "model_damaged", "The model's files are damaged"),
    models.ComparisonDamaged: ProblemType(
        409, "comparison_damaged", "The comparison's files are damaged"
    ),
    service.ModelNotReady: ProblemType(503, "not_ready", "The model is still loading"),
    service.TooManyOpenFiles: ProblemType(
        503, "too_many_open_files", "No further file can be opened"
    ),
    service.Overloaded: ProblemType(503, "overloaded", "The service is overloaded"),
    service.Stopping: ProblemType(503, "stopping", "The service is shutting down"),
    service.DeadlineExceeded: ProblemType(504, "deadline_exceeded", "The answer took too long"),
    service.ClientGone: ProblemType(499, "client_gone", "The client closed the connection"),
    access.Unauthorized: ProblemType(401, "unauthorized", "The API key is missing or wrong"),
    access.AdminClosed: ProblemType(403, "admin_closed", "Administration is closed"),
    access.AdminKeyNeeded: ProblemType(
        401, "admin_key_needed", "The admin key is missing or wrong"
    ),
    access.WrongKey: ProblemType(401, "wrong_key", "The API key is wrong"),
    access.TooManySignIns: ProblemType(429, "too_many_sign_ins", "Too many wrong API keys"),
    access.InvalidHost: ProblemType(
        400, "invalid_host", "The Host header names no host, or several"
    ),
    access.HostNotAllowed: ProblemType(
        421, "host_not_allowed", "The name is not one of the service's"
    ),
    access.CrossSite: ProblemType(403, "cross_site", "A page of another site may not send this"),
}
INVALID_PARAMETER = ProblemType(422, "invalid_parameter", "A parameter is not allowed")
INTERNAL_ERROR = ProblemType(500, "internal_error", "Something unforeseen went wrong")
NOT_FOUND = ProblemType(404, "not_found", "No such address")
METHOD_NOT_ALLOWED = ProblemType(405, "method_not_allowed", "The address does not take this method")
OTHERS = (INVALID_PARAMETER, INTERNAL_ERROR, NOT_FOUND, METHOD_NOT_ALLOWED)
_PROTOCOL = {answer.status: answer for answer in (NOT_FOUND, METHOD_NOT_ALLOWED)}
# One header each, for browsers read no more than one of a header.
_CHALLENGES = ("Bearer", 'Basic realm="LossAtlas: any user name, the API key as password"')
_SHOWN_CHARACTERS = 8_192
_SHOWN_FAULTS = 32
_OPENAI = "/v1/"  # below it, clients look for one member `error`
_REFUSED = "invalid_request_error"


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every error of the application, which has these routes, with a problem body."""
    for error in (service.ServiceError, models.ModelsError):
        app.add_exception_handler(error, _domain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, partial(_protocol, routes))
    app.add_exception_handler(Exception, _unforeseen)


def answer_for(error: Exception) -> ProblemType:
    """The table's entry for this error."""
    return TABLE.get(type(error), INTERNAL_ERROR)


def problem(
    request: Request, answer: ProblemType, detail: str, facts: Mapping[str, Any] | None = None
) -> Response:
    """A problem response; the facts become members of its body. A browser gets it as a page."""
    detail = _cut(detail)
    body = {
        "type": f"urn:lossatlas:problem:{answer.code}",
        "title": answer.title,
        "status": answer.status,
        "detail": detail,
        "code": answer.code,
        "request_id": getattr(request.state, "request_id", None),
    }
    if request.scope["path"].startswith(_OPENAI):
        kind = "server_error" if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else _REFUSED
        body["error"] = {"message": detail, "type": kind, "param": None, "code": answer.code}
    whole = body | {name: _cut(value) for name, value in (facts or {}).items()}
    page: ProblemPage | None = request.scope.get("state", {}).get(PAGE)
    if page is not None and wants_page(request.headers.get("accept")):
        return page(request, whole)
    return Response(orjson.dumps(whole), answer.status, VARYING, MEDIA_TYPE)


def _cut(value: Any) -> Any:
    """A client's own text may be in it: an answer is not to be as long as its request."""
    too_long = isinstance(value, str) and len(value) > _SHOWN_CHARACTERS
    return f"{value[:_SHOWN_CHARACTERS]}…" if too_long else value


def domain_problem(request: Request, error: Exception) -> Response:
    """The response to a domain error, its public attributes as facts."""
    answer = answer_for(error)
    if answer is INTERNAL_ERROR:
        return internal_problem(request)
    request.scope.setdefault("state", {})[ERROR] = error
    response = problem(request, answer, str(error), vars(error))
    if (seconds := getattr(error, "retry_after_s", None)) is not None:
        response.headers["Retry-After"] = str(seconds)
    if isinstance(error, service.UnsupportedEncoding):
        response.headers["Accept-Encoding"] = ", ".join(error.accepted)
    for challenge in _challenges(request, response, error):
        response.headers.append("WWW-Authenticate", challenge)
    return response


def _challenges(request: Request, response: Response, error: Exception) -> Sequence[str]:
    """The ways to send the key. A browser that has the form to sign in is not to ask by itself."""
    if isinstance(error, access.WrongKey):
        return _CHALLENGES[:1]
    if not isinstance(error, access.Unauthorized):
        return ()
    has_form = response.media_type != MEDIA_TYPE or "sec-fetch-mode" in request.headers
    return _CHALLENGES[:1] if has_form else _CHALLENGES


def internal_problem(request: Request) -> Response:
    """The response to what nobody foresaw: the log knows more, under the request id."""
    return problem(request, INTERNAL_ERROR, "the service's log says more under this request id")


async def _domain(request: Request, error: Exception) -> Response:
    return domain_problem(request, error)


def invalid_problem(request: Request, error: RequestValidationError) -> Response:
    """The response to parameters that are not allowed, each with its fault."""
    faults = [
        {"parameter": _cut(".".join(map(str, fault["loc"][1:]))), "message": _cut(fault["msg"])}
        for fault in error.errors()[:_SHOWN_FAULTS]
    ]
    detail = "; ".join(f"{fault['parameter']}: {fault['message']}" for fault in faults)
    return problem(request, INVALID_PARAMETER, detail, {"errors": faults})


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    return invalid_problem(request, error)


async def _protocol(routes: Sequence[BaseRoute], request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    phrase = HTTPStatus(error.status_code).phrase
    fallback = ProblemType(error.status_code, "http_error", phrase)
    answer = _PROTOCOL.get(error.status_code, fallback)
    response = problem(request, answer, f"{request.method} {request.url.path}: {phrase}")
    response.headers.update(error.headers or {})
    if answer is METHOD_NOT_ALLOWED and (methods := allowed_methods(routes, request.scope)):
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


async def _unforeseen(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the log has it
    return internal_problem(request)
