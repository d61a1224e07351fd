"""Characters drawn in the fonts of this machine: many classes with few images each.

The fonts of the training images and of the test images are of different designs, so that a test
image always shows a character in a typeface that training never saw. Families that draw alike
(Arimo and Liberation Sans, for instance) count as one design.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont, TTLibError
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy.sparse.csgraph import connected_components

from training.data.staging import staged_folder, write_record
from training.errors import InvalidDataset

# Left out: characters that many typefaces draw alike (l I |, 0 O, Latin and Cyrillic or Greek).
CHARACTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"
    "ΓΔΘΛΞΣΦΨΩαγδεζηθλμξπστφχψω"
    "БДЖИЛПЦЧШЩЪЫЬЭЮЯбвгджилмнптцчшщъыьэюя"
    '!?&@#$%*+=<>{}[]()/\\~^_;:."€£¥§¶©®°±\u00d7÷¿¡«»†‡…'
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ"
)
SIDE_PX = 32
_EM_PX = 21
_BASELINE_PX = 23
_TEST_SHARE = 1 / 3  # of the designs
_STYLES = 2  # at most so many fonts of a family
_SAME_DESIGN = 0.91  # overlap of ink, as `_overlaps` has it; clones have 0.94 and more when bold
_FEWEST_FAMILIES = 12
_SUFFIXES = frozenset({".ttf", ".otf"})
_SLANTED = ("italic", "oblique", "slanted", "smallcaps", "small caps", " sc", "dotted")

_BROKEN = (TTLibError, OSError, KeyError, ValueError, AssertionError, AttributeError)


@dataclass(frozen=True)
class Face:
    """A font file that has every character upright."""

    path: Path
    family: str
    name: str


def class_name(character: str) -> str:
    """The folder of a character: its code point and Unicode name, alike on every file system."""
    words = unicodedata.name(character).lower().replace(" ", "-")
    return f"u{ord(character):04x}-{words}"


def find_faces(fonts: Path) -> list[Face]:
    """The fonts below a folder that draw all of CHARACTERS upright and each in its own way.

    At most two fonts of a family are taken: the regular one, then by name.
    Raises InvalidDataset where fewer than twelve families are found.
    """
    families: dict[str, dict[str, Face]] = {}
    for path in sorted(fonts.rglob("*")):
        face = _face(path) if path.suffix.lower() in _SUFFIXES else None
        if face is not None:
            families.setdefault(face.family, {}).setdefault(face.name, face)
    taken = [_first_apart(sorted(one.values(), key=_plain_first)) for one in families.values()]
    found = sum(map(bool, taken))
    if found < _FEWEST_FAMILIES:
        raise InvalidDataset(
            f"--fonts must hold at least {_FEWEST_FAMILIES} font families that have all "
            f"{len(CHARACTERS)} characters (found {found} below {fonts}); "
            "docs/data.md lists Debian packages"
        )
    return sorted((face for one in taken for face in one), key=lambda face: face.name)


def split_faces(faces: Sequence[Face]) -> dict[str, list[Face]]:
    """The fonts of `train` and `test`: no design is in both, and a third of them is in `test`.

    In each part, fonts come in an order in which any first few are of as many designs as possible.
    """
    designs = sorted(_designs(faces), key=lambda design: min(_digest(face.name) for face in design))
    n_test = max(1, round(_TEST_SHARE * len(designs)))
    return {"train": _spread(designs[n_test:]), "test": _spread(designs[:n_test])}


def write_glyphs(
    parts: Mapping[str, Sequence[Face]], out: Path, tell: Callable[[int], None]
) -> None:
    """Write `out/<part>/<class>/*.png`, an image for each font of the part: 32 x 32 px, gray.

    `tell` gets the number of images written since its last call. Raises InvalidOutput where `out`
    exists.
    """
    with staged_folder(out) as folder:
        for part, faces in parts.items():
            for character in CHARACTERS:
                (folder / part / class_name(character)).mkdir(parents=True)
            for number, face in enumerate(faces):
                for character, image in zip(CHARACTERS, _draw_all(face.path), strict=True):
                    path = folder / part / class_name(character) / f"{number:03d}.png"
                    Image.fromarray(image).save(path)
                tell(len(CHARACTERS))
        fonts = {part: [face.name for face in faces] for part, faces in parts.items()}
        write_record(folder, {"data_set": "glyphs", "classes": len(CHARACTERS), "fonts": fonts})


def _draw_all(path: Path) -> UInt8[np.ndarray, "c h w"]:
    font = ImageFont.truetype(path, _EM_PX, layout_engine=ImageFont.Layout.BASIC)
    return np.stack(list(map(partial(_draw, font), CHARACTERS)))


def _draw(font: ImageFont.FreeTypeFont, character: str) -> UInt8[np.ndarray, "h w"]:
    image = Image.new("L", (SIDE_PX, SIDE_PX), 255)
    place = (SIDE_PX // 2, _BASELINE_PX)
    ImageDraw.Draw(image).text(place, character, fill=0, font=font, anchor="ms")
    return np.asarray(image)


def _face(path: Path) -> Face | None:
    try:
        with path.open("rb") as file, TTFont(file, lazy=True) as font:
            characters = font.getBestCmap() or {}
            names = font["name"]
            family, style = names.getBestFamilyName(), names.getBestSubFamilyName()
    except _BROKEN:
        return None
    face = Face(path, str(family), f"{family} {style or ''}".strip())
    slanted = any(word in face.name.lower() for word in _SLANTED)
    complete = all(ord(character) in characters for character in CHARACTERS)
    return face if family and complete and not slanted else None


def _plain_first(face: Face) -> tuple[bool, str]:
    return not face.name.endswith(("Regular", "Book")), face.name


def _first_apart(faces: Sequence[Face]) -> list[Face]:
    return [face for face in faces[:_STYLES] if _draws_apart(face)]


def _draws_apart(face: Face) -> bool:
    images = _draw_all(face.path)
    different = {image.tobytes() for image in images}
    return len(different) == len(images) and all(np.ptp(image) > 0 for image in images)


def _designs(faces: Sequence[Face]) -> list[list[Face]]:
    """Fonts that draw alike together, by way of others too, and those of a family."""
    alike = _overlaps(faces) >= _SAME_DESIGN
    alike |= np.array([[one.family == other.family for other in faces] for one in faces])
    _, number = connected_components(alike, directed=False)
    designs: dict[int, list[Face]] = {}
    for design, face in zip(number.tolist(), faces, strict=True):
        designs.setdefault(design, []).append(face)
    return list(designs.values())


def _overlaps(faces: Sequence[Face]) -> Float32[np.ndarray, "n n"]:
    """Of each two fonts, over all characters: twice the common ink by the sum of both (Dice)."""
    ink = np.stack([1 - _draw_all(face.path).reshape(-1) / np.float32(255) for face in faces])
    own = (ink * ink).sum(axis=1)
    overlaps: Float32[np.ndarray, "n n"] = 2 * ink @ ink.T / (own[:, None] + own)
    return overlaps


def _spread(designs: Sequence[Sequence[Face]]) -> list[Face]:
    ranked = [
        (rank, _digest(face.name), face)
        for design in designs
        for rank, face in enumerate(sorted(design, key=_plain_first))
    ]
    return [face for *_, face in sorted(ranked, key=lambda entry: entry[:2])]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
