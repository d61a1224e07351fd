import pytest

from service.errors import Overloaded
from service.inference.batch_limits import Limits, Pace
from service.inference.capacity import Capacity


def test_room_is_counted_once_and_given_back_once() -> None:
    capacity = Capacity(Limits(queue_items=4, max_batch=2), Pace(0))
    with capacity.reserve() as room:
        assert capacity.items == 0  # the body is still on its way
        room.take(3)
        assert capacity.items == 3
        with room:  # a block within the request's
            pass
        assert capacity.items == 0
    assert capacity.items == 0


def test_a_slow_body_holds_nothing_of_what_others_could_use() -> None:
    capacity = Capacity(Limits(queue_items=2, max_batch=2), Pace(0))
    slow = [capacity.reserve() for _ in range(100)]
    with capacity.reserve() as room:
        room.take(2)
        with pytest.raises(Overloaded) as refused:
            capacity.reserve()  # before anything of its body is read
        assert refused.value.limit == 2
        with slow[0], pytest.raises(Overloaded):
            slow[0].take(1)
    with slow[0]:
        slow[0].take(1)
    assert capacity.items == 0


def test_what_was_refused_holds_nothing() -> None:
    capacity = Capacity(Limits(queue_items=4, max_batch=2), Pace(0))
    with pytest.raises(Overloaded), capacity.reserve() as room:
        room.take(5)
    assert capacity.items == 0
