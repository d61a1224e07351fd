"""Access: holders of the key or, without a key, programs and the service's own pages."""

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Awaitable

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.errors import CrossSite, HostNotAllowed, InvalidHost, Unauthorized
from service.access.hosts import Hosts, is_same, read_authority, read_origin
from service.access.keys import ApiKey
from service.access.sessions import COOKIE, Sessions
from service.errors import ServiceError
from service.http.requests.body import header
from service.http.responses.errors import domain_problem

OPEN = ("/health/live", "/health/ready")  # probes have no key, and any name for the service
SIGN_IN = "POST", "/sign-in"
_ADMIN = "/admin/"  # asks for a key of its own
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ASKED = frozenset({b"host", b"origin", b"referer", b"sec-fetch-site"})
_OWN_SITE = frozenset({b"same-origin", b"none"})  # none: the visitor typed the address
_MOST_KNOWN = 256
_LONGEST = 262  # a name of 255 bytes, a colon and a port


class AccessCheck(ABC):
    """Refuses some requests; those that ask for health are let through.

    It is no coroutine, nor is any other layer that does no more than choose what answers: each
    would be a frame more for every step of every request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            refusal = self.refusal(scope)
            if refusal is not None:
                return domain_problem(Request(scope), refusal)(scope, receive, send)
        return self._app(scope, receive, send)

    @abstractmethod
    def refusal(self, scope: Scope) -> ServiceError | None:
        """Return why this request is refused; None where it is served."""


class RequireKey(AccessCheck):
    """Refuses every request without the API key, except those that ask for health or sign in.

    A program sends it as a bearer token. A browser sends the cookie that it got for the key in a
    form, or the key as the password of any user name. It adds either to every request, also to one
    that a page of another site makes, so that such writes are refused.
    """

    def __init__(self, app: ASGIApp, key: ApiKey, sessions: Sessions) -> None:
        super().__init__(app)
        self._key = key
        self._sessions = sessions

    def refusal(self, scope: Scope) -> ServiceError | None:
        """Return why its sender may not ask."""
        scheme, _, given = header(scope, b"authorization").strip().partition(" ")
        scheme, credentials = scheme.lower(), given.strip().encode("latin-1")
        if scheme == "bearer" and self._key.matches(credentials):
            return None
        if scheme == "basic" and self._key.matches(_password(credentials)):
            return _cross_site(scope)
        if not scheme and self._sessions.is_valid(_cookie(scope)):
            return _cross_site(scope, must_say=True)
        if scope["path"].startswith(_ADMIN) or (scope["method"], scope["path"]) == SIGN_IN:
            return _cross_site(scope)
        return Unauthorized()


class RequireOwnSite(AccessCheck):
    """Refuses, where no key is set, what another site's page sends through a visitor's browser.

    By DNS rebinding it comes to another name than the service's own; without, a write carries the
    page's origin. Programs send no origin, and are let in.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        super().__init__(app)
        self._hosts = hosts
        self._known: set[bytes] = set()  # Host headers that were found to be its own

    def refusal(self, scope: Scope) -> ServiceError | None:
        """Return why it is not of this site."""
        asked = [header for header in scope["headers"] if header[0] in _ASKED]
        if len(asked) == 1 and asked[0][0] == b"host" and asked[0][1] in self._known:
            return None  # as programs send it
        hosts = [value for name, value in asked if name == b"host"]
        if len(hosts) > 1:
            return InvalidHost("several Host headers")
        if hosts and hosts[0] not in self._known:  # HTTP/1.0 may have none; browsers send it
            if refusal := self._refusal_of_host(hosts[0]):
                return refusal
            self._remember(hosts[0])
        if len(asked) == len(hosts):
            return None
        headers = _OriginHeaders(scope)
        return CrossSite(headers.sender) if headers.cross_site(scope, self._hosts) else None

    def _refusal_of_host(self, host: bytes) -> ServiceError | None:
        if not host:
            return None
        if len(host) > _LONGEST:
            return InvalidHost(f"a Host header of {len(host):,} bytes")
        text = host.decode("latin-1")
        authority = read_authority(text)
        if authority is None:
            return InvalidHost(f"Host {text!r}")
        return None if self._hosts.allows(authority) else HostNotAllowed(authority.name)

    def _remember(self, host: bytes) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(host)


class _OriginHeaders:
    """Of a request, those that say who sent it and to whom."""

    __slots__ = ("asked",)

    def __init__(self, scope: Scope) -> None:
        self.asked: list[tuple[bytes, bytes]] = [
            header for header in scope["headers"] if header[0] in _ASKED
        ]

    @property
    def sender(self) -> str:
        """The origin of the page that made the browser send it; empty where no page did."""
        found = dict(self.asked)
        return (found.get(b"origin") or found.get(b"referer", b"")).decode("latin-1")

    @property
    def says_nothing(self) -> bool:
        """Return whether no header names the page that made the browser send it."""
        found = dict(self.asked)
        return not self.sender and b"sec-fetch-site" not in found

    def cross_site(self, scope: Scope, hosts: Hosts) -> bool:
        """Return whether another site's page writes. Other ports are other sites."""
        if scope["method"] in _SAFE:
            return False
        found = dict(self.asked)
        if site := found.get(b"sec-fetch-site"):  # pages cannot set it, and proxies keep it
            return site.strip().lower() not in _OWN_SITE
        sender = self.sender
        if not sender or is_same(sender, found.get(b"host", b"").decode("latin-1")):
            return False
        origin = read_origin(sender)  # a proxy may have another Host than its visitors
        return origin is None or not hosts.names(origin[1])


def _cross_site(scope: Scope, *, must_say: bool = False) -> ServiceError | None:
    """Refuse a write of another site's page; with `must_say`, also one that names no sender."""
    headers = _OriginHeaders(scope)
    silent = must_say and headers.says_nothing and scope["method"] not in _SAFE
    return CrossSite(headers.sender) if silent or headers.cross_site(scope, Hosts()) else None


def _cookie(scope: Scope) -> str:
    """The session's cookie; empty where there is none."""
    for part in header(scope, b"cookie").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _password(credentials: bytes) -> bytes:
    """Of Basic credentials; empty where they are malformed, and a key never is."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
