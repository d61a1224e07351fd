"""Intervals of shares, without a statistics library: the service has none."""

import math

from models.evidence.estimate import Estimate

_Z = 1.959963984540054


def wilson(share: float, effective: float, reach: float = _Z) -> Estimate:
    """Wilson's 95 % interval of a share of so many independent items; they may be a fraction.

    `reach` is in standard errors.

    >>> "{0.value:.2f} {0.low:.4f} {0.high:.4f}".format(wilson(0.5, 100))
    '0.50 0.4038 0.5962'
    """
    drawn_in = reach**2 / (effective + reach**2)
    middle = share + drawn_in * (0.5 - share)
    spread = share * (1 - share) / effective + (reach / effective) ** 2 / 4
    half = (1 - drawn_in) * reach * math.sqrt(spread)
    return Estimate(
        value=share,
        low=max(0.0, min(middle - half, share)),
        high=min(1.0, max(middle + half, share)),
    )
