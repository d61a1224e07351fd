"""One bundle's ONNX graph, run by onnxruntime."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from jaxtyping import Float32

from models.bundle import Bundle
from models.errors import BundleDamaged
from models.manifest import Manifest, Precision
from service.errors import DeviceUnavailable
from service.inference.device import Provider, providers
from service.inference.work import Pixels

OUTPUTS = ("embedding", "probabilities")
_ERRORS_ONLY = 3  # onnxruntime's severity; its warnings speak to its developers

Options = Mapping[Provider, Mapping[str, str]]


class Outputs(NamedTuple):
    """The graph's outputs for n images."""

    embedding: Float32[np.ndarray, "n d"]
    probabilities: Float32[np.ndarray, "n c"]


class Session:
    """The graph, loaded and checked against its manifest. Safe to run from any thread."""

    sizes: tuple[int, ...] = ()  # of batches, where each size is prepared by itself

    def __init__(
        self,
        bundle: Bundle,
        provider: Provider,
        threads: int,
        options: Options | None = None,
        precision: Precision = "float32",
    ) -> None:
        """Load the graph; a run uses `threads` processors, and `options` go to the providers.

        Raises BundleDamaged where onnxruntime cannot read it or it is not what the manifest
        says, and DeviceUnavailable where it would run on another provider than the one given.
        """
        self.provider = provider
        self.precision = precision
        path = bundle.path / bundle.file_of(precision)
        self._session = _open(bundle, path, provider, threads, options or {})
        self.nodes = _nodes(self._session)
        _check_provider(provider, self.nodes, bundle.manifest)
        _check_signature(self._session, bundle.manifest)

    def run(self, images: Pixels) -> Outputs:
        """The graph's outputs, in the order of the images."""
        return Outputs(*self._session.run(OUTPUTS, {"images": images}))


def join(parts: Sequence[Outputs]) -> Outputs:
    """The outputs of several runs as if of one."""
    if len(parts) == 1:
        return parts[0]
    return Outputs(
        np.concatenate([part.embedding for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )


def _open(
    bundle: Bundle, path: Path, provider: Provider, threads: int, options: Options
) -> onnxruntime.InferenceSession:
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    _share_arena()
    chain = [(name, dict(options.get(name, {}))) for name in providers(provider)]
    try:
        return onnxruntime.InferenceSession(
            path,
            _session_options(threads),
            providers=chain,
            enable_fallback=False,  # else it would go on with other providers, at any later run
        )
    except Exception as error:  # onnxruntime's exceptions share no narrower base
        reason = f"onnxruntime cannot load it: {error}"
        raise BundleDamaged(bundle.manifest.name, bundle.manifest.version, reason) from error


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return the options that benchmarks/serving/session.py chose; else onnxruntime's default."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between batches would take the cores that decode the next one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


@cache
def _share_arena() -> None:
    """Let every session of this process take its memory from one arena.

    An arena never shrinks, and a session's own keeps what its largest batch ever needed. Five
    models, after batches of 1 to 64 images on two threads: 304 MiB resident with an arena each,
    174 with one for all, 218 with none; 11,670, 11,610 and 9,870 images/s at batches of 64. It
    grows by powers of two; by what was asked (kSameAsRequested) it came to 630 MiB, since sizes
    that rise leave every smaller block behind. (2 AMD EPYC cores, AVX2, n = 2)
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    no_limit, power_of_two, default = 0, 0, -1
    arena = onnxruntime.OrtArenaCfg(no_limit, power_of_two, default, default)
    onnxruntime.create_and_register_allocator(memory, arena)


def _nodes(session: onnxruntime.InferenceSession) -> dict[str, int]:
    """Count the nodes of the graph by provider.

    With CUDA, a few belong on the processor, those that compute shapes; therefore the option
    session.disable_cpu_ep_fallback, which refuses any, is not set.
    """
    count: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        count[part.ep_name] += len(part.get_nodes())
    return dict(count)


def _check_provider(provider: Provider, nodes: Mapping[str, int], manifest: Manifest) -> None:
    """Onnxruntime says nothing where a provider does not load, or loads and takes no node."""
    if not nodes.get(provider):
        name = f"{manifest.name}/{manifest.version}"
        raise DeviceUnavailable(f"onnxruntime opened {name} not on {provider}, but on {nodes}")


def _check_signature(session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
    size = manifest.preprocess.size_px
    expected = {
        "images": ("tensor(uint8)", [size, size, 3]),
        "embedding": ("tensor(float)", [manifest.dimension]),
        "probabilities": ("tensor(float)", [len(manifest.labels)]),
    }
    found = {
        value.name: (value.type, list(value.shape[1:]))
        for value in (*session.get_inputs(), *session.get_outputs())
    }
    if found != expected:
        reason = f"the graph has {found}, where the manifest says {expected}"
        raise BundleDamaged(manifest.name, manifest.version, reason)
