"""The contents of a figure, read from its SVG."""

import re
from pathlib import Path
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"
_TRANSLATE = re.compile(r"translate\(([\d.-]+) ([\d.-]+)\)")
_SIZE = re.compile(r"font(?:-size)?:[^;]*?([\d.]+)px")


def words(path: Path) -> list[str]:
    """Every line of text, in drawing order."""
    return ["".join(text.itertext()).strip() for text in _texts(path)]


def title(path: Path) -> str:
    found = ElementTree.parse(path).getroot().find(f"{_SVG}title")
    assert found is not None and found.text is not None
    return found.text


def images(path: Path) -> int:
    """Embedded raster images."""
    return len(list(ElementTree.parse(path).getroot().iter(f"{_SVG}image")))


def smallest_font_px(path: Path) -> float:
    """In units of the SVG, of which the widest figure has 620 across."""
    sizes = [_SIZE.search(text.get("style", "")) for text in _texts(path)]
    return min(float(size[1]) for size in sizes if size)


def place(path: Path, word: str) -> tuple[float, float]:
    """x and y of the one text that says this; y grows downwards."""
    (found,) = (text for text in _texts(path) if "".join(text.itertext()).strip() == word)
    at = _TRANSLATE.search(found.get("transform", ""))
    if at:
        return float(at[1]), float(at[2])
    return float(found.get("x", "nan")), float(found.get("y", "nan"))


def _texts(path: Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(path).getroot().iter(f"{_SVG}text"))
