"""A model's answers about labeled images: all that an evaluation reads."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64


@dataclass(frozen=True)
class Answers:
    """A model's outputs for n images, with the truth.

    `embeddings` are as served: of unit length where the metric is cosine. `probabilities` are
    calibrated. `ids[i]` is image i's path inside the data set.
    """

    embeddings: Float32[np.ndarray, "n d"]
    probabilities: Float32[np.ndarray, "n c"]
    labels: Int64[np.ndarray, " n"]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def predicted(self) -> Int64[np.ndarray, " n"]:
        """The class with the highest probability."""
        best: Int64[np.ndarray, " n"] = self.probabilities.argmax(axis=1)
        return best

    def take(self, rows: Int64[np.ndarray, " m"]) -> "Answers":
        """The answers at those rows, in that order."""
        return Answers(
            self.embeddings[rows],
            self.probabilities[rows],
            self.labels[rows],
            tuple(self.ids[row] for row in rows.tolist()),
        )
