"""Vectors of an audit's images, by a published model or an exported run."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from jaxtyping import Float32, UInt8

from models.atomic import replacing
from models.bundle import MODEL
from models.files import sha256_of
from models.manifest import Metric, Preprocess
from training.checkpoints.published import is_published, published
from training.checkpoints.run import RunFolder
from training.errors import InvalidRun
from training.losses import ALL_LOSSES

_BATCH = 128

Images = UInt8[np.ndarray, "n h w 3"]
Vectors = Float32[np.ndarray, "n d"]


@dataclass(frozen=True)
class AuditEmbedder:
    """An ONNX file that embeds, and what its input must be."""

    name: str
    path: Path
    preprocess: Preprocess
    metric: Metric

    @classmethod
    def of(cls, folder: Path) -> "AuditEmbedder":
        """The published model or the exported run in `folder`.

        Raises InvalidWeights for a damaged model, InvalidRun where there is neither.
        """
        if is_published(folder):
            bundle = published(folder)
            made = bundle.manifest
            return cls(str(folder), bundle.model_path, made.preprocess, made.metric)
        run = RunFolder(folder)
        if not run.started:
            raise InvalidRun(
                f"{folder} is neither a published model nor a run; name one: "
                "--model models/registry/softmax/2"
            )
        path = folder / MODEL
        if not path.is_file():
            raise InvalidRun(f"{path} is missing: python -m training export")
        recipe = run.record().recipe
        return cls(str(folder), path, recipe.preprocess, ALL_LOSSES[recipe.loss].metric)

    @property
    def sha256(self) -> str:
        """The hash of the ONNX file."""
        return sha256_of(self.path)

    def embed(self, images: Images, cache: Path, step: Callable[[int], None]) -> Vectors:
        """A vector of each image. They are kept in `cache`, under a hash of model and images."""
        digest = hashlib.sha256(f"{self.sha256} {images.shape}".encode())
        for start in range(0, len(images), _BATCH):
            digest.update(images[start : start + _BATCH].tobytes())
        kept = cache / f"audit-{digest.hexdigest()[:32]}.npy"
        if kept.is_file():
            step(len(images))
            known: Vectors = np.load(kept)
            return known
        found = self._run(images, step)
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as temporary, temporary.open("wb") as file:
            np.save(file, found)
        return found

    def _run(self, images: Images, step: Callable[[int], None]) -> Vectors:
        session = ort.InferenceSession(self.path, providers=["CPUExecutionProvider"])
        batches = []
        for start in range(0, len(images), _BATCH):
            rows = images[start : start + _BATCH]
            batches.append(session.run(["embedding"], {"images": rows})[0])
            step(len(rows))
        whole: Vectors = np.concatenate(batches)
        return whole
