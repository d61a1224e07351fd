"""Numbers on the pages, with their units."""

from datetime import timedelta

from models.evidence.estimate import Estimate
from reports import words

_SPACE = "\N{NARROW NO-BREAK SPACE}"
_TINY = 5e-4  # below it, four decimals show too little
_THOUSANDS = 1e4


def percent(value: float, digits: int = 2) -> str:
    """A share of 0..1 as a percentage."""
    return _minus(f"{100 * value:.{digits}f}") + _SPACE + "%"


def points(value: float) -> str:
    """A difference of two shares, signed, in percentage points."""
    return _minus(f"{100 * value:+.2f}")


def number(value: float) -> str:
    """Four decimals; more compact where that is too many or too few."""
    if value != 0 and abs(value) < _TINY:
        return _minus(f"{value:.2e}")
    return _minus(f"{value:,.1f}" if abs(value) >= _THOUSANDS else f"{value:.4f}")


def shown(value: float, kind: str) -> str:
    """A value of one kind: `percent`, `number`, or a number with its unit."""
    if kind == "percent":
        return percent(value)
    return number(value) if kind == "number" else number(value) + _SPACE + kind


def difference(value: float, kind: str) -> str:
    """A difference of two values of one kind, with its sign; of percentages in points."""
    if kind == "percent":
        return points(value)
    return ("+" if value > 0 else "") + number(value)


def interval(found: Estimate, kind: str) -> str:
    """The 95 % interval, without the words."""
    if kind == "percent":
        return f"{_bare(found.low)} to {percent(found.high)}"
    return f"{number(found.low)} to {number(found.high)}"


def spread(found: Estimate, kind: str) -> str:
    """Mean ± half the width of its interval, which is even on both sides."""
    half = max(found.high - found.value, found.value - found.low)
    if kind == "percent":
        return f"{_bare(found.value)} ± {percent(half)}"
    return f"{number(found.value)} ± {number(half)}"


def signed(value: int) -> str:
    """A difference of two counts."""
    return _minus(f"{value:+,d}") if value else "0"


def count(value: int) -> str:
    """A count with its thousands set apart."""
    return f"{value:,}"


def p_value(value: float) -> str:
    """A p-value, for a column of them."""
    return p_text(value).removeprefix("p ").removeprefix("= ")


def p_text(value: float) -> str:
    """A p-value in a sentence, with its letter."""
    return words.p_value(value, digits=4)


def megabytes(size_bytes: int) -> str:
    """A file's size, in millions of bytes."""
    return f"{size_bytes / 1e6:.2f}{_SPACE}MB"


def duration(seconds: float) -> str:
    """Days, hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def unbroken(text: str) -> str:
    """The text, where no line may end between a number and its percent sign."""
    return text.replace(" %", _SPACE + "%")


FILTERS = {
    one.__name__: one
    for one in (
        percent, points, number, shown, difference, interval, spread, signed, count, p_value,
        p_text, unbroken, megabytes, duration,
    )
}  # fmt: skip


def _bare(share: float) -> str:
    return _minus(f"{100 * share:.2f}")


def _minus(text: str) -> str:
    # an exponent's minus stays, so that the number can be copied
    return "\N{MINUS SIGN}" + text[1:] if text.startswith("-") else text
