"""The format of a file from its first bytes, and the names of formats that are not read."""

import re

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
"""What every installation reads; HEIC needs an extra (`models.heif_decode`)."""

HEIC = "HEIC"

_BRANDS = slice(8, 64)  # of a file in boxes: what it is compatible with
_MINOR_VERSION = 4  # stands there among them
_TEXT_BYTES = 1024
_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset(  # of HEIC, and of any coding
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
    | {b"mif1", b"mif2", b"mif3", b"msf1"}
)
_BY_BRAND = (
    (re.compile(rb"crx "), "a raw photograph (CR3)"),
    (re.compile(rb"qt  |isom|mp4|M4V|3gp"), "a video"),
)
_STARTS = (
    (b"II*\0\x10\0\0\0CR", "a raw photograph (CR2)"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"II+\0", "a BigTIFF"),
    (b"MM\0+", "a BigTIFF"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"\xff\xd8\xff\xf7", "a JPEG-LS"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"\0\0\2\0", "a cursor (CUR)"),
    (b"FUJIFILMCCD-RAW", "a raw photograph (RAF)"),
    (b"\x8aMNG", "an MNG"),
    (b"\x8bJNG", "a JNG"),
    (b"%PDF-", "a PDF"),
    (b"%!PS", "a PostScript document"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"v/1\x01", "an OpenEXR"),
    (b"#?RADIANCE", "a Radiance HDR"),
    (b"DDS ", "a DDS texture"),
    (b"qoif", "a QOI"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"SIMPLE  =", "a FITS image"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"data:", "the text of a data URI, not its bytes"),
    (b"/9j/", "a JPEG in base64, not its bytes"),
    (b"iVBORw0KGgo", "a PNG in base64, not its bytes"),
    (b"R0lGOD", "a GIF in base64, not its bytes"),
    (b"UklGR", "a WebP in base64, not its bytes"),
    (b"http://", "an address, which is not fetched"),
    (b"https://", "an address, which is not fetched"),
)
_IN_TEXT = (
    (re.compile(rb"<svg[\s>]", re.IGNORECASE), "an SVG"),
    (re.compile(rb"<!doctype html|<html[\s>]", re.IGNORECASE), "an HTML page"),
    (re.compile(rb"^P[1-7][\s#]"), "a PNM image"),
    (re.compile(rb"%PDF-"), "a PDF"),
    (re.compile(rb"^\s*[{\[]"), "JSON"),
)


def find_format(data: bytes) -> str | None:
    """One of `FORMATS`, or `HEIC`; None where the bytes are of neither."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith(b"RIFF") and data.startswith(b"WEBP", 8):
        return "WEBP"
    return _find_boxed(data) if _is_boxed(data) else None


def _find_boxed(data: bytes) -> str | None:
    """AVIF, or HEIC for every other HEIF file: its items say how they are coded."""
    head = data[_BRANDS]
    brands = {head[at : at + 4] for at in range(0, len(head), 4) if at != _MINOR_VERSION}
    if brands & _AVIF:
        return "AVIF"
    return HEIC if brands & _HEIF else None


def describe(data: bytes) -> str:
    """Explain why bytes in none of `FORMATS` are refused."""
    accepted = f"send one of {', '.join(FORMATS)}"
    if not data:
        return f"it is empty (0 bytes); {accepted}"
    what = _name(data)
    if what is None:
        return f"not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file"
    return f"it is {what}; {accepted}"


def _name(data: bytes) -> str | None:
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if _is_boxed(data):
        return next((name for brand, name in _BY_BRAND if brand.search(data[_BRANDS])), None)
    text = data[:_TEXT_BYTES]
    return next((name for pattern, name in _IN_TEXT if pattern.search(text)), None)


def _is_boxed(data: bytes) -> bool:
    return data.startswith(b"ftyp", 4)
