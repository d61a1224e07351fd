"""Features for finding copies of an image, and the density of their neighborhood."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch.nn.functional import interpolate

from training.data.hashes import dhash, grid, phash

Change = Literal["as it is", "mirrored", "zoomed"]
Images = UInt8[np.ndarray, "_ _ _ 3"]
Signs = tuple[Float32[np.ndarray, "_ 64"], ...]
Places = Float32[np.ndarray, "_ 256"]

CROWD = 10
OF_THE_CROWD = 0.55
"""The largest share of the distance to the tenth nearest image at which a nearer one is a copy."""

_SAMPLE = 2000
_LEAST_IMAGES = 100  # from which a median and a quantile mean anything
_UPPER = 0.84  # one deviation above the median of a normal distribution
_DEVIATIONS = 4.0
_MARGIN = 1 / 16  # of each side, cut off by a zoom
_SIDE = 16
_CHUNK = 2048
_BLOCK_ITEMS = 2**24


def changed(images: Images, change: Change) -> Images:
    """The images mirrored, or cropped by a sixteenth on every side and scaled up again."""
    return _CHANGES[change](images)


def signs(images: Images, change: Change) -> Signs:
    """Bits of dHash and of pHash as -1 and 1, whose products count the bits that two share."""
    bits = [
        (dhash(chunk), phash(chunk)) for chunk in (changed(one, change) for one in _chunks(images))
    ]
    return tuple(
        2 * np.concatenate(kind).astype(np.float32) - 1 for kind in zip(*bits, strict=True)
    )


def places(images: Images, change: Change = "as it is") -> Places:
    """Gray means of 16 x 16 boxes, less their mean: near for images that look alike."""
    found = [grid(changed(one, change), _SIDE, _SIDE).reshape(-1, 256) for one in _chunks(images)]
    every = np.concatenate(found)
    placed: Places = every - every.mean(axis=1, keepdims=True)
    return placed


def crowd(ours: Places, theirs: Places) -> Float64[np.ndarray, " _"]:
    """Return the distance from each of ours to the tenth nearest of theirs; of fewer, the last."""
    nth = min(CROWD, len(theirs)) - 1
    squares = np.square(theirs).sum(axis=1)
    parts = np.array_split(ours, max(1, len(ours) * len(theirs) // _BLOCK_ITEMS))
    found = [
        np.partition(squares - 2 * part @ theirs.T, nth, axis=1)[:, nth]
        + np.square(part).sum(axis=1)
        for part in parts
    ]
    far: Float64[np.ndarray, " _"] = np.sqrt(np.maximum(np.concatenate(found), 0)).astype(
        np.float64
    )
    return far


def copied_share(there: Places) -> float:
    """Return `OF_THE_CROWD`, or less where images without a copy often have so near a neighbor.

    That is measured among these images themselves: as far below the median of their shares as four
    times the way up from it to one deviation, in logarithms. The upper half alone decides, so that
    copies among them lower it little.
    """
    if len(there) < _LEAST_IMAGES:
        return OF_THE_CROWD
    rows = np.random.default_rng(0).permutation(len(there))[:_SAMPLE]
    squares = np.square(there).sum(axis=1)
    shares = []
    for row in np.array_split(rows, max(1, len(rows) * len(there) // _BLOCK_ITEMS)):
        far = squares[row][:, None] + squares - 2 * there[row] @ there.T
        far[np.arange(len(row)), row] = np.inf  # itself
        near = np.sqrt(np.maximum(np.partition(far, (0, CROWD - 1), axis=1), 0))
        shares.append(near[:, 0] / np.maximum(near[:, CROWD - 1], 1e-6))
    middle, upper = np.quantile(np.concatenate(shares), (0.5, _UPPER))
    return float(min(OF_THE_CROWD, middle * (middle / max(upper, 1e-6)) ** _DEVIATIONS))


def _chunks(images: Images) -> Iterator[Images]:
    for start in range(0, max(len(images), 1), _CHUNK):
        yield images[start : start + _CHUNK]


def _mirrored(images: Images) -> Images:
    return images[:, :, ::-1]


def _zoomed(images: Images) -> Images:
    height, width = images.shape[1:3]
    top, left = (max(1, round(side * _MARGIN)) for side in (height, width))
    if len(images) == 0 or min(height - 2 * top, width - 2 * left) < 1:
        return images
    inner = torch.from_numpy(np.ascontiguousarray(images[:, top:-top, left:-left]))
    scaled = interpolate(
        inner.permute(0, 3, 1, 2).float(), (height, width), mode="bilinear", align_corners=False
    )
    whole: Images = scaled.round().permute(0, 2, 3, 1).to(torch.uint8).numpy()
    return whole


_CHANGES: Mapping[Change, Callable[[Images], Images]] = {
    "as it is": lambda images: images,
    "mirrored": _mirrored,
    "zoomed": _zoomed,
}
