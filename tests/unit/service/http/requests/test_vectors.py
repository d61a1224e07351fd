import base64
from typing import Any

import numpy as np
import pytest

from service.http.requests.vectors import InvalidValue, read_vector, read_vectors
from service.vectors.errors import InvalidItems


def coded(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()


@pytest.mark.parametrize("value", [[1, -2.5, 3e-7], coded(1, -2.5, 3e-7)])
def test_numbers_and_base64_say_the_same(value: object) -> None:
    vector = read_vector(value, 3, "cosine")
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector, np.array([1, -2.5, 3e-7], np.float32))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, 2], "got 2"),
        ([], "got 0"),
        (coded(1, 2, 3, 4), "got 4"),
        ([1, 2, float("nan")], "NaN, infinite"),
        ([1, 2, -1e39], "beyond float32"),
        (coded(1, 2, float("inf")), "NaN, infinite"),
        ([1, 2, True], "must be a list of numbers"),
        ([1, 2, "3"], "must be a list of numbers"),
        (None, "must be a list of numbers"),
        ({"0": 1}, "must be a list of numbers"),
        ("AAA", "2 bytes"),
        ("AAAAA", "not base64: it is cut off"),
        ("AA$A", "not base64: it has '\\$'"),
        ([1, 2, 10**400], "an integer is beyond float32"),
        ("AAA=", "2 bytes"),
    ],
)
def test_what_is_no_vector_says_why(value: Any, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        read_vector(value, 3, "l2")


def test_only_with_cosine_a_vector_needs_a_direction() -> None:
    assert not read_vector([0, 0, 0], 3, "l2").any()
    with pytest.raises(InvalidValue, match="no direction"):
        read_vector([0, 0, 0], 3, "cosine")
    assert read_vector([1e-38, 0, 0], 3, "cosine").any()


def test_every_bad_one_of_many_is_named() -> None:
    with pytest.raises(InvalidItems) as raised:
        read_vectors([[1, 2], [1], [3, 4], "x"], 2, "l2")
    assert raised.value.indexes == (1, 3)
    assert read_vectors([[1, 2], coded(3, 4)], 2, "l2").tolist() == [[1, 2], [3, 4]]
