"""A request without its offer to speak another protocol.

RFC 9110, 7.8: a server may ignore `Upgrade`, and the request is then one of HTTP/1.1 like any
other. The parser (llhttp) cannot be asked to ignore it: it stops behind the head, takes the body
for the other protocol's and, fed further, for the next request. So the head is given to a new
parser once more, without the offer.
"""

from collections.abc import Iterable

_OFFERS = (b"upgrade", b"http2-settings")


def without_offer(
    method: bytes, target: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The same head, without `Upgrade`, `HTTP2-Settings` and their names in `Connection`."""
    lines = [b"%b %b HTTP/%b\r\n" % (method, target, version.encode())]
    for name, value in headers:
        if name in _OFFERS:
            continue
        if name == b"connection":
            options = (option.strip() for option in value.split(b","))
            value = b", ".join(one for one in options if one.lower() not in _OFFERS)
        if value or name != b"connection":
            lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)
