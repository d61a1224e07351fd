"""Ready vectors, as a JSON body carries them."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from models.manifest import Metric
from service.http.requests.base64_text import NotBase64, read_base64
from service.vectors.errors import InvalidItems
from service.vectors.protocol import Vectors

Vector = Float32[np.ndarray, " d"]
_NUMBERS = {int, float}  # not bool, which is an int to Python


class InvalidValue(Exception):
    """The fault of one item or vector of many."""


def read_vector(value: object, dimension: int, metric: Metric) -> Vector:
    """A vector from JSON numbers, or from base64 of little-endian float32. Raises InvalidValue."""
    vector = _from_base64(value) if isinstance(value, str) else _from_numbers(value)
    if len(vector) != dimension:
        raise InvalidValue(f"vector must have {dimension:,} numbers (got {len(vector):,})")
    if not math.isfinite(vector.sum(dtype=np.float64)):  # which finite float32 cannot overflow
        raise InvalidValue("vector must be finite (a number is NaN, infinite or beyond float32)")
    if metric == "cosine" and not np.count_nonzero(vector):
        raise InvalidValue("vector must not be all zeros, which has no direction")
    return vector


def read_vectors(values: Sequence[object], dimension: int, metric: Metric) -> Vectors:
    """All of them. Raises InvalidItems with every bad one."""
    vectors = np.empty((len(values), dimension), np.float32)
    faults = {}
    for i, value in enumerate(values):
        try:
            vectors[i] = read_vector(value, dimension, metric)
        except InvalidValue as fault:
            faults[i] = str(fault)
    if faults:
        raise InvalidItems(tuple(faults), tuple(faults.values()))
    return vectors


def _from_numbers(value: object) -> Vector:
    if not isinstance(value, list) or not set(map(type, value)) <= _NUMBERS:
        raise InvalidValue("vector must be a list of numbers or base64")
    try:
        with np.errstate(over="ignore"):  # the infinity that it leaves is refused
            return np.array(value, np.float64).astype(np.float32)
    except OverflowError:
        raise InvalidValue("vector must fit into float32 (an integer is beyond float32)") from None


def _from_base64(text: str) -> Vector:
    try:
        data = read_base64(text)
    except NotBase64 as error:
        raise InvalidValue(f"vector: {error}") from None
    if len(data) % 4:
        raise InvalidValue(f"vector must be float32, 4 bytes a number (got {len(data):,} bytes)")
    return np.frombuffer(data, "<f4").astype(np.float32)
