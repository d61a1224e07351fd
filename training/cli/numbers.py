"""Numbers on the command line: each option says what it takes, and refuses the rest in one line."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from math import isfinite

MOST_SEED = 2**32 - 1  # that NumPy takes


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise ArgumentTypeError(
                f"must be a whole number from {least:,} to {most:,} (got {text!r})"
            )
        return number

    return read


def above_zero(most: float) -> Callable[[str], float]:
    """Return a reader of numbers above 0, up to `most`."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not (isfinite(number) and 0 < number <= most):
            raise ArgumentTypeError(f"must be a number above 0, up to {most:g} (got {text!r})")
        return number

    return read


seeds = whole(0, MOST_SEED)
epochs = whole(1, 100_000)
size_px = whole(8, 4_096)
trials = whole(1, 10_000)
