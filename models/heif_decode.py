"""Decoders of AVIF and HEIC: Pillow, and pillow-heif where it is installed."""

from functools import cache
from importlib.util import find_spec
from io import BytesIO

from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from models.errors import UndecodableImage

_AVIF = b"avif"  # the brand that models.heif writes for it


@cache
def reads_heic() -> bool:
    """Return whether this environment has a decoder of HEIC photographs."""
    return find_spec("pillow_heif") is not None


def decode(data: bytes) -> Image.Image:
    """The pixels of a file that `models.heif` wrote, in 8 bits, on the calling thread alone.

    Raises UndecodableImage where they are damaged, or no decoder of HEIC is installed.
    """
    is_avif = data.startswith(_AVIF, 8)
    if not is_avif and not reads_heic():
        raise UndecodableImage(
            "it is a HEIC photograph, which this installation does not read: add the extra heic "
            "(pillow-heif), or send it as JPEG or AVIF"
        )
    try:
        return _by_pillow(data) if is_avif else _by_libheif(data)
    except UnidentifiedImageError:
        raise UndecodableImage("the AVIF is damaged in its header") from None
    except (RuntimeError, SyntaxError, ValueError, EOFError, OSError) as error:
        name = "AVIF" if is_avif else "HEIC"
        raise UndecodableImage(f"the {name} is damaged: {error}") from None


def _by_pillow(data: bytes) -> Image.Image:
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    image = Image.open(BytesIO(data), formats=("AVIF",))
    image.load()
    return image


def _by_libheif(data: bytes) -> Image.Image:
    from pillow_heif import open_heif, options

    options.DECODE_THREADS = 0
    image: Image.Image = open_heif(data, convert_hdr_to_8bit=True).to_pillow()
    return image
