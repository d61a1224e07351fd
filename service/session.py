"""One bundle's ONNX graph, run by onnxruntime."""

from dataclasses import dataclass

import numpy as np
import onnxruntime
from jaxtyping import Float32

from models.bundle import Bundle
from models.errors import BundleDamaged
from models.manifest import Manifest
from service.decode import Pixels
from service.device import CPU, CUDA, Provider
from service.errors import DeviceUnavailable

_ERRORS_ONLY = 3  # onnxruntime's severity; its warnings speak to its developers
_OUTPUTS = ("embedding", "probabilities")


@dataclass(frozen=True)
class Outputs:
    """What the graph says about n images."""

    embedding: Float32[np.ndarray, "n d"]
    probabilities: Float32[np.ndarray, "n c"]


class Session:
    """The graph, loaded and checked against its manifest. Safe to run from any thread."""

    def __init__(self, bundle: Bundle, provider: Provider, threads: int) -> None:
        """Load the graph.

        Raises BundleDamaged where onnxruntime cannot read it or it is not what the manifest
        says, and DeviceUnavailable where it would run on another provider than the one given.
        """
        self.provider = provider
        self._session = _open(bundle, provider, threads)
        _check_signature(self._session, bundle.manifest)

    def run(self, images: Pixels) -> Outputs:
        """The graph's outputs, in the order of the images."""
        return Outputs(*self._session.run(_OUTPUTS, {"images": images}))


def _open(bundle: Bundle, provider: Provider, threads: int) -> onnxruntime.InferenceSession:
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    name, version = bundle.manifest.name, bundle.manifest.version
    try:
        session = onnxruntime.InferenceSession(
            bundle.model_path, _options(threads), providers=_providers(provider)
        )
    except Exception as error:  # onnxruntime's exceptions share no narrower base
        raise BundleDamaged(name, version, f"onnxruntime cannot load it: {error}") from error
    if provider not in session.get_providers():
        raise DeviceUnavailable(f"onnxruntime did not open {name}/{version} on {provider}")
    return session


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between batches would take the cores that decode the next one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(provider: Provider) -> list[tuple[str, dict[str, str]]]:
    if provider == CUDA:  # TF32 rounds inputs to 10 bits: golden batches would not match
        return [(CUDA, {"use_tf32": "0"}), (CPU, {})]
    return [(CPU, {})]


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
