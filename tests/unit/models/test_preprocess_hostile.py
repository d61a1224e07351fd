"""Bad bytes become one of two errors, whatever they are."""

import random
import struct
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Literal

import pytest
from PIL import Image

from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess
from models.preprocess import MAX_PIXELS, preprocess
from tests.support.pictures import ENCODINGS, encode, photo, png, png_chunk, png_chunks

SPEC = Preprocess(size_px=32)
SMALL = photo(size=(48, 32))
MUTATIONS = 150


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"not an image",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"BM",
        bytes(range(256)) * 40,
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        b"%PDF-1.7\n",
        encode(SMALL, "TIFF"),
        encode(SMALL, "PPM"),
        encode(SMALL, "ICO"),
    ],
)
def test_what_is_no_image_of_an_accepted_format_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableImage) as refused:
        preprocess(data, SPEC)
    assert refused.value.reason
    assert "0x" not in str(refused.value)  # no address of an object in memory


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("kept", [0.02, 0.1, 0.3, 0.5, 0.7])
@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO file:UserWarning")
def test_a_truncated_file_is_refused(name: str, kept: float) -> None:
    data = ENCODINGS[name](SMALL)
    if "animated" in name or "multi-picture" in name:  # its first frame alone is what we read
        kept /= 3
    with pytest.raises(UndecodableImage):
        preprocess(data[: int(len(data) * kept)], SPEC)


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "bmp", "webp"])
def test_a_file_that_lacks_its_last_pixels_is_refused(name: str) -> None:
    data = ENCODINGS[name](photo(size=(200, 130)))
    with pytest.raises(UndecodableImage):
        preprocess(data[: int(len(data) * 0.95)], SPEC)


def test_a_palette_image_without_a_palette_is_refused() -> None:
    with pytest.raises(UndecodableImage):
        preprocess(png(3, 8, (4, 4), bytes(16)), SPEC)


# Headers that promise w x h pixels, with no pixel behind them: only a decoder that reads the
# header first can say that they are too many.
HEADERS: dict[str, Callable[[int, int], bytes]] = {
    "png": lambda w, h: (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", b"")
    ),
    "gif": lambda w, h: (
        b"GIF89a"
        + struct.pack("<HHBBB", w, h, 0x80, 0, 0)
        + bytes(6)
        + struct.pack("<BHHHHBB", 0x2C, 0, 0, w, h, 0, 2)
    ),
    "bmp": lambda w, h: (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, w, h, 1, 24, 0, 0, 0, 0, 0, 0)
    ),
    "jpeg": lambda w, h: (
        b"\xff\xd8\xff\xc0"
        + struct.pack(">HBHHB", 17, 8, h, w, 3)
        + bytes((1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0))
        + b"\xff\xda"
        + struct.pack(">HB", 12, 3)
        + bytes((1, 0, 2, 0, 3, 0, 0, 63, 0))
    ),
    "webp": lambda w, h: (
        b"RIFF"
        + struct.pack("<I", 22)
        + b"WEBPVP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + struct.pack("<I", w - 1)[:3]
        + struct.pack("<I", h - 1)[:3]
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_bomb_is_refused_from_its_header(name: str) -> None:
    side = 16_384 if name == "webp" else 60_000
    with pytest.raises(ImageTooLarge) as refused:
        preprocess(HEADERS[name](side, side), SPEC)
    assert refused.value.pixels == side * side
    assert refused.value.limit == MAX_PIXELS


@pytest.mark.parametrize("name", sorted(set(HEADERS) - {"webp"}))
@pytest.mark.parametrize("warn", ["error", "ignore"])
def test_pillows_own_warning_changes_nothing(name: str, warn: Literal["error", "ignore"]) -> None:
    warnings.simplefilter(warn, Image.DecompressionBombWarning)
    with pytest.raises(ImageTooLarge) as refused:  # between Pillow's warning and its refusal
        preprocess(HEADERS[name](10_000, 10_000), SPEC)
    assert refused.value.pixels == 100_000_000


def test_the_limit_is_the_callers_and_inclusive() -> None:
    data = encode(SMALL, "PNG")
    assert preprocess(data, SPEC, max_pixels=48 * 32).shape == (32, 32, 3)
    with pytest.raises(ImageTooLarge) as refused:
        preprocess(data, SPEC, max_pixels=48 * 32 - 1)
    assert (refused.value.pixels, refused.value.limit) == (48 * 32, 48 * 32 - 1)


def test_a_limit_above_pillows_own_names_the_one_that_refused() -> None:
    with pytest.raises(ImageTooLarge) as refused:
        preprocess(HEADERS["png"](60_000, 60_000), SPEC, max_pixels=10**12)
    assert refused.value.limit < refused.value.pixels == 60_000**2


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # it remarks on what is damaged
@pytest.mark.parametrize("name", ENCODINGS)
def test_flipped_bytes_give_pixels_or_a_refusal(name: str) -> None:
    chance = random.Random(name)
    data = ENCODINGS[name](SMALL)
    seen = Counter(_outcome(_damaged(data, chance)) for _ in range(MUTATIONS))
    assert seen["refused"] > 0


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", [name for name in ENCODINGS if name.startswith("png")])
def test_chunks_with_valid_checksums_give_pixels_or_a_refusal(name: str) -> None:
    chance = random.Random(name)
    chunks = png_chunks(ENCODINGS[name](SMALL))
    seen = Counter(_outcome(_rechunked(chunks, chance)) for _ in range(MUTATIONS))
    assert seen["pixels"] > 0
    assert seen["refused"] > 0


def _outcome(data: bytes) -> str:
    try:
        assert preprocess(data, SPEC).shape == (32, 32, 3)
    except (UndecodableImage, ImageTooLarge):
        return "refused"
    return "pixels"


def _damaged(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    reach = chance.choice([len(data), min(len(data), 120)])  # headers are where it hurts
    for _ in range(chance.choice([1, 1, 2, 4, 10])):
        at = chance.randrange(reach)
        damaged[at] = chance.choice([0, 255, 127, 128, damaged[at] ^ 1 << chance.randrange(8)])
    at, length = chance.randrange(reach), chance.choice([0, 0, 1, 7])
    if chance.random() < 0.5:
        del damaged[at : at + length]
    else:
        damaged[at:at] = chance.randbytes(length)
    return bytes(damaged)


def _rechunked(chunks: list[tuple[bytes, bytes]], chance: random.Random) -> bytes:
    kinds = [b"tRNS", b"PLTE", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"zTXt", b"IEND"]
    made = list(chunks)
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.randrange(len(made))
        kind, content = made[at]
        change = chance.random()
        if change < 0.6 and content:
            place = chance.randrange(len(content))
            value = bytes([chance.choice([0, 1, 2, 3, 4, 6, 8, 16, 255])])
            made[at] = kind, content[:place] + value + content[place + 1 :]
        elif change < 0.7:
            made[at] = kind, content[: len(content) // 2]
        elif change < 0.9:
            made.insert(at + 1, (chance.choice(kinds), chance.randbytes(chance.choice([0, 4, 26]))))
        elif len(made) > 2:
            del made[at]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, content) for kind, content in made)
