import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from service.inference.buckets import Buckets, bucket_sizes
from service.inference.device import CPU
from service.inference.session import Outputs, Session
from tests.support.bundles import publish


def pictures(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def plain(root: Path) -> Session:
    return Session(publish(root), CPU, threads=1)


def buckets(session: Session, largest: int) -> Buckets:
    return Buckets(session._session, np.zeros((largest, 8, 8, 3), np.uint8), "cpu")


def assert_same(found: Outputs, expected: Outputs) -> None:
    assert found.embedding.shape == expected.embedding.shape
    np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-6)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(1, (1,)), (2, (1, 2)), (32, (1, 2, 4, 8, 16, 32)), (33, (1, 2, 4, 8, 16, 32, 33))],
)
def test_sizes_are_powers_of_two_up_to_the_largest(largest: int, sizes: tuple[int, ...]) -> None:
    assert bucket_sizes(largest) == sizes


@pytest.mark.parametrize("largest", [12, 16])
def test_padding_changes_no_answer(tmp_path: Path, largest: int) -> None:
    session = plain(tmp_path)
    padded = buckets(session, largest)
    for n in range(1, 41):  # beyond the largest too: several runs
        assert_same(padded.run(pictures(n, seed=n)), session.run(pictures(n, seed=n)))


def test_an_answer_stays_when_the_next_batch_runs(tmp_path: Path) -> None:
    session = plain(tmp_path)
    padded = buckets(session, 4)
    first = padded.run(pictures(3, seed=1))
    padded.run(pictures(3, seed=2))
    assert_same(first, session.run(pictures(3, seed=1)))


def test_images_are_left_as_they_were(tmp_path: Path) -> None:
    padded = buckets(plain(tmp_path), 4)
    images = pictures(3)
    padded.run(images)
    padded.record()
    np.testing.assert_array_equal(images, pictures(3))


def test_recording_changes_no_answer(tmp_path: Path) -> None:
    session = plain(tmp_path)
    padded = buckets(session, 8)
    assert set(padded.record()) <= {1, 2, 4, 8}
    for n in range(1, 9):
        assert_same(padded.run(pictures(n)), session.run(pictures(n)))


class Recorder(onnxruntime.InferenceSession):  # type: ignore[misc]  # it has no types
    """Stands in for a session on a GPU: a recorded run is given."""

    def __init__(self, path: Path, recorded: str) -> None:
        super().__init__(path, providers=[CPU])
        self._recorded = recorded
        self.graphs: list[str] = []

    def run_with_iobinding(
        self, binding: onnxruntime.IOBinding, options: onnxruntime.RunOptions
    ) -> None:
        graph = options.get_run_config_entry("gpu_graph_id")
        self.graphs.append(graph)
        if (graph == "-1") == (self._recorded != "slower"):
            time.sleep(0.01)
        if graph == "-1" or self._recorded != "stale":
            super().run_with_iobinding(binding, options)


@pytest.mark.parametrize(("recorded", "used"), [("faster", (1, 2)), ("slower", ()), ("stale", ())])
def test_a_recorded_graph_is_used_where_it_is_faster_and_answers_the_same(
    tmp_path: Path, recorded: str, used: tuple[int, ...]
) -> None:
    bundle = publish(tmp_path)
    session, recorder = Session(bundle, CPU, threads=1), Recorder(bundle.model_path, recorded)
    padded = Buckets(recorder, np.zeros((2, 8, 8, 3), np.uint8), "cpu")
    assert set(recorder.graphs) == {"-1"}  # nothing is recorded unasked
    assert padded.record() == used
    recorder.graphs.clear()
    for n in (1, 2):
        assert_same(padded.run(pictures(n)), session.run(pictures(n)))
    assert recorder.graphs == (["1", "2"] if used else ["-1", "-1"])
