"""Answers of imaginary models, to evaluate."""

import numpy as np
from scipy.special import softmax

from training.evaluation.answers import Answers

NAMES = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay")


def made_up(n: int, classes: int, seed: int, sharpness: float = 3.0) -> Answers:
    """Random logits that favor the true class; classes are shown unequally often."""
    random = np.random.default_rng(seed)
    labels = (classes * random.random(n) ** 1.5).astype(np.int64)
    logits = random.normal(size=(n, classes))
    logits[np.arange(n), labels] += 1.5
    return answered(softmax(sharpness * logits, axis=1), labels)


def answered(probabilities: np.ndarray, labels: np.ndarray) -> Answers:
    """Answers with these probabilities; the embeddings do not matter."""
    n = len(labels)
    return Answers(
        embeddings=np.zeros((n, 2), np.float32),
        probabilities=probabilities.astype(np.float32),
        labels=labels.astype(np.int64),
        ids=tuple(f"test/{row}.png" for row in range(n)),
    )


def sure(confidence: list[float], right: list[bool]) -> Answers:
    """Two classes; image i is of class 0 and its prediction has confidence[i], from 0.5 up."""
    high = np.array(confidence)
    first = np.where(right, high, 1 - high)
    return answered(np.stack([first, 1 - first], axis=1), np.zeros(len(right)))
