"""Right answers first: what a server says, held against onnxruntime on pixels of Pillow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.serving.peers.model import Model, decode_all
from benchmarks.serving.results import Answers
from benchmarks.serving.sample import Kept
from benchmarks.serving.workloads import Workload
from models.vectors import unit

LEAST_COSINE = 0.999
_BATCH = 64

Embeddings = NDArray[np.float32]


class WrongAnswer(Exception):
    """An answer that is not what was asked for."""


@dataclass(frozen=True)
class Reference:
    """A workload and the right embedding [n, d] of each of its images, of unit length."""

    workload: Workload
    embeddings: Embeddings

    def judge(self, answers: Iterable[Kept]) -> Answers:
        """Compare each embedding in the answers to the right one; of none, nothing is wrong."""
        try:
            cosines = [self._cosines(answer) for answer in answers]
        except WrongAnswer as error:
            return wrong(str(error))
        if not cosines:
            return Answers(compared=0, min_cosine=None, problem=None)
        joined = np.concatenate(cosines)
        least = float(joined.min())
        right = least >= LEAST_COSINE
        problem = None if right else f"a cosine of {least:.6f}, below {LEAST_COSINE}"
        return Answers(compared=len(joined), min_cosine=round(least, 6), problem=problem)

    def _cosines(self, answer: Kept) -> NDArray[np.float64]:
        right = self.embeddings[list(self.workload.requests[answer.request])]
        found = read_embeddings(answer.body)
        if found.shape != right.shape:
            raise WrongAnswer(f"embeddings of shape {found.shape}, not {right.shape}")
        lengths = np.linalg.norm(found, axis=1)
        cosines: NDArray[np.float64] = (found * right).sum(axis=1) / np.maximum(lengths, 1e-12)
        return cosines


def reference(workload: Workload, model: Model) -> Reference:
    """The right answers: `model` on Pillow's full decode."""
    return Reference(workload, embed(model, decode_all(workload.images)))


def embed(model: Model, pixels: NDArray[np.uint8]) -> Embeddings:
    """Unit-length embeddings of any number of images."""
    batches = [model.embed(pixels[i : i + _BATCH]) for i in range(0, len(pixels), _BATCH)]
    return unit(np.concatenate(batches))


def read_embeddings(body: bytes) -> Embeddings:
    """The `embeddings` of a JSON answer. Raises WrongAnswer where there are none."""
    try:
        return np.asarray(orjson.loads(body)["embeddings"], np.float32)
    except (ValueError, KeyError, TypeError) as error:
        raise WrongAnswer(f"no JSON with embeddings: {error!r}") from None


def wrong(problem: str) -> Answers:
    """Answers that cannot be compared."""
    return Answers(compared=0, min_cosine=None, problem=problem)


def plausible_lengths(bodies: Sequence[bytes]) -> tuple[int, int]:
    """Bounds for the body of a good answer, from good ones: floats differ in their digits."""
    lengths = [len(body) for body in bodies]
    return round(0.9 * min(lengths)), round(1.1 * max(lengths))
