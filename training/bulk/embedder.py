"""Files to rows: read, decode, run the graph. The same code on this machine and on a cluster."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import pyarrow as pa
from jaxtyping import UInt8

from models.bundle import Bundle
from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess
from models.preprocess import preprocess

_ERRORS_ONLY = 3  # onnxruntime's severity; its warnings speak to its developers
_UNREADABLE = (OSError, UndecodableImage, ImageTooLarge)


@dataclass(frozen=True)
class Model:
    """The parts of a published model that embedding needs; they travel to every worker."""

    graph: bytes
    dimension: int
    labels: tuple[str, ...]
    preprocess: Preprocess

    @classmethod
    def of(cls, bundle: Bundle) -> "Model":
        """The verified bundle's graph, and how its input is made."""
        made = bundle.manifest
        return cls(bundle.model_path.read_bytes(), made.dimension, made.labels, made.preprocess)


class _PreparedImage(NamedTuple):
    pixels: UInt8[np.ndarray, "h w 3"] | None
    sha256: str | None
    error: str | None


class BulkEmbedder:
    """A loaded graph that makes rows of files. Safe to call from any thread.

    A call runs the graph once, on one processor: the answer depends on the batch and on nothing
    else, however many calls go on at once, wherever.
    """

    def __init__(self, folder: Path, model: Model) -> None:
        """Load the graph. Raises FileNotFoundError where `folder`, which holds the files, is not.

        On a cluster that is a node that does not see it.
        """
        if not folder.is_dir():
            raise FileNotFoundError(f"this machine sees no folder {folder}")
        self._folder = folder
        self._model = model
        self._session = _open(model.graph)

    def embed(self, ids: Sequence[str]) -> pa.Table:
        """A row for each file, in their order; see `rows_schema`."""
        opened = [self._open(one) for one in ids]
        good = np.array([one.pixels is not None for one in opened])
        vectors = np.zeros((len(ids), self._model.dimension), np.float32)
        labels: list[str | None] = [None] * len(ids)
        chances: list[float | None] = [None] * len(ids)
        if good.any():
            pixels = np.stack([one.pixels for one in opened if one.pixels is not None])
            vectors[good], probabilities = self._session.run(
                ["embedding", "probabilities"], {"images": pixels}
            )
            for i, row in zip(np.flatnonzero(good), probabilities, strict=True):
                labels[i] = self._model.labels[row.argmax()]
                chances[i] = float(row.max())
        columns = [
            pa.array([_text(one) for one in ids], pa.string()),
            pa.FixedSizeListArray.from_arrays(
                pa.array(vectors.ravel()), self._model.dimension, mask=pa.array(~good)
            ),
            pa.array(labels, pa.string()),
            pa.array(chances, pa.float32()),
            pa.array([one.sha256 for one in opened], pa.string()),
            pa.array([one.error for one in opened], pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=rows_schema(self._model.dimension))

    def _open(self, name: str) -> _PreparedImage:
        sha256 = None
        try:
            encoded = (self._folder / name).read_bytes()
            sha256 = hashlib.sha256(encoded).hexdigest()
            if name != _text(name):
                return _PreparedImage(None, sha256, "its name is not UTF-8; rename the file")
            return _PreparedImage(preprocess(encoded, self._model.preprocess), sha256, None)
        except _UNREADABLE as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return _PreparedImage(None, sha256, reason or str(error))


def rows_schema(dimension: int) -> pa.Schema:
    """The columns of rows.

    `vector` (float32, `dimension` of them), `label` and `probability` (the predicted class) are
    null where `error` says why the file could not be embedded.
    """
    return pa.schema(
        [
            ("id", pa.string()),
            ("vector", pa.list_(pa.float32(), dimension)),
            ("label", pa.string()),
            ("probability", pa.float32()),
            ("sha256", pa.string()),
            ("error", pa.string()),
        ]
    )


def _text(name: str) -> str:
    """The name as text that can be written; bytes that are not UTF-8 are spelled out."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _open(graph: bytes) -> onnxruntime.InferenceSession:
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
