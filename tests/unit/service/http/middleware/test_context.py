import pytest

from service.http.middleware import context
from service.http.middleware.context import LogRateLimit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(context, "monotonic", found)
    return found


class Log:
    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []

    def warning(self, event: str, **facts: object) -> None:
        self.said.append((event, facts))


def test_lines_beyond_the_limit_wait_for_the_next_second(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    monkeypatch.setattr(context, "log", log)
    restraint = LogRateLimit(2)
    assert [restraint.allows() for _ in range(5)] == [True, True, False, False, False]
    clock.now += 1
    assert [restraint.allows() for _ in range(3)] == [True, True, False]
    assert log.said == [("requests not logged", {"count": 3})]


def test_without_a_limit_every_line_is_written(clock: Clock) -> None:
    restraint = LogRateLimit(None)
    assert all(restraint.allows() for _ in range(1000))
