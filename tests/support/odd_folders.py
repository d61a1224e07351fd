"""Folders as people have them: odd sizes, modes and names, uneven classes, broken files."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from PIL import Image

DATA = Path(__file__).parents[1] / "data"
_SIZES = ((40, 60), (61, 33), (120, 48), (48, 48), (9, 7))
_MODES = (
    ("L", "png"),
    ("RGB", "jpg"),
    ("P", "gif"),
    ("CMYK", "jpg"),
    ("LA", "png"),
    ("I;16", "png"),
)


def photographs(name: str) -> Iterator[Image.Image]:
    """The committed CIFAR-10 photographs of one class, again and again."""
    for path in cycle(sorted((DATA / "cifar10-sample").glob(f"*/{name}/*.jpg"))):
        with Image.open(path) as image:
            yield image.convert("RGB")


def write_class(folder: Path, name: str, count: int, *, start: int = 0) -> None:
    """`count` different photographs of CIFAR-10's class `name`, in every size and mode."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in zip(range(start + count), photographs(name), strict=False):
        if number < start:
            continue
        mode, suffix = _MODES[number % len(_MODES)]
        resized = image.resize(_SIZES[number % len(_SIZES)])
        if mode == "I;16":
            wide = resized.convert("L").convert("I").point(lambda value: value * 257)
            resized = wide.convert("I;16")
        else:
            resized = resized.convert(mode)
        resized.save(folder / f"{number:04d}.{suffix}")


def write_folder(root: Path, **counts: int) -> Path:
    """A folder of `root/<class>` with so many images of each class."""
    for name, count in counts.items():
        write_class(root / name, name, count)
    return root
