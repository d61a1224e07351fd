"""Room among the connections of one process."""

import pytest

from service.http.transport.connection_cap import ConnectionCap, Spare


class Client:
    """A connection that says what it is at."""

    def __init__(self, order: Spare | None) -> None:
        self.order = order
        self.looked = 0

    def spare(self, now: float) -> Spare | None:
        self.looked += 1
        return self.order

    def end(self) -> None:
        self.order = None
        self.ended = True

    ended = False


class Lines:
    """In the place of the log, whose loggers are cached once a service has started."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, event: str, **facts: object) -> None:
        self.warnings.append(event)


def test_the_one_without_a_request_for_longest_ends() -> None:
    crowd, clients = (
        ConnectionCap(3),
        [Client((1, 1.0)), Client((0, 5.0)), Client((0, 4.0)), Client(None)],
    )
    assert crowd.has_room(clients[3], clients, 9.0)
    assert [one.ended for one in clients] == [False, False, True, False]


def test_where_none_is_idle_the_slowest_body_ends() -> None:
    crowd, clients = ConnectionCap(2), [Client((1, 3.0)), Client((1, 2.0)), Client(None)]
    assert crowd.has_room(clients[2], clients, 9.0)
    assert [one.ended for one in clients] == [False, True, False]


def test_the_newest_does_not_end_for_itself() -> None:
    crowd, clients = ConnectionCap(1), [Client(None), Client((0, 9.0))]
    assert not crowd.has_room(clients[1], clients, 9.0)
    assert not clients[1].ended


@pytest.mark.parametrize("order", [None, (0, 1.0)])
def test_a_flood_of_connections_takes_few_looks_and_few_lines(
    order: Spare | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    monkeypatch.setattr("service.http.transport.connection_cap.log", lines)
    crowd, clients = ConnectionCap(160), [Client(order) for _ in range(161)]
    let_in = [crowd.has_room(clients[160], clients, 1.0 + i / 10_000) for i in range(500)]
    looks = max(one.looked for one in clients[:160])
    assert looks <= (500 // 10 + 1 if order else 1)
    assert sum(let_in) == (160 if order else 0)
    assert len(lines.warnings) == 1
