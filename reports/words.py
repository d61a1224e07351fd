"""Numbers of a comparison in words, the same in the README, in docs/paper.md and on pages."""

from collections.abc import Sequence

from models.comparison import ComparisonReport, Difference, Result
from models.comparison_protocol import Measure
from models.evidence.estimate import Estimate


def measure_of(report: ComparisonReport, name: str) -> Measure:
    """The measure of that name."""
    return next(one for one in report.measures if one.name == name)


def result_of(report: ComparisonReport, measure: str, loss: str) -> Result:
    """A loss on a measure."""
    return next(row for row in report.results if (row.measure, row.loss) == (measure, loss))


def difference_of(report: ComparisonReport, measure: str, first: str, second: str) -> Difference:
    """`first` less `second`, whichever way round the report has it."""
    found = next(
        row
        for row in report.differences
        if row.measure == measure and {row.first, row.second} == {first, second}
    )
    return found if found.first == first else turned(found)


def interval(estimate: Estimate, measure: Measure, sign: bool = False) -> str:
    """The value and half of its interval's width, such as `71.42 ± 0.31 %`.

    Of an interval that is cut where the measure ends, it is the wider half.
    With `sign` it is a difference: `+1.42 ± 0.31 points`.
    """
    scale, digits, unit = (100, 2, " points" if sign else " %") if measure.percent else (1, 3, "")
    plus = "+" if sign else ""
    reach = max(estimate.high - estimate.value, estimate.value - estimate.low)
    return f"{scale * estimate.value:{plus}.{digits}f} ± {scale * reach:.{digits}f}{unit}"


def images_known(report: ComparisonReport) -> str:
    """Describe what intervals and tests know of the draw of the test images, a sentence each."""
    words = {
        "paired resamples": "of {0}, from the same resamples of the test images for every run",
        "bound": "of {0}, by an upper bound: no image's outcome was kept, losses are taken to err "
        "as if independently, and images count as queries alone where they are searched",
        "not included": "of {0}, not at all: these hold for these test images alone",
    }
    said = []
    for kind, sentence in words.items():
        titles = [one.title for one in report.measures if one.image_variance == kind]
        if titles:
            said.append(sentence.format(", ".join(titles)))
    return "; ".join(said)


def p_value(value: float, digits: int = 3) -> str:
    """Write a p-value in a sentence; of digits it has as many as the smallest that is written.

    >>> p_value(0.0123), p_value(0.0004), p_value(0.0004, digits=4)
    ('p = 0.012', 'p < 0.001', 'p = 0.0004')
    """
    least = 10**-digits
    return f"p < {least:.{digits}f}" if value < least else f"p = {value:.{digits}f}"


def turned(row: Difference) -> Difference:
    """Return the same difference, of the second loss to the first."""
    value = row.difference
    other_way = Estimate(value=-value.value, low=-value.high, high=-value.low)
    return row.model_copy(
        update={"first": row.second, "second": row.first, "difference": other_way}
    )


def and_(words: Sequence[str]) -> str:
    """Join words as a sentence does.

    >>> and_(["softmax", "center", "triplet"]), and_([])
    ('softmax, center and triplet', '')
    """
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def capitalized(sentence: str) -> str:
    """Return the sentence with its first letter a capital, and the others as they are."""
    return sentence[:1].upper() + sentence[1:]
