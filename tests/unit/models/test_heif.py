"""AVIF and HEIC: what is read of them, which way up, and what is refused before it is decoded."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from models import av1, heif_decode, hevc
from models.boxes import box, full_box
from models.errors import ImageTooLarge, UndecodableImage
from models.heif import read_size, take_still
from models.heif_picture import HeifPicture
from models.heif_write import HeifItem, write
from models.manifest import Preprocess
from models.preprocess import effort, preprocess, preview
from tests.support.pictures import encode, heic, oriented, photo

PHOTO = photo(size=(160, 112))
SPEC = Preprocess(size_px=32)
MAKERS: dict[str, Callable[..., bytes]] = {
    "avif": lambda image, **options: encode(image, "AVIF", **options),
    "heic": heic,
}
CODECS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def distance(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean())


def whole(data: bytes) -> Image.Image:
    return preview(data, 4096)


def rebuilt(
    data: bytes,
    change: Callable[[bytes], bytes] = lambda content: content,
    *properties: tuple[bytes, bytes],
) -> bytes:
    """The primary item in a file of its own, changed, with further properties."""
    still = take_still(data).data
    picture = HeifPicture(still)
    said = picture.items.properties(still, picture.items.primary)
    own = [one for one in said if one.kind not in {kind for kind, _ in properties}]
    more = [
        said[0]._replace(kind=kind, content=content, essential=True) for kind, content in properties
    ]
    kind = picture.items.kinds[picture.items.primary]
    content = change(picture.items.content(still, picture.items.primary))
    return write(still[8:12], [HeifItem(kind, content, (*own, *more))])


@CODECS
@pytest.mark.parametrize("size", [(160, 112), (101, 67), (1, 1), (7, 300), (16, 16)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_pixels_are_those_of_the_picture(
    make: Callable[..., bytes], size: tuple[int, int], mode: str
) -> None:
    picture = PHOTO.resize(size).convert(mode)
    data = make(picture, quality=95)
    assert distance(whole(data), picture.convert("RGB")) < 4
    assert preprocess(data, SPEC).shape == (32, 32, 3)


@CODECS
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_once(make: Callable[..., bytes], orientation: int) -> None:
    exif = oriented(orientation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(encode(PHOTO, "PNG", exif=exif))))
    assert distance(whole(make(PHOTO, exif=exif)), upright) < 4


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_exif_turns_nothing_beside_the_file_s_own_property(make: Callable[..., bytes]) -> None:
    """The boxes decide, and EXIF repeats them (ISO/IEC 23008-12, A.2.1)."""
    turned = make(PHOTO, exif=oriented(6))
    assert take_still(turned).exif == b""
    still = take_still(turned)
    assert [one for one in still.steps if one != 1] == [6]


@CODECS
@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ([(b"irot", b"\1")], lambda im: im.transpose(Image.Transpose.ROTATE_90)),
        ([(b"irot", b"\2")], lambda im: im.transpose(Image.Transpose.ROTATE_180)),
        ([(b"irot", b"\3")], lambda im: im.transpose(Image.Transpose.ROTATE_270)),
        ([(b"imir", b"\0")], lambda im: im.transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
        ([(b"imir", b"\1")], lambda im: im.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        (
            [(b"irot", b"\1"), (b"imir", b"\0")],
            lambda im: im.transpose(Image.Transpose.ROTATE_90).transpose(
                Image.Transpose.FLIP_TOP_BOTTOM
            ),
        ),
        (
            [(b"clap", struct.pack(">IIIIiIiI", 100, 1, 80, 1, -10, 1, 4, 1)), (b"irot", b"\1")],
            lambda im: im.crop((20, 20, 120, 100)).transpose(Image.Transpose.ROTATE_90),
        ),
    ],
)
def test_properties_turn_and_crop_in_their_order(
    make: Callable[..., bytes],
    properties: list[tuple[bytes, bytes]],
    expected: Callable[[Image.Image], Image.Image],
) -> None:
    plain = make(PHOTO)
    assert distance(whole(rebuilt(plain, lambda c: c, *properties)), expected(whole(plain))) == 0


@CODECS
@pytest.mark.parametrize(
    "clap",
    [
        struct.pack(">IIIIiIiI", 161, 1, 80, 1, 0, 1, 0, 1),
        struct.pack(">IIIIiIiI", 100, 0, 80, 1, 0, 1, 0, 1),
        struct.pack(">IIIIiIiI", 0, 1, 80, 1, 0, 1, 0, 1),
        struct.pack(">IIIIiIiI", 100, 1, 80, 1, 9000, 1, 0, 1),
        b"\0\0",
    ],
)
def test_a_crop_outside_the_picture_is_refused(make: Callable[..., bytes], clap: bytes) -> None:
    with pytest.raises(UndecodableImage):
        whole(rebuilt(make(PHOTO), lambda c: c, (b"clap", clap)))


@CODECS
def test_what_is_transparent_is_white(make: Callable[..., bytes]) -> None:
    picture = PHOTO.convert("RGBA")
    picture.putalpha(Image.new("L", picture.size, 255))
    picture.paste((0, 0, 0, 0), (80, 0, 160, 112))
    found = np.asarray(whole(make(picture)))
    assert found[:, 100:].min() > 250
    assert distance(Image.fromarray(found[:, :72]), PHOTO.crop((0, 0, 72, 112))) < 4


@pytest.mark.parametrize("tile", [64, 512])
def test_tiles_are_joined(tile: int) -> None:
    """As phones write them: the last row and column reach beyond the picture."""
    picture = photo(size=(650, 390))
    data = heic(picture, tile_size=tile)
    assert HeifPicture(data).layers[0].codec == b"hvc1"
    assert distance(whole(data), picture) < 3
    assert effort(data) > 650 * 390


def test_ten_bits_are_read() -> None:
    values = np.asarray(PHOTO).astype(np.uint16) * 257
    buffer = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", PHOTO.size, values.astype("<u2").tobytes()).save(buffer)
    data = buffer.getvalue()
    assert data[data.index(b"hvcC") + 4 + 17] & 7 == 2  # bits of luma beyond 8
    assert distance(whole(data), PHOTO) < 4


@CODECS
def test_thumbnails_and_metadata_stay_behind(make: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker of phones"
    data = make(PHOTO, exif=exif.tobytes())
    assert b"a maker" in data
    assert b"a maker" not in take_still(data).data
    assert distance(whole(data), PHOTO) < 4


def test_the_first_picture_stands_for_an_animation() -> None:
    data = encode(PHOTO, "AVIF", save_all=True, append_images=[PHOTO.rotate(90)])
    assert data[8:12] == b"avis"
    assert distance(whole(data), PHOTO) < 4
    assert b"moov" not in take_still(data).data


def test_a_film_without_a_picture_is_refused() -> None:
    film = box(b"ftyp", b"msf1", bytes(4), b"hevc") + box(b"moov", bytes(64))
    with pytest.raises(UndecodableImage, match="no still picture"):
        preprocess(film, SPEC)


@CODECS
def test_a_size_beyond_the_limit_is_refused_from_the_header(make: Callable[..., bytes]) -> None:
    data = make(PHOTO)
    assert effort(data, 160 * 112 - 1) == 0
    with pytest.raises(ImageTooLarge):
        preprocess(data, SPEC, 160 * 112 - 1)


@CODECS
@pytest.mark.parametrize("size", [(160, 111), (159, 112), (161, 112), (32, 32), (16000, 16)])
def test_content_of_another_size_is_refused_before_it_is_decoded(
    make: Callable[..., bytes], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = rebuilt(make(PHOTO), lambda c: c, (b"ispe", bytes(4) + struct.pack(">II", *size)))
    assert read_size(data)[:2] == size
    monkeypatch.setattr(heif_decode, "decode", None)
    with pytest.raises(UndecodableImage, match="pixels"):
        preprocess(data, SPEC)


@CODECS
def test_more_than_one_coded_picture_is_refused(make: Callable[..., bytes]) -> None:
    with pytest.raises(UndecodableImage):
        preprocess(rebuilt(make(PHOTO), lambda content: content * 2), SPEC)


def with_override(content: bytes) -> bytes:
    """A frame with a size of its own.

    Its sequence header is not the short one of stills, so that frames may say their size.
    """
    bits = "000000000000" + "0" * 12 + "00000"
    bits += "11111111" + f"{159:016b}{111:016b}" + "0" + "0" * 3 + "0" * 4 + "0" + "0" + "0"
    sequence = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    frame = int("00010100", 2).to_bytes(1, "big") + bytes(16)
    units = ((1, sequence), (6, frame))
    return b"".join(bytes([kind << 3 | 2, len(unit)]) + unit for kind, unit in units)


def test_a_frame_with_a_size_of_its_own_is_refused() -> None:
    data = rebuilt(encode(PHOTO, "AVIF"), with_override, (b"av1C", b"\x81\0\x0c\0"))
    with pytest.raises(UndecodableImage, match="size of its own"):
        preprocess(data, SPEC)


@CODECS
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_is_refused(make: Callable[..., bytes], kept: float) -> None:
    data = make(PHOTO)
    with pytest.raises(UndecodableImage):
        preprocess(data[: int(len(data) * kept)], SPEC)


@CODECS
def test_a_file_whose_end_was_never_written_is_refused(make: Callable[..., bytes]) -> None:
    data = make(PHOTO)
    half = len(data) // 2
    with pytest.raises(UndecodableImage):
        preprocess(data[:half] + bytes(len(data) - half), SPEC)


def grid(tiles: list[int], size: tuple[int, int] = (128, 64)) -> bytes:
    """A HEIC of two tiles in a row, by the names of the items that it refers to."""
    still = take_still(heic(photo(size=(64, 64)))).data
    picture = HeifPicture(still)
    tile = HeifItem(
        b"hvc1", picture.items.content(still, 1), tuple(picture.items.properties(still, 1))
    )
    ispe = tile.properties[0]._replace(
        kind=b"ispe", content=bytes(4) + struct.pack(">II", *size), essential=False
    )
    head = HeifItem(b"grid", struct.pack(">BBBBHH", 0, 0, 0, 1, *size), (ispe,))
    return write(b"heic", [head.referring(b"dimg", tiles), tile, tile])


def test_a_grid_is_as_large_as_its_tiles_and_has_each_once() -> None:
    assert whole(grid([2, 3])).size == (128, 64)
    assert whole(grid([2, 3], (100, 60))).size == (100, 60)
    for bad in (grid([2, 2]), grid([2]), grid([2, 3, 1]), grid([2, 3], (129, 64)), grid([])):
        with pytest.raises(UndecodableImage):
            preprocess(bad, SPEC)


def test_tiles_far_beyond_the_picture_are_refused() -> None:
    data = grid([2, 3], (16, 16))
    assert whole(data).size == (16, 16)  # little enough
    assert effort(data) >= 2 * 128 * 128


def test_an_item_that_needs_what_is_not_known_is_refused() -> None:
    data = rebuilt(encode(PHOTO, "AVIF"), lambda c: c, (b"zzzz", b"x"))
    with pytest.raises(UndecodableImage, match="zzzz"):
        preprocess(data, SPEC)


@pytest.mark.parametrize("kind", [b"jpeg", b"avc1", b"vvc1", b"unci", b"iovl", b"iden"])
def test_other_codings_are_refused_by_their_names(kind: bytes) -> None:
    data = encode(PHOTO, "AVIF").replace(b"av01", kind)
    with pytest.raises(UndecodableImage, match=kind.decode()):
        preprocess(data, SPEC)


def test_a_heic_is_refused_by_name_where_no_decoder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif_decode, "reads_heic", lambda: False)
    with pytest.raises(UndecodableImage, match=r"HEIC.*extra heic"):
        preprocess(heic(PHOTO), SPEC)
    assert preprocess(encode(PHOTO, "AVIF"), SPEC).shape == (32, 32, 3)


@CODECS
def test_no_thread_outlives_its_picture(make: Callable[..., bytes]) -> None:
    data = make(photo(size=(700, 500)))
    preprocess(data, SPEC)
    folder = Path("/proc/self/task")
    if not folder.exists():
        pytest.skip("only Linux lists threads")
    before = len(list(folder.iterdir()))
    for _ in range(8):
        preprocess(data, SPEC)
    assert len(list(folder.iterdir())) <= before


def test_parameter_sets_of_hevc_are_read() -> None:
    still = take_still(heic(photo(size=(101, 67)))).data
    picture = HeifPicture(still)
    (configuration,) = picture.items.named(still, 1, b"hvcC")
    content = picture.items.content(still, 1)
    hevc.check_picture(configuration, content, picture.size(1))
    with pytest.raises(UndecodableImage):
        hevc.check_picture(configuration[:30], content, picture.size(1))
    with pytest.raises(UndecodableImage):
        hevc.check_picture(configuration, content[:-1], picture.size(1))


def test_units_of_av1_end_where_they_say() -> None:
    still = take_still(encode(PHOTO, "AVIF")).data
    picture = HeifPicture(still)
    (configuration,) = picture.items.named(still, 1, b"av1C")
    content = picture.items.content(still, 1)
    av1.check_picture(configuration, content, picture.size(1))
    for bad in (content[:-1], b"", content[:4], b"\x0a" + b"\xff" * 9):
        with pytest.raises(UndecodableImage):
            av1.check_picture(configuration, bad, picture.size(1))


def test_a_table_beyond_its_limit_is_refused() -> None:
    kinds = full_box(b"iinf", 0, 0, struct.pack(">H", 65_535))
    data = box(b"ftyp", b"avif", bytes(4)) + full_box(b"meta", 0, 0, kinds)
    with pytest.raises(UndecodableImage, match="65,535"):
        effort(data)
