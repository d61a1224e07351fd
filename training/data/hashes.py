"""Perceptual hashes: 64 bits that stay nearly the same when an image is stored or lit anew."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy.fft import dctn

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SIDE = 8
_CHUNK = 4096

Images = UInt8[np.ndarray, "n h w 3"]
Bits = Bool[np.ndarray, "n 64"]


def dhash(images: Images) -> Bits:
    """Compare each of 8 x 8 places with the one to its right, of 8 x 9 box means."""
    return np.concatenate([_dhash(chunk) for chunk in _chunks(images)])


def phash(images: Images) -> Bits:
    """Compare the 8 x 8 lowest frequencies of the cosine transform with their median."""
    return np.concatenate([_phash(chunk) for chunk in _chunks(images)])


def grid(images: Images, rows: int, columns: int) -> Float32[np.ndarray, "n r c"]:
    """Gray means over a grid of boxes; places repeat where the image has fewer."""
    return _means(_gray(images), rows, columns)


def _chunks(images: Images) -> list[Images]:
    return [images[start : start + _CHUNK] for start in range(0, max(len(images), 1), _CHUNK)]


def _dhash(images: Images) -> Bits:
    means = _means(_gray(images), _SIDE, _SIDE + 1)
    bits: Bits = (np.diff(means, axis=2) > 0).reshape(len(images), 64)
    return bits


def _phash(images: Images) -> Bits:
    low = dctn(_gray(images), axes=(1, 2))[:, :_SIDE, :_SIDE].reshape(len(images), 64)
    low[:, 0] = 0.0  # the mean brightness
    bits: Bits = low > np.median(low[:, 1:], axis=1, keepdims=True)
    return bits


def _gray(images: Images) -> Float32[np.ndarray, "n h w"]:
    gray: Float32[np.ndarray, "n h w"] = images.astype(np.float32) @ _LUMA
    return gray


def _means(
    gray: Float32[np.ndarray, "n h w"], rows: int, columns: int
) -> Float32[np.ndarray, "n r c"]:
    """Means over a grid of boxes; places repeat where the image has fewer."""
    across = np.stack([box.mean(axis=2) for box in _boxes(gray, columns, 2)], axis=2)
    means: Float32[np.ndarray, "n r c"] = np.stack(
        [box.mean(axis=1) for box in _boxes(across, rows, 1)], axis=1
    )
    return means


def _boxes(gray: np.ndarray, count: int, axis: int) -> list[np.ndarray]:
    size = gray.shape[axis]
    ends = [(place * size // count, -(-(place + 1) * size // count)) for place in range(count)]
    return [gray.take(range(start, end), axis=axis) for start, end in ends]
