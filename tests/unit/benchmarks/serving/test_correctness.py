"""Right and wrong answers are distinguished."""

import numpy as np
import orjson
import pytest

from benchmarks.serving.correctness import (
    Reference,
    plausible_lengths,
    reference,
)
from benchmarks.serving.peers.model import Model
from benchmarks.serving.sample import Kept
from benchmarks.serving.workloads import Workload, one_small

EMBEDDINGS = np.eye(4, 8, dtype=np.float32)
WORKLOAD = Workload("w", "w", (b"a", b"b", b"c", b"d"), ((0,), (1,), (2, 3)))
REFERENCE = Reference(WORKLOAD, EMBEDDINGS)


def body(embeddings: np.ndarray) -> bytes:
    return orjson.dumps({"embeddings": embeddings.tolist()})


def test_right_answers_have_no_problem() -> None:
    answers = REFERENCE.judge([Kept(0, body(EMBEDDINGS[[0]])), Kept(2, body(EMBEDDINGS[[2, 3]]))])
    assert (answers.compared, answers.min_cosine, answers.problem) == (3, 1.0, None)


def test_length_does_not_matter_but_direction_does() -> None:
    assert REFERENCE.judge([Kept(0, body(7 * EMBEDDINGS[[0]]))]).problem is None
    for degrees, right in ((2, True), (3, False)):
        angle = np.deg2rad(degrees)
        turned = np.cos(angle) * EMBEDDINGS[[0]] + np.sin(angle) * EMBEDDINGS[[1]]
        answers = REFERENCE.judge([Kept(0, body(turned))])
        assert (answers.problem is None) is right
        assert answers.min_cosine == pytest.approx(np.cos(angle), abs=1e-6)


@pytest.mark.parametrize(
    "answer",
    [
        Kept(1, body(EMBEDDINGS[[0]])),  # somebody else's
        Kept(2, body(EMBEDDINGS[[3, 2]])),  # in the wrong order
        Kept(2, body(EMBEDDINGS[[2]])),  # one missing
        Kept(0, body(0 * EMBEDDINGS[[0]])),
        Kept(0, b'{"embeddings": "none"}'),
        Kept(0, b'{"error": "no"}'),
        Kept(0, b"[1]"),
        Kept(0, b"not JSON"),
    ],
)
def test_one_wrong_answer_among_right_ones_is_found(answer: Kept) -> None:
    right = Kept(0, body(EMBEDDINGS[[0]]))
    assert REFERENCE.judge([right, answer, right]).problem is not None


def test_of_no_answers_nothing_is_wrong() -> None:
    answers = REFERENCE.judge([])
    assert (answers.compared, answers.min_cosine, answers.problem) == (0, None, None)


def test_the_reference_is_the_published_model_on_pillows_pixels() -> None:
    small = one_small()
    few = Workload("few", "few", small.images[:5], tuple((i,) for i in range(5)))
    found = reference(few, Model())
    assert found.embeddings.shape == (5, 64)
    assert np.linalg.norm(found.embeddings, axis=1) == pytest.approx(1, abs=1e-5)
    assert (found.embeddings @ found.embeddings.T - np.eye(5)).max() < 0.99  # all different


def test_lengths_leave_room_for_other_digits_but_not_for_another_answer() -> None:
    assert plausible_lengths([b"x" * 700, b"x" * 900]) == (630, 990)
