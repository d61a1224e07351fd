"""Images to train on: gratings in noise, with a direction and a color for each class."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.data.dataset import CalibrationSplit, LabeledImages, Splits

SIZE_PX, CLASSES, HELD_OUT = 32, 10, 500
_NOISE, _QUALITY = 70.0, 90


@dataclass(frozen=True)
class Images:
    """`count` images to train on, and held-out ones, in a folder; made once."""

    folder: Path
    count: int

    def prepare(self) -> None:
        """Write what is missing."""
        for number in range(self.count + HELD_OUT):
            path = self.path(number)
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(draw(number)).save(path, quality=_QUALITY)

    def path(self, number: int) -> Path:
        """Held-out ones are the first."""
        return self.folder / str(number % CLASSES) / f"{number:06d}.jpg"

    def train(self) -> list[tuple[Path, int]]:
        """Files and their classes."""
        numbers = range(HELD_OUT, HELD_OUT + self.count)
        return [(self.path(number), number % CLASSES) for number in numbers]

    def splits(self) -> Splits:
        """Decoded; the held-out ones are the tuning split."""
        train, held = _decoded(self.train()), _decoded(self._held_out())
        return Splits(train, held, CalibrationSplit(held), held)

    def _held_out(self) -> list[tuple[Path, int]]:
        return [(self.path(number), number % CLASSES) for number in range(HELD_OUT)]


def draw(number: int) -> np.ndarray:
    """The image of that number, the same wherever it is drawn, uint8 [h, w, 3]."""
    random, label = np.random.default_rng(number), number % CLASSES
    angle = np.pi * label / CLASSES + random.normal(0, 0.1)
    ys, xs = np.mgrid[:SIZE_PX, :SIZE_PX]
    wave = np.sin((xs * np.cos(angle) + ys * np.sin(angle)) / 2 + random.uniform(0, 2 * np.pi))
    color = np.cos(2 * np.pi * (label % 5 / 5 + np.arange(3) / 3))
    pixels = 128 + 40 * wave[..., None] + 20 * color + random.normal(0, _NOISE, (*wave.shape, 3))
    return np.asarray(pixels.clip(0, 255), dtype=np.uint8)


def _decoded(files: list[tuple[Path, int]]) -> LabeledImages:
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path, _ in files])
    labels = torch.tensor([label for _, label in files])
    return LabeledImages(torch.from_numpy(pixels), labels, tuple(str(path) for path, _ in files))
