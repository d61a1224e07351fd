"""Batches of a few fixed sizes, each bound once to memory that never moves."""

from bisect import bisect_left
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Literal

import numpy as np
import onnxruntime

from service.inference.session import OUTPUTS, Outputs, join
from service.inference.work import Pixels

Where = Literal["cpu", "cuda"]

_NO_GRAPH = -1  # onnxruntime's gpu_graph_id of a run that neither records nor replays
_RUNS = 8  # even, so that two series of runs see the same images
_ATOL = 1e-4  # between a replayed graph and its nodes one by one, as for a golden batch


class Buckets:
    """Runs a graph in batches of 1, 2, 4, ... images, padded up to the next of these sizes.

    Every size has its input and outputs bound to fixed memory and is run before anyone waits for
    it, so that a GPU has chosen its algorithms and taken its memory. Use it from one thread.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, staging: Pixels, where: Where
    ) -> None:
        """Bind every size up to that of `staging`, the memory through which images are copied.

        It can be shared between graphs that never run at once.
        """
        self._staging = staging
        staging[:] = np.random.default_rng(0).integers(0, 256, staging.shape, np.uint8)
        self.sizes = bucket_sizes(len(staging))
        # The largest first: the arena then never grows, and TensorRT builds for the whole range.
        order = (self.sizes[-1], *self.sizes[:-1])
        made = {size: _Bucket(session, staging[:size], where) for size in order}
        self._buckets = [made[size] for size in self.sizes]

    def record(self) -> tuple[int, ...]:
        """Record a CUDA graph for each size; the sizes where it is now used.

        It is where its answers are those of the nodes run one by one, and come sooner.
        """
        return tuple(bucket.size for bucket in self._buckets if bucket.record())

    def run(self, images: Pixels) -> Outputs:
        """The graph's outputs, in order; more images than the largest size take several runs."""
        return join([self._run(part) for part in _cut(images, self.sizes[-1])])

    def _run(self, images: Pixels) -> Outputs:
        n = len(images)
        self._staging[:n] = images  # what an earlier batch left behind it is run, and cut off below
        embedding, probabilities = self._buckets[bisect_left(self.sizes, n)].run()
        return Outputs(embedding[:n], probabilities[:n])


class _Bucket:
    """One batch size: its images are the first of the staging memory."""

    def __init__(self, session: onnxruntime.InferenceSession, images: Pixels, where: Where) -> None:
        self.size = len(images)
        self._session = session
        self._images = images
        self._input = _allocate(images.shape, np.uint8, where)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input("images", self._input)
        widths = {output.name: output.shape[1] for output in session.get_outputs()}
        for name in OUTPUTS:
            value = _allocate((self.size, widths[name]), np.float32, where)
            self._binding.bind_ortvalue_output(name, value)
        self._options = _graph_id(_NO_GRAPH)
        self.run()

    def run(self) -> list[np.ndarray]:
        """Copy the images in, run, copy the outputs out to fresh memory."""
        self._input.update_inplace(self._images)
        self._binding.synchronize_inputs()  # the copy is on another CUDA stream than the graph
        self._session.run_with_iobinding(self._binding, self._options)
        outputs: list[np.ndarray] = self._binding.copy_outputs_to_cpu()
        return outputs

    def record(self) -> bool:
        """Record a CUDA graph and say whether it is used from now on."""
        expected, without_s = self._try()
        self._options = _graph_id(self.size)  # a recorded graph has one shape
        found, with_s = self._try()
        used = with_s < without_s and all(map(_agree, expected, found))
        if not used:
            self._options = _graph_id(_NO_GRAPH)
        return used

    def _try(self) -> tuple[list[np.ndarray], float]:
        """Run several times on changing images; return the answers and the median seconds."""
        answers, seconds = [], []
        for _ in range(_RUNS):
            np.invert(self._images, out=self._images)
            started = perf_counter()
            answers += self.run()
            seconds.append(perf_counter() - started)
        return answers, median(seconds)


def bucket_sizes(largest: int) -> tuple[int, ...]:
    """The powers of two below `largest`, and `largest` itself."""
    return (*(2**power for power in range((largest - 1).bit_length())), largest)


def _agree(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=0, atol=_ATOL))


def _cut(images: Pixels, step: int) -> Iterator[Pixels]:
    return (images[start : start + step] for start in range(0, len(images), step))


def _allocate(shape: tuple[int, ...], dtype: type, where: Where) -> onnxruntime.OrtValue:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, dtype, where)


def _graph_id(number: int) -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(number))
    return options
