import pytest

from service.http import middleware
from service.http.middleware import Restraint


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(middleware, "monotonic", found)
    return found


def test_lines_beyond_the_limit_wait_for_the_next_second(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    restraint = Restraint(2)
    assert [restraint.allows() for _ in range(5)] == [True, True, False, False, False]
    clock.now += 1
    assert [restraint.allows() for _ in range(3)] == [True, True, False]
    said = "".join(capfd.readouterr())
    assert "requests not logged" in said
    assert "3" in said


def test_without_a_limit_every_line_is_written(clock: Clock) -> None:
    restraint = Restraint(None)
    assert all(restraint.allows() for _ in range(1000))
