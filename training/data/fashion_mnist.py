"""Fashion-MNIST as a folder of PNG files, from the files of Debian's dataset-fashion-mnist.

Source: Xiao, Rasul and Vollgraf, Fashion-MNIST (arXiv 1708.07747), MIT license.
"""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from training.data.staging import staged_folder, write_record
from training.errors import InvalidDataset

SOURCE = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    "t-shirt-top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)
_PARTS = {"train": "train", "test": "t10k"}
_IMAGES, _LABELS = 0x803, 0x801  # the IDX format's magic numbers: uint8, three axes and one


def write_fashion_mnist(source: Path, out: Path, tell: Callable[[int], None]) -> None:
    """Write `out/train/<class>/*.png` and `out/test/<class>/*.png`, 28 x 28 px, gray.

    `tell` gets the number of images written since its last call.
    Raises InvalidDataset where `source` lacks the four IDX files, InvalidOutput where `out` exists.
    """
    parts = {part: _read_part(source, prefix) for part, prefix in _PARTS.items()}
    with staged_folder(out) as folder:
        for part, (images, labels) in parts.items():
            _write_part(folder / part, images, labels, tell)
        write_record(folder, {"data_set": "Fashion-MNIST", "license": "MIT"})


def _write_part(
    folder: Path,
    images: UInt8[np.ndarray, "n h w"],
    labels: UInt8[np.ndarray, " n"],
    tell: Callable[[int], None],
) -> None:
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / CLASSES[label] / f"{row:05d}.png")
        tell(1)


def _read_part(
    source: Path, prefix: str
) -> tuple[UInt8[np.ndarray, "n h w"], UInt8[np.ndarray, " n"]]:
    images = _read_idx(source / f"{prefix}-images-idx3-ubyte.gz", _IMAGES)
    labels = _read_idx(source / f"{prefix}-labels-idx1-ubyte.gz", _LABELS)
    if len(images) != len(labels) or labels.max(initial=0) >= len(CLASSES):
        raise InvalidDataset(f"{source}: the images and labels of {prefix} do not belong together")
    return images, labels


def _read_idx(path: Path, magic: int) -> UInt8[np.ndarray, "..."]:
    try:
        data = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise InvalidDataset(
            f"no file {path}; install Debian's package dataset-fashion-mnist, or name the folder "
            "of the four files *-ubyte.gz with --source"
        ) from None
    except (OSError, EOFError) as error:
        raise InvalidDataset(f"{path} cannot be read: {error}") from None
    start = 4 * (1 + (magic & 0xFF))  # of the values: the magic number, then each axis's length
    head = np.frombuffer(data[:start], ">u4") if len(data) >= start else np.zeros(1, ">u4")
    if head[0] != magic or len(data) != start + head[1:].prod():
        raise InvalidDataset(f"{path} is not a whole IDX file with the magic number {magic:#x}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(head[1:])
