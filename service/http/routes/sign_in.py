"""Sign in with the API key, in a browser, and sign out."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Request, Response

from service.access.errors import TooManySignIns, WrongKey
from service.access.sessions import COOKIE, LIFE_S
from service.errors import MalformedBody, UnsupportedMediaType
from service.http.requests.body import header, media_type
from service.http.requests.content_coding import read_body
from service.http.requests.parameters import NoParameters
from service.http.responses.problems import BODY_ERRORS, problems
from service.http.state import Parts

router = APIRouter(tags=["sign-in"])
_FORM = "application/x-www-form-urlencoded"
_BODY_MAX_BYTES = 16 * 1024
_MOST_FIELDS = 8
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["key"],
                    "properties": {
                        "key": {"type": "string", "description": "the API key"},
                        "return_to": {"type": "string", "description": "path to go to then"},
                    },
                }
            }
        },
    }
}
_SEE_OTHER: dict[int | str, dict[str, Any]] = {303: {"description": "go there"}}


@router.post(
    "/sign-in",
    status_code=303,
    response_class=Response,
    responses=_SEE_OTHER | problems(*BODY_ERRORS, WrongKey, TooManySignIns),
    openapi_extra=_BODY,
)
async def sign_in(request: Request, parts: Parts, _query: NoParameters) -> Response:
    """Take the API key of a form, and let the browser in by a cookie for 12 hours.

    Where no key is set, everybody is let in already.
    """
    fields = await _read_form(request)
    back = _own_path(fields.get("return_to", "/"))
    if parts.door is None:
        return _go(back)
    sender = request.client.host if request.client else ""
    if wait_s := parts.door.wrong_keys.wait_s(sender):
        raise TooManySignIns(wait_s, back)
    if not parts.door.key.matches(fields.get("key", "").strip().encode()):
        parts.door.wrong_keys.note(sender)
        raise WrongKey(back)
    return _go(back, _cookie(request, parts.door.sessions.new(), LIFE_S))


@router.post(
    "/sign-out", status_code=303, response_class=Response, responses=_SEE_OTHER | problems()
)
async def sign_out(request: Request, _query: NoParameters) -> Response:
    """Make the browser forget that it is signed in."""
    return _go("/", _cookie(request, "", 0))


@router.get("/sign-in", status_code=303, response_class=Response, responses=_SEE_OTHER | problems())
async def signed_in(_query: NoParameters) -> Response:
    """Lead to the front page; browsers that are not signed in get the form, as everywhere."""
    return _go("/")


async def _read_form(request: Request) -> dict[str, str]:
    given = media_type(request.scope)
    if given != _FORM:
        raise UnsupportedMediaType(given, (_FORM,))
    body = await read_body(request.scope, request.receive, _BODY_MAX_BYTES)
    try:
        text = body.decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise MalformedBody(f"the form cannot be read: {error}") from error


def _own_path(text: str) -> str:
    """The path, where it is one of this service; a browser reads backslashes as slashes."""
    parts = urlsplit(text)
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_own and not parts.netloc and not parts.scheme and text.isascii() else "/"


def _cookie(request: Request, value: str, life_s: int) -> str:
    origin = header(
        request.scope, b"origin"
    )  # as the browser sees it, whatever proxies are between
    secure = request.url.scheme == "https" or origin.startswith("https://")
    rules = f"Path=/; Max-Age={life_s}; HttpOnly; SameSite=Strict"
    return f"{COOKIE}={value}; {rules}" + ("; Secure" if secure else "")


def _go(path: str, cookie: str | None = None) -> Response:
    headers = {"Location": path, "Cache-Control": "no-store"}
    return Response(status_code=303, headers=headers | ({"Set-Cookie": cookie} if cookie else {}))
