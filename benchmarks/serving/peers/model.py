"""The graph and the pixels: code that any user of a peer would write."""

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

VERSION = "BENCHMARK_MODEL_VERSION"  # in the environment, for the servers are other processes
_VERSIONS = Path(__file__).parents[3] / "models" / "registry" / "arcface"
SIZE_PX = 32


def version() -> str:
    """Of the model that all servers serve; 1, the paper's network, where none was asked for."""
    return os.environ.get(VERSION, "1")


def folder() -> Path:
    """Of the bundle that all servers serve."""
    return _VERSIONS / version()


class Model:
    """The ONNX file that all servers serve, in onnxruntime on the processor."""

    def __init__(self, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            folder() / "model.onnx", options, providers=["CPUExecutionProvider"]
        )

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings [n, 64] of uint8 images [n, 32, 32, 3]."""
        (embeddings,) = self._session.run(["embedding"], {"images": images})
        found: NDArray[np.float32] = embeddings
        return found


def decode(data: bytes) -> NDArray[np.uint8]:
    """Encoded image to RGB uint8 [32, 32, 3], decoded at its full size."""
    with Image.open(BytesIO(data)) as image:
        return fit(image.convert("RGB"))


def fit(image: Image.Image) -> NDArray[np.uint8]:
    """Shorter side to 32 px (bilinear, antialiased) and the center of it, uint8 [32, 32, 3].

    What torchvision's Resize(32) and CenterCrop(32) give, which the model was trained on, in one
    resize of the box that is kept.
    """
    if image.size == (SIZE_PX, SIZE_PX):
        return np.asarray(image)
    width, height = image.size
    short = min(width, height)
    whole = (width * SIZE_PX // short, height * SIZE_PX // short)
    x, y = (round((side - SIZE_PX) / 2) for side in whole)
    per_x, per_y = width / whole[0], height / whole[1]
    box = (x * per_x, y * per_y, (x + SIZE_PX) * per_x, (y + SIZE_PX) * per_y)
    return np.asarray(image.resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR, box=box))


def decode_all(images: Sequence[bytes]) -> NDArray[np.uint8]:
    """The same as `decode` for several: [n, 32, 32, 3]."""
    return np.stack([decode(image) for image in images])
