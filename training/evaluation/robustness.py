"""Test images changed in named ways, and what the model as it is served makes of them."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from models.evidence.robustness import Answered, Changed, Robustness
from training.evaluation.answers import Answers
from training.evaluation.confidence import calibration_error, equal_width, outcomes
from training.evaluation.corruptions import CHANGES, Corruption
from training.evaluation.intervals import share

LIMIT = 1_000
SEED = 0

Images = UInt8[np.ndarray, "n h w 3"]
Ask = Callable[[Images], tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "n c"]]]
"""A model's embeddings and probabilities, as served, of any number of images."""


def robustness(
    ask: Ask, images: Images, labels: Int64[np.ndarray, " n"], limit: int = LIMIT
) -> Robustness:
    """Ask about the images as they are, and changed in every way that `CHANGES` names.

    Where there are more than `limit`, the first so many of a random order that is the same for
    every model. Needs an image.
    """
    rows = np.sort(np.random.default_rng(SEED).permutation(len(images))[:limit])
    shown, truth = images[rows], labels[rows]
    return Robustness(
        images=len(rows),
        of=len(images),
        seed=SEED,
        unchanged=Answered(**_answered(ask, shown, truth)),
        changed=tuple(
            Changed(
                change=change.name,
                title=change.title,
                strength=strength,
                unit=change.unit,
                **_answered(ask, changed(change, strength, shown), truth),
            )
            for change in CHANGES
            for strength in change.strengths
        ),
    )


def changed(change: Corruption, strength: float, images: Images) -> Images:
    """The images at that strength, by random numbers that belong to this change and strength."""
    random = np.random.default_rng([SEED, *f"{change.name} {strength:g}".encode()])
    return change.make(images, strength, random)


def _answered(ask: Ask, images: Images, labels: Int64[np.ndarray, " n"]) -> dict[str, object]:
    embeddings, probabilities = ask(images)
    answers = Answers(embeddings, probabilities, labels, ("",) * len(labels))
    answered = outcomes(answers)
    return {
        "n": len(labels),
        "accuracy": share(answers.predicted == labels),
        "ece": calibration_error(answered.confidence, answered.right, equal_width),
        "mean_confidence": float(answered.confidence.mean()),
    }
