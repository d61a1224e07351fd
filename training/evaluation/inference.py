"""Ask the network that a model was exported from about labeled images."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from training.calibration.module import ServedModel
from training.data.dataset import LabeledImages
from training.evaluation.answers import Answers

_BATCH = 500


@torch.no_grad()
def network_answers(model: ServedModel, part: LabeledImages) -> Answers:
    """Ask the network about every image, in PyTorch."""

    def ask(images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        embeddings, probabilities = model(images)
        return embeddings.numpy(), probabilities.numpy()

    return _answers(ask, part)


@torch.no_grad()
def network_ask(
    model: ServedModel, images: UInt8[np.ndarray, "n h w 3"]
) -> tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "n c"]]:
    """The network's embeddings and probabilities of images without labels, in PyTorch."""
    parts = [model(part) for part in torch.split(torch.from_numpy(images), _BATCH)]
    embeddings, probabilities = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
    return embeddings, probabilities


def _answers(
    ask: Callable[[torch.Tensor], tuple[np.ndarray, np.ndarray]], part: LabeledImages
) -> Answers:
    answers = [ask(images) for images in torch.split(part.images, _BATCH)]
    embeddings, probabilities = (np.concatenate(column) for column in zip(*answers, strict=True))
    return Answers(embeddings, probabilities, part.labels.numpy(), part.ids)
