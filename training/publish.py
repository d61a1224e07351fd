"""From an evaluated and exported run to a published bundle, with its gallery."""

import shutil
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from onnxruntime import InferenceSession
from PIL import Image
from torch import Tensor

from models import bundle as files
from models.bundle import Bundle
from models.manifest import Manifest
from models.store import Store
from training.data.dataset import LabelledImages, Splits
from training.errors import InvalidRun
from training.evaluate import weights
from training.evaluate.evaluation import FIGURES, REPORT
from training.export import golden, open_session, run
from training.run import RunFolder, RunRecord
from training.served import ServedModel

GALLERY_PER_CLASS = 500
_THUMBNAIL_PX = 64
_BATCH = 256


def publish(folder: RunFolder, splits: Splits, registry: Store) -> Bundle:
    """Publish the run as the next version of the model named after its loss.

    Raises InvalidRun where the run was not evaluated or not exported.
    """
    for name, step in ((REPORT, "evaluate"), (files.MODEL, "export")):
        if not (folder.path / name).is_file():
            raise InvalidRun(f"{folder.path / name} is missing: python -m training {step}")
    record = folder.record()
    model = weights.served(folder, splits)
    gallery = splits.train.take(gallery_rows(splits.train.labels, len(record.class_names)))
    thumbnails = registry.put_thumbnails([_jpeg(image) for image in gallery.images])

    def fill(staging: Path, version: int) -> Manifest:
        shutil.copyfile(folder.path / files.MODEL, staging / files.MODEL)
        shutil.copyfile(folder.path / REPORT, staging / files.REPORT)
        shutil.copytree(folder.path / FIGURES, staging / FIGURES)
        session = open_session(staging / files.MODEL)
        np.savez(staging / files.GOLDEN, allow_pickle=False, **golden(session, splits.tuning))
        _write_gallery(staging / files.GALLERY, gallery, session)
        return _manifest(record, model, version, len(gallery), thumbnails)

    return registry.publish(record.recipe.loss, fill)


def _write_gallery(path: Path, gallery: LabelledImages, session: InferenceSession) -> None:
    """Embed the gallery with the very graph that will answer."""
    batches = torch.split(gallery.images, _BATCH)
    np.savez(
        path,
        allow_pickle=False,
        embeddings=np.concatenate([run(session, batch.numpy())[0] for batch in batches]),
        labels=gallery.labels.numpy(),
        ids=np.array(gallery.ids),
    )


def _manifest(
    record: RunRecord, model: ServedModel, version: int, gallery_size: int, thumbnails: str
) -> Manifest:
    recipe = record.recipe
    return Manifest(
        name=recipe.loss,
        version=version,
        loss=recipe.loss,
        metric=model.loss.metric,
        dimension=recipe.embedding_size,
        labels=record.class_names,
        preprocess=recipe.preprocess,
        temperature=model.temperature.item(),
        backbone=recipe.backbone,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        created=datetime.now(UTC),
        gallery_size=gallery_size,
        thumbnails=thumbnails,
        files={},
    )


def gallery_rows(labels: Int64[Tensor, " n"], classes: int) -> Int64[Tensor, " m"]:
    """The same up to `GALLERY_PER_CLASS` rows of each class, whatever the loss."""
    generator = torch.Generator().manual_seed(0)
    chosen = []
    for label in range(classes):
        rows = (labels == label).nonzero().flatten()
        order = torch.randperm(len(rows), generator=generator)
        chosen.append(rows[order[:GALLERY_PER_CLASS]].sort().values)
    return torch.cat(chosen)


def _jpeg(image: UInt8[Tensor, "h w 3"]) -> bytes:
    picture = Image.fromarray(image.numpy())
    picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
