"""Images of other data sets: to see what a network makes of what it was not trained for.

Handwritten digits (scikit-learn's: 1,797 of 8 x 8 pixels) and noise need no file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from sklearn.datasets import load_digits

from models.manifest import Preprocess
from models.preprocess import preprocess
from training.data.dataset import Dataset, LabeledImages
from training.data.sampling import stratified

LIMIT = 2_000
"""Images of each part of another data set, at most; the same ones for every network."""
DIGITS = "digits"
NOISE = "noise"
_SEED = 0
_INK_LEVELS = 16
_GRAY, _SPREAD = 127.5, 64.0  # of the Gaussian noise

Pixels = UInt8[np.ndarray, "n h w 3"]


@dataclass(frozen=True)
class FarImages:
    """Images that are of none of a network's classes, at the size of its input.

    `sha256` is that of what they were made from, the same on every machine.
    """

    name: str
    sha256: str
    images: LabeledImages


@dataclass(frozen=True)
class TransferImages:
    """Another data set's images and classes, at the size of a network's input."""

    name: str
    sha256: str
    train: LabeledImages
    test: LabeledImages


def far_sets(spec: Preprocess, folders: Sequence[Dataset] = ()) -> tuple[FarImages, ...]:
    """Digits, noise, and test images of these data sets, at most `LIMIT` of each."""
    pixels, labels = _digits(spec)
    noise = _noise(spec.size_px)
    return (
        FarImages(DIGITS, _digest_of_digits(), _part(pixels, labels)),
        FarImages(NOISE, hashlib.sha256(noise.images.numpy().tobytes()).hexdigest(), noise),
        *test_images(folders),
    )


def test_images(folders: Sequence[Dataset]) -> tuple[FarImages, ...]:
    """Test images of these data sets, at most `LIMIT` of each."""
    return tuple(FarImages(one.name, one.sha256, _sample(one.test)) for one in folders)


def transfer_sets(spec: Preprocess, folders: Sequence[Dataset] = ()) -> tuple[TransferImages, ...]:
    """Digits, of which half are for the test, and these data sets: at most `LIMIT` of each part."""
    pixels, labels = _digits(spec)
    rows = stratified(labels, len(labels), _SEED)
    half = len(rows) // 2
    trained, tested = (_part(pixels[some], labels[some]) for some in (rows[half:], rows[:half]))
    return (
        TransferImages(DIGITS, _digest_of_digits(), trained, tested),
        *(
            TransferImages(one.name, one.sha256, _sample(one.train), _sample(one.test))
            for one in folders
        ),
    )


def _digits(spec: Preprocess) -> tuple[Pixels, Int64[np.ndarray, " n"]]:
    """Ink on black, each stored as PNG and read as any image that is sent to a service."""
    found = load_digits()
    levels = np.rint(found.images * 255 / _INK_LEVELS).astype(np.uint8)
    return np.stack([preprocess(_png(one), spec) for one in levels]), found.target.astype(np.int64)


def _png(levels: UInt8[np.ndarray, "h w"]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def _noise(side: int) -> LabeledImages:
    """Half uniform, half Gaussian about gray, each channel of each pixel by itself."""
    random = np.random.default_rng(_SEED)
    shape = (LIMIT // 2, side, side, 3)
    uniform = random.integers(0, 256, shape)
    gaussian = np.clip(np.rint(random.normal(_GRAY, _SPREAD, shape)), 0, 255)
    pixels = np.concatenate([uniform, gaussian]).astype(np.uint8)
    return _part(pixels, np.repeat(np.arange(2), LIMIT // 2))


def _part(pixels: Pixels, labels: Int64[np.ndarray, " n"]) -> LabeledImages:
    ids = tuple(str(row) for row in range(len(labels)))
    return LabeledImages(torch.from_numpy(pixels), torch.from_numpy(labels), ids)


def _sample(part: LabeledImages) -> LabeledImages:
    rows = np.sort(stratified(part.labels.numpy(), LIMIT, _SEED))
    taken = part.take(torch.from_numpy(rows))
    return LabeledImages(taken.images.clone(), taken.labels, taken.ids)


def _digest_of_digits() -> str:
    """Of the ink levels, which do not depend on how a machine's libraries enlarge them."""
    found = load_digits()
    levels = found.images.astype(np.uint8).tobytes() + found.target.astype(np.uint8).tobytes()
    return hashlib.sha256(levels).hexdigest()
