from collections.abc import Callable

import pytest

from models.evidence.estimate import Estimate
from service.http import formats

SPACE, MINUS = "\N{NARROW NO-BREAK SPACE}", "\N{MINUS SIGN}"
ESTIMATE = Estimate(value=-0.005, low=-0.015, high=0.005)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (lambda: formats.percent(0.80551), "80.55 %"),
        (lambda: formats.percent(1.0, 0), "100 %"),
        (lambda: formats.points(-0.0061), "-0.61"),
        (lambda: formats.points(0.0061), "+0.61"),
        (lambda: formats.number(0.12345), "0.1235"),
        (lambda: formats.number(0.0), "0.0000"),
        (lambda: formats.number(-0.00012345), "-1.23e-04"),
        (lambda: formats.number(123456.78), "123,456.8"),
        (lambda: formats.shown(0.5, "rad"), "0.5000 rad"),
        (lambda: formats.shown(0.5, "percent"), "50.00 %"),
        (lambda: formats.difference(0.5, "number"), "+0.5000"),
        (lambda: formats.difference(-0.5, "percent"), "-50.00"),
        (lambda: formats.interval(ESTIMATE, "percent"), "-1.50 to 0.50 %"),
        (lambda: formats.interval(ESTIMATE, "number"), "-0.0150 to 0.0050"),
        (lambda: formats.spread(ESTIMATE, "percent"), "-0.50 ± 1.00 %"),
        (lambda: formats.spread(ESTIMATE, "number"), "-0.0050 ± 0.0100"),
        (lambda: formats.signed(-1234), "-1,234"),
        (lambda: formats.signed(0), "0"),
        (lambda: formats.p_value(0.000099), "< 0.0001"),
        (lambda: formats.p_text(0.000099), "p < 0.0001"),
        (lambda: formats.p_text(0.0001), "p = 0.0001"),
        (lambda: formats.megabytes(912_345), "0.91 MB"),
        (lambda: formats.duration(3725.4), "1:02:05"),
        (lambda: formats.unbroken("95 % of it"), "95 % of it"),
    ],
)
def test_numbers_are_written_so_that_they_can_be_read(
    written: Callable[[], str], expected: str
) -> None:
    found = written()
    assert found.replace(SPACE, " ").replace(MINUS, "-") == expected
    assert " %" not in found
    assert not found.startswith("-")
