"""The backbone of a published model, out of its ONNX file: a start for who has not its run."""

import re
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from models.bundle import MANIFEST, MODEL, Bundle
from models.errors import ModelsError
from models.store import Store
from training.errors import InvalidWeights
from training.networks.timm_model import PREFIX

_BACKBONE = "backbone."
_TRUNK = "trunk."
_HALVED = "_float16"  # training.export.onnx calls weights so that it stores in half the bytes
_VERSION = re.compile(r"[1-9][0-9]*")


def is_published(path: Path) -> bool:
    """Return whether `path` is the folder of one version of a published model."""
    return (path / MANIFEST).is_file()


def model_file(path: Path) -> Path:
    """The file in the published model's folder that has its weights."""
    return path / MODEL


def published(path: Path) -> Bundle:
    """The model in `path`, `.../<name>/<version>`, its files verified. Raises InvalidWeights."""
    folder = path.resolve()
    if not _VERSION.fullmatch(folder.name):
        raise InvalidWeights(
            f"{path} is no version of a published model, as models/registry/NAME/1"
        )
    try:
        return Store(folder.parent.parent).load(folder.parent.name, int(folder.name))
    except ModelsError as error:
        raise InvalidWeights(f"the model in {path} cannot be started from: {error}") from error


def backbone_state(path: Path) -> dict[str, Tensor]:
    """The backbone's tensors in float32, by their names in PyTorch, batch norms folded.

    Of a model on a frozen trunk they are the trunk's, so all but the last layer's.
    Raises InvalidWeights where the file has them under other names.
    """
    backbone = published(path).manifest.backbone
    if backbone.startswith(PREFIX):
        raise InvalidWeights(
            f"{path} is a model of {backbone}, whose tensors the export to ONNX joins and renames; "
            "start from the folder of its run, or from a file that timm reads"
        )
    state = {
        tensor.name.removeprefix(_BACKBONE).removesuffix(_HALVED): _read(tensor)
        for tensor in onnx.load(model_file(path)).graph.initializer
        if tensor.name.startswith(_BACKBONE)
    }
    trunk = {
        name.removeprefix(_TRUNK): tensor
        for name, tensor in state.items()
        if name.startswith(_TRUNK)
    }
    return trunk or state


def _read(tensor: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(numpy_helper.to_array(tensor).copy()).float()
