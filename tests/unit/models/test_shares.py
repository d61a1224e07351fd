"""Wilson's interval at its ends, where rounding could put a share outside it."""

from models.shares import wilson


def test_a_share_is_inside_its_own_interval() -> None:
    for n in range(1, 3000):
        none, every = wilson(0.0, n), wilson(1.0, n)
        assert none.low == 0.0 < none.high
        assert every.low < 1.0 == every.high
