from collections.abc import Callable

import pytest

from models.evidence.estimate import Estimate
from service.http.pages import filters

SPACE, MINUS = "\N{NARROW NO-BREAK SPACE}", "\N{MINUS SIGN}"
ESTIMATE = Estimate(value=-0.005, low=-0.015, high=0.005)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (lambda: filters.percent(0.80551), "80.55 %"),
        (lambda: filters.percent(1.0, 0), "100 %"),
        (lambda: filters.points(-0.0061), "-0.61"),
        (lambda: filters.points(0.0061), "+0.61"),
        (lambda: filters.number(0.12345), "0.1235"),
        (lambda: filters.number(0.0), "0.0000"),
        (lambda: filters.number(-0.00012345), "-1.23e-04"),
        (lambda: filters.number(123456.78), "123,456.8"),
        (lambda: filters.shown(0.5, "rad"), "0.5000 rad"),
        (lambda: filters.shown(0.5, "percent"), "50.00 %"),
        (lambda: filters.difference(0.5, "number"), "+0.5000"),
        (lambda: filters.difference(-0.5, "percent"), "-50.00"),
        (lambda: filters.interval(ESTIMATE, "percent"), "-1.50 to 0.50 %"),
        (lambda: filters.interval(ESTIMATE, "number"), "-0.0150 to 0.0050"),
        (lambda: filters.spread(ESTIMATE, "percent"), "-0.50 ± 1.00 %"),
        (lambda: filters.spread(ESTIMATE, "number"), "-0.0050 ± 0.0100"),
        (lambda: filters.signed(-1234), "-1,234"),
        (lambda: filters.signed(0), "0"),
        (lambda: filters.p_value(0.000099), "< 0.0001"),
        (lambda: filters.p_text(0.000099), "p < 0.0001"),
        (lambda: filters.p_text(0.0001), "p = 0.0001"),
        (lambda: filters.megabytes(912_345), "0.91 MB"),
        (lambda: filters.duration(3725.4), "1:02:05"),
        (lambda: filters.unbroken("95 % of it"), "95 % of it"),
    ],
)
def test_numbers_are_written_so_that_they_can_be_read(
    written: Callable[[], str], expected: str
) -> None:
    found = written()
    assert found.replace(SPACE, " ").replace(MINUS, "-") == expected
    assert " %" not in found
    assert not found.startswith("-")
