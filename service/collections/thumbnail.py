"""The small picture that is kept of an image."""

from io import BytesIO

from models.preprocess import MAX_PIXELS, preview

SIDE_PX = 96  # at most, of the longer side

_QUALITY = 85


def thumbnail(encoded: bytes, max_pixels: int = MAX_PIXELS) -> bytes:
    """A JPEG of the whole image, upright and on white, of at most SIDE_PX in each direction.

    Raises UndecodableImage or ImageTooLarge, as decoding it for a model does.
    """
    picture = preview(encoded, SIDE_PX, max_pixels)
    picture.info.clear()  # else the file's comment and position would be written into it
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
