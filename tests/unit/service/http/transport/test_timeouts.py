"""Time limits of a connection; the time is given, so that nothing here depends on it."""

from service.http.transport.timeouts import BODY, HEAD, LINGER_S, STOPPING_S, TimeoutWatch
from service.settings import Settings

SETTINGS = Settings(head_timeout_s=20, body_timeout_s=30, min_bytes_per_s=100, keep_alive_s=75)


def test_a_head_has_its_time_from_its_first_byte() -> None:
    watch = TimeoutWatch(SETTINGS, 0)
    watch.note(HEAD, 1, 50)
    watch.note(HEAD, 1, 69)
    assert watch.fed_bytes == 2
    assert not watch.head_is_late(70)
    assert watch.head_is_late(70.1)
    watch.idle_since = 60  # until then the one before it was answered
    assert not watch.head_is_late(80)


def test_a_body_must_go_on_coming() -> None:
    watch = TimeoutWatch(SETTINGS, 0)
    watch.note(BODY, 10**6, 0)  # which came with the head, and is not counted
    assert not watch.body_is_late(30)
    watch.note(BODY, 3000, 10)
    assert not watch.body_is_late(30.1)  # fast enough
    watch.note(BODY, 10**6, 31)
    assert not watch.body_is_late(60)
    assert not watch.body_is_late(60.2)  # and a new stretch begins, which has nothing of before
    assert not watch.body_is_late(90.2)
    assert watch.body_is_late(90.3)


def test_time_that_was_ours_does_not_count() -> None:
    watch = TimeoutWatch(SETTINGS, 0)
    watch.note(BODY, 1, 0)
    watch.looked = 10
    watch.pardon(40)
    assert not watch.body_is_late(60)
    assert watch.body_is_late(60.1)


def test_who_keeps_the_service_from_stopping_has_less_time() -> None:
    watch = TimeoutWatch(SETTINGS, 0)
    watch.note(BODY, 1, 0)
    watch.hurry(10)
    assert not watch.body_is_late(10 + STOPPING_S)
    assert watch.body_is_late(10.1 + STOPPING_S)


def test_idle_connections_end() -> None:
    watch = TimeoutWatch(SETTINGS, 100)
    assert not watch.is_idle(120, asked=False)
    assert watch.is_idle(120.1, asked=False)
    assert not watch.is_idle(175, asked=True)
    assert watch.is_idle(175.1, asked=True)


def test_an_answer_must_go_on_being_taken() -> None:
    watch = TimeoutWatch(SETTINGS, 0)
    assert not watch.is_stuck(90, 10**6, 0)
    assert not watch.is_stuck(100, 10**6, 5000)
    assert not watch.is_stuck(130, 10**6, 5000)
    assert watch.is_stuck(130.1, 10**6, 2001)  # 2,999 bytes in 30 s
    assert not watch.is_stuck(140, 10**6, 0)
    assert not watch.is_stuck(200, 10**6, 5000)
    assert not watch.is_stuck(230.1, 10**6, 2000)


def test_lingering_ends() -> None:
    watch = TimeoutWatch(SETTINGS, 0)
    assert not watch.lingers_long(50)
    assert not watch.lingers_long(50 + LINGER_S)
    assert watch.lingers_long(50.1 + LINGER_S)
