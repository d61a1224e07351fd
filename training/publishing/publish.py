"""From an evaluated and exported run to a published bundle, with its gallery."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from onnxruntime import InferenceSession
from PIL import Image
from torch import Tensor

from models import bundle as files
from models.bundle import Bundle
from models.files import sha256_of
from models.image_map import read_map
from models.manifest import Manifest
from models.report import Report
from models.store import Store
from models.test_images import read_test_images
from training.calibration.module import ServedModel
from training.checkpoints import networks
from training.checkpoints.run import RunFolder, RunRecord
from training.data.dataset import LabeledImages, Splits
from training.data.gallery import gallery_rows
from training.errors import InvalidRun
from training.evaluation.evaluation import FIGURES, REPORT, TEST_IMAGES
from training.export.onnx import golden, open_session, run
from training.publishing.precision import add_int8

_THUMBNAIL_PX = 64
_BATCH = 256


@dataclass(frozen=True)
class Publication:
    """The published bundle, and what became of int8."""

    bundle: Bundle
    int8: str


def publish(folder: RunFolder, splits: Splits, registry: Store) -> Publication:
    """Publish the run as the next version of the model named after its loss.

    With it goes an int8 graph where the test set shows no loss by it. Raises InvalidRun where the
    run was not evaluated or not exported.
    """
    for name, step in ((REPORT, "evaluate"), (files.MODEL, "export")):
        if not (folder.path / name).is_file():
            raise InvalidRun(f"{folder.path / name} is missing: python -m training {step}")
    record = folder.record()
    report = Report.model_validate_json((folder.path / REPORT).read_bytes())
    model = networks.served(folder, splits)
    gallery = splits.train.take(gallery_rows(splits.train.labels, len(record.class_names)))
    thumbnails = registry.put_thumbnails([_jpeg(image) for image in gallery.images])
    mapped = _has_map(folder.path)
    images = (
        registry.put_test_images(read_test_images(folder.path / TEST_IMAGES)) if mapped else None
    )

    def fill(staging: Path, version: int) -> Manifest:
        if mapped:
            shutil.copyfile(folder.path / files.MAP, staging / files.MAP)
        shutil.copyfile(folder.path / files.MODEL, staging / files.MODEL)
        shutil.copyfile(folder.path / REPORT, staging / files.REPORT)
        shutil.copytree(folder.path / FIGURES, staging / FIGURES)
        session = open_session(staging / files.MODEL)
        np.savez(staging / files.GOLDEN, allow_pickle=False, **golden(session, splits.tuning))
        _write_gallery(staging / files.GALLERY, gallery, session)
        manifest = Manifest(
            version=version,
            gallery_size=len(gallery),
            thumbnails=thumbnails,
            test_images=images,
            unknown=report.unknowns.rule,
            **_about(record, model),
        )
        outcome = add_int8(staging, manifest, splits)
        said.append(outcome.said)
        return outcome.manifest

    said: list[str] = []
    return Publication(registry.publish(record.recipe.loss, fill), said[-1])


def _has_map(run: Path) -> bool:
    """Return whether the run has a map of the graph that is published."""
    path = run / files.MAP
    return path.is_file() and read_map(path).model_sha256 == sha256_of(run / files.MODEL)


def _write_gallery(path: Path, gallery: LabeledImages, session: InferenceSession) -> None:
    """Embed the gallery with the very graph that will answer."""
    batches = torch.split(gallery.images, _BATCH)
    np.savez(
        path,
        allow_pickle=False,
        embeddings=np.concatenate([run(session, batch.numpy())[0] for batch in batches]),
        labels=gallery.labels.numpy(),
        ids=np.array(gallery.ids),
    )


def _about(record: RunRecord, model: ServedModel) -> dict[str, Any]:
    recipe = record.recipe
    return {
        "name": recipe.loss,
        "loss": recipe.loss,
        "metric": model.loss.metric,
        "dimension": recipe.embedding_size,
        "labels": record.class_names,
        "preprocess": recipe.preprocess,
        "temperature": model.temperature.item(),
        "backbone": recipe.backbone,
        "first_weights": recipe.first_weights,
        "parameters": model.parameter_count,
        "created": datetime.now(UTC),
        "files": {},
    }


def _jpeg(image: UInt8[Tensor, "h w 3"]) -> bytes:
    picture = Image.fromarray(image.numpy())
    picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
