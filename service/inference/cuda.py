"""Sessions on an NVIDIA GPU. Nothing here was measured: no GPU was available.

Statements on onnxruntime and CUDA are from their documentation and source, and the tests run the
same classes on the processor.
"""

import ctypes
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import onnxruntime
import structlog
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, Fail, RuntimeException

from models.bundle import MODEL, Bundle
from models.errors import BundleDamaged
from service.inference.buckets import Buckets
from service.inference.device import CPU, CUDA, TENSORRT, Provider
from service.inference.session import Options, Outputs, Session
from service.inference.work import Pixels
from service.machine.hardware import load_driver

MAX_BATCH = 256
# What onnxruntime raises where a graph cannot be recorded: at load, where nodes need the processor
# or loop; at the first runs, where a kernel does what CUDA forbids while recording.
_CANNOT_RECORD = (BundleDamaged, EPFail, Fail, RuntimeException, RuntimeError)
_PORTABLE = 1  # CU_MEMHOSTALLOC_PORTABLE: pinned for every CUDA context

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)


class Gpu:
    """The shared state of a process's sessions: one thread for CUDA, and the memory to reach it.

    One thread, because onnxruntime keeps a recorded CUDA graph with the thread that recorded it,
    and because CUDA ends a recording when another thread allocates or copies meanwhile: a model
    that loads would disturb those that serve.
    """

    def __init__(self, max_batch: int = MAX_BATCH, engines: Path = Path("var/tensorrt")) -> None:
        """`engines` is where TensorRT keeps what it built, which takes it minutes."""
        self.max_batch = max_batch
        self.engines = engines
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cuda")
        self._staging: dict[tuple[Provider, int], Pixels] = {}

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it on the CUDA thread and wait. Not from that thread itself."""
        return self._thread.submit(function, *args, **kwargs).result()

    def staging(self, provider: Provider, size_px: int) -> Pixels:
        """Memory for the largest batch of images on their way to the GPU; on the CUDA thread."""
        if (provider, size_px) not in self._staging:
            shape = (self.max_batch, size_px, size_px, 3)
            made = np.zeros(shape, np.uint8) if provider == CPU else _pinned(shape)
            self._staging[provider, size_px] = made
        return self._staging[provider, size_px]


class CudaSession(Session):
    """A session whose batches are padded to warmed sizes, one at a time. Safe from any thread.

    With CUDA, a size uses a recorded CUDA graph where that is faster on this very GPU and answers
    the same; where onnxruntime cannot record one, because nodes that compute are not on the GPU,
    it says so in the log. TensorRT records nothing.
    """

    def __init__(self, bundle: Bundle, provider: Provider, gpu: Gpu) -> None:
        """Load the graph and warm every size up to `gpu.max_batch`.

        Raises what Session raises.
        """
        self._gpu = gpu
        self._buckets = gpu.call(self._load, bundle, provider)
        self.sizes = self._buckets.sizes

    def run(self, images: Pixels) -> Outputs:
        """The graph's outputs, in the order of the images."""
        return self._gpu.call(self._buckets.run, images)

    def _load(self, bundle: Bundle, provider: Provider) -> Buckets:
        if provider == TENSORRT:
            return self._warm(bundle, provider, record=False)
        try:
            return self._warm(bundle, provider, record=True)
        except _CANNOT_RECORD as error:
            log.warning("no CUDA graphs", reason=str(error), **_name(bundle))
        return self._warm(bundle, provider, record=False)

    def _warm(self, bundle: Bundle, provider: Provider, record: bool) -> Buckets:
        super().__init__(bundle, provider, 1, _options(bundle, provider, self._gpu, record))
        staging = self._gpu.staging(provider, bundle.manifest.preprocess.size_px)
        buckets = Buckets(self._session, staging, "cpu" if provider == CPU else "cuda")
        recorded = buckets.record() if record else ()
        log.info("warmed", nodes=self.nodes, cuda_graphs=recorded, **_name(bundle))
        return buckets


def _name(bundle: Bundle) -> dict[str, str | int]:
    return {"model": bundle.manifest.name, "version": bundle.manifest.version}


def _options(bundle: Bundle, provider: Provider, gpu: Gpu, record: bool) -> Options:
    cuda = {
        "enable_cuda_graph": "1" if record else "0",
        "use_tf32": "0",  # it keeps 10 bits of a factor: golden batches would not come back
        "cudnn_conv_algo_search": "EXHAUSTIVE",  # paid while warming, not by a request
        "arena_extend_strategy": "kSameAsRequested",  # the largest batch comes first
    }
    if provider != TENSORRT:
        return {CUDA: cuda}
    folder = str(_engines(bundle, gpu))
    tensorrt = {
        "trt_fp16_enable": "0",  # golden batches would not come back
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": folder,
    }
    return {TENSORRT: tensorrt, CUDA: cuda}


def _engines(bundle: Bundle, gpu: Gpu) -> Path:
    """A folder for each graph: TensorRT names an engine by the graph's nodes, not its weights."""
    folder = gpu.engines / f"onnxruntime-{onnxruntime.__version__}"
    folder = folder / bundle.manifest.files[MODEL].sha256
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _pinned(shape: tuple[int, ...]) -> Pixels:
    """Page-locked memory, from which a GPU reads without a copy between; never given back.

    It needs a CUDA context on this thread, which opening a session leaves.
    """
    address, size = ctypes.c_void_p(), math.prod(shape)
    code = load_driver().cuMemHostAlloc(
        ctypes.byref(address), ctypes.c_size_t(size), ctypes.c_uint(_PORTABLE)
    )
    if code or not address.value:
        log.warning("no page-locked memory; copies to the GPU are slower", cuda_error=code)
        return np.zeros(shape, np.uint8)
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address.value)).reshape(shape)
