"""Ask the network that a model was exported from about labelled images."""

from collections.abc import Callable

import numpy as np
import torch

from training.data.dataset import LabelledImages
from training.evaluate.answers import Answers
from training.served import ServedModel

_BATCH = 500


@torch.no_grad()
def network_answers(model: ServedModel, part: LabelledImages) -> Answers:
    """What the network says of every image, in PyTorch."""

    def ask(images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        embeddings, probabilities = model(images)
        return embeddings.numpy(), probabilities.numpy()

    return _answers(ask, part)


def _answers(
    ask: Callable[[torch.Tensor], tuple[np.ndarray, np.ndarray]], part: LabelledImages
) -> Answers:
    answers = [ask(images) for images in torch.split(part.images, _BATCH)]
    embeddings, probabilities = (np.concatenate(column) for column in zip(*answers, strict=True))
    return Answers(embeddings, probabilities, part.labels.numpy(), part.ids)
