"""The names that the service goes by, as requests carry them in Host, Origin and Referer.

A page of another site reaches a service on the visitor's own machine by DNS rebinding: its name
resolves to the service's address, so that the browser takes both for one site. The name then stands
in Host. An IP address cannot be rebound, and neither can a name that nobody can register.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

_AUTHORITY = re.compile(
    r"(?P<name>\[[0-9a-f:.]+(?:%[\w%.-]+)?\]|[\w.-]*[\w-])\.?(?::(?P<port>\d{0,5}))?", re.ASCII
)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_LOCALHOST = ("localhost", ".localhost")
# Reserved: no registry sells names below them (RFC 6761, 6762 and 8375; ICANN on .internal).
_PRIVATE = (".local", ".internal", ".home.arpa")
ANY = "*"


@dataclass(frozen=True)
class Authority:
    """A name or address, lower case, without brackets and the root's dot; and a port."""

    name: str
    port: int | None = None

    @property
    def is_address(self) -> bool:
        """Return whether it is an IP address."""
        try:
            ipaddress.ip_address(self.name)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Hosts:
    """The service's own names.

    `localhost` and IP addresses always are. Where it `listens_beyond` loopback, so are the names
    that other machines and containers have for it and that nobody can register: those without a
    dot, and those below `.local`, `.internal` and `.home.arpa`.
    """

    named: frozenset[str] = frozenset()  # a leading dot stands for every name below
    listens_beyond: bool = False

    def allows(self, authority: Authority) -> bool:
        """Return whether a request for it is for the service."""
        return (
            ANY in self.named
            or authority.is_address
            or _is_below(authority.name, _LOCALHOST)
            or (self.listens_beyond and _is_private(authority.name))
            or self.names(authority)
        )

    def names(self, authority: Authority) -> bool:
        """Return whether it was named, as the setting or as the address to listen on."""
        return _is_below(authority.name, self.named - {ANY})


def own_hosts(listen: str, allowed: str | None) -> Hosts:
    """The names of a service that listens on this address, and those that a setting adds.

    `allowed` is a list with commas; `.example.com` and `*.example.com` stand for every name below
    example.com, `*` for any name. Raises ValueError with the first entry that is not a name.
    """
    named = {socket.gethostname().lower(), listen.lower()}
    named |= {_entry(entry.strip()) for entry in (allowed or "").split(",") if entry.strip()}
    return Hosts(frozenset(named), not _is_loopback(listen))


def read_authority(text: str) -> Authority | None:
    """Read a Host header or the like; None where it is malformed."""
    match = _AUTHORITY.fullmatch(text.strip().lower())
    if match is None:
        return None
    name = match["name"].strip("[]")
    return Authority(name, int(match["port"]) if match["port"] else None)


def read_origin(text: str) -> tuple[str, Authority] | None:
    """The scheme and authority of an Origin or a Referer; None where there is none, as in null."""
    match = _ORIGIN.match(text.strip())
    authority = read_authority(match["authority"]) if match else None
    return (match["scheme"].lower(), authority) if match and authority else None


def is_same(origin: str, host: str) -> bool:
    """Return whether an Origin is the host of a request; a scheme's own port may be left out.

    A proxy may have taken TLS off, so that the schemes say nothing.
    """
    found, asked = read_origin(origin), read_authority(host)
    if found is None or asked is None:
        return False
    scheme, authority = found
    usual = _PORTS[scheme]
    return (authority.name, authority.port or usual) == (asked.name, asked.port or usual)


def _entry(text: str) -> str:
    if text == ANY:
        return ANY
    authority = read_authority(text.removeprefix("*").removeprefix("."))
    if authority is None:
        raise ValueError(f"{text!r} is not a host name")
    return ("." if text.startswith(("*.", ".")) else "") + authority.name


def _is_below(name: str, named: tuple[str, ...] | frozenset[str]) -> bool:
    return any(name == one or (one.startswith(".") and name.endswith(one)) for one in named)


def _is_private(name: str) -> bool:
    return "." not in name or name.endswith(_PRIVATE)


def _is_loopback(listen: str) -> bool:
    try:
        return ipaddress.ip_address(listen).is_loopback
    except ValueError:
        return _is_below(listen.lower(), _LOCALHOST)
