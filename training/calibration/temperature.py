"""One temperature that makes a model's confidence honest (Guo et al., arXiv 1706.04599)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from scipy.optimize import minimize_scalar
from scipy.stats import t
from torch import Tensor
from torch.nn import functional as F

from models.evidence.confidence import Calibration, CrossValidation

FOLDS = 5
_LOG_RANGE = math.log(1e3)


def fit_temperature(logits: Float[Tensor, "n c"], labels: Int64[Tensor, " n"]) -> Calibration:
    """The temperature that a split asks for, or 1 where cross-validation does not favor it.

    The fit has the least NLL to soft targets (`_SoftTargets`), so a split without an error asks
    for no certainty, and is searched within a factor of 1,000 of the logits' own spread, so that
    distances and cosines are served like logits. It is kept where, over 5 folds, the held-out NLL
    is less than at temperature 1 (`favored`).
    """
    scores = logits.double()
    fitted, checked = _fitted(scores, labels), cross_validate(scores, labels)
    temperature = fitted if checked is not None and checked.favored else 1.0
    return Calibration(
        temperature=temperature,
        nll_before=F.cross_entropy(scores, labels).item(),
        nll_after=F.cross_entropy(scores / temperature, labels).item(),
        n=len(labels),
        errors=int((scores.argmax(dim=1) != labels).sum()),
        method="soft_targets",
        cross_validation=checked,
    )


def cross_validate(
    scores: Float64[Tensor, "n c"], labels: Int64[Tensor, " n"]
) -> CrossValidation | None:
    """Measure the fit's gain over temperature 1 on images outside it; None for one image."""
    n = len(labels)
    if n < 2:
        return None
    gains = torch.empty(n, dtype=torch.float64)
    folds = torch.randperm(n, generator=torch.Generator().manual_seed(0)).tensor_split(
        min(FOLDS, n)
    )
    for held in folds:
        seen = torch.ones(n, dtype=torch.bool).index_fill(0, held, value=False)
        temperature = _fitted(scores[seen], labels[seen])
        plain, scaled = (
            F.cross_entropy(scores[held] / by, labels[held], reduction="none")
            for by in (1.0, temperature)
        )
        gains[held] = plain - scaled
    return CrossValidation(
        folds=len(folds),
        gain=float(gains.mean()),
        standard_error=float(gains.std()) / math.sqrt(n),
        favored=favored(gains.numpy()),
    )


def favored(gains: Float64[np.ndarray, " n"]) -> bool:
    """Return whether the mean of n >= 2 gains is above 0 at 95 %, one-sided, by Student's t."""
    n = len(gains)
    limit = float(t.ppf(0.95, n - 1)) * gains.std(ddof=1) / math.sqrt(n)
    return bool(gains.mean() > limit)


@dataclass(frozen=True)
class _SoftTargets:
    """Platt's targets (1999) for several classes: the true one is not quite certain.

    Of H images with the right class on top, each counts as right in (H + 1) / (H + 2) and as its
    strongest other class in the rest; of M images with a wrong one on top, each counts as true in
    (M + 1) / (M + 2). That is one imaginary error among the right ones, and one hit among the
    wrong.
    """

    scores: Float64[Tensor, "n c"]
    mean_target_score: float

    @classmethod
    def of(cls, scores: Float64[Tensor, "n c"], labels: Int64[Tensor, " n"]) -> "_SoftTargets":
        true = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
        other = scores.scatter(1, labels.unsqueeze(1), -math.inf).amax(dim=1)
        right = scores.argmax(dim=1) == labels
        hits = int(right.sum())
        misses = len(labels) - hits
        doubt = torch.where(right, 1 / (hits + 2), 1 / (misses + 2)).double()
        return cls(scores, float(((1 - doubt) * true + doubt * other).mean()))

    def nll(self, temperature: float) -> float:
        """The cross-entropy to the targets, mean, in nats."""
        normalizer = (self.scores / temperature).logsumexp(dim=1).mean()
        return float(normalizer) - self.mean_target_score / temperature


def _fitted(scores: Float64[Tensor, "n c"], labels: Int64[Tensor, " n"]) -> float:
    """NLL is convex in 1/T, so it has one minimum in log T."""
    spread = float((scores.amax(dim=1) - scores.mean(dim=1)).mean())
    if not spread > 0:
        return 1.0
    targets, middle = _SoftTargets.of(scores, labels), math.log(spread)
    found = minimize_scalar(
        lambda log_temperature: targets.nll(math.exp(log_temperature)),
        bounds=(middle - _LOG_RANGE, middle + _LOG_RANGE),
        method="bounded",
    )
    return math.exp(found.x)
