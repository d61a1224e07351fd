"""The media type of a stored picture, by its first bytes; browsers show no other than they know."""

_STARTS = {
    b"\xff\xd8\xff": "image/jpeg",  # also MPO, a photograph with further ones behind it
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
}


def media_of(data: bytes) -> str:
    """Return the media type of the picture, for browsers."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "image/heif")
    found = (media for start, media in _STARTS.items() if data.startswith(start))
    return next(found, "application/octet-stream")
