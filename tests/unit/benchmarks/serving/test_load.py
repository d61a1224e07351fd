"""The load generator, against a real server whose behavior is given."""

import time
from itertools import cycle, islice
from threading import Event

import numpy as np
import pytest

from benchmarks.serving.connection import Connection
from benchmarks.serving.driver import Driver, Target
from benchmarks.serving.load import arrivals, closed_loop, open_loop
from benchmarks.serving.wire import Body, post
from tests.unit.benchmarks.serving.plain import BODY, Asked, HangUp, Plain, head, serving

DATA = [f"image {number}".encode() for number in range(7)]
REQUESTS = [post(Body("/embed", "image/jpeg", data)) for data in DATA]


def target(server: Plain, lengths: tuple[int, int] = (0, 10**6)) -> Target:
    return Target(server.address, REQUESTS, lengths)


def test_every_request_is_counted_once_and_sent_in_turn() -> None:
    with serving() as server:
        sample = closed_loop(target(server), connections=5, seconds=0.2)
    assert sample.sent == len(server.bodies) == len(sample.good_s) > 50
    assert sorted(server.bodies) == sorted(islice(cycle(DATA), sample.sent))
    assert server.connections == 5
    assert sample.failures == {}
    assert len(sample.good_s) - 5 <= sample.in_time <= len(sample.good_s)
    assert sample.rate_per_s == sample.in_time / 0.2
    assert 0 < sample.generator_cpu_s < 1


def test_a_connection_has_one_request_under_way() -> None:
    under_way: set[int] = set()
    most = []

    def slowly(asked: Asked) -> None:
        under_way.add(asked.number)
        most.append(len(under_way))
        time.sleep(0.005)
        under_way.remove(asked.number)
        asked.answer()

    with serving(slowly) as server:
        closed_loop(target(server), connections=3, seconds=0.2)
    assert max(most) == 3


def test_refusals_are_counted_apart_from_good_answers() -> None:
    def refuse_odd(asked: Asked) -> None:
        if asked.number % 2:
            asked.answer(head(4, "503 Service Unavailable", "Retry-After: 1\r\n") + b"full")
        else:
            asked.answer()

    with serving(refuse_odd) as server:
        sample = closed_loop(target(server), connections=2, seconds=0.2)
    assert sample.failures == {"503": len(server.bodies) // 2}
    assert len(sample.refused_s) == len(server.bodies) // 2
    assert len(sample.good_s) == (len(server.bodies) + 1) // 2


def test_another_status_is_a_failure_and_no_refusal() -> None:
    def break_down(asked: Asked) -> None:
        asked.answer(head(0, "500 Internal Server Error"))

    with serving(break_down) as server:
        sample = closed_loop(target(server), connections=1, seconds=0.05)
    assert sample.failures == {"500": len(server.bodies)}
    assert len(sample.refused_s) == len(sample.good_s) == sample.in_time == 0


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b" "])
def test_an_answer_of_the_wrong_length_is_a_failure(body: bytes) -> None:
    def wrong_once(asked: Asked) -> None:
        content = body if asked.number == 3 else BODY
        asked.answer(head(len(content)) + content)

    with serving(wrong_once) as server:
        sample = closed_loop(target(server, (len(BODY), len(BODY))), connections=1, seconds=0.1)
    assert sample.failures == {"length": 1}
    assert len(sample.good_s) == len(server.bodies) - 1


@pytest.mark.parametrize("size", [1, 20, 60])
def test_answers_in_pieces_are_put_together(size: int) -> None:
    def in_pieces(asked: Asked) -> None:
        answer = head(len(BODY)) + BODY
        for start in range(0, len(answer), size):
            asked.answer(answer[start : start + size])
            time.sleep(0.0001)

    with serving(in_pieces) as server:
        sample = closed_loop(target(server, (len(BODY), len(BODY))), connections=2, seconds=0.2)
    assert sample.failures == {}
    assert len(sample.good_s) == len(server.bodies) > 1
    assert {kept.body for kept in sample.kept} == {BODY}


def test_a_request_larger_than_any_socket_buffer_arrives_whole() -> None:
    data = np.random.default_rng(0).bytes(20 * 2**20)
    with serving() as server:
        large = Target(server.address, [post(Body("/embed", "image/jpeg", data))])
        sample = closed_loop(large, connections=2, seconds=0.2)
    assert sample.failures == {}
    assert set(server.bodies) == {data}


def test_a_kept_answer_belongs_to_its_request() -> None:
    def echo(asked: Asked) -> None:
        content = asked.server.bodies[asked.number]  # one connection: in the order of arrival
        asked.answer(head(len(content)) + content)

    with serving(echo) as server:
        sample = closed_loop(target(server), connections=1, seconds=0.3)
    assert len({kept.request for kept in sample.kept}) > 1
    assert all(kept.body == DATA[kept.request] for kept in sample.kept)


def test_a_connection_that_the_server_announces_to_close_is_no_failure() -> None:
    def say_goodbye(asked: Asked) -> None:
        asked.answer(head(len(BODY), more="Connection: close\r\n") + BODY)
        raise HangUp

    with serving(say_goodbye) as server:
        sample = closed_loop(target(server), connections=2, seconds=0.1)
    assert sample.failures == {}
    assert len(sample.good_s) == len(server.bodies)
    assert server.connections >= len(server.bodies) > 2


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"", "ConnectionResetError"),
        (head(100) + b"too little", "ConnectionResetError"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "BadAnswer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "BadAnswer"),
        (head(2) + b"too much", "BadAnswer"),
    ],
)
def test_a_broken_answer_is_a_failure_and_the_load_goes_on(said: bytes, failure: str) -> None:
    def break_third(asked: Asked) -> None:
        if asked.number == 2:
            asked.answer(said)
            raise HangUp
        asked.answer()

    with serving(break_third) as server:
        sample = closed_loop(target(server), connections=1, seconds=0.1)
    assert sample.failures == {failure: 1}
    assert len(sample.good_s) == len(server.bodies) - 1 > 3


def test_what_is_never_answered_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.serving.load.GRACE_S", 0.1)

    def forget_one(asked: Asked) -> None:
        if asked.number == 1:
            asked.server.over.wait()
        asked.answer()

    with serving(forget_one) as server:
        sample = closed_loop(target(server), connections=2, seconds=0.1)
    assert sample.failures == {"unanswered": 1}


def test_nobody_there() -> None:
    with serving() as server:
        pass
    sample = closed_loop(target(server), connections=1, seconds=0.05)
    assert set(sample.failures) <= {"ConnectionRefusedError", "ConnectionResetError"}
    assert sample.sent == sum(sample.failures.values()) > 0


def test_the_open_loop_sends_what_is_due_and_no_more() -> None:
    with serving() as server:
        sample = open_loop(target(server), [0.01, 0.02, 0.02, 0.1], 0.2, most_connections=10)
    assert sorted(server.bodies) == DATA[:4]
    assert sample.sent == sample.in_time == 4
    assert sample.failures == {}


@pytest.mark.parametrize("most_connections", [1, 1000])
def test_a_server_that_stalls_cannot_hide_it(most_connections: int) -> None:
    """100 requests a second; the 11th and those that come with it wait for half a second.

    A generator that waited for the answer before it sent the next request would see one slow
    answer for each connection. Here everyone who came during the stall has waited.
    """
    stall_s, goes_on = 0.5, Event()

    def stall(asked: Asked) -> None:
        if asked.number == 10:
            time.sleep(stall_s)
            goes_on.set()
        if asked.number > 10:
            goes_on.wait()
        asked.answer()

    times = [number / 100 for number in range(100)]
    with serving(stall) as server:
        sample = open_loop(target(server), times, seconds=1.0, most_connections=most_connections)
    waited = np.sort(sample.good_s)[::-1][:50]
    assert len(sample.good_s) == 100
    assert (waited >= stall_s - np.arange(50) / 100 - 0.02).all()


def test_a_generator_that_falls_behind_cannot_hide_it(monkeypatch: pytest.MonkeyPatch) -> None:
    send, slow = Driver.send, iter([0.1])

    def send_slowly(driver: Driver, connection: Connection, intended_s: float) -> None:
        time.sleep(next(slow, 0))
        send(driver, connection, intended_s)

    monkeypatch.setattr(Driver, "send", send_slowly)
    times = [0.0, 0.01, 0.02, 0.03]
    with serving() as server:
        sample = open_loop(target(server), times, seconds=0.2, most_connections=5)
    assert (np.sort(sample.good_s)[::-1] >= 0.1 - np.asarray(times)).all()


@pytest.mark.parametrize("connections", [1, 3])
def test_an_answer_after_the_end_is_no_part_of_the_rate(connections: int) -> None:
    def late(asked: Asked) -> None:
        time.sleep(0.2)
        asked.answer()

    with serving(late) as server:
        sample = closed_loop(target(server), connections, seconds=0.1)
    assert (sample.in_time, sample.rate_per_s) == (0, 0)
    assert len(sample.good_s) == connections
    assert sample.failures == {}


def test_requests_beyond_the_connections_stay_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.serving.load.GRACE_S", 0.1)

    def never(asked: Asked) -> None:
        asked.server.over.wait()

    with serving(never) as server:
        sample = open_loop(target(server), [0.0] * 9, seconds=0.1, most_connections=4)
        assert server.connections == 4
    assert sample.failures == {"unanswered": 4, "unsent": 5}


def test_an_idle_connection_that_the_server_closed_is_not_used() -> None:
    def hang_up_after(asked: Asked) -> None:
        asked.answer()
        raise HangUp

    times = [0.0, 0.1, 0.2, 0.3]
    with serving(hang_up_after) as server:
        sample = open_loop(target(server), times, seconds=0.4, most_connections=1)
    assert sample.failures == {}
    assert sample.in_time == 4
    assert server.connections == 4


def test_arrivals_are_a_poisson_process() -> None:
    times = np.asarray(arrivals(1000, 20, seed=1))
    gaps = np.diff(times)
    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert (gaps > 0).all()
    assert times[-1] < 20
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert arrivals(1000, 20, seed=1) == list(times) != arrivals(1000, 20, seed=2)
