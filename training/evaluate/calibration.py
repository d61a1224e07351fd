"""One temperature that makes a model's confidence honest (Guo et al., arXiv 1706.04599)."""

import math

from jaxtyping import Float, Int64
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from models.evidence.confidence import Calibration

_LOG_RANGE = math.log(1e3)


def fit_temperature(logits: Float[Tensor, "n c"], labels: Int64[Tensor, " n"]) -> Calibration:
    """The temperature with the least NLL on a split that nothing else was fitted to.

    NLL is convex in 1/T, so it has one minimum in log T; searched in 1e-3..1e3.
    """
    scores = logits.double()

    def nll(log_temperature: float) -> float:
        return F.cross_entropy(scores / math.exp(log_temperature), labels).item()

    found = minimize_scalar(nll, bounds=(-_LOG_RANGE, _LOG_RANGE), method="bounded")
    return Calibration(
        temperature=math.exp(found.x),
        nll_before=nll(0.0),
        nll_after=nll(found.x),
        n=len(labels),
    )
