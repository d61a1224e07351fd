"""The highest rate that passes."""

from collections.abc import Callable


def highest(passes: Callable[[float], bool], limit: float, probes: int) -> float:
    """The highest rate of those tried that passes, by bisection below `limit`; 0 where none does.

    After n probes it is known to limit / 2**n, where every rate below one that passes would pass.
    """
    low, high = 0.0, limit
    for _ in range(probes):
        rate = (low + high) / 2
        if passes(rate):
            low = rate
        else:
            high = rate
    return low
