"""Base64 as clients write it: one reading for images and vectors."""

import binascii
import re
import string

_LETTERS = (string.ascii_letters + string.digits + "+/").encode()
_STANDARD = bytes.maketrans(b"-_", b"+/")  # RFC 4648, 5: for addresses and file names
_SPACE = b" \t\r\n\f\v"
_ESCAPES = {b"%2B": b"+", b"%2F": b"/", b"%3D": b"=", b"%0A": b"", b"%0D": b"", b"%20": b""}
_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCHEME = "data:"
_IS_BASE64 = re.compile(r";\s*base64\s*$", re.IGNORECASE)


class NotBase64(ValueError):
    """The text is not base64, and why."""


def read_base64(text: str) -> bytes:
    """The bytes of base64 or of a data URI, whatever the variant. Raises NotBase64.

    Taken alike: the alphabets of RFC 4648, 4 and 5; with and without padding; wrapped in lines;
    data URIs with any parameters, in any case and percent-encoded.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)  # what most clients send
    except ValueError:  # binascii.Error, and letters beyond ASCII
        return _read_variant(text)


def is_data_uri(text: str) -> bool:
    """Return whether it begins as a data URI does."""
    return text[:64].lstrip()[: len(_SCHEME)].lower() == _SCHEME


def _read_variant(text: str) -> bytes:
    if _ADDRESS.match(text[:64]):
        raise NotBase64("addresses are not fetched; send the image itself")
    start = _after_head(text) if is_data_uri(text) else 0
    try:
        data = text[start:].encode("ascii")
    except UnicodeEncodeError as error:
        raise NotBase64(f"not base64: it has {text[start + error.start]!r}") from None
    if start:
        data = _unescaped(data)
    return _decoded(data.translate(_STANDARD, _SPACE))


def _after_head(uri: str) -> int:
    """Return where the data of a data URI begins."""
    comma = uri.find(",")
    if comma < 0:
        raise NotBase64("the data URI has no comma, behind which its data would be")
    if not _IS_BASE64.search(uri, max(0, comma - 64), comma):
        raise NotBase64("the data URI is not base64; write data:image/png;base64,…")
    return comma + 1


def _unescaped(data: bytes) -> bytes:
    if b"%" not in data:
        return data
    for escape, byte in _ESCAPES.items():
        data = data.replace(escape, byte).replace(escape.lower(), byte)
    return data


def _decoded(data: bytes) -> bytes:
    letters = data.rstrip(b"=")
    if len(data) - len(letters) > 2:
        raise NotBase64("not base64: it ends with more than two '='")
    if strange := letters.translate(None, _LETTERS):
        raise NotBase64(f"not base64: it has {chr(strange[0])!r}")
    if len(letters) % 4 == 1:
        raise NotBase64(f"not base64: it is cut off, at {len(letters):,} letters")
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
